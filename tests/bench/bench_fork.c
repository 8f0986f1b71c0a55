/* SPDX-License-Identifier: MIT */
/* Copy-on-write, fork, exit and wait. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define MEBIBYTE    (1UL << 20)
#define TABLE_BYTES (2UL << 20)

static void touch(volatile char *memory, uint64_t bytes, uint64_t step)
{
    for (uint64_t i = 0; i < bytes; i += step)
        memory[i] = 1;
}

/* Waits for the child's end. */
static int end(pid_t child)
{
    return waitpid(child, NULL, 0) == child ? 0 : -errno;
}

/* What the child of copy_on_write() does. */
enum child_deed {
    CHILD_STAYS,
    CHILD_ENDS,
    CHILD_WRITES_AND_ENDS, /* once in each of its translation tables */
};

static _Noreturn void be_child(char *memory, uint64_t bytes, enum child_deed deed)
{
    if (deed == CHILD_WRITES_AND_ENDS)
        touch(memory, bytes, TABLE_BYTES);
    while (deed == CHILD_STAYS)
        sleep(1);
    _exit(0);
}

/* Writes to `count` pages that a child has got, too. */
static int copy_on_write(uint64_t count, uint64_t *ticks, enum child_deed deed)
{
    char *memory = port_map(count * PAGE_BYTES);
    int error = 0;

    if (!memory)
        return -ENOMEM;
    touch(memory, count * PAGE_BYTES, PAGE_BYTES);
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        be_child(memory, count * PAGE_BYTES, deed);
    if (deed != CHILD_STAYS)
        error = end(child);
    uint64_t start = port_ticks();
    touch(memory, count * PAGE_BYTES, PAGE_BYTES);
    *ticks = port_ticks() - start;
    if (deed == CHILD_STAYS) {
        kill(child, SIGKILL);
        error = end(child);
    }
    munmap(memory, count * PAGE_BYTES);
    return error;
}

int cow_copy(uint64_t count, uint64_t *ticks)
{
    return copy_on_write(count, ticks, CHILD_STAYS);
}

int cow_reuse(uint64_t count, uint64_t *ticks)
{
    return copy_on_write(count, ticks, CHILD_ENDS);
}

int cow_promote(uint64_t count, uint64_t *ticks)
{
    return copy_on_write(count, ticks, CHILD_WRITES_AND_ENDS);
}

/* fork() alone, until it returns in the parent, which has touched so many bytes. */
static int fork_with(uint64_t bytes, uint64_t count, uint64_t *ticks)
{
    char *memory = port_map(bytes);
    int error = 0;

    if (!memory)
        return -ENOMEM;
    *ticks = 0;
    for (uint64_t i = 0; i < count && error == 0; i++) {
        touch(memory, bytes, PAGE_BYTES);
        uint64_t start = port_ticks();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        *ticks += port_ticks() - start;
        error = child < 0 ? -errno : end(child);
    }
    munmap(memory, bytes);
    return error;
}

int fork_1m(uint64_t count, uint64_t *ticks)
{
    return fork_with(MEBIBYTE, count, ticks);
}

int fork_4m(uint64_t count, uint64_t *ticks)
{
    return fork_with(4 * MEBIBYTE, count, ticks);
}

int fork_16m(uint64_t count, uint64_t *ticks)
{
    return fork_with(16 * MEBIBYTE, count, ticks);
}

int fork_64m(uint64_t count, uint64_t *ticks)
{
    return fork_with(64 * MEBIBYTE, count, ticks);
}

int fork_256m(uint64_t count, uint64_t *ticks)
{
    return fork_with(256 * MEBIBYTE, count, ticks);
}

int fork_exit_wait(uint64_t count, uint64_t *ticks)
{
    int error = 0;
    uint64_t start = port_ticks();

    for (uint64_t i = 0; i < count && error == 0; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        error = child < 0 ? -errno : end(child);
    }
    *ticks = port_ticks() - start;
    return error;
}

int spawn(uint64_t count, uint64_t *ticks)
{
    char *const arguments[] = {(char *)bench_path, SPAWN_ARGUMENT, NULL};
    char *const environment[] = {NULL};
    int error = 0;
    uint64_t start = port_ticks();

    for (uint64_t i = 0; i < count && error == 0; i++) {
        pid_t child;
        error = -posix_spawn(&child, bench_path, NULL, NULL, arguments, environment);
        if (error == 0)
            error = end(child);
    }
    *ticks = port_ticks() - start;
    return error;
}
