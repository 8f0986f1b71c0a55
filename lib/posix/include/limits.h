/* SPDX-License-Identifier: MIT */
/*
 * newlib's <limits.h>, and the limits of Quire's threads and semaphores.
 */
/* gcc's own looks for the C library's by asking for <limits.h> again, and finds this one first. */
#ifdef _GCC_NEXT_LIMITS_H
#include_next <limits.h>
#elif !defined QUIRE_LIMITS_H
#define QUIRE_LIMITS_H

#include_next <limits.h>

#define PTHREAD_KEYS_MAX              128
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#define PTHREAD_STACK_MIN             16384
#define PTHREAD_THREADS_MAX           128
#define SEM_NSEMS_MAX                 64
#define SEM_VALUE_MAX                 2147483647
#define HOST_NAME_MAX                 64

#ifndef _POSIX_THREAD_KEYS_MAX
#define _POSIX_THREAD_KEYS_MAX              128
#define _POSIX_THREAD_DESTRUCTOR_ITERATIONS 4
#define _POSIX_THREAD_THREADS_MAX           64
#define _POSIX_SEM_NSEMS_MAX                256
#define _POSIX_SEM_VALUE_MAX                32767
#define _POSIX_HOST_NAME_MAX                255
#endif

#endif
