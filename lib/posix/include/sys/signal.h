/* SPDX-License-Identifier: MIT */
/*
 * Signals, in place of newlib's header: siginfo_t with all that handlers are told, and the numbers that Linux has on
 * this architecture. <signal.h> is newlib's and includes this.
 */
#ifndef _SYS_SIGNAL_H
#define _SYS_SIGNAL_H

#include <sys/_sigset.h>
#include <sys/_timespec.h>
#include <sys/cdefs.h>
#include <sys/features.h>
#include <sys/types.h>

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGIOT    SIGABRT
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCLD    SIGCHLD
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPOLL   SIGIO
#define SIGPWR    30
#define SIGSYS    31
#define NSIG      32

#if !defined(_SIGSET_T_DECLARED)
#define _SIGSET_T_DECLARED
typedef __sigset_t sigset_t; /* bit n - 1: signal n */
#endif

union sigval {
    int sival_int;
    void *sival_ptr;
};

#define SIGEV_NONE   1
#define SIGEV_SIGNAL 2
#define SIGEV_THREAD 3

struct sigevent {
    int sigev_notify;
    int sigev_signo;
    union sigval sigev_value;
    void (*sigev_notify_function)(union sigval);
    pthread_attr_t *sigev_notify_attributes;
};

typedef struct {
    int si_signo;
    int si_code;
    pid_t si_pid;          /* of the sender, or of the child */
    int si_status;         /* SIGCHLD: exit status or signal */
    void *si_addr;         /* faults: the address that was touched, or of the instruction */
    union sigval si_value; /* sigqueue() */
    int si_errno;
    uid_t si_uid;
    long si_band;
} siginfo_t;

/* si_code of any signal. */
#define SI_USER    0
#define SI_QUEUE   (-1)
#define SI_TIMER   (-2)
#define SI_MESGQ   (-3)
#define SI_ASYNCIO (-4)
#define SI_TKILL   (-6)
#define SI_KERNEL  0x80
/* SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGCHLD. */
#define ILL_ILLOPC    1
#define FPE_INTDIV    1
#define FPE_FLTDIV    3
#define FPE_FLTINV    7
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define BUS_OBJERR    3
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

typedef void (*_sig_func_ptr)(int);

struct sigaction {
    union {
        _sig_func_ptr _handler;
        void (*_action)(int, siginfo_t *, void *);
    } _function;
    sigset_t sa_mask;
    int sa_flags;
};
#define sa_handler   _function._handler
#define sa_sigaction _function._action

#define SA_NOCLDSTOP 0x00000001
#define SA_NOCLDWAIT 0x00000002
#define SA_SIGINFO   0x00000004
#define SA_ONSTACK   0x08000000
#define SA_RESTART   0x10000000
#define SA_NODEFER   0x40000000
#define SA_RESETHAND 0x80000000
#define SA_NOMASK    SA_NODEFER
#define SA_ONESHOT   SA_RESETHAND

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* A handler's first frame holds all registers and the IPC buffer: about 5 KiB. */
#undef MINSIGSTKSZ
#undef SIGSTKSZ
#define MINSIGSTKSZ 8192
#define SIGSTKSZ    32768
#define SS_ONSTACK  1
#define SS_DISABLE  2

typedef struct sigaltstack {
    void *ss_sp;
    int ss_flags;
    size_t ss_size;
} stack_t;

__BEGIN_DECLS

int kill(pid_t pid, int signal);
int killpg(pid_t group, int signal);
int sigqueue(pid_t pid, int signal, const union sigval value);
int pthread_kill(pthread_t thread, int signal);
int sigaction(int signal, const struct sigaction *action, struct sigaction *old);
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int sigpending(sigset_t *set);
int sigsuspend(const sigset_t *mask);
int sigwait(const sigset_t *set, int *signal);
int sigwaitinfo(const sigset_t *set, siginfo_t *information);
int sigtimedwait(const sigset_t *set, siginfo_t *information, const struct timespec *timeout);
int sigaltstack(const stack_t *__restrict stack, stack_t *__restrict old);
int siginterrupt(int signal, int interrupts);
int sigaddset(sigset_t *set, int signal);
int sigdelset(sigset_t *set, int signal);
int sigemptyset(sigset_t *set);
int sigfillset(sigset_t *set);
int sigismember(const sigset_t *set, int signal);
int _kill(pid_t pid, int signal);

__END_DECLS

#include <signal.h>

#endif
