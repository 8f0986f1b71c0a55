/* SPDX-License-Identifier: MIT */
/*
 * Locks on ranges against a model that keeps them byte by byte.
 */
#include <errno.h>

#include "../../servers/fs/lock.h"
#include "fs_memory.h"
#include "harness.h"

#define BYTES  64u
#define OWNERS 4u

static struct list locks;
static enum lock_type model[OWNERS][BYTES];

static void begin(void)
{
    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    list_init(&locks);
}

static uint64_t base; /* of the bytes that are locked */

static uint64_t offset_of(unsigned byte)
{
    return base + byte;
}

static bool model_conflict(unsigned owner, enum lock_type type, unsigned first, unsigned last)
{
    for (unsigned other = 0; other < OWNERS; other++)
        for (unsigned byte = first; other != owner && byte <= last; byte++)
            if (model[other][byte] == LOCK_EXCLUSIVE || (model[other][byte] && type == LOCK_EXCLUSIVE))
                return true;
    return false;
}

/* Each byte is held in the list as it is in the model. */
static void compare(void)
{
    EXPECT(lock_check(&locks));
    for (unsigned owner = 0; owner < OWNERS; owner++) {
        for (unsigned byte = 0; byte < BYTES; byte++) {
            const uint64_t offset = offset_of(byte);
            enum lock_type found = LOCK_NONE;
            LIST_FOR_EACH (link, &locks) {
                const struct lock *lock = CONTAINER_OF(link, struct lock, link);
                if (lock->owner == owner && lock->first <= offset && offset <= lock->last)
                    found = lock->exclusive ? LOCK_EXCLUSIVE : LOCK_SHARED;
            }
            EXPECT(found == model[owner][byte]);
        }
    }
}

static void run(uint64_t first_byte)
{
    begin();
    base = first_byte;
    fs_test_memory.fail_percent = 10;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const unsigned owner = (unsigned)random_below(OWNERS);
        const unsigned first = (unsigned)random_below(BYTES), last = first + (unsigned)random_below(BYTES - first);
        const enum lock_type type = random_chance(40) ? LOCK_NONE : random_chance(50) ? LOCK_SHARED : LOCK_EXCLUSIVE;
        fs_test_memory.failed = false;
        if (random_chance(2)) {
            lock_release(&locks, owner);
            for (unsigned byte = 0; byte < BYTES; byte++)
                model[owner][byte] = LOCK_NONE;
        } else {
            const bool conflict = type != LOCK_NONE && model_conflict(owner, type, first, last);
            EXPECT((lock_conflict(&locks, owner, type, offset_of(first), offset_of(last)) != NULL) ==
                   model_conflict(owner, type, first, last));
            const int error = lock_set(&locks, owner, type, offset_of(first), offset_of(last));
            EXPECT(error == (conflict ? -EAGAIN : fs_test_memory.failed ? -ENOLCK : 0));
            for (unsigned byte = first; error == 0 && byte <= last; byte++)
                model[owner][byte] = type;
        }
        if (test_step % 16 == 0)
            compare();
    }
    for (unsigned owner = 0; owner < OWNERS; owner++)
        lock_release(&locks, owner);
    EXPECT(list_empty(&locks) && fs_test_memory.blocks == 0);
}

static void test_low(void)
{
    run(0);
}

static void test_high(void)
{
    run(UINT64_MAX - (BYTES - 1));
}

static void test_many(void)
{
    begin();
    uint64_t set = 0;
    while (lock_set(&locks, 1, LOCK_SHARED, 2 * set, 2 * set) == 0)
        set++;
    EXPECT(set == LOCKS_PER_FILE_MAX - 1);
    EXPECT(lock_set(&locks, 2, LOCK_SHARED, 0, 0) == -ENOLCK);
    lock_release(&locks, 1);
    EXPECT(lock_set(&locks, 2, LOCK_EXCLUSIVE, 0, UINT64_MAX) == 0);
    lock_release(&locks, 2);
    EXPECT(fs_test_memory.blocks == 0);
}

static const struct test_row rows[] = {
    {"low", "every byte is locked as the model has it", test_low},
    {"high", "also the last ones that there are", test_high},
    {"many", "a file has a bounded number of locks", test_many},
};

TEST_MAIN("lock", rows)
