/* SPDX-License-Identifier: MIT */
/*
 * malloc(): large blocks go back to the system when they are freed, wherever they lie; small ones stay in the heap, whose
 * end is cut. What is left of a heap that threads and forks use is sound.
 */
#include <errno.h>
#include <malloc.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"

#define PAGE         4096UL
#define LARGE        (64UL << 20)
#define LARGE_PAGES  (LARGE / PAGE)
#define SLACK_PAGES  256UL /* tables, and what other programs do meanwhile */
#define SMALL        1024UL
#define SMALL_BLOCKS 16384UL
#define THREADS      4
#define ROUNDS       4000
#define BLOCKS       32

static void touch(volatile char *memory, unsigned long bytes)
{
    for (unsigned long offset = 0; offset < bytes; offset += PAGE)
        memory[offset] = (char)(offset / PAGE);
}

/* A small block behind the large one keeps the heap's end where it is. */
static void test_large(void)
{
    const unsigned long before = free_pages();
    char *block = malloc(LARGE);
    void *behind = malloc(SMALL);

    tap_ok(block && behind, "a block of 64 MiB and a small one");
    touch(block, LARGE);
    const unsigned long taken = before - free_pages();
    tap_ok(taken >= LARGE_PAGES && taken < LARGE_PAGES + SLACK_PAGES, "it takes its pages when they are touched");
    free(block);
    tap_ok(free_pages() + SLACK_PAGES > before, "free() gives them back though a later block is still there");
    free(behind);
}

static void test_realloc(void)
{
    const unsigned long before = free_pages();
    char *block = malloc(LARGE / 8);

    tap_ok(block != NULL, "a block of 8 MiB");
    touch(block, LARGE / 8);
    char *larger = realloc(block, LARGE);
    tap_ok(larger && larger[7 * PAGE] == 7, "it grows to 64 MiB and keeps its content");
    touch(larger, LARGE);
    char *smaller = realloc(larger, LARGE / 16);
    tap_ok(smaller && smaller[9 * PAGE] == 9, "it shrinks to 4 MiB and keeps its content");
    tap_ok(free_pages() + LARGE_PAGES / 16 + SLACK_PAGES > before, "what was cut off went back");
    free(smaller);
    tap_ok(free_pages() + SLACK_PAGES > before, "and so did the rest");
}

static void test_alignment(void)
{
    const unsigned long before = free_pages();
    void *block = NULL;

    tap_ok(posix_memalign(&block, 1UL << 20, LARGE) == 0 && (uintptr_t)block % (1UL << 20) == 0,
           "64 MiB aligned to 1 MiB");
    touch(block, LARGE);
    free(block);
    tap_ok(free_pages() + SLACK_PAGES > before, "went back");
    unsigned char *zeros = calloc(LARGE, 1);
    bool clean = zeros != NULL;
    for (unsigned long offset = 0; offset < LARGE && clean; offset += PAGE - 1)
        clean = zeros[offset] == 0;
    tap_ok(clean, "calloc() gives 64 MiB of zeros");
    free(zeros);
    errno = 0;
    void *volatile impossible = malloc(1UL << 50);
    tap_ok(!impossible && errno == ENOMEM, "a block that is larger than can be is refused with ENOMEM");
}

static void test_small(void)
{
    static void *blocks[SMALL_BLOCKS];
    const unsigned long before = free_pages();
    bool all = true;

    for (unsigned long i = 0; i < SMALL_BLOCKS; i++) {
        blocks[i] = malloc(SMALL);
        all &= blocks[i] != NULL;
        if (blocks[i])
            memset(blocks[i], 1, SMALL);
    }
    tap_ok(all && free_pages() + SMALL_BLOCKS / (PAGE / SMALL) <= before, "16,384 blocks of 1 KiB");
    for (unsigned long i = 0; i < SMALL_BLOCKS; i++)
        free(blocks[i]);
    tap_ok(free_pages() + SLACK_PAGES > before, "when all are free, the heap's end goes back");
}

/* Blocks of all sizes, each filled with a value of its own that must still be there at its end. */
static void *churn(void *argument)
{
    unsigned state = 1 + (unsigned)(uintptr_t)argument;
    struct {
        unsigned char *bytes;
        size_t size;
    } blocks[BLOCKS] = {0};
    uintptr_t wrong = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        state = state * 1103515245U + 12345U;
        const unsigned i = state >> 8 & (BLOCKS - 1);
        if (blocks[i].bytes) {
            wrong += blocks[i].bytes[0] != (unsigned char)i || blocks[i].bytes[blocks[i].size - 1] != (unsigned char)i;
            free(blocks[i].bytes);
        }
        blocks[i].size = 1 + (state >> 16) % (round % 64 == 0 ? 1U << 19 : 3000U);
        blocks[i].bytes = malloc(blocks[i].size);
        if (!blocks[i].bytes)
            return (void *)1;
        memset(blocks[i].bytes, (int)i, blocks[i].size);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        free(blocks[i].bytes);
    return (void *)wrong;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    bool good = true;

    for (uintptr_t i = 0; i < THREADS; i++)
        good &= pthread_create(&threads[i], NULL, churn, (void *)i) == 0;
    const pid_t child = fork();
    if (child == 0)
        _exit(churn((void *)THREADS) == NULL ? 0 : 1);
    for (int i = 0; i < THREADS; i++) {
        void *result = (void *)1;
        good &= pthread_join(threads[i], &result) == 0 && !result;
    }
    tap_ok(good, "four threads use the heap at once");
    int status = -1;
    tap_ok(child > 0 && waitpid(child, &status, 0) == child && status == 0,
           "and so does a child that was made meanwhile");
}

int main(void)
{
    tap_plan(16);
    test_large();
    test_realloc();
    test_alignment();
    test_small();
    test_threads();
    return tap_done();
}
