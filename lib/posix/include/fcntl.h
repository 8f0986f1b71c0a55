/* SPDX-License-Identifier: MIT */
/*
 * Adds to the C library's <fcntl.h> what it declares for other systems only.
 */
#ifndef QUIRE_FCNTL_H
#define QUIRE_FCNTL_H

#include_next <fcntl.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSIX_FADV_NORMAL     0
#define POSIX_FADV_RANDOM     1
#define POSIX_FADV_SEQUENTIAL 2
#define POSIX_FADV_WILLNEED   3
#define POSIX_FADV_DONTNEED   4
#define POSIX_FADV_NOREUSE    5

/* How a part of a file will be used; length 0: up to its end. An error number, not -1. */
int posix_fadvise(int file, off_t offset, off_t length, int advice);

#ifdef __cplusplus
}
#endif

#endif
