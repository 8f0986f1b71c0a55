/* SPDX-License-Identifier: MIT */
/*
 * madvise() and posix_madvise(): what each piece of advice does, where it is refused, and every error.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "tap.h"

#include <stdlib.h>

#define PAGES 16UL
#define BYTES (PAGES * PAGE)

static const struct {
    int advice;
    const char *name;
} hints[] = {
    {MADV_NORMAL, "MADV_NORMAL"},
    {MADV_RANDOM, "MADV_RANDOM"},
    {MADV_SEQUENTIAL, "MADV_SEQUENTIAL"},
    {MADV_WILLNEED, "MADV_WILLNEED"},
    {MADV_DONTFORK, "MADV_DONTFORK"},
    {MADV_DOFORK, "MADV_DOFORK"},
    {MADV_HUGEPAGE, "MADV_HUGEPAGE"},
    {MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"},
    {MADV_WIPEONFORK, "MADV_WIPEONFORK"},
    {MADV_KEEPONFORK, "MADV_KEEPONFORK"},
    {MADV_COLD, "MADV_COLD"},
    {MADV_PAGEOUT, "MADV_PAGEOUT"},
};
#define HINTS (sizeof(hints) / sizeof(hints[0]))

/* Each on all of a mapping, on a part, and on nothing; contents stay. */
static void test_hints(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    for (size_t i = 0; i < HINTS; i++) {
        int advice = hints[i].advice;
        tap_ok(madvise(memory, BYTES, advice) == 0 && madvise(memory + 4 * PAGE, 2 * PAGE, advice) == 0 &&
                   madvise(memory, 0, advice) == 0 && are_numbered(memory, PAGES, 1),
               "%s", hints[i].name);
    }
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_dontneed(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(madvise(memory + 4 * PAGE, 4 * PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
    tap_equal(resident_pages(memory + 4 * PAGE, 4), 0, "gives the pages back");
    tap_ok(memory[4 * PAGE] == 0 && memory[7 * PAGE] == 0, "which read as zeros");
    tap_ok(are_numbered(memory, 4, 1) && are_numbered(memory + 8 * PAGE, 8, 9), "and no others");
    memory[4 * PAGE] = 5;
    tap_ok(memory[4 * PAGE] == 5, "they can be written again");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");

    memory = map_pages(PAGES, READ_WRITE, SHARED);
    number_pages(memory, PAGES, 1);
    tap_ok(madvise(memory, BYTES, MADV_DONTNEED) == 0 && are_numbered(memory, PAGES, 1),
           "shared memory keeps its contents");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_free(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(madvise(memory, BYTES, MADV_FREE) == 0, "MADV_FREE");
    bool good = true;
    for (size_t i = 0; i < PAGES; i++)
        good = good && (memory[i * PAGE] == 0 || memory[i * PAGE] == i + 1);
    tap_ok(good, "a page holds what it held, or zeros");
    number_pages(memory, PAGES, 50);
    tap_ok(are_numbered(memory, PAGES, 50), "what is written afterwards stays");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
    memory = map_pages(PAGES, READ_WRITE, SHARED);
    tap_ok(fails(madvise(memory, BYTES, MADV_FREE), EINVAL), "MADV_FREE of shared memory gives EINVAL");
    tap_ok(fails(madvise(memory, BYTES, MADV_WIPEONFORK), EINVAL), "so does MADV_WIPEONFORK");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_populate(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    tap_ok(madvise(memory, 4 * PAGE, MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE");
    tap_ok(resident_pages(memory, 4) == 4 && resident_pages(memory + 4 * PAGE, 4) == 0, "takes those pages");
    tap_ok(madvise(memory + 4 * PAGE, 4 * PAGE, MADV_POPULATE_READ) == 0 && memory[4 * PAGE] == 0,
           "MADV_POPULATE_READ");
    mprotect(memory + 8 * PAGE, 4 * PAGE, PROT_READ);
    mprotect(memory + 12 * PAGE, 4 * PAGE, PROT_NONE);
    tap_ok(madvise(memory + 8 * PAGE, 4 * PAGE, MADV_POPULATE_READ) == 0, "also where only reading is allowed");
    tap_ok(fails(madvise(memory + 8 * PAGE, 4 * PAGE, MADV_POPULATE_WRITE), EINVAL),
           "where writing is not allowed, MADV_POPULATE_WRITE gives EINVAL");
    tap_ok(fails(madvise(memory + 12 * PAGE, 4 * PAGE, MADV_POPULATE_READ), EINVAL),
           "where reading is not allowed, MADV_POPULATE_READ gives EINVAL");
    munmap(memory + 2 * PAGE, PAGE);
    tap_ok(fails(madvise(memory, 4 * PAGE, MADV_POPULATE_WRITE), ENOMEM), "a hole gives ENOMEM");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_remove(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, SHARED);
    unsigned char *second = mremap(memory, 0, BYTES, MREMAP_MAYMOVE);

    number_pages(memory, PAGES, 1);
    tap_ok(second != MAP_FAILED && are_numbered(second, PAGES, 1), "memory that is mapped twice");
    tap_ok(madvise(memory + 4 * PAGE, 4 * PAGE, MADV_REMOVE) == 0, "MADV_REMOVE");
    tap_ok(memory[4 * PAGE] == 0 && second[7 * PAGE] == 0, "everybody reads zeros");
    tap_ok(are_numbered(second, 4, 1) && are_numbered(memory + 8 * PAGE, 8, 9), "there, and not elsewhere");
    second[4 * PAGE] = 99;
    tap_ok(memory[4 * PAGE] == 99, "and what one writes then the other sees");
    mprotect(memory, BYTES, PROT_READ);
    tap_ok(fails(madvise(memory, BYTES, MADV_REMOVE), EACCES), "memory that may not be written gives EACCES");
    tap_ok(munmap(memory, BYTES) == 0 && munmap(second, BYTES) == 0, "munmap");
    memory = map_pages(PAGES, READ_WRITE, PRIVATE);
    tap_ok(fails(madvise(memory, BYTES, MADV_REMOVE), EINVAL), "private memory gives EINVAL");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_locked(void)
{
    static const int refused[] = {MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT};
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(mlock(memory + 4 * PAGE, PAGE) == 0, "mlock of one page");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        tap_ok(fails(madvise(memory, BYTES, refused[i]), EINVAL), "advice %d of locked memory gives EINVAL",
               refused[i]);
    tap_ok(are_numbered(memory + 4 * PAGE, 12, 5), "and the locked page keeps its contents");
    tap_ok(munmap(memory, BYTES) == 0, "munmap");
}

static void test_errors(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(fails(madvise(memory + 1, PAGE, MADV_NORMAL), EINVAL), "a crooked address gives EINVAL");
    tap_ok(fails(madvise(memory, PAGE, 5), EINVAL), "unknown advice gives EINVAL");
    tap_ok(fails(madvise(memory, PAGE, -1), EINVAL), "negative advice gives EINVAL");
    tap_ok(fails(madvise(memory, 0, 5), EINVAL), "unknown advice gives EINVAL for nothing, too");
    tap_ok(fails(madvise(memory, SIZE_MAX, MADV_NORMAL), EINVAL), "a length that rounds to 0 gives EINVAL");
    tap_ok(fails(madvise(memory, SIZE_MAX - 2 * PAGE, MADV_NORMAL), EINVAL), "a range that wraps gives EINVAL");
    munmap(memory + 4 * PAGE, 2 * PAGE);
    tap_ok(fails(madvise(memory, BYTES, MADV_RANDOM), ENOMEM), "a hole gives ENOMEM");
    tap_ok(fails(madvise(memory, BYTES, MADV_DONTNEED), ENOMEM), "for MADV_DONTNEED, too");
    tap_ok(memory[0] == 0 && memory[8 * PAGE] == 0, "after all that is mapped was advised");
    tap_ok(munmap(memory, BYTES) == 0 && fails(madvise(memory, BYTES, MADV_NORMAL), ENOMEM),
           "where nothing is mapped: ENOMEM");
}

static void test_posix(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(posix_madvise(memory, BYTES, POSIX_MADV_NORMAL) == 0 &&
               posix_madvise(memory, BYTES, POSIX_MADV_RANDOM) == 0 &&
               posix_madvise(memory, BYTES, POSIX_MADV_SEQUENTIAL) == 0 &&
               posix_madvise(memory, BYTES, POSIX_MADV_WILLNEED) == 0,
           "posix_madvise");
    tap_ok(posix_madvise(memory, BYTES, POSIX_MADV_DONTNEED) == 0 && are_numbered(memory, PAGES, 1),
           "POSIX_MADV_DONTNEED loses nothing");
    tap_equal(posix_madvise(memory, PAGE, 77), EINVAL, "unknown advice gives EINVAL");
    tap_equal(posix_madvise(memory + 1, PAGE, POSIX_MADV_NORMAL), EINVAL, "a crooked address gives EINVAL");
    munmap(memory, BYTES);
    tap_equal(posix_madvise(memory, PAGE, POSIX_MADV_NORMAL), ENOMEM, "where nothing is mapped: ENOMEM");
}

int main(void)
{
    tap_plan((int)HINTS + 1 + 8 + 7 + 8 + 9 + 7 + 10 + 5);
    test_hints();
    test_dontneed();
    test_free();
    test_populate();
    test_remove();
    test_locked();
    test_errors();
    test_posix();
    return tap_done();
}
