/* SPDX-License-Identifier: MIT */
/*
 * Memory mappings, as POSIX and Linux name them; the numbers are Linux's. docs/posix.md says which of it works. Each
 * function returns -1 (mmap, mremap: MAP_FAILED) and sets errno on an error; a failed call has changed nothing unless
 * it is said here.
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
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE            0x0f
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_ANON            MAP_ANONYMOUS
#define MAP_GROWSDOWN       0x100
#define MAP_LOCKED          0x2000
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_NONBLOCK        0x10000
#define MAP_STACK           0x20000
#define MAP_FIXED_NOREPLACE 0x100000
#define MAP_FAILED          ((void *)-1)

#define MREMAP_MAYMOVE   1
#define MREMAP_FIXED     2
#define MREMAP_DONTUNMAP 4

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC       4

#define MCL_CURRENT 1
#define MCL_FUTURE  2
#define MCL_ONFAULT 4

#define MLOCK_ONFAULT 1u

#define MADV_NORMAL         0
#define MADV_RANDOM         1
#define MADV_SEQUENTIAL     2
#define MADV_WILLNEED       3
#define MADV_DONTNEED       4
#define MADV_FREE           8
#define MADV_REMOVE         9
#define MADV_DONTFORK       10
#define MADV_DOFORK         11
#define MADV_HUGEPAGE       14
#define MADV_NOHUGEPAGE     15
#define MADV_WIPEONFORK     18
#define MADV_KEEPONFORK     19
#define MADV_COLD           20
#define MADV_PAGEOUT        21
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#define MADV_COLLAPSE       25

#define POSIX_MADV_NORMAL     MADV_NORMAL
#define POSIX_MADV_RANDOM     MADV_RANDOM
#define POSIX_MADV_SEQUENTIAL MADV_SEQUENTIAL
#define POSIX_MADV_WILLNEED   MADV_WILLNEED
#define POSIX_MADV_DONTNEED   MADV_DONTNEED

/*
 * Maps `length` bytes of zeros: MAP_ANONYMOUS with MAP_PRIVATE or MAP_SHARED. Pages are taken when they are touched.
 * EINVAL: length 0, a crooked MAP_FIXED address, neither or both of private and shared; ENOMEM: no room, a limit, or
 * more than may be promised; EAGAIN: the limit of locked memory; EACCES: PROT_WRITE with PROT_EXEC; EEXIST:
 * MAP_FIXED_NOREPLACE and something is there; EPERM: MAP_LOCKED with limit 0, or below the lowest address; EOPNOTSUPP:
 * MAP_SHARED_VALIDATE with an unknown flag.
 * Without MAP_ANONYMOUS the file's content from `offset` on, a multiple of the page size: EBADF; ENODEV: not a regular
 * file; EACCES: it is not open for that; ENOMEM. A page that lies wholly behind the file's end is a bus error.
 */
void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);

/* Unmaps whole pages; holes in the range are no error. EINVAL, ENOMEM. */
int munmap(void *address, size_t length);

/* Changes what may be done with whole pages. EINVAL: a crooked address, an unknown protection; ENOMEM: a part is not
 * mapped, or a limit; EACCES: PROT_WRITE with PROT_EXEC, or a right that was not granted. */
int mprotect(void *address, size_t length, int protection);

/*
 * Gives a mapping another length, MREMAP_MAYMOVE: and another place, with MREMAP_FIXED the one that is a fifth argument.
 * MREMAP_DONTUNMAP: the pages move, and the mapping stays besides, as if nobody had touched it; lengths are equal.
 * EINVAL: an address, a length or flags; EFAULT: not one mapping; ENOMEM: no room, or a limit; EAGAIN: the limit of
 * locked memory. If no translation table is to be had what was at a fixed place may be gone.
 */
void *mremap(void *address, size_t old_length, size_t new_length, int flags, ...);

/* Tells what will be done with a range. EINVAL: the address, the advice, or advice that does not suit what is there;
 * ENOMEM: a part is not mapped (the others have been advised); EACCES, EFAULT. */
int madvise(void *address, size_t length, int advice);

/* The same for the POSIX_MADV values; returns the error instead of setting errno. POSIX_MADV_DONTNEED loses nothing. */
int posix_madvise(void *address, size_t length, int advice);

/* Locks a range in memory; pages are taken now, with MLOCK_ONFAULT when they are touched. ENOMEM: a part is not mapped,
 * or the limit; EAGAIN: not all pages were to be had (those that were stay); EPERM: the limit is 0; EINVAL. */
int mlock(const void *address, size_t length);
int mlock2(const void *address, size_t length, unsigned flags);
int munlock(const void *address, size_t length);

/* Locks what is mapped, what will be mapped, or both. EINVAL: flags; ENOMEM: the limit; EPERM: the limit is 0. */
int mlockall(int flags);
int munlockall(void);

/* Writes a byte for each page of the range, whose lowest bit says that it is in memory. EINVAL: a crooked address;
 * ENOMEM: a part is not mapped. */
int mincore(void *address, size_t length, unsigned char *vector);

/* Brings shared memory to where it is kept. EINVAL: flags, a crooked address; ENOMEM: a part is not mapped; EBUSY:
 * MS_INVALIDATE and a part is locked; EIO; ENOSPC: the disk is full, and what was stored stays in memory. */
int msync(void *address, size_t length, int flags);

/* Opens, or with O_CREAT makes, the shared memory object of that name: a slash and no other. It lives until it has no
 * name and nobody has it open or mapped; ftruncate() sets its size. EINVAL: the name, or other flags than O_RDONLY or
 * O_RDWR, O_CREAT, O_EXCL, O_TRUNC; EEXIST, ENOENT, ENAMETOOLONG, EMFILE, ENOSPC. */
int shm_open(const char *name, int flags, mode_t mode);

/* Removes the name. ENOENT, EINVAL. */
int shm_unlink(const char *name);

#ifdef __cplusplus
}
#endif

#endif
