/* SPDX-License-Identifier: MIT */
/*
 * mmap() with each of its flags, and the errors of munmap() and mprotect() that map.c has not.
 */
#include "memory_calls.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#define PAGES 16UL

static void test_arguments(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    tap_ok(map_fails(mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_SHARED | MAP_ANONYMOUS | 4, -1, 0), EINVAL),
           "an unknown type gives EINVAL");
    tap_ok(map_fails(mmap(NULL, PAGE, READ_WRITE, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | 0x4000000, -1, 0), EOPNOTSUPP),
           "MAP_SHARED_VALIDATE with an unknown flag gives EOPNOTSUPP");
    tap_ok(map_fails(mmap(NULL, 0, READ_WRITE, SHARED, -1, 0), EINVAL), "length 0 gives EINVAL for shared memory, too");
    tap_ok(map_fails(mmap(NULL, SIZE_MAX, READ_WRITE, PRIVATE, -1, 0), ENOMEM), "the largest length gives ENOMEM");
    tap_ok(map_fails(mmap(NULL, SIZE_MAX, READ_WRITE, SHARED, -1, 0), ENOMEM), "and for shared memory");
    tap_ok(map_fails(mmap((void *)1, PAGE, READ_WRITE, PRIVATE | MAP_FIXED, -1, 0), EINVAL),
           "MAP_FIXED at a crooked address gives EINVAL");
    tap_ok(map_fails(mmap(NULL, PAGE, READ_WRITE, PRIVATE | MAP_FIXED, -1, 0), EPERM), "MAP_FIXED at 0 gives EPERM");
    tap_ok(map_fails(mmap((void *)(1UL << 47), PAGE, READ_WRITE, PRIVATE | MAP_FIXED, -1, 0), ENOMEM),
           "MAP_FIXED above all user memory gives ENOMEM");
    tap_ok(map_fails(mmap(memory, SIZE_MAX - PAGE, READ_WRITE, PRIVATE | MAP_FIXED, -1, 0), ENOMEM),
           "MAP_FIXED with a length that wraps gives ENOMEM");
    tap_ok(map_fails(mmap(NULL, PAGE, READ_WRITE, SHARED | MAP_GROWSDOWN, -1, 0), EINVAL),
           "MAP_GROWSDOWN and shared gives EINVAL");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap");
}

static void test_hints(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    munmap(memory, PAGES * PAGE);
    tap_ok(mmap(memory + 4 * PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0) == memory + 4 * PAGE,
           "a hint where nothing is is taken");
    unsigned char *other = mmap(memory + 4 * PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0);
    tap_ok(other != MAP_FAILED && other != memory + 4 * PAGE, "a hint where something is is not");
    tap_ok(munmap(other, PAGE) == 0 && munmap(memory + 4 * PAGE, PAGE) == 0, "munmap");
    other = mmap(memory + 4 * PAGE + 5, PAGE, READ_WRITE, PRIVATE, -1, 0);
    tap_ok(other != MAP_FAILED && (uintptr_t)other % PAGE == 0, "a crooked hint is no error");
    munmap(other, PAGE);
    other = mmap((void *)~0xfffUL, PAGE, READ_WRITE, PRIVATE, -1, 0);
    tap_ok(other != MAP_FAILED, "a hint that cannot be is no error");
    munmap(other, PAGE);
}

static void test_fixed(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(mmap(memory + 4 * PAGE, 4 * PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0) == memory + 4 * PAGE,
           "MAP_FIXED in the middle of a mapping");
    tap_ok(are_numbered(memory, 4, 1) && memory[4 * PAGE] == 0 && memory[7 * PAGE] == 0 &&
               are_numbered(memory + 8 * PAGE, 8, 9),
           "replaces exactly that");
    tap_ok(map_fails(mmap(memory, 2 * PAGES * PAGE, READ_WRITE, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), EEXIST),
           "MAP_FIXED_NOREPLACE over a part of something gives EEXIST");
    tap_ok(are_numbered(memory, 4, 1), "and changes nothing");
    tap_ok(map_fails(mmap(memory + 1, PAGE, READ_WRITE, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), EINVAL),
           "at a crooked address EINVAL");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap over several mappings");
    tap_ok(mmap(memory, PAGE, READ_WRITE, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0) == memory,
           "MAP_FIXED_NOREPLACE where nothing is");
    tap_ok(munmap(memory, PAGE) == 0, "munmap");
}

