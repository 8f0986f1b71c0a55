/* SPDX-License-Identifier: MIT */
/*
 * Where a program's stack, heap, mappings and IPC buffer are. Without arguments: they differ from program to program,
 * however it was started. With the word "fixed", for a machine whose command line says quire.randomize=0: they do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <quire/process.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define SELF      "/tests/randomize"
#define FILE_NAME "/tmp/randomize"
#define RUNS      12

extern char **environ;

/* What a program tells of itself. */
struct places {
    uintptr_t stack, strings, heap, mapping;
};

/* The program of which others learn its places: it writes them to a file. */
static int report(char **words)
{
    struct places places = {.strings = (uintptr_t)words[0], .heap = (uintptr_t)sbrk(0)};
    void *mapping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    const int file = open(FILE_NAME, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    places.stack = (uintptr_t)&places;
    places.mapping = (uintptr_t)mapping;
    /* The stack is there to be used, down to what a program may expect. */
    volatile char room[1 << 20];
    room[0] = room[sizeof(room) - 1] = 1;
    const bool good = mapping != MAP_FAILED && room[0] && write(file, &places, sizeof(places)) == sizeof(places);
    return close(file) == 0 && good ? 0 : 1;
}

static bool read_report(struct places *places)
{
    const int file = open(FILE_NAME, O_RDONLY);
    const bool good = file >= 0 && read(file, places, sizeof(*places)) == sizeof(*places);

    if (file >= 0)
        (void)close(file);
    return unlink(FILE_NAME) == 0 && good;
}

static bool has_ended_well(pid_t child)
{
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- Ways to start a program -------------------------------------------------------------------------------------- */

static bool by_root(void)
{
    return process_run((const char *const[]){SELF, "report", NULL}) == 0;
}

static bool by_exec(void)
{
    const pid_t child = fork();

    if (child == 0) {
        (void)execl(SELF, SELF, "report", (char *)NULL);
        _exit(99);
    }
    return has_ended_well(child);
}

/* One process becomes the program, and the program itself again. */
static bool by_exec_twice(void)
{
    const pid_t child = fork();

    if (child == 0) {
        (void)execl(SELF, SELF, "again", (char *)NULL);
        _exit(99);
    }
    return has_ended_well(child);
}

static bool by_posix_spawn(void)
{
    pid_t child = -1;
    char *words[] = {SELF, "report", NULL};

    return posix_spawn(&child, SELF, NULL, NULL, words, environ) == 0 && has_ended_well(child);
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

/* How many different numbers there are at `offset` of the runs' reports. */
static int distinct(const struct places runs[RUNS], size_t offset)
{
    int count = 0;

    for (int i = 0; i < RUNS; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = memcmp((const char *)&runs[i] + offset, (const char *)&runs[j] + offset, sizeof(uintptr_t)) == 0;
        count += !seen;
    }
    return count;
}

/* All the same; or nearly all different, since two of so many can be equal by chance where there are but 8192 places. */
static bool is_as_wanted(int count, bool fixed)
{
    return fixed ? count == 1 : count >= RUNS - 2;
}

static void test_way(const char *name, bool (*start)(void), bool fixed)
{
    static struct places runs[RUNS];
    const char *wanted = fixed ? "are the same" : "differ";
    bool good = true;

    for (int i = 0; i < RUNS && good; i++)
        good = start() && read_report(&runs[i]);
    tap_ok(good, "%s: %d runs", name, RUNS);
    tap_ok(is_as_wanted(distinct(runs, offsetof(struct places, stack)), fixed), "%s: stacks %s", name, wanted);
    tap_ok(is_as_wanted(distinct(runs, offsetof(struct places, strings)), fixed), "%s: arguments %s", name, wanted);
    tap_ok(is_as_wanted(distinct(runs, offsetof(struct places, heap)), fixed), "%s: heaps %s", name, wanted);
    tap_ok(is_as_wanted(distinct(runs, offsetof(struct places, mapping)), fixed), "%s: mappings %s", name, wanted);
}

/* A fork moves nothing: pointers stay good. */
static void test_fork(void)
{
    int marker = 7;
    int *heap = malloc(sizeof(*heap));
    const pid_t child = (*heap = 8, fork());

    if (child == 0)
        _exit(*(volatile int *)&marker == 7 && *(volatile int *)heap == 8 ? 0 : 1);
    tap_ok(has_ended_well(child), "a fork's child has everything where its parent has it");
    free(heap);
}

int main(int count, char **words)
{
    const bool fixed = count > 1 && strcmp(words[1], "fixed") == 0;

    if (count > 1 && strcmp(words[1], "report") == 0)
        return report(words);
    if (count > 1 && strcmp(words[1], "again") == 0) {
        (void)execl(SELF, SELF, "report", (char *)NULL);
        return 98;
    }
    tap_plan(4 * 5 + 1);
    test_way("process_spawn", by_root, fixed);
    test_way("fork and exec", by_exec, fixed);
    test_way("exec after exec", by_exec_twice, fixed);
    test_way("posix_spawn", by_posix_spawn, fixed);
    test_fork();
    return tap_done();
}
