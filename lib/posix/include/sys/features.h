/* SPDX-License-Identifier: MIT */
/*
 * Adds to newlib's list of features those that Quire has; newlib's headers declare functions by them.
 */
#ifndef QUIRE_SYS_FEATURES_H
#define QUIRE_SYS_FEATURES_H

#include_next <sys/features.h>

#define _POSIX_TIMERS                   1
#define _POSIX_MONOTONIC_CLOCK          200112L
#define _POSIX_CLOCK_SELECTION          200112L
#define _POSIX_MAPPED_FILES             1
#define _POSIX_MEMORY_PROTECTION        1
#define _POSIX_TIMEOUTS                 200112L
#define _POSIX_SEMAPHORES               200112L
#define _POSIX_THREADS                  200112L
#define _POSIX_THREAD_SAFE_FUNCTIONS    200112L
#define _POSIX_THREAD_ATTR_STACKADDR    200112L
#define _POSIX_THREAD_ATTR_STACKSIZE    200112L
#define _POSIX_THREAD_PROCESS_SHARED    200112L
#define _POSIX_BARRIERS                 200112L
#define _POSIX_SPIN_LOCKS               200112L
#define _POSIX_READER_WRITER_LOCKS      200112L
#define _UNIX98_THREAD_MUTEX_ATTRIBUTES 1

/* Descriptors of a program; newlib's headers take them from here. */
#define OPEN_MAX   256
#define FD_SETSIZE 256

#define SSIZE_MAX __PTRDIFF_MAX__

#endif
