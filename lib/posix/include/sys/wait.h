/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children, in place of newlib's, which lacks most of it. A status is what a child said or the signal that
 * ended or stopped it, in the usual bits: exit status << 8, or a signal, or stop signal << 8 | 0x7f, or 0xffff.
 */
#ifndef _SYS_WAIT_H
#define _SYS_WAIT_H

#include <signal.h>
#include <sys/cdefs.h>
#include <sys/types.h>

#define WNOHANG    1
#define WUNTRACED  2
#define WSTOPPED   2
#define WEXITED    4
#define WCONTINUED 8
#define WNOWAIT    16

#define WIFEXITED(status)    (((status)&0x7f) == 0)
#define WEXITSTATUS(status)  (((status) >> 8) & 0xff)
#define WIFSIGNALED(status)  (((status)&0x7f) != 0 && ((status)&0x7f) != 0x7f)
#define WTERMSIG(status)     ((status)&0x7f)
#define WIFSTOPPED(status)   (((status)&0xff) == 0x7f && (status) != 0xffff)
#define WSTOPSIG(status)     WEXITSTATUS(status)
#define WIFCONTINUED(status) ((status) == 0xffff)
#define WCOREDUMP(status)    0

typedef enum { P_ALL, P_PID, P_PGID } idtype_t;
#ifndef _ID_T_DECLARED
typedef __id_t id_t;
#define _ID_T_DECLARED
#endif

struct rusage;

__BEGIN_DECLS

pid_t wait(int *status);
pid_t waitpid(pid_t pid, int *status, int options);
pid_t wait3(int *status, int options, struct rusage *usage);
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);
int waitid(idtype_t type, id_t identifier, siginfo_t *news, int options);
pid_t _wait(int *status);

__END_DECLS

#endif
