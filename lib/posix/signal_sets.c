/* SPDX-License-Identifier: MIT */
/* Sets of signals. */
#include "internal.h"

#include <signal.h>

/* Adds or removes; the set's bit n - 1 is signal n. */
static int change(sigset_t *set, int signal, sigset_t keep, sigset_t add)
{
    if (signal < 1 || signal >= NSIG)
        return (int)posix_result(-EINVAL);
    *set = (*set & ~(keep << (signal - 1))) | add << (signal - 1);
    return 0;
}

int sigaddset(sigset_t *set, int signal)
{
    return change(set, signal, 0, 1);
}

int sigdelset(sigset_t *set, int signal)
{
    return change(set, signal, 1, 0);
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigfillset(sigset_t *set)
{
    *set = (1UL << (NSIG - 1)) - 1;
    return 0;
}

int sigismember(const sigset_t *set, int signal)
{
    if (signal < 1 || signal >= NSIG)
        return (int)posix_result(-EINVAL);
    return *set >> (signal - 1) & 1;
}
