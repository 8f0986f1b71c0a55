/* SPDX-License-Identifier: MIT */
/*
 * The calling process and its children: requests to root.
 */
#include "internal.h"

#include <proto/root_client.h>
#include <quire/process.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_SIGNAL 128

_Noreturn void _exit(int status);
pid_t _getpid(void);
pid_t _wait(int *status);
int _kill(pid_t pid, int signal);

_Noreturn void _exit(int status)
{
    /* Root gives no answer; if the request cannot even be sent, stopping by a fault is all that is left. */
    for (;;) {
        (void)!root_exit(SLOT_ROOT, (uint64_t)(unsigned)status);
        __builtin_trap();
    }
}

pid_t _getpid(void)
{
    uint64_t badge = 0;
    if (sys_cap_query(SLOT_ROOT, &badge) < 0)
        return 0;
    return (pid_t)badge;
}

/* Signals of other processes are not there yet: SIGKILL and SIGTERM end them, through root. */
int _kill(pid_t pid, int signal)
{
    if (signal < 0 || signal >= NSIG)
        return (int)posix_result(-EINVAL);
    if (pid == _getpid()) {
        if (signal == 0)
            return 0;
        _exit(STATUS_SIGNAL + signal);
    }
    if (pid <= 0 || (signal != SIGKILL && signal != SIGTERM))
        return (int)posix_result(-ENOSYS);
    return (int)posix_result(root_kill(SLOT_ROOT, (uint64_t)pid));
}

/* A child's status as <sys/wait.h> has it; root's statuses above STATUS_SIGNAL are signals that ended it. */
pid_t waitpid(pid_t pid, int *status, int options)
{
    uint64_t ended = 0, code = 0;

    if (options != 0 || pid < -1 || pid == 0)
        return (pid_t)posix_result(-ENOSYS);
    const int error = root_wait(SLOT_ROOT, pid == -1 ? 0 : (uint64_t)pid, &ended, &code);
    if (error < 0)
        return (pid_t)posix_result(error);
    if (status)
        *status = code > STATUS_SIGNAL ? (int)(code - STATUS_SIGNAL) : (int)(code << 8);
    return (pid_t)ended;
}

pid_t _wait(int *status)
{
    return waitpid(-1, status, 0);
}

int64_t process_spawn(const char *const *arguments)
{
    char text[PROTO_DATA_MAX];
    size_t bytes = 0;
    uint64_t pid;

    for (; *arguments; arguments++) {
        const size_t length = strlen(*arguments) + 1;
        if (length > sizeof(text) - bytes)
            return -E2BIG;
        memcpy(text + bytes, *arguments, length);
        bytes += length;
    }
    const int error = root_spawn(SLOT_ROOT, text, bytes, &pid);
    return error < 0 ? error : (int64_t)pid;
}

int process_wait(uint64_t pid)
{
    uint64_t ended, status;
    const int error = root_wait(SLOT_ROOT, pid, &ended, &status);
    return error < 0 ? error : (int)(status & 0xff);
}

int process_run(const char *const *arguments)
{
    const int64_t pid = process_spawn(arguments);
    return pid < 0 ? (int)pid : process_wait((uint64_t)pid);
}
