/* SPDX-License-Identifier: MIT */
/*
 * Adds to the C library's <sys/stat.h> what it declares for other systems only.
 */
#ifndef QUIRE_SYS_STAT_H
#define QUIRE_SYS_STAT_H

#include_next <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds of a time for utimensat() and futimens() that mean something else. */
#define UTIME_NOW  (-2L)
#define UTIME_OMIT (-1L)

int lstat(const char *__restrict path, struct stat *__restrict status);

#ifdef __cplusplus
}
#endif

#endif
