/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks on ranges of a file's bytes, as fcntl() has them: a program's locks never hinder the program itself,
 * setting one replaces what it has there, and they end when it closes the file. Pure. One thread; no lock.
 */
#ifndef FS_LOCK_H
#define FS_LOCK_H

#include <base/check.h>
#include <base/list.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCKS_PER_FILE_MAX 1024u

struct lock {
    struct list link;
    uint64_t owner;       /* process number */
    uint64_t first, last; /* bytes, both included */
    bool exclusive;
};

enum lock_type { LOCK_NONE = 0, LOCK_SHARED = 1, LOCK_EXCLUSIVE = 2 };

/* The first lock in the list that keeps `owner` from such a lock of bytes [first, last]; NULL: none. */
const struct lock *lock_conflict(const struct list *locks, uint64_t owner, enum lock_type type, uint64_t first,
                                 uint64_t last);

/* Sets the owner's lock of bytes [first, last], or with LOCK_NONE takes it away. EAGAIN: somebody else's is in the way;
 * ENOLCK: no memory, or too many. Nothing has changed then. */
MUST_CHECK int lock_set(struct list *locks, uint64_t owner, enum lock_type type, uint64_t first, uint64_t last);

/* Takes all locks of an owner away. */
void lock_release(struct list *locks, uint64_t owner);

/* True if nobody's locks overlap with their own, and no exclusive one with another's. */
bool lock_check(const struct list *locks);

#endif
