/* SPDX-License-Identifier: MIT */
/*
 * mremap(): shrinking, growing in place, moving, moving to a place, and every error.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 16UL

/* A place of `pages` pages where nothing is. */
static unsigned char *free_place(size_t pages)
{
    unsigned char *memory = map_pages(pages, PROT_NONE, PRIVATE);
    if (!memory || munmap(memory, pages * PAGE) != 0)
        exit(1);
    return memory;
}

static void test_shrink(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(mremap(memory, PAGES * PAGE, 4 * PAGE, 0) == memory, "shrinking needs no flag");
    tap_ok(are_numbered(memory, 4, 1), "what is left keeps its contents");
    tap_equal(resident_pages(memory + 4 * PAGE, 1), -1, "the rest is unmapped");
    tap_ok(mremap(memory, 4 * PAGE, 4 * PAGE - 1, 0) == memory && are_numbered(memory, 4, 1),
           "lengths are rounded up to pages");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap");
}

static void test_grow(void)
{
    unsigned char *base = free_place(64), *memory;

    memory = mmap(base, 4 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED, -1, 0);
    number_pages(memory, 4, 1);
    tap_ok(mremap(memory, 4 * PAGE, 8 * PAGE, 0) == memory, "growing into free space moves nothing");
    tap_ok(are_numbered(memory, 4, 1) && memory[4 * PAGE] == 0 && memory[7 * PAGE] == 0, "and brings zeros");
    memory[7 * PAGE] = 8;
    mmap(memory + 9 * PAGE, PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
    tap_ok(mremap(memory, 8 * PAGE, 9 * PAGE, 0) == memory, "up to the next mapping");
    tap_ok(map_fails(mremap(memory, 9 * PAGE, 10 * PAGE, 0), ENOMEM), "but not over it: ENOMEM");
    tap_ok(map_fails(mremap(memory, 4 * PAGE, 5 * PAGE, 0), ENOMEM), "a part in the middle cannot grow: ENOMEM");
    tap_ok(are_numbered(memory, 4, 1) && memory[7 * PAGE] == 8, "and nothing has changed");
    tap_ok(munmap(base, 64 * PAGE) == 0, "munmap");
}

static void test_move(void)
{
    unsigned char *memory = map_pages(PAGES + 1, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    mprotect(memory + PAGES * PAGE, PAGE, PROT_READ);
    unsigned char *moved = mremap(memory, PAGES * PAGE, 4 * PAGES * PAGE, MREMAP_MAYMOVE);
    tap_ok(moved != MAP_FAILED && moved != memory, "MREMAP_MAYMOVE moves what cannot grow");
    tap_ok(are_numbered(moved, PAGES, 1) && moved[PAGES * PAGE] == 0, "with its contents");
    tap_equal(resident_pages(memory, 1), -1, "nothing is left at the old place");
    number_pages(moved, 4 * PAGES, 100);
    tap_ok(are_numbered(moved, 4 * PAGES, 100), "it can be written");
    /* A part from the middle. */
    unsigned char *part = mremap(moved + 8 * PAGE, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    tap_ok(part != MAP_FAILED && are_numbered(part, 4, 108) && part[4 * PAGE] == 0, "a part of a mapping moves");
    tap_ok(are_numbered(moved, 8, 100) && are_numbered(moved + 12 * PAGE, 52, 112), "and leaves the others");
    tap_equal(resident_pages(moved + 8 * PAGE, 4), -1, "with a hole");
    tap_ok(munmap(part, 8 * PAGE) == 0 && munmap(moved, 4 * PAGES * PAGE) == 0 &&
               munmap(memory, (PAGES + 1) * PAGE) == 0,
           "munmap");
}

/* Enough pages for several batches, over several translation tables, some never touched. */
static void test_large(void)
{
    const size_t pages = 3000;
    unsigned char *memory = map_pages(pages, READ_WRITE, PRIVATE), *place = free_place(2 * pages);
    bool good = memory != NULL;

    for (size_t i = 0; good && i < pages; i += 2)
        *(uint64_t *)(memory + i * PAGE) = i + 1;
    unsigned char *moved = mremap(memory, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    tap_ok(good && moved == place, "a large mapping moves");
    for (size_t i = 0; good && i < pages; i++)
        good = *(uint64_t *)(moved + i * PAGE) == (i % 2 ? 0 : i + 1);
    tap_ok(good, "with all of its contents");
    tap_ok(munmap(moved, 2 * pages * PAGE) == 0, "munmap");
}

static void test_fixed(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);
    unsigned char *target = map_pages(2 * PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    number_pages(target, 2 * PAGES, 100);
    tap_ok(mremap(memory, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 4 * PAGE) ==
               target + 4 * PAGE,
           "MREMAP_FIXED moves to a place");
    tap_ok(are_numbered(target, 4, 100) && are_numbered(target + 4 * PAGE, PAGES, 1) &&
               are_numbered(target + 20 * PAGE, 12, 120),
           "and replaces exactly what was there");
    tap_ok(mremap(target + 4 * PAGE, PAGES * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == memory,
           "it may shrink on the way");
    tap_ok(are_numbered(memory, 2, 1), "the first pages come along");
    tap_equal(resident_pages(target + 4 * PAGE, PAGES), -1, "the others are gone");
    tap_ok(munmap(memory, PAGES * PAGE) == 0 && munmap(target, 2 * PAGES * PAGE) == 0, "munmap");
}

static void test_shared(void)
{
    unsigned char *memory = map_pages(4, READ_WRITE, SHARED);

    number_pages(memory, 4, 1);
    unsigned char *second = mremap(memory, 0, 4 * PAGE, MREMAP_MAYMOVE);
    tap_ok(second != MAP_FAILED && second != memory, "old length 0 maps shared memory a second time");
    tap_ok(second != MAP_FAILED && are_numbered(second, 4, 1), "with its contents");
    second[PAGE] = 77;
    tap_ok(memory[PAGE] == 77, "both are the same memory");
    unsigned char *moved = mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_place(4));
    second[2 * PAGE] = 78;
    tap_ok(moved != MAP_FAILED && moved[PAGE] == 77 && moved[2 * PAGE] == 78, "also when one of them has moved");
    tap_ok(munmap(moved, 4 * PAGE) == 0 && second[PAGE] == 77, "and when one of them has gone");
    tap_ok(munmap(second, 4 * PAGE) == 0, "munmap");
}

/* Memory that a child shares with its parent is moved away and back by the parent; then the child writes to it. */
static void test_apart_from_child(unsigned long shift)
{
    unsigned char *memory = map_pages(1024, READ_WRITE, PRIVATE), *other = free_place(1024 + shift);
    int to_child[2], from_child[2], status = 1;
    char byte = 0;

    number_pages(memory, 1024, 1);
    if (pipe(to_child) || pipe(from_child))
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        bool good = read(to_child[0], &byte, 1) == 1 && are_numbered(memory, 1024, 1);
        memset(memory, 0x77, 1024 * PAGE);
        good = good && write(from_child[1], "", 1) == 1;
        _exit(!good);
    }
    unsigned char *moved =
        mremap(memory, 1024 * PAGE, 1024 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other + shift * PAGE);
    bool right =
        moved != MAP_FAILED && mremap(moved, 1024 * PAGE, 1024 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == memory;
    right = right && write(to_child[1], "", 1) == 1 && read(from_child[0], &byte, 1) == 1;
    tap_ok(right && are_numbered(memory, 1024, 1), "what a child writes does not appear in memory moved by %lu pages",
           shift);
    tap_ok(waitpid(child, &status, 0) == child && status == 0, "and the child has what it had");
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(from_child[i]);
    }
    munmap(memory, 1024 * PAGE);
}

static void test_errors(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE), *place = free_place(PAGES);
    const int move = MREMAP_MAYMOVE, fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

    number_pages(memory, PAGES, 1);
    mprotect(memory + 8 * PAGE, 8 * PAGE, PROT_READ);
    tap_ok(map_fails(mremap(memory, PAGE, PAGE, 0x100), EINVAL), "an unknown flag gives EINVAL");
    tap_ok(map_fails(mremap(memory, PAGE, PAGE, MREMAP_FIXED, place), EINVAL), "MREMAP_FIXED alone gives EINVAL");
    tap_ok(map_fails(mremap(memory + 1, PAGE, PAGE, move), EINVAL), "a crooked address gives EINVAL");
    tap_ok(map_fails(mremap(memory, PAGE, 0, move), EINVAL), "new length 0 gives EINVAL");
    tap_ok(map_fails(mremap(memory, 0, PAGE, move), EINVAL), "old length 0 of private memory gives EINVAL");
    tap_ok(map_fails(mremap(memory, PAGE, PAGE, fixed, place + 1), EINVAL), "a crooked place gives EINVAL");
    tap_ok(map_fails(mremap(memory, 4 * PAGE, 4 * PAGE, fixed, memory + 2 * PAGE), EINVAL),
           "a place that overlaps gives EINVAL");
    tap_ok(map_fails(mremap(memory, PAGE, PAGE, fixed, (void *)(1UL << 47)), EINVAL),
           "a place above all user memory gives EINVAL");
    tap_ok(map_fails(mremap(place, PAGE, 2 * PAGE, move), EFAULT), "where nothing is mapped: EFAULT");
    tap_ok(map_fails(mremap(memory, PAGES * PAGE, 2 * PAGES * PAGE, move), EFAULT),
           "more than one mapping cannot grow: EFAULT");
    tap_ok(map_fails(mremap(memory, PAGES * PAGE, PAGES * PAGE, fixed, place), EFAULT), "nor move: EFAULT");
    tap_ok(map_fails(mremap(memory, PAGE, SIZE_MAX - PAGE, move), ENOMEM), "too large a length gives ENOMEM");
    tap_ok(are_numbered(memory, PAGES, 1), "and nothing has changed");
    tap_ok(mremap(memory, PAGES * PAGE, 2 * PAGE, 0) == memory, "shrinking over several mappings works");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap");
}

/* The pages go, the mapping stays. */
static void test_dont_unmap(void)
{
    const int stay = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE), *place = free_place(PAGES);

    number_pages(memory, PAGES, 1);
    unsigned char *moved = mremap(memory, PAGES * PAGE, PAGES * PAGE, stay);
    tap_ok(moved != MAP_FAILED && moved != memory, "MREMAP_DONTUNMAP moves pages");
    tap_equal(resident_pages(moved, PAGES), PAGES, "all of them");
    tap_equal(resident_pages(memory, PAGES), 0, "and leaves the mapping without");
    tap_ok(are_numbered(moved, PAGES, 1), "contents are at the new place");
    tap_ok(memory[0] == 0 && memory[(PAGES - 1) * PAGE] == 0, "the old one reads as zeros");
    number_pages(memory, PAGES, 50);
    tap_ok(are_numbered(memory, PAGES, 50) && are_numbered(moved, PAGES, 1), "and is other memory");
    /* From the middle, to a place, of something that is locked. */
    tap_ok(mlock(memory, PAGES * PAGE) == 0, "mlock");
    tap_ok(mremap(memory + 4 * PAGE, 4 * PAGE, 4 * PAGE, stay | MREMAP_FIXED, place) == place,
           "a locked part moves to a place");
    tap_ok(are_numbered(place, 4, 54) && are_numbered(memory, 4, 50) && are_numbered(memory + 8 * PAGE, 8, 58),
           "with its contents, and no others");
    tap_equal(resident_pages(memory + 4 * PAGE, 4), 0, "it leaves nothing behind");
    tap_ok(fails(msync(place, PAGE, MS_INVALIDATE), EBUSY) && fails(msync(memory, PAGE, MS_INVALIDATE), EBUSY),
           "what moved is locked, and what did not");
    tap_ok(msync(memory + 4 * PAGE, 4 * PAGE, MS_INVALIDATE) == 0, "what was left behind is not");
    tap_ok(memory[4 * PAGE] == 0 && munlock(memory, PAGES * PAGE) == 0, "it can be used");
    tap_ok(munmap(memory, PAGES * PAGE) == 0 && munmap(moved, PAGES * PAGE) == 0 && munmap(place, 4 * PAGE) == 0,
           "munmap");
}

/* A huge page moves as it is, or in pages. */
static void test_dont_unmap_huge(void)
{
    const size_t huge = 512;
    unsigned char *base = map_pages(4 * huge, READ_WRITE, PRIVATE), *place = free_place(2 * huge);
    unsigned char *memory = base + (-(uintptr_t)base & (huge * PAGE - 1));

    madvise(memory, huge * PAGE, MADV_HUGEPAGE);
    number_pages(memory, huge, 3);
    unsigned char *moved =
        mremap(memory, huge * PAGE, huge * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, place + PAGE);
    tap_ok(moved == place + PAGE && are_numbered(moved, huge, 3), "a huge page's contents move");
    tap_ok(resident_pages(memory, 256) == 0 && memory[7 * PAGE] == 0, "and leave zeros");
    tap_ok(munmap(base, 4 * huge * PAGE) == 0 && are_numbered(moved, huge, 3) && munmap(moved, huge * PAGE) == 0,
           "munmap");
}

static void test_dont_unmap_shared(void)
{
    const int stay = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
    unsigned char *memory = map_pages(4, READ_WRITE, SHARED);

    number_pages(memory, 4, 1);
    unsigned char *moved = mremap(memory, 4 * PAGE, 4 * PAGE, stay);
    tap_ok(moved != MAP_FAILED && moved != memory && are_numbered(moved, 4, 1), "shared memory has a second place");
    tap_ok(are_numbered(memory, 4, 1), "and is found at the first again");
    moved[PAGE] = 99;
    tap_ok(memory[PAGE] == 99, "as the same memory");
    tap_ok(munmap(memory, 4 * PAGE) == 0 && munmap(moved, 4 * PAGE) == 0, "munmap");
}

static void test_dont_unmap_errors(void)
{
    const int stay = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE), *place = free_place(PAGES);
    struct rlimit limit;

    number_pages(memory, PAGES, 1);
    tap_ok(map_fails(mremap(memory, PAGE, PAGE, MREMAP_DONTUNMAP), EINVAL), "MREMAP_DONTUNMAP alone gives EINVAL");
    tap_ok(map_fails(mremap(memory, PAGE, PAGE, MREMAP_DONTUNMAP | MREMAP_FIXED, place), EINVAL),
           "also with MREMAP_FIXED");
    tap_ok(map_fails(mremap(memory, PAGE, 2 * PAGE, stay), EINVAL) &&
               map_fails(mremap(memory, 2 * PAGE, PAGE, stay), EINVAL),
           "two lengths give EINVAL");
    tap_ok(map_fails(mremap(memory, 2 * PAGE - 1, 2 * PAGE, stay), EINVAL), "also if they are as many pages");
    tap_ok(map_fails(mremap(memory, 0, 0, stay), EINVAL), "length 0 gives EINVAL");
    tap_ok(map_fails(mremap(memory + 1, PAGE, PAGE, stay), EINVAL), "a crooked address gives EINVAL");
    tap_ok(map_fails(mremap(memory, 4 * PAGE, 4 * PAGE, stay | MREMAP_FIXED, memory + 3 * PAGE), EINVAL),
           "a place that overlaps gives EINVAL");
    tap_ok(map_fails(mremap(place, PAGE, PAGE, stay), EFAULT), "where nothing is mapped: EFAULT");
    mprotect(memory + 8 * PAGE, 8 * PAGE, PROT_READ);
    tap_ok(map_fails(mremap(memory, PAGES * PAGE, PAGES * PAGE, stay), EFAULT), "more than one mapping: EFAULT");
    const bool known = getrlimit(RLIMIT_AS, &limit) == 0;
    const struct rlimit small = {64 * 1024, limit.rlim_max};
    tap_ok(known && setrlimit(RLIMIT_AS, &small) == 0 && map_fails(mremap(memory, PAGE, PAGE, stay), ENOMEM),
           "above the limit of the address space: ENOMEM");
    tap_ok(setrlimit(RLIMIT_AS, &limit) == 0 && are_numbered(memory, PAGES, 1), "and nothing has changed");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap");
}

int main(void)
{
    tap_plan(5 + 7 + 8 + 3 + 6 + 6 + 4 + 15 + 14 + 3 + 4 + 12);
    test_shrink();
    test_grow();
    test_move();
    test_large();
    test_fixed();
    test_shared();
    test_apart_from_child(0);
    test_apart_from_child(3);
    test_errors();
    test_dont_unmap();
    test_dont_unmap_huge();
    test_dont_unmap_shared();
    test_dont_unmap_errors();
    return tap_done();
}
