/* SPDX-License-Identifier: MIT */
/*
 * utime(); <utime.h> is the C library's and includes this.
 */
#ifndef QUIRE_SYS_UTIME_H
#define QUIRE_SYS_UTIME_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct utimbuf {
    time_t actime;
    time_t modtime;
};

/* Sets the times of a file in seconds; null: now. Returns -1 and sets errno on an error. */
int utime(const char *path, const struct utimbuf *times);

#ifdef __cplusplus
}
#endif

#endif
