/* SPDX-License-Identifier: MIT */
/*
 * Threads of one program that touch the same pages at the same time, pages of their own, and the heap.
 */
#include "tap.h"

#include <errno.h>
#include <quire/abi.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS      8
#define SHARED_PAGES 512UL
#define OWN_PAGES    256UL
#define ROUNDS       20
#define BLOCKS       300

static _Atomic uint64_t *shared;
static _Atomic unsigned arrived;
static __thread uint64_t own_number = 7;

/* All threads go on together, so that their first touches meet. */
static void meet(void)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < THREADS)
        usleep(100);
}

static int touch_shared(void *argument)
{
    const uint64_t self = (uint64_t)argument;

    meet();
    for (uint64_t page = 0; page < SHARED_PAGES; page++)
        atomic_fetch_add(&shared[page * (PAGE_SIZE / sizeof(*shared))], self + 1);
    return 0;
}

static int touch_own(void *argument)
{
    const uint64_t self = (uint64_t)argument;
    uint64_t *memory = mmap(NULL, OWN_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const size_t step = PAGE_SIZE / sizeof(*memory);

    if (memory == MAP_FAILED)
        return errno;
    meet();
    for (uint64_t page = 0; page < OWN_PAGES; page++)
        memory[page * step] = self << 32 | page;
    for (uint64_t page = 0; page < OWN_PAGES; page++) {
        if (memory[page * step] != (self << 32 | page) || memory[page * step + 1] != 0)
            return -1;
    }
    return munmap(memory, OWN_PAGES * PAGE_SIZE) == 0 ? (int)self : errno;
}

static int use_heap(void *argument)
{
    const int self = (int)(uint64_t)argument;
    unsigned char *blocks[BLOCKS];

    meet();
    for (int index = 0; index < BLOCKS; index++) {
        blocks[index] = malloc((size_t)(index + 1) * 8);
        if (!blocks[index])
            return -1;
        memset(blocks[index], self, (size_t)(index + 1) * 8);
    }
    for (int index = 0; index < BLOCKS; index++) {
        for (int byte = 0; byte < (index + 1) * 8; byte++) {
            if (blocks[index][byte] != self)
                return -1;
        }
        free(blocks[index]);
    }
    return self;
}

static int own_state(void *argument)
{
    const uint64_t self = (uint64_t)argument;

    if (own_number != 7)
        return -1;
    own_number = self;
    errno = (int)self + 1;
    meet();
    usleep(1000);
    return own_number == self && errno == (int)self + 1 && thread_number() != 0 ? (int)self : -1;
}

/* Runs `function` in all threads; true if each returned its number (or 0, where `zero`). */
static bool run_all(int (*function)(void *), bool zero)
{
    struct thread *threads[THREADS];
    bool good = true;

    atomic_store(&arrived, 0);
    for (uint64_t index = 0; index < THREADS; index++) {
        const int error = thread_create(&threads[index], function, (void *)index);
        if (error < 0) {
            tap_diag("thread_create: %s", strerror(-error));
            exit(1);
        }
    }
    for (int index = 0; index < THREADS; index++) {
        int result = -1;
        const int error = thread_join(threads[index], &result);
        if (error < 0)
            tap_diag("thread_join: %s", strerror(-error));
        good = good && error == 0 && result == (zero ? 0 : index);
    }
    return good;
}

static bool shared_adds_up(void)
{
    for (uint64_t page = 0; page < SHARED_PAGES; page++) {
        if (shared[page * (PAGE_SIZE / sizeof(*shared))] != THREADS * (THREADS + 1) / 2)
            return false;
    }
    return true;
}

static void test_shared(void)
{
    bool good = true;

    for (int round = 0; good && round < ROUNDS; round++) {
        shared = mmap(NULL, SHARED_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
            exit(1);
        good = run_all(touch_shared, true) && shared_adds_up();
        munmap((void *)shared, SHARED_PAGES * PAGE_SIZE);
    }
    tap_ok(good, "%d threads touch the same %lu pages, %d times", THREADS, SHARED_PAGES, ROUNDS);
}

static int return_at_once(void *argument)
{
    return (int)(uint64_t)argument;
}

static void test_many(void)
{
    bool good = true;

    for (uint64_t index = 0; good && index < 200; index++) {
        struct thread *thread;
        int result = 0;
        good = thread_create(&thread, return_at_once, (void *)index) == 0 && thread_join(thread, &result) == 0 &&
               result == (int)index;
    }
    tap_ok(good, "200 threads one after the other");
}

int main(void)
{
    tap_plan(6);
    tap_equal((long)thread_number(), 0, "the first thread is number 0");
    test_shared();
    tap_ok(run_all(touch_own, false), "each thread maps, touches and unmaps pages of its own");
    tap_ok(run_all(use_heap, false), "the heap serves all threads");
    tap_ok(run_all(own_state, false), "errno and thread-local variables are each thread's own");
    test_many();
    return tap_done();
}
