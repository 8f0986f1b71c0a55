/* SPDX-License-Identifier: MIT */
/*
 * Programs that take all memory, in several ways, lose it again with their lives; everybody else goes on.
 */
#include "server_state.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <quire/thread.h>
#include <string.h>
#include <sys/mman.h>

#define SELF         "/tests/exhaustion"
#define GIBIBYTE     (1UL << 30)
#define MAPPINGS     8UL /* of a GiB: more than the machine has */
#define STATUS_ALIVE 3
#define STATUS_WRONG 4
#define ROUNDS       3
#define MAP_ROUNDS   1 /* it takes long, and nothing in it is left to chance */
#define THREADS      6

static char *map_pages(uint64_t bytes, int protection)
{
    char *memory = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static uint32_t mark(uint64_t mapping, uint64_t offset)
{
    return (uint32_t)(mapping << 24 | offset >> PAGE_SHIFT | 1);
}

/* Touches a page in every `step` bytes of a lot of memory, and looks at what is there in the end. */
static int touch_all(uint64_t step)
{
    char *memory[MAPPINGS];

    for (uint64_t mapping = 0; mapping < MAPPINGS; mapping++) {
        memory[mapping] = map_pages(GIBIBYTE, PROT_READ | PROT_WRITE);
        for (uint64_t offset = 0; memory[mapping] && offset < GIBIBYTE; offset += step)
            *(volatile uint32_t *)(void *)(memory[mapping] + offset) = mark(mapping, offset);
    }
    for (uint64_t mapping = 0; mapping < MAPPINGS; mapping++) {
        for (uint64_t offset = 0; memory[mapping] && offset < GIBIBYTE; offset += step) {
            const volatile uint32_t *word = (const volatile uint32_t *)(void *)(memory[mapping] + offset);
            if (*word != mark(mapping, offset) || word[1] || (step > PAGE_SIZE && word[PAGE_SIZE / sizeof(*word)]))
                return STATUS_WRONG;
        }
    }
    return STATUS_ALIVE;
}

static int touch_a_gibibyte(void *argument)
{
    (void)argument;
    volatile char *memory = map_pages(GIBIBYTE, PROT_READ | PROT_WRITE);
    for (uint64_t offset = 0; memory && offset < GIBIBYTE; offset += PAGE_SIZE)
        memory[offset] = 1;
    return 0;
}

/* The same from several threads, so that many faults find no memory at a time. */
static int touch_in_threads(void)
{
    struct thread *threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        if (thread_create(&threads[i], touch_a_gibibyte, NULL) < 0)
            return STATUS_ALIVE;
    }
    for (unsigned i = 0; i < THREADS; i++)
        (void)!thread_join(threads[i], NULL);
    return STATUS_ALIVE;
}

/* Makes as many areas as it gets; the two protections keep them from merging. */
static int map_all(void)
{
    for (uint64_t count = 0; count <= MEMSRV_AREA_QUOTA; count++) {
        if (!map_pages(PAGE_SIZE, count % 2 ? PROT_READ : PROT_NONE))
            return STATUS_ALIVE;
    }
    return 0; /* more than there may be */
}

static void test_child(const char *mode, int rounds, int status, const char *what)
{
    const char *line[] = {SELF, mode, NULL};
    (void)!process_run(line); /* caches fill */
    uint64_t before = pages_used();
    int found = status;
    for (int round = 0; round < rounds && found == status; round++)
        found = process_run(line);
    tap_equal(found, status, "%s", what);
    tap_equal((long)pages_used(), (long)before, "no page is lost by that");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

static struct memsrv_alloc requests_now(void)
{
    struct memsrv_alloc alloc = {0};
    size_t count = 0;
    if (memsrv_alloc_info(SLOT_MEMSRV, &alloc, 1, &count) < 0 || count != 1)
        tap_diag("alloc_info failed");
    return alloc;
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "touch") == 0)
        return touch_all(PAGE_SIZE);
    if (count > 1 && strcmp(arguments[1], "sparse") == 0)
        return touch_all(HUGE_PAGE_SIZE);
    if (count > 1 && strcmp(arguments[1], "threads") == 0)
        return touch_in_threads();
    if (count > 1 && strcmp(arguments[1], "map") == 0)
        return map_all();
    const bool only_pages = count > 1 && strcmp(arguments[1], "pages") == 0; /* and no areas */
    tap_plan((only_pages ? 9 : 12) + 2);
    const struct memsrv_alloc before = requests_now();
    test_child("touch", ROUNDS, ROOT_STATUS_FAULT, "who touches more than there is ends");
    const struct memsrv_alloc after = requests_now();
    tap_ok(after.failures > before.failures, "its requests failed");
    tap_ok(after.drains > before.drains, "after all workers' lists were drained");
    test_child("threads", ROUNDS, ROOT_STATUS_FAULT, "who does so from many threads ends, too");
    test_child("sparse", ROUNDS, STATUS_ALIVE, "few pages with a translation table each fit");
    if (!only_pages)
        test_child("map", MAP_ROUNDS, STATUS_ALIVE, "areas are limited");
    return tap_done();
}