static void test_populate(void)
{
    unsigned char *memory = map_pages(200, READ_WRITE, PRIVATE | MAP_POPULATE);

    tap_equal(resident_pages(memory, 200), 200, "MAP_POPULATE takes all pages of private memory");
    tap_ok(munmap(memory, 200 * PAGE) == 0, "munmap");
    memory = map_pages(200, READ_WRITE, SHARED | MAP_POPULATE);
    tap_equal(resident_pages(memory, 200), 200, "and of shared memory");
    tap_ok(munmap(memory, 200 * PAGE) == 0, "munmap");
    memory = map_pages(20, PROT_READ, PRIVATE);
    tap_equal(resident_pages(memory, 20), 0, "without it none");
    tap_ok(munmap(memory, 20 * PAGE) == 0, "munmap");
    memory = map_pages(20, PROT_NONE, PRIVATE | MAP_POPULATE);
    tap_equal(resident_pages(memory, 20), 0, "and none of what cannot be touched");
    tap_ok(munmap(memory, 20 * PAGE) == 0, "munmap");
}

static void test_unmap(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(munmap(NULL, PAGE) == 0, "munmap at 0, where nothing is, is no error");
    tap_ok(fails(munmap((void *)((1UL << 47) - PAGE), 2 * PAGE), EINVAL), "past the end of user memory EINVAL");
    tap_ok(munmap(memory, PAGE) == 0 && munmap(memory + 15 * PAGE, PAGE) == 0, "munmap of both ends");
    tap_ok(are_numbered(memory + PAGE, PAGES - 2, 2), "leaves the middle");
    tap_ok(munmap(memory + PAGE, PAGE - 1) == 0 && are_numbered(memory + 2 * PAGE, PAGES - 3, 3),
           "a length is rounded up to a page");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap with holes");
}

static void test_protect(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);

    number_pages(memory, PAGES, 1);
    tap_ok(mprotect(memory, 0, PROT_READ) == 0, "mprotect of nothing does nothing");
    tap_ok(fails(mprotect(memory + 1, 0, PROT_READ), EINVAL), "but at a crooked address EINVAL");
    tap_ok(fails(mprotect(NULL, PAGE, PROT_READ), ENOMEM), "mprotect where nothing is gives ENOMEM");
    tap_ok(fails(mprotect(memory, SIZE_MAX - PAGE, PROT_READ), ENOMEM), "a length that wraps gives ENOMEM");
    tap_ok(fails(mprotect((void *)(1UL << 47), PAGE, PROT_READ), ENOMEM), "above all user memory ENOMEM");
    tap_ok(mprotect(memory + 2 * PAGE, PAGE, PROT_READ) == 0 && mprotect(memory + 3 * PAGE, PAGE, PROT_READ) == 0 &&
               mprotect(memory, PAGES * PAGE, READ_WRITE) == 0,
           "mprotect over parts of several kinds");
    number_pages(memory, PAGES, 2);
    tap_ok(are_numbered(memory, PAGES, 2), "all can be written");
    tap_ok(munmap(memory, PAGES * PAGE) == 0, "munmap");
}

/* Far below the mapping, and right below it, where something is. */
static void test_grows_down(void)
{
    const size_t room = 1024;
    unsigned char *base = map_pages(room, PROT_NONE, PRIVATE);
    unsigned char *stack = base + (room - 4) * PAGE;

    munmap(base, room * PAGE);
    tap_ok(mmap(stack, 4 * PAGE, READ_WRITE, PRIVATE | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == stack, "MAP_GROWSDOWN");
    stack[0] = 1;
    ((volatile unsigned char *)stack)[-1] = 2;
    ((volatile unsigned char *)stack)[-(long)(100 * PAGE)] = 3;
    tap_ok(stack[-1] == 2 && stack[-(long)(50 * PAGE)] == 0 && stack[-(long)(100 * PAGE)] == 3,
           "it grows when touched");
    unsigned char *near = mmap(stack - 200 * PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0);
    tap_ok(near != MAP_FAILED && near != stack - 200 * PAGE, "a hint inside its guard is not taken");
    munmap(near, PAGE);
    near = mmap(stack - 600 * PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0);
    tap_ok(near == stack - 600 * PAGE, "one below it is");
    munmap(near, PAGE);
    tap_ok(munmap(base, room * PAGE) == 0, "munmap");
}

int main(void)
{
    tap_plan(11 + 5 + 8 + 8 + 6 + 8 + 5);
    test_arguments();
    test_hints();
    test_fixed();
    test_populate();
    test_unmap();
    test_protect();
    test_grows_down();
    return tap_done();
}
