/* SPDX-License-Identifier: MIT */
/*
 * In place of what newlib has for systems without signals: raise, signal, abort, and the names of signals.
 */
#include "thread_record.h"

#include <proto/root_client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int raise(int signal)
{
    const uint64_t self = thread_number_of_caller();

    if (signal < 0 || signal >= NSIG)
        return (int)posix_result(-EINVAL);
    return signal == 0 ? 0 : (int)posix_result(root_signal_send_thread(SLOT_ROOT, self, (uint64_t)signal, self));
}

int _raise_r(struct _reent *reent, int signal)
{
    (void)reent;
    return raise(signal);
}

_sig_func_ptr signal(int number, _sig_func_ptr handler)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction old;

    return sigaction(number, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

_sig_func_ptr _signal_r(struct _reent *reent, int number, _sig_func_ptr handler)
{
    (void)reent;
    return signal(number, handler);
}

/* The program ends even if it blocks or ignores the signal, or catches it and returns. */
void abort(void)
{
    const struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t set = 1UL << (SIGABRT - 1);

    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(SIGABRT);
    (void)sigaction(SIGABRT, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(SIGABRT);
    _exit(128 + SIGABRT);
}

char *strsignal(int signal)
{
    static const char *const names[NSIG] = {
        [SIGHUP] = "Hangup",
        [SIGINT] = "Interrupt",
        [SIGQUIT] = "Quit",
        [SIGILL] = "Illegal instruction",
        [SIGTRAP] = "Trace/breakpoint trap",
        [SIGABRT] = "Aborted",
        [SIGBUS] = "Bus error",
        [SIGFPE] = "Floating point exception",
        [SIGKILL] = "Killed",
        [SIGUSR1] = "User defined signal 1",
        [SIGSEGV] = "Segmentation fault",
        [SIGUSR2] = "User defined signal 2",
        [SIGPIPE] = "Broken pipe",
        [SIGALRM] = "Alarm clock",
        [SIGTERM] = "Terminated",
        [SIGCHLD] = "Child exited",
        [SIGCONT] = "Continued",
        [SIGSTOP] = "Stopped (signal)",
        [SIGTSTP] = "Stopped",
        [SIGTTIN] = "Stopped (tty input)",
        [SIGTTOU] = "Stopped (tty output)",
        [SIGURG] = "Urgent I/O condition",
        [SIGWINCH] = "Window changed",
        [SIGIO] = "I/O possible",
        [SIGSYS] = "Bad system call",
    };

    return (char *)(signal > 0 && signal < NSIG && names[signal] ? names[signal] : "Unknown signal");
}

void psignal(int signal, const char *text)
{
    if (text && *text)
        fprintf(stderr, "%s: %s\n", text, strsignal(signal));
    else
        fprintf(stderr, "%s\n", strsignal(signal));
}
