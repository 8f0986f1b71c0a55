/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children, and process groups: requests to root.
 */
#include "signals.h"
#include "thread_record.h"

#include <proto/root_client.h>
#include <quire/process.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(WNOHANG == ROOT_WAIT_POLL && WUNTRACED == ROOT_WAIT_STOPPED && WCONTINUED == ROOT_WAIT_CONTINUED &&
                   WNOWAIT == ROOT_WAIT_KEEP,
               "options are root's");
_Static_assert(CLD_EXITED == ROOT_CAUSE_EXITED && CLD_KILLED == ROOT_CAUSE_KILLED &&
                   CLD_STOPPED == ROOT_CAUSE_STOPPED && CLD_CONTINUED == ROOT_CAUSE_CONTINUED,
               "causes are root's");

/* News of a child. */
struct news {
    uint64_t pid, cause, value;
};

static int wait_for_news(int64_t target, uint64_t options, struct news *news)
{
    const uint64_t handled = signals_that_interrupt();
    int error;

    do {
        error =
            root_wait(SLOT_ROOT, target, options, thread_number_of_caller(), &news->pid, &news->cause, &news->value);
    } while (error == -EINTR && handled == signals_that_interrupt());
    return error;
}

static int status_of(const struct news *news)
{
    switch (news->cause) {
    case ROOT_CAUSE_EXITED:
        return (int)(news->value & 0xff) << 8;
    case ROOT_CAUSE_STOPPED:
        return (int)news->value << 8 | 0x7f;
    case ROOT_CAUSE_CONTINUED:
        return 0xffff;
    default:
        return (int)news->value;
    }
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    struct news news;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED))
        return (pid_t)posix_result(-EINVAL);
    const int error = wait_for_news(pid, (uint64_t)options, &news);
    if (error < 0)
        return (pid_t)posix_result(error);
    if (status && news.pid)
        *status = status_of(&news);
    return (pid_t)news.pid;
}

pid_t _wait(int *status)
{
    return waitpid(-1, status, 0);
}

/* What a child used is not counted. */
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    if (usage)
        memset(usage, 0, sizeof(*usage));
    return waitpid(pid, status, options);
}

pid_t wait3(int *status, int options, struct rusage *usage)
{
    return wait4(-1, status, options, usage);
}

int waitid(idtype_t type, id_t identifier, siginfo_t *information, int options)
{
    struct news news;
    int64_t target = -1;

    if ((options & ~(WNOHANG | WEXITED | WSTOPPED | WCONTINUED | WNOWAIT)) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)) || (type != P_ALL && type != P_PID && type != P_PGID))
        return (int)posix_result(-EINVAL);
    if (type == P_PID)
        target = (int64_t)identifier;
    else if (type == P_PGID)
        target = -(int64_t)identifier;
    if (type != P_ALL && (int64_t)identifier < (type == P_PID ? 1 : 0))
        return (int)posix_result(type == P_PID ? -ECHILD : -EINVAL);
    const uint64_t wanted = (uint64_t)(options & ~WEXITED) | (options & WEXITED ? 0 : ROOT_WAIT_NO_ENDS);
    const int error = wait_for_news(target, wanted, &news);
    if (error < 0)
        return (int)posix_result(error);
    *information = (siginfo_t){0};
    if (news.pid)
        *information = (siginfo_t){
            .si_signo = SIGCHLD, .si_code = (int)news.cause, .si_pid = (pid_t)news.pid, .si_status = (int)news.value};
    return 0;
}

int process_wait(uint64_t pid)
{
    struct news news;
    const int error = wait_for_news((int64_t)pid, 0, &news);

    if (error < 0)
        return error;
    return (int)(news.cause == ROOT_CAUSE_EXITED ? news.value : 128 + news.value);
}

/* --- Process groups ----------------------------------------------------------------------------------------------- */

static pid_t group_of(pid_t pid, bool session)
{
    uint64_t numbers[2];

    if (pid < 0)
        return (pid_t)posix_result(-EINVAL);
    const int error = root_group_get(SLOT_ROOT, (uint64_t)pid, &numbers[0], &numbers[1]);
    return error < 0 ? (pid_t)posix_result(error) : (pid_t)numbers[session];
}

pid_t getpgid(pid_t pid)
{
    return group_of(pid, false);
}

pid_t getpgrp(void)
{
    return group_of(0, false);
}

pid_t getsid(pid_t pid)
{
    return group_of(pid, true);
}

int setpgid(pid_t pid, pid_t group)
{
    if (pid < 0 || group < 0)
        return (int)posix_result(-EINVAL);
    return (int)posix_result(root_group_set(SLOT_ROOT, (uint64_t)pid, (uint64_t)group));
}

int setpgrp(void)
{
    return setpgid(0, 0);
}

pid_t setsid(void)
{
    uint64_t session;
    const int error = root_session_new(SLOT_ROOT, &session);

    return error < 0 ? (pid_t)posix_result(error) : (pid_t)session;
}
