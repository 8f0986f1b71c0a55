/* SPDX-License-Identifier: MIT */
/*
 * What POSIX threads have to do with signals and processor time, which programs may link against: neither is there yet.
 */
#include "internal.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how, (void)set, (void)old;
    return ENOSYS;
}

/* Signal 0 only asks whether the thread is there; a thread that may be named is. */
int pthread_kill(pthread_t thread, int signal)
{
    (void)thread;
    if (signal < 0 || signal >= NSIG)
        return EINVAL;
    return signal == 0 ? 0 : ENOSYS;
}

int pthread_getcpuclockid(pthread_t thread, clockid_t *clock)
{
    (void)thread, (void)clock;
    return ENOSYS;
}
