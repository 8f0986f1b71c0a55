/* SPDX-License-Identifier: MIT */
/*
 * What POSIX threads have to do with processor time, which programs may link against: it is not there yet.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>

int pthread_getcpuclockid(pthread_t thread, clockid_t *clock)
{
    (void)thread, (void)clock;
    return ENOSYS;
}
