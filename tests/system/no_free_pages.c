/* SPDX-License-Identifier: MIT */
/*
 * Paging with no free page: before each step all pages that programs could get are taken away. A step reads, writes and
 * syncs pages of a disk, touches memory of its own, and lets it go; each fault waits for a page that must first be
 * given up. What hangs here waits in a circle: somebody needs a page in order to free one. Needs a disk whose partition is
 * called scratch. With a partition for swapped pages and the argument "swap", pages of its own go there, and each that comes
 * back has to find a place.
 */
#include "scratch_disk.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS      (PAGE_SIZE / sizeof(uint64_t))
#define DISK_PAGES 6144u
#define STEP_PAGES 32u
#define OWN_PAGES  4u
#define SWAP_PAGES 96u  /* that go to swap in some steps, and come back */
#define STEPS      12u  /* each costs what reclaim frees on the way to its watermark */
#define PATIENCE_S 120u /* a machine with other work may take so long; what hangs takes longer */
#define EVERYTHING UINT64_MAX

static struct scratch_disk scratch;
static volatile uint64_t *disk;
static atomic_uint steps_done;

static bool map_disk(void)
{
    const int error = scratch_disk_map(&scratch, DISK_PAGES, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE);
    disk = scratch.memory;
    return tap_equal(error, 0, "a part of the disk is mapped");
}

/* Says who waits if the steps come to an end nowhere, and ends the test. */
static void *watch(void *argument)
{
    (void)argument;
    unsigned before = 0;
    for (;;) {
        sleep(PATIENCE_S);
        const unsigned now = atomic_load(&steps_done);
        if (now == before) {
            char line[160];
            const struct memsrv_paging state = paging_now();
            const int length =
                snprintf(line, sizeof(line),
                         "Bail out! step %u does not end: %lu threads wait for %lu requests, %lu pages in "
                         "transit\n",
                         now, (unsigned long)state.parked, (unsigned long)state.requests, (unsigned long)state.transit);
            (void)!write(STDOUT_FILENO, line, (size_t)length);
            _exit(1);
        }
        before = now;
    }
}

static uint64_t content(uint64_t page)
{
    return page * 0x9e3779b97f4a7c15u;
}

/* Maps memory of its own, which waits for a page as faults do, touches it, and gives it back. */
static bool use_own_memory(void)
{
    volatile uint64_t *memory =
        mmap(NULL, OWN_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool right = memory != MAP_FAILED;
    for (uint64_t page = 0; right && page < OWN_PAGES; page++)
        memory[page * WORDS] = page + 1;
    for (uint64_t page = 0; right && page < OWN_PAGES; page++)
        right = memory[page * WORDS] == page + 1;
    return right && munmap((void *)(uintptr_t)memory, OWN_PAGES * PAGE_SIZE) == 0;
}

/* --- With swap -------------------------------------------------------------------------------------------------------- */

static volatile uint64_t *swapped;

static bool map_swapped(void)
{
    struct pager_swap_area area;
    size_t count = 0;
    while (pager_swap_list(SLOT_PAGER, &area, 1, &count) == 0 && count == 0)
        usleep(10000);
    swapped = mmap(NULL, SWAP_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (swapped == MAP_FAILED || madvise((void *)(uintptr_t)swapped, SWAP_PAGES * PAGE_SIZE, MADV_NOHUGEPAGE) < 0)
        return false;
    for (uint64_t page = 0; page < SWAP_PAGES; page++)
        swapped[page * WORDS] = content(page);
    return true;
}

static bool is_away(void)
{
    static unsigned char present[SWAP_PAGES];
    bool away = mincore((void *)(uintptr_t)swapped, sizeof(present) * PAGE_SIZE, present) == 0;
    for (uint64_t page = 0; page < SWAP_PAGES; page++)
        away = away && !(present[page] & 1);
    return away;
}

/* All the pages go; what becomes free by that is taken, too; then they are read, or written to. Returns how many are wrong. */
static uint64_t go_and_come(unsigned step)
{
    uint64_t wrong = 0, held;
    if (madvise((void *)(uintptr_t)swapped, SWAP_PAGES * PAGE_SIZE, MADV_PAGEOUT) < 0)
        return SWAP_PAGES;
    while (!is_away())
        usleep(1000);
    if (memsrv_free_hold(GRANT_SLOT_MEMSRV, EVERYTHING, &held) < 0)
        return SWAP_PAGES;
    for (uint64_t page = 0; page < SWAP_PAGES; page++) {
        if (step % 2 == 1)
            swapped[page * WORDS + 1] = step;
        wrong += swapped[page * WORDS] != content(page);
    }
    return wrong;
}

static void steps(void)
{
    uint64_t wrong = 0, failures = 0, held = 0, before = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        const uint64_t first = (uint64_t)step * STEP_PAGES;
        failures += memsrv_free_hold(GRANT_SLOT_MEMSRV, EVERYTHING, &held) != 0;
        before = step == 0 ? held : before;
        for (uint64_t page = first; page < first + STEP_PAGES; page++)
            disk[page * WORDS] = content(page);
        failures += !use_own_memory();
        wrong += swapped && step % 3 == 2 ? go_and_come(step) : 0;
        if (step % 4 == 3)
            failures += pager_sync(SLOT_PAGER, scratch.object, first, first + STEP_PAGES, 0) != 0;
        /* What was written in an earlier step, long ago by the machine's measure. */
        const uint64_t earlier = first / 2;
        for (uint64_t page = earlier; page < earlier + STEP_PAGES / 2; page++)
            wrong += disk[page * WORDS] != content(page);
        atomic_fetch_add(&steps_done, 1);
    }
    tap_equal((long)failures, 0, "every step comes to its end");
    tap_equal((long)wrong, 0, "every page holds what was written to it");
    tap_ok(held > before, "pages that became free were taken each time: %lu, then %lu", (unsigned long)before,
           (unsigned long)held);
}

/* What is on the disk: nobody has any of the pages any more. */
static void written(void)
{
    uint64_t wrong = 0, dropped = 0, held;
    int error = pager_sync(SLOT_PAGER, scratch.object, 0, DISK_PAGES, 0);
    tap_equal(error, 0, "all is synced");
    error = memsrv_free_hold(GRANT_SLOT_MEMSRV, 0, &held);
    tap_ok(error == 0 && held == 0, "all pages are given back");
    error = pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &dropped);
    for (uint64_t page = 0; page < STEPS * STEP_PAGES; page++)
        wrong += disk[page * WORDS] != content(page);
    tap_ok(error == 0 && (dropped > 0 || swapped) && wrong == 0, "the disk has what was written: %lu pages read again",
           (unsigned long)dropped);
}

int main(int argc, char **argv)
{
    pthread_t watcher;
    const bool swaps = argc > 1 && strcmp(argv[1], "swap") == 0;
    tap_plan(1 + 2 + swaps + 3 + 3 + 1);
    if (!map_disk())
        return tap_done();
    const struct memsrv_paging state = paging_now();
    tap_ok(state.reservation > 0 && state.reservation <= state.reserve * 3 / 8,
           "paging needs %lu pages of %lu that are kept", (unsigned long)state.reservation,
           (unsigned long)state.reserve);
    for (uint64_t page = STEPS * STEP_PAGES; page < DISK_PAGES; page++)
        (void)disk[page * WORDS]; /* what can make way */
    if (swaps)
        tap_ok(map_swapped(), "pages can go to swap");
    tap_equal(pthread_create(&watcher, NULL, watch, NULL), 0, "somebody watches");
    steps();
    written();
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
