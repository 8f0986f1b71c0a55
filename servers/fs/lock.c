/* SPDX-License-Identifier: MIT */
/*
 * Locks on ranges; see lock.h.
 */
#include "lock.h"

#include <errno.h>

#include "memory.h"

static struct lock *lock_of(struct list *link)
{
    return CONTAINER_OF(link, struct lock, link);
}

static bool overlaps(const struct lock *lock, uint64_t first, uint64_t last)
{
    return lock->first <= last && first <= lock->last;
}

const struct lock *lock_conflict(const struct list *locks, uint64_t owner, enum lock_type type, uint64_t first,
                                 uint64_t last)
{
    LIST_FOR_EACH (link, locks) {
        const struct lock *lock = lock_of(link);
        if (lock->owner != owner && overlaps(lock, first, last) && (lock->exclusive || type == LOCK_EXCLUSIVE))
            return lock;
    }
    return NULL;
}

static void lock_free(struct lock *lock)
{
    list_remove(&lock->link);
    fs_free(lock);
}

/* Takes bytes [first, last] out of a lock that overlaps with them. What is left behind them is *rest, which is taken
 * then; at most one lock of an owner needs it. */
static void cut(struct lock *lock, uint64_t first, uint64_t last, struct lock **rest)
{
    if (lock->first < first && lock->last > last) {
        ASSERT(*rest);
        **rest =
            (struct lock){.owner = lock->owner, .first = last + 1, .last = lock->last, .exclusive = lock->exclusive};
        list_insert_after(&lock->link, &(*rest)->link);
        *rest = NULL;
        lock->last = first - 1;
    } else if (lock->first < first) {
        lock->last = first - 1;
    } else if (lock->last > last) {
        lock->first = last + 1;
    } else {
        lock_free(lock);
    }
}

static unsigned count(const struct list *locks)
{
    unsigned number = 0;

    LIST_FOR_EACH (link, locks)
        number++;
    return number;
}

int lock_set(struct list *locks, uint64_t owner, enum lock_type type, uint64_t first, uint64_t last)
{
    if (type != LOCK_NONE && lock_conflict(locks, owner, type, first, last))
        return -EAGAIN;
    if (count(locks) + 2 > LOCKS_PER_FILE_MAX)
        return -ENOLCK;
    struct lock *rest = fs_allocate(sizeof(*rest));
    struct lock *new = type == LOCK_NONE ? NULL : fs_allocate(sizeof(*new));
    if (!rest || (!new &&type != LOCK_NONE)) {
        fs_free(rest);
        fs_free(new);
        return -ENOLCK;
    }
    LIST_FOR_EACH_SAFE(link, locks)
    {
        struct lock *lock = lock_of(link);
        if (lock->owner == owner && overlaps(lock, first, last))
            cut(lock, first, last, &rest);
    }
    fs_free(rest);
    if (new) {
        *new = (struct lock){.owner = owner, .first = first, .last = last, .exclusive = type == LOCK_EXCLUSIVE};
        list_push_back(locks, &new->link);
    }
    return 0;
}

void lock_release(struct list *locks, uint64_t owner)
{
    LIST_FOR_EACH_SAFE(link, locks)
    {
        if (lock_of(link)->owner == owner)
            lock_free(lock_of(link));
    }
}

bool lock_check(const struct list *locks)
{
    LIST_FOR_EACH (link, locks) {
        const struct lock *lock = lock_of(link);
        if (lock->first > lock->last)
            return false;
        LIST_FOR_EACH (other_link, locks) {
            const struct lock *other = lock_of(other_link);
            if (other != lock && overlaps(other, lock->first, lock->last) &&
                (other->owner == lock->owner || other->exclusive || lock->exclusive))
                return false;
        }
    }
    return true;
}
