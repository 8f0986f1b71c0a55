/* SPDX-License-Identifier: MIT */
/*
 * mlock(), mlock2(), munlock(), mlockall(), munlockall(), MAP_LOCKED: what they lock, their limit, and every error.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/resource.h>

#define PAGES 32UL
#define BYTES (PAGES * PAGE)

static bool set_soft(int resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return false;
    limit.rlim_cur = value;
    return setrlimit(resource, &limit) == 0;
}

static void test_lock(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    tap_ok(mlock(memory + 4 * PAGE + 1, 2 * PAGE) == 0, "mlock");
    tap_equal(resident_pages(memory + 4 * PAGE, 3), 3, "takes every page that the range touches");
    tap_equal(resident_pages(memory, PAGES), 3, "and no other");
    tap_ok(mlock(memory, BYTES) == 0 && resident_pages(memory, PAGES) == PAGES, "mlock over what is locked already");
    tap_ok(fails(madvise(memory, BYTES, MADV_DONTNEED), EINVAL), "locked pages stay");
    tap_ok(munlock(memory + 8 * PAGE, 4 * PAGE) == 0 && madvise(memory + 8 * PAGE, 4 * PAGE, MADV_DONTNEED) == 0,
           "munlock of a part");
    tap_ok(munlock(memory, BYTES) == 0 && munlock(memory, BYTES) == 0, "munlock of all, twice");
    tap_ok(madvise(memory, BYTES, MADV_DONTNEED) == 0, "then pages may go");
    tap_ok(mlock(memory, 0) == 0 && munlock(memory, 0) == 0, "length 0 does nothing");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_kinds(void)
{
    unsigned char *memory = map_pages(PAGES, PROT_READ, PRIVATE);

    tap_ok(mlock(memory, BYTES) == 0 && resident_pages(memory, PAGES) == PAGES, "memory that can only be read");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
    memory = map_pages(PAGES, READ_WRITE, SHARED);
    tap_ok(mlock(memory, BYTES) == 0 && resident_pages(memory, PAGES) == PAGES, "shared memory");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
    memory = map_pages(PAGES, PROT_NONE, PRIVATE);
    tap_ok(fails(mlock(memory, BYTES), ENOMEM), "memory that cannot be touched gives ENOMEM");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
    memory = map_pages(PAGES, READ_WRITE, PRIVATE);
    tap_ok(mlock2(memory, BYTES, MLOCK_ONFAULT) == 0 && resident_pages(memory, PAGES) == 0,
           "MLOCK_ONFAULT takes no pages");
    number_pages(memory, PAGES, 1);
    tap_ok(fails(madvise(memory, BYTES, MADV_DONTNEED), EINVAL) && are_numbered(memory, PAGES, 1),
           "but locks those that are touched");
    tap_ok(mlock2(memory, BYTES, 0) == 0, "mlock2 without flags is mlock");
    tap_ok(fails(mlock2(memory, BYTES, 8), EINVAL), "an unknown flag gives EINVAL");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
    memory = map_pages(PAGES, READ_WRITE, PRIVATE | MAP_LOCKED);
    tap_ok(resident_pages(memory, PAGES) == PAGES && fails(madvise(memory, BYTES, MADV_DONTNEED), EINVAL),
           "MAP_LOCKED");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_errors(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    munmap(memory + 8 * PAGE, PAGE);
    tap_ok(fails(mlock(memory, BYTES), ENOMEM) && fails(munlock(memory, BYTES), ENOMEM), "a hole gives ENOMEM");
    tap_equal(resident_pages(memory, 8), 0, "and nothing was locked");
    tap_ok(fails(mlock(memory, SIZE_MAX), EINVAL) && fails(munlock(memory, SIZE_MAX), EINVAL),
           "a length that wraps gives EINVAL");
    tap_ok(fails(mlockall(0), EINVAL) && fails(mlockall(MCL_ONFAULT), EINVAL) &&
               fails(mlockall(MCL_CURRENT | 16), EINVAL),
           "mlockall without, or with unknown, flags gives EINVAL");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

/* Memory that is locked counts once, however often it is locked. */
static void test_limit(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    tap_ok(set_soft(RLIMIT_MEMLOCK, 16 * PAGE), "the limit is 16 pages");
    tap_ok(fails(mlock(memory, 17 * PAGE), ENOMEM), "17 pages give ENOMEM");
    tap_ok(mlock(memory, 16 * PAGE) == 0 && mlock(memory, 16 * PAGE) == 0, "16 can be locked, twice");
    tap_ok(fails(mlock(memory + 16 * PAGE, PAGE), ENOMEM), "and no more");
    tap_ok(map_fails(mmap(NULL, PAGE, READ_WRITE, PRIVATE | MAP_LOCKED, -1, 0), EAGAIN), "MAP_LOCKED gives EAGAIN");
    tap_ok(map_fails(mremap(memory, 16 * PAGE, 17 * PAGE, MREMAP_MAYMOVE), EAGAIN), "growing it gives EAGAIN");
    tap_ok(munmap(memory, 8 * PAGE) == 0 && mlock(memory + 16 * PAGE, 8 * PAGE) == 0,
           "unmapping makes room for others");
    tap_ok(munlock(memory + 8 * PAGE, 16 * PAGE) == 0, "munlock");
    tap_ok(fails(mlockall(MCL_CURRENT), ENOMEM), "mlockall of more than the limit gives ENOMEM");
    tap_ok(set_soft(RLIMIT_MEMLOCK, 0), "the limit is 0");
    tap_ok(fails(mlock(memory + 8 * PAGE, PAGE), EPERM) && fails(mlockall(MCL_CURRENT), EPERM) &&
               map_fails(mmap(NULL, PAGE, READ_WRITE, PRIVATE | MAP_LOCKED, -1, 0), EPERM),
           "then locking gives EPERM");
    tap_ok(munlock(memory + 8 * PAGE, PAGE) == 0 && munlockall() == 0, "but unlocking works");
    tap_ok(munmap(memory, BYTES) == 0 && set_soft(RLIMIT_MEMLOCK, 8UL << 20), "munmap");
}

