/* SPDX-License-Identifier: MIT */
/*
 * Memory mappings, as POSIX names them; the numbers are Linux's. docs/posix.md says which of it works. Each function
 * returns -1 (mmap: MAP_FAILED) and sets errno on an error; a failed call has changed nothing.
 */
#ifndef QUIRE_SYS_MMAN_H
#define QUIRE_SYS_MMAN_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROT_NONE  0x0
#define PROT_READ  0x1
#define PROT_WRITE 0x2
#define PROT_EXEC  0x4

#define MAP_SHARED          0x01
#define MAP_PRIVATE         0x02
#define MAP_TYPE            0x0f
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_ANON            MAP_ANONYMOUS
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_STACK           0x20000
#define MAP_FIXED_NOREPLACE 0x100000
#define MAP_FAILED          ((void *)-1)

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC       4

#define MADV_NORMAL     0
#define MADV_RANDOM     1
#define MADV_SEQUENTIAL 2
#define MADV_WILLNEED   3
#define MADV_DONTNEED   4

/* Maps `length` bytes of zeros: MAP_PRIVATE | MAP_ANONYMOUS, anywhere or with a MAP_FIXED flag. Pages are taken when
 * they are touched. ENOSYS: files and shared memory; EACCES: PROT_WRITE with PROT_EXEC; ENOMEM, EINVAL, EEXIST. */
void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);

/* Unmaps whole pages; holes in the range are no error. EINVAL, ENOMEM. */
int munmap(void *address, size_t length);

/* Changes what may be done with whole pages. ENOMEM: a part is not mapped; EACCES: PROT_WRITE with PROT_EXEC. */
int mprotect(void *address, size_t length, int protection);

/* ENOSYS, all of them. */
int msync(void *address, size_t length, int flags);
int madvise(void *address, size_t length, int advice);
int mlock(const void *address, size_t length);
int munlock(const void *address, size_t length);
int shm_open(const char *name, int flags, mode_t mode);
int shm_unlink(const char *name);

#ifdef __cplusplus
}
#endif

#endif
