/* SPDX-License-Identifier: MIT */
/*
 * A disk as memory: an object whose pages are those of a partition, larger than the machine's memory, is read and
 * written through a mapping, while the pager brings pages in and takes them away. What was synced is then read from the
 * disk by itself. Needs a disk whose partition is called scratch. Its argument, if any, is how many pages of that are
 * used: for slow disks. They may all fit into memory, so they are dropped before they are read again.
 */
#include "find_process.h"
#include "scratch_disk.h"
#include "server_state.h"
#include "tap.h"

#include <proto/blk_client.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <stdlib.h>
#include <string.h>

#define WORDS      (PAGE_SIZE / sizeof(uint64_t))
#define PASSES     1u
#define SAMPLES    64u
#define ALL_PAGES  UINT64_MAX
#define KILLS      3u
#define KILL_NS    (NS_PER_SECOND / 2) /* fewer in a row than root takes for a pager that does not stay alive */
#define PAGER_NAME "pager"

static struct scratch_disk scratch;
static uint64_t pages;
static volatile uint64_t *memory;

/* The two numbers that a page holds at its ends. */
static uint64_t content(uint64_t page, uint64_t pass)
{
    return (page * 0x9e3779b97f4a7c15u) ^ (pass << 56) ^ 0x5a5a;
}

static void write_page(uint64_t page, uint64_t pass)
{
    memory[page * WORDS] = content(page, pass);
    memory[page * WORDS + WORDS - 1] = ~content(page, pass);
}

static bool page_is(uint64_t page, uint64_t pass)
{
    return memory[page * WORDS] == content(page, pass) && memory[page * WORDS + WORDS - 1] == ~content(page, pass);
}

/* `limit`: how many pages are used at most. */
static bool set_up(uint64_t limit)
{
    const int error = scratch_disk_map(&scratch, limit, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE);
    pages = scratch.pages;
    memory = scratch.memory;
    return tap_equal(error, 0, "%lu pages of a partition for tests are mapped", (unsigned long)pages);
}

static void first_page(void)
{
    const uint64_t before = pager_now().read;
    volatile uint64_t value = memory[5 * WORDS];
    (void)value;
    tap_ok(pager_now().read > before, "a fault reads from the disk: %lu pages",
           (unsigned long)(pager_now().read - before));
}

/* Has all pages written back and dropped. */
static void drop_all(void)
{
    uint64_t count = 0;
    (void)!pager_sync(SLOT_PAGER, scratch.object, 0, ALL_PAGES, 0);
    (void)!pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &count);
}

/* Writes the first `count` pages and reads them again; most of them have gone meanwhile, if these are all. How many are not
 * what was written. */
static uint64_t write_and_read(uint64_t count, uint64_t pass, bool drop)
{
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < count; page++)
        write_page(page, pass);
    if (drop)
        drop_all();
    for (uint64_t page = 0; page < count; page++)
        wrong += !page_is(page, pass);
    return wrong;
}

static void larger_than_memory(bool drop)
{
    for (uint64_t pass = 1; pass <= PASSES; pass++) {
        const uint64_t start = clock_now_ns();
        const uint64_t wrong = write_and_read(pages, pass, drop);
        tap_equal((long)wrong, 0, "pass %lu: every page holds what was written to it", (unsigned long)pass);
        tap_diag("%lu ms", (unsigned long)((clock_now_ns() - start) / 1000000));
    }
    const struct pager_info figures = pager_now();
    tap_diag("read %lu, ahead %lu, written %lu, scanned %lu, reclaimed %lu, refaults %lu, errors %lu",
             (unsigned long)figures.read, (unsigned long)figures.read_ahead, (unsigned long)figures.written,
             (unsigned long)figures.scanned, (unsigned long)figures.reclaimed, (unsigned long)figures.refaults,
             (unsigned long)figures.errors);
    tap_ok(figures.reclaimed > 0 && figures.errors == 0, "pages were taken away, and nothing failed");
}

static void at_random(void)
{
    uint64_t wrong = 0, state = 12345;
    for (unsigned i = 0; i < 4000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        wrong += !page_is((state >> 33) % pages, PASSES);
    }
    tap_equal((long)wrong, 0, "pages at random hold what was written");
}

/* Reads pages of the disk without the pager. */
static void synced(void)
{
    uint64_t id, pfn, address, wrong = 0;
    int error = pager_sync(SLOT_PAGER, scratch.object, 0, ALL_PAGES, 0);
    tap_equal(error, 0, "all is synced");
    error = memsrv_memory_dma(SLOT_DMA, PAGE_SIZE, 0, &id, &pfn);
    if (error == 0)
        error = memsrv_map_object(SLOT_MEMSRV, 0, PAGE_SIZE, MEMSRV_PROTECT_READ, MEMSRV_MAP_SHARED, id, 0, &address);
    for (uint64_t i = 0; error == 0 && i < SAMPLES; i++) {
        const uint64_t page = i * (pages / SAMPLES);
        error = blk_read(SLOT_BLK, scratch.volume, page * BLK_PAGE_SECTORS, BLK_PAGE_SECTORS, &pfn, sizeof(pfn));
        wrong += *(const volatile uint64_t *)address != content(page, PASSES);
    }
    tap_ok(error == 0 && wrong == 0, "the disk has what was written: error %d, %lu wrong", error, (unsigned long)wrong);
}

static void dropped(void)
{
    uint64_t count = 0;
    int error = pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &count);
    tap_ok(error == 0 && count > 0, "clean pages are dropped: %lu", (unsigned long)count);
    tap_ok(page_is(3, PASSES) && page_is(pages - 1, PASSES), "and come back");
}

struct killer {
    unsigned killed;
    bool done; /* atomic */
};

static void *kill_pagers(void *argument)
{
    struct killer *killer = argument;
    uint64_t pid = 0, last = 0;
    for (unsigned i = 0; i < KILLS; i++, last = pid) {
        do {
            clock_sleep_until(clock_now_ns() + KILL_NS);
            pid = find_process(PAGER_NAME);
        } while (pid == 0 || pid == last);
        killer->killed += root_kill(SLOT_ROOT, pid) == 0;
    }
    __atomic_store_n(&killer->done, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Writes and reads some while pagers are killed; memory is full, so others have to go for them. */
static void killed(bool drop)
{
    struct killer killer = {0};
    uint64_t wrong = 0;
    pthread_t thread;
    if (!tap_equal(pthread_create(&thread, NULL, kill_pagers, &killer), 0, "somebody kills pagers"))
        return;
    for (uint64_t pass = PASSES + 1; !__atomic_load_n(&killer.done, __ATOMIC_ACQUIRE); pass++)
        wrong += write_and_read(pages / 4, pass, drop);
    (void)pthread_join(thread, NULL);
    tap_equal((long)wrong, 0, "nothing is lost");
    tap_equal((long)killer.killed, KILLS, "pagers were killed");
    tap_equal(pager_sync(SLOT_PAGER, scratch.object, 0, ALL_PAGES, 0), 0,
              "the last one writes what its predecessors left");
}

int main(int argument_count, char **arguments)
{
    const bool few = argument_count > 1;
    tap_plan(2 + 1 + (int)PASSES + 1 + 1 + 2 + 2 + 4);
    tap_ok(sys_cap_query(SLOT_PAGER, NULL) > 0, "there is a pager");
    if (set_up(few ? strtoul(arguments[1], NULL, 10) : ALL_PAGES)) {
        first_page();
        larger_than_memory(few);
        at_random();
        synced();
        dropped();
        killed(few);
    }
    return tap_done();
}