static void test_all(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    tap_ok(mlockall(MCL_CURRENT) == 0 && resident_pages(memory, PAGES) == PAGES, "mlockall takes all pages");
    unsigned char *later = map_pages(PAGES, READ_WRITE, PRIVATE);
    tap_equal(resident_pages(later, PAGES), 0, "but none of what is mapped later");
    tap_ok(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 && resident_pages(later, PAGES) == PAGES, "MCL_FUTURE");
    unsigned char *third = map_pages(PAGES, READ_WRITE, PRIVATE);
    tap_ok(resident_pages(third, PAGES) == PAGES && fails(madvise(third, BYTES, MADV_DONTNEED), EINVAL),
           "locks what is mapped then");
    tap_ok(map_fails(mmap(NULL, 64UL << 20, READ_WRITE, PRIVATE, -1, 0), EAGAIN), "more than the limit gives EAGAIN");
    tap_ok(munlockall() == 0 && madvise(third, BYTES, MADV_DONTNEED) == 0, "munlockall unlocks");
    unsigned char *fourth = map_pages(PAGES, READ_WRITE, PRIVATE);
    tap_equal(resident_pages(fourth, PAGES), 0, "and ends MCL_FUTURE");
    tap_ok(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0, "MCL_FUTURE with MCL_ONFAULT");
    unsigned char *fifth = map_pages(PAGES, READ_WRITE, PRIVATE);
    tap_ok(resident_pages(fifth, PAGES) == 0 && fails(madvise(fifth, BYTES, MADV_DONTNEED), EINVAL),
           "locks pages when they are touched");
    tap_ok(munlockall() == 0, "munlockall");
    tap_ok(munmap(memory, BYTES) == 0 && munmap(later, BYTES) == 0 && munmap(third, BYTES) == 0 &&
               munmap(fourth, BYTES) == 0 && munmap(fifth, BYTES) == 0,
           "munmap");
}

int main(void)
{
    tap_plan(10 + 13 + 5 + 13 + 11);
    test_lock();
    test_kinds();
    test_errors();
    test_limit();
    test_all();
    return tap_done();
}
