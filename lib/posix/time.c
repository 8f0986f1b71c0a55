/* SPDX-License-Identifier: MIT */
/*
 * Time from the machine's counter. There is no calendar clock yet: every clock counts from the start of the machine.
 */
#include "thread_record.h"

#include <quire/clock.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MICROSECOND 1000UL

int _gettimeofday(struct timeval *time, void *zone);
clock_t _times(struct tms *times);

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

static int is_known_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

int _gettimeofday(struct timeval *time, void *zone)
{
    const struct timespec now = to_timespec(clock_now_ns());
    (void)zone;
    if (time)
        *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / (long)NS_PER_MICROSECOND};
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (!is_known_clock(clock))
        return (int)posix_result(-EINVAL);
    *time = to_timespec(clock_now_ns());
    return 0;
}

int clock_getres(clockid_t clock, struct timespec *resolution)
{
    if (!is_known_clock(clock))
        return (int)posix_result(-EINVAL);
    const uint64_t ns = NS_PER_SECOND / clock_frequency();
    if (resolution)
        *resolution = to_timespec(ns > 0 ? ns : 1);
    return 0;
}

int clock_deadline(unsigned long clock, const struct timespec *time, uint64_t *deadline)
{
    struct timespec now;
    int64_t from_now;

    if (time->tv_nsec < 0 || time->tv_nsec >= (long)NS_PER_SECOND || !is_known_clock((clockid_t)clock))
        return -EINVAL;
    /* In this order: a pause between the two makes the deadline late, not early. */
    (void)clock_gettime((clockid_t)clock, &now);
    *deadline = clock_now_ns();
    if (__builtin_sub_overflow((int64_t)time->tv_sec, (int64_t)now.tv_sec, &from_now) ||
        __builtin_mul_overflow(from_now, (int64_t)NS_PER_SECOND, &from_now) ||
        __builtin_add_overflow(from_now, (int64_t)(time->tv_nsec - now.tv_nsec), &from_now))
        from_now = time->tv_sec < 0 ? -1 : INT64_MAX;
    /* Times that are past become the machine's start: 0 polls. */
    if (from_now <= 0)
        *deadline = DEADLINE_POLL;
    else if (__builtin_add_overflow(*deadline, (uint64_t)from_now, deadline))
        *deadline = DEADLINE_NEVER - 1;
    return 0;
}

int clock_settime(clockid_t clock, const struct timespec *time)
{
    (void)clock, (void)time;
    return (int)posix_result(-ENOSYS);
}

/* Elapsed time stands for processor time, which is not accounted to processes yet. */
clock_t _times(struct tms *times)
{
    const clock_t ticks = (clock_t)(clock_now_ns() / (NS_PER_SECOND / CLOCKS_PER_SEC));
    *times = (struct tms){.tms_utime = ticks};
    return ticks;
}

/* Sleeps for so long, or until the thread is cancelled, which it may be here, or has run a handler. The rest, in ns. */
static uint64_t sleep_for(uint64_t ns)
{
    uint64_t deadline;

    if (__builtin_add_overflow(ns, clock_now_ns(), &deadline))
        deadline = DEADLINE_NEVER - 1;
    const int error = thread_sleep(deadline);
    if (error == -ECANCELED)
        thread_cancellation_point();
    const uint64_t now = clock_now_ns();
    return error == -EINTR && now < deadline ? deadline - now : 0;
}

int nanosleep(const struct timespec *duration, struct timespec *rest)
{
    uint64_t ns;

    if (duration->tv_sec < 0 || duration->tv_nsec < 0 || duration->tv_nsec >= (long)NS_PER_SECOND)
        return (int)posix_result(-EINVAL);
    if (__builtin_mul_overflow((uint64_t)duration->tv_sec, NS_PER_SECOND, &ns) ||
        __builtin_add_overflow(ns, (uint64_t)duration->tv_nsec, &ns))
        ns = DEADLINE_NEVER;
    ns = sleep_for(ns);
    if (rest)
        *rest = to_timespec(ns);
    return ns ? (int)posix_result(-EINTR) : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *rest)
{
    uint64_t deadline;

    if (flags != TIMER_ABSTIME && flags != 0)
        return EINVAL;
    if (!is_known_clock(clock))
        return EINVAL;
    if (flags == 0)
        return nanosleep(time, rest) == 0 ? 0 : errno;
    const int error = clock_deadline(clock, time, &deadline);
    if (error < 0)
        return -error;
    const int interrupted = thread_sleep(deadline);
    if (interrupted == -ECANCELED)
        thread_cancellation_point();
    return interrupted == -EINTR ? EINTR : 0;
}

int usleep(useconds_t microseconds)
{
    return sleep_for((uint64_t)microseconds * NS_PER_MICROSECOND) ? (int)posix_result(-EINTR) : 0;
}

unsigned sleep(unsigned seconds)
{
    return (unsigned)((sleep_for((uint64_t)seconds * NS_PER_SECOND) + NS_PER_SECOND - 1) / NS_PER_SECOND);
}
