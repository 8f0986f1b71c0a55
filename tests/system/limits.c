/* SPDX-License-Identifier: MIT */
/*
 * getrlimit() and setrlimit() for memory, and how mmap(), brk(), mremap(), mprotect() and stacks keep to the limits.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "tap.h"

#include <quire/process.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEBIBYTE (1UL << 20)
#define SELF     "/tests/limits"

extern char **environ;

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

/* The program that others start to learn what it begins with: the word is its soft limit of locked memory, in bytes. */
static int begun_with(const char *word)
{
    struct rlimit locked, stack;

    if (getrlimit(RLIMIT_MEMLOCK, &locked) != 0 || getrlimit(RLIMIT_STACK, &stack) != 0)
        return 1;
    return locked.rlim_cur == strtoull(word, NULL, 0) && stack.rlim_cur == 2 * MEBIBYTE ? 0 : 2;
}

static int status_of(pid_t child)
{
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A program begins with what its parent has then. */
static void test_inheritance(void)
{
    char word[24];
    char *words[] = {SELF, word, NULL};
    pid_t child = -1;

    tap_ok(set_soft(RLIMIT_MEMLOCK, 3 * PAGE) && set_soft(RLIMIT_STACK, 2 * MEBIBYTE), "two limits");
    snprintf(word, sizeof(word), "%lu", 3 * PAGE);
    tap_equal(process_run((const char *const *)words), 0, "hold for a program that root starts");
    tap_ok(posix_spawn(&child, SELF, NULL, NULL, words, environ) == 0 && status_of(child) == 0, "for posix_spawn");
    child = fork();
    if (child == 0) {
        (void)execv(SELF, words);
        _exit(99);
    }
    tap_equal(status_of(child), 0, "for fork and exec");
    child = fork();
    if (child == 0)
        _exit(begun_with(word));
    tap_equal(status_of(child), 0, "for fork alone");
    tap_ok(set_soft(RLIMIT_MEMLOCK, 5 * PAGE), "a change");
    tap_equal(process_run((const char *const *)words), 2, "is another program's from then on");
}

int main(int count, char **words)
{
    if (count > 1)
        return begun_with(words[1]);
    tap_plan(11 + 11 + 8 + 4 + 9 + 7);
    test_calls();
    test_address_space();
    test_data();
    test_stack();
    test_overcommit();
    test_inheritance();
    return tap_done();
}
