/* SPDX-License-Identifier: MIT */
/*
 * getrlimit() and setrlimit() for memory, and how mmap(), brk(), mremap(), mprotect() and stacks keep to the limits.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEBIBYTE (1UL << 20)

static bool set(int resource, rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};
    return setrlimit(resource, &limit) == 0;
}

static bool set_soft(int resource, rlim_t soft)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && set(resource, soft, limit.rlim_max);
}

static void test_calls(void)
{
    struct rlimit limit = {1, 2};

    tap_ok(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY && limit.rlim_max == RLIM_INFINITY,
           "no limit of the address space to begin with");
    tap_ok(getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY, "nor of data");
    tap_ok(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == 8 * MEBIBYTE, "8 MiB of stack");
    tap_ok(getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == 8 * MEBIBYTE, "8 MiB of locked memory");
    limit.rlim_cur = 5;
    tap_ok(fails(getrlimit(1000, &limit), EINVAL) && fails(getrlimit(-1, &limit), EINVAL) && limit.rlim_cur == 5,
           "an unknown limit gives EINVAL");
    tap_ok(!set(1000, 1, 1) && errno == EINVAL, "for setrlimit, too");
    tap_ok(!set(RLIMIT_STACK, 9 * MEBIBYTE, 8 * MEBIBYTE) && errno == EINVAL, "soft above hard gives EINVAL");
    tap_ok(set(RLIMIT_MEMLOCK, MEBIBYTE, 4 * MEBIBYTE), "limits can be lowered");
    tap_ok(set(RLIMIT_MEMLOCK, 4 * MEBIBYTE, 4 * MEBIBYTE), "the soft one raised to the hard one");
    tap_ok(!set(RLIMIT_MEMLOCK, 4 * MEBIBYTE, 5 * MEBIBYTE) && errno == EPERM, "and the hard one not: EPERM");
    tap_ok(getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == 4 * MEBIBYTE && limit.rlim_max == 4 * MEBIBYTE,
           "they are what was set last");
}

static void test_address_space(void)
{
    unsigned char *memory = map_pages(256, READ_WRITE, PRIVATE);

    /* What the program has is more than this: nothing may be added. */
    tap_ok(set_soft(RLIMIT_AS, 64 * 1024), "a limit of the address space");
    tap_ok(map_fails(mmap(NULL, PAGE, PROT_NONE, PRIVATE, -1, 0), ENOMEM), "mmap gives ENOMEM");
    tap_ok(map_fails(mmap(NULL, PAGE, PROT_READ, SHARED, -1, 0), ENOMEM), "also for shared memory");
    tap_ok(map_fails(mremap(memory, 256 * PAGE, 257 * PAGE, MREMAP_MAYMOVE), ENOMEM), "mremap gives ENOMEM");
    tap_ok(sbrk(PAGE) == (void *)-1 && errno == ENOMEM, "sbrk gives ENOMEM");
    memory[0] = memory[255 * PAGE] = 1;
    tap_ok(memory[0] == 1, "what is mapped can be used");
    tap_ok(munmap(memory, 64 * PAGE) == 0, "and unmapped");
    tap_ok(set_soft(RLIMIT_AS, RLIM_INFINITY), "no limit");
    tap_ok(sbrk(PAGE) != (void *)-1 && sbrk(-(ptrdiff_t)PAGE) != (void *)-1, "sbrk works again");
    tap_ok(mmap(memory, 64 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED, -1, 0) == memory, "so does mmap");
    tap_ok(munmap(memory, 256 * PAGE) == 0, "munmap");
}

static void test_data(void)
{
    tap_ok(set_soft(RLIMIT_DATA, 0), "a limit of data");
    tap_ok(map_fails(mmap(NULL, PAGE, READ_WRITE, PRIVATE, -1, 0), ENOMEM), "private writable memory gives ENOMEM");
    tap_ok(sbrk(PAGE) == (void *)-1 && errno == ENOMEM, "sbrk gives ENOMEM");
    unsigned char *memory = map_pages(4, PROT_READ, PRIVATE);
    tap_ok(memory != NULL, "memory that is only read is no data");
    tap_ok(fails(mprotect(memory, PAGE, READ_WRITE), ENOMEM), "until mprotect makes it: ENOMEM");
    tap_ok(munmap(memory, 4 * PAGE) == 0, "munmap");
    memory = map_pages(4, READ_WRITE, SHARED);
    tap_ok(memory != NULL && munmap(memory, 4 * PAGE) == 0, "nor is shared memory");
    tap_ok(set_soft(RLIMIT_DATA, RLIM_INFINITY), "no limit");
}

static void test_stack(void)
{
    const size_t room = 1024;
    unsigned char *base = map_pages(room, PROT_NONE, PRIVATE);
    unsigned char *stack = base + (room - 4) * PAGE;
    struct rlimit limit;

    munmap(base, room * PAGE);
    tap_ok(mmap(stack, 4 * PAGE, READ_WRITE, PRIVATE | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == stack, "a stack");
    tap_ok(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY, "its limit");
    stack[-(long)PAGE] = 7;
    tap_ok(stack[-(long)PAGE] == 7, "it grows");
    tap_ok(munmap(base, room * PAGE) == 0, "munmap");
}

/* With the usual policy, what the machine does not have at all is refused, unless it is not to be reserved. */
static void test_overcommit(void)
{
    const size_t pages = 1UL << 30; /* 4 TiB */
    tap_ok(map_fails(mmap(NULL, pages * PAGE, READ_WRITE, PRIVATE, -1, 0), ENOMEM),
           "more writable memory than there is gives ENOMEM");
    unsigned char *memory = map_pages(pages, READ_WRITE, PRIVATE | MAP_NORESERVE);
    tap_ok(memory != NULL, "but not with MAP_NORESERVE");
    memory[(pages - 1) * PAGE] = 1;
    tap_ok(memory[(pages - 1) * PAGE] == 1 && memory[pages / 2 * PAGE] == 0, "which can be used");
    tap_ok(munmap(memory, pages * PAGE) == 0, "munmap");
    memory = map_pages(pages, PROT_READ, PRIVATE);
    tap_ok(memory != NULL, "memory that is only read is no promise");
    tap_ok(fails(mprotect(memory, pages * PAGE, READ_WRITE), ENOMEM), "until mprotect makes it: ENOMEM");
    tap_ok(mprotect(memory, PAGE, READ_WRITE) == 0, "a part of it can be made one");
    tap_ok(munmap(memory, pages * PAGE) == 0, "munmap");
    tap_ok(map_fails(mmap(NULL, pages * PAGE, READ_WRITE, SHARED, -1, 0), ENOMEM), "shared memory is one");
}

int main(void)
{
    tap_plan(11 + 11 + 8 + 4 + 9);
    test_calls();
    test_address_space();
    test_data();
    test_stack();
    test_overcommit();
    return tap_done();
}
