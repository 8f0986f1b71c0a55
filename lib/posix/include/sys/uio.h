/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing several pieces of memory at once. Each function returns -1 and sets errno on an error.
 */
#ifndef QUIRE_SYS_UIO_H
#define QUIRE_SYS_UIO_H

#include <limits.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec {
    void *iov_base;
    size_t iov_len;
};

/* As read() and write() of the pieces one after the other. EINVAL: none, or more than IOV_MAX, or too long. */
ssize_t readv(int file, const struct iovec *vector, int count);
ssize_t writev(int file, const struct iovec *vector, int count);

/* As pread() and pwrite() of the pieces. */
ssize_t preadv(int file, const struct iovec *vector, int count, off_t offset);
ssize_t pwritev(int file, const struct iovec *vector, int count, off_t offset);

#ifdef __cplusplus
}
#endif

#endif
