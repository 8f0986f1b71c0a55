/* SPDX-License-Identifier: MIT */
/*
 * Limits of the calling process, as POSIX names them; the numbers are Linux's. Those of memory are kept by memsrv.
 * docs/posix.md says which others there are.
 */
#ifndef QUIRE_SYS_RESOURCE_H
#define QUIRE_SYS_RESOURCE_H

/* The C library's own has struct rusage. */
#include_next <sys/resource.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned long rlim_t;

struct rlimit {
    rlim_t rlim_cur; /* what counts */
    rlim_t rlim_max; /* up to which the process may raise it */
};

#define RLIM_INFINITY  (~0UL)
#define RLIM_SAVED_CUR RLIM_INFINITY
#define RLIM_SAVED_MAX RLIM_INFINITY

#define RLIMIT_CPU     0
#define RLIMIT_FSIZE   1
#define RLIMIT_DATA    2
#define RLIMIT_STACK   3
#define RLIMIT_CORE    4
#define RLIMIT_RSS     5
#define RLIMIT_NPROC   6
#define RLIMIT_NOFILE  7
#define RLIMIT_MEMLOCK 8
#define RLIMIT_AS      9
#define RLIM_NLIMITS   16

/* Tells a limit. EINVAL: no such limit, or one that is not kept. */
int getrlimit(int resource, struct rlimit *limit);

/* Sets a limit: RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK, RLIMIT_AS. EINVAL: as above, or rlim_cur above rlim_max;
 * EPERM: rlim_max would rise. */
int setrlimit(int resource, const struct rlimit *limit);

#ifdef __cplusplus
}
#endif

#endif
