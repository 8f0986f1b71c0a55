/* SPDX-License-Identifier: MIT */
/*
 * mincore() and msync(), with their errors.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "tap.h"

#include <stdlib.h>

#define PAGES 16UL
#define BYTES (PAGES * PAGE)
#define MANY  8000UL /* more than one answer of the server holds */

static void test_mincore(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE), vector[PAGES + 1];

    memory[PAGE] = 1, memory[5 * PAGE] = 1;
    memset(vector, 0xee, sizeof(vector));
    tap_ok(mincore(memory, BYTES, vector) == 0, "mincore");
    bool good = true;
    for (size_t i = 0; i < PAGES; i++)
        good = good && (vector[i] & 1) == (i == 1 || i == 5);
    tap_ok(good, "tells the pages that were touched");
    tap_ok(vector[PAGES] == 0xee, "and writes one byte a page");
    tap_ok(mincore(memory + PAGE, 1, vector) == 0 && (vector[0] & 1), "a length is rounded up");
    tap_ok(mincore(memory, 0, vector) == 0, "length 0 is no error");
    tap_ok(fails(mincore(memory + 1, PAGE, vector), EINVAL), "a crooked address gives EINVAL");
    tap_ok(fails(mincore(memory, SIZE_MAX, vector), ENOMEM), "a length that wraps gives ENOMEM");
    munmap(memory + 8 * PAGE, PAGE);
    tap_ok(fails(mincore(memory, BYTES, vector), ENOMEM), "a hole gives ENOMEM");
    tap_ok(munmap(memory, BYTES) == 0 && fails(mincore(memory, PAGE, vector), ENOMEM), "as does nothing at all");
}

static void test_shared(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, SHARED);
    unsigned char *second = mremap(memory, 0, BYTES, MREMAP_MAYMOVE);

    memory[3 * PAGE] = 1;
    tap_ok(second != MAP_FAILED && resident_pages(second, PAGES) == 1, "a shared page is there for all who map it");
    tap_ok(munmap(memory, BYTES) == 0 && munmap(second, BYTES) == 0, "munmap");
}

static void test_many(void)
{
    static unsigned char vector[MANY];
    unsigned char *memory = map_pages(MANY, READ_WRITE, PRIVATE);
    bool good = memory != NULL;

    for (size_t i = 0; good && i < MANY; i += 1000)
        memory[i * PAGE] = 1;
    tap_ok(good && mincore(memory, MANY * PAGE, vector) == 0, "mincore of many pages");
    for (size_t i = 0; good && i < MANY; i++)
        good = (vector[i] & 1) == (i % 1000 == 0);
    tap_ok(good, "tells all of them");
    tap_ok(munmap(memory, MANY * PAGE) == 0, "munmap");
}

static void test_msync(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, SHARED);

    number_pages(memory, PAGES, 1);
    tap_ok(msync(memory, BYTES, MS_SYNC) == 0 && msync(memory, BYTES, MS_ASYNC) == 0 && msync(memory, BYTES, 0) == 0 &&
               msync(memory, BYTES, MS_SYNC | MS_INVALIDATE) == 0,
           "msync");
    tap_ok(msync(memory + PAGE, 1, MS_SYNC) == 0 && msync(memory, 0, MS_SYNC) == 0, "of a part, and of nothing");
    tap_ok(are_numbered(memory, PAGES, 1), "the contents stay");
    tap_ok(fails(msync(memory, BYTES, MS_SYNC | MS_ASYNC), EINVAL), "MS_SYNC and MS_ASYNC together give EINVAL");
    tap_ok(fails(msync(memory, BYTES, 0x100), EINVAL), "an unknown flag gives EINVAL");
    tap_ok(fails(msync(memory + 1, PAGE, MS_SYNC), EINVAL), "a crooked address gives EINVAL");
    tap_ok(fails(msync(memory, SIZE_MAX - PAGE, MS_SYNC), ENOMEM), "a range that wraps gives ENOMEM");
    tap_ok(mlock(memory + PAGE, PAGE) == 0 && fails(msync(memory, BYTES, MS_INVALIDATE), EBUSY),
           "MS_INVALIDATE of locked memory gives EBUSY");
    tap_ok(msync(memory, BYTES, MS_SYNC) == 0, "without it there is no error");
    munmap(memory + 8 * PAGE, PAGE);
    tap_ok(fails(msync(memory, BYTES, MS_SYNC), ENOMEM), "a hole gives ENOMEM");
    tap_ok(munmap(memory, BYTES) == 0 && fails(msync(memory, PAGE, MS_SYNC), ENOMEM), "as does nothing at all");
}

int main(void)
{
    tap_plan(9 + 2 + 3 + 11);
    test_mincore();
    test_shared();
    test_many();
    test_msync();
    return tap_done();
}
