/* SPDX-License-Identifier: MIT */
/*
 * MADV_PAGEOUT and MADV_COLD on memory that no file has: pages go to swap, with what they hold, but for those that others use,
 * too; pages that are cold are the next to go. Needs a disk with a partition for swapped pages.
 */
#include "memory_calls.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <quire/clock.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES    200u
#define COLD     256u                  /* pages that will be cold, and others that are warm */
#define LEFT     400u                  /* pages above the low watermark, before memory is wanted */
#define PATIENCE (120 * NS_PER_SECOND) /* for what a machine that stands still may need */

static struct memsrv_paging paging(void)
{
    struct memsrv_paging info = {0};
    size_t count = 0;
    (void)!memsrv_paging_info(SLOT_MEMSRV, &info, 1, &count);
    return info;
}

static bool wait_for_area(void)
{
    struct pager_swap_area area;
    size_t count = 0;
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (pager_swap_list(SLOT_PAGER, &area, 1, &count) == 0 && count == 0 && clock_now_ns() < end)
        usleep(10000);
    return tap_ok(count == 1, "there is an area for swapped pages");
}

static unsigned char *small_pages(size_t pages, int flags)
{
    unsigned char *memory = map_pages(pages, READ_WRITE, flags);
    if (memory)
        (void)madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
    return memory;
}

/* Has pages go, and waits until none is there. */
static bool page_out(unsigned char *memory, size_t pages)
{
    const uint64_t end = clock_now_ns() + PATIENCE;
    if (madvise(memory, pages * PAGE, MADV_PAGEOUT) != 0)
        return false;
    while (resident_pages(memory, pages) != 0 && clock_now_ns() < end)
        usleep(2000);
    return resident_pages(memory, pages) == 0;
}

/* Slots are given back some time after their memory. */
static void wait_for_slots(uint64_t most)
{
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (paging().swap_slots > most && clock_now_ns() < end)
        usleep(2000);
}

static void goes(int flags, const char *kind)
{
    const uint64_t slots = paging().swap_slots;
    unsigned char *memory = small_pages(PAGES, flags);
    if (!tap_ok(memory != NULL, "%s memory is mapped", kind))
        return;
    number_pages(memory, PAGES, 7);
    tap_ok(page_out(memory + PAGE, PAGES - 2), "MADV_PAGEOUT: the pages go");
    tap_ok(resident_pages(memory, 1) == 1 && resident_pages(memory + (PAGES - 1) * PAGE, 1) == 1,
           "those beside the range stay");
    tap_ok(paging().swap_slots - slots >= PAGES - 2, "they are in slots: %lu", (unsigned long)paging().swap_slots);
    tap_ok(are_numbered(memory, PAGES, 7), "and come back as they were");
    (void)munmap(memory, PAGES * PAGE);
    wait_for_slots(slots);
}

/* A child holds pages as long as it is not told to end. */
static void others_have_it(void)
{
    unsigned char *shared = small_pages(PAGES, PRIVATE);
    int ends[2], status = -1;
    char byte;

    number_pages(shared, PAGES, 1);
    const bool piped = pipe(ends) == 0;
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(are_numbered(shared, PAGES, 1) ? 0 : 1);
    }
    unsigned char *own = small_pages(PAGES, PRIVATE);
    number_pages(own, PAGES, 2);
    int error = madvise(shared, PAGES * PAGE, MADV_PAGEOUT);
    tap_ok(piped && error == 0 && page_out(own, PAGES), "pages that a process alone has go");
    tap_equal(resident_pages(shared, PAGES), PAGES,
              "those that its child has, too, stay, though it gave them up before");
    (void)close(ends[1]);
    tap_ok(waitpid(pid, &status, 0) == pid && status == 0, "the child finds its own: %x", status);
    (void)close(ends[0]);
    tap_ok(are_numbered(own, PAGES, 2) && are_numbered(shared, PAGES, 1), "and the parent, too");
}

/* --- Cold pages ------------------------------------------------------------------------------------------------------- */

static uint64_t free_above_low(void)
{
    struct memsrv_memory info = {0};
    struct memsrv_zone zone;
    size_t count = 0;
    if (memsrv_memory_info(SLOT_MEMSRV, &info, 1, &count) < 0)
        return 0;
    uint64_t pages = info.free + info.lists;
    for (uint64_t i = 0; memsrv_zone_info(SLOT_MEMSRV, i, &zone, 1, &count) == 0; i++)
        pages = pages > zone.low ? pages - zone.low : 0;
    return pages;
}

/* What is wanted beyond what is free makes something go. */
static void cold_first(void)
{
    uint64_t held = 0;
    unsigned char *warm = small_pages(COLD, PRIVATE), *cold = small_pages(COLD, PRIVATE);
    number_pages(warm, COLD, 3);
    number_pages(cold, COLD, 4);
    tap_equal(madvise(cold, COLD * PAGE, MADV_COLD), 0, "MADV_COLD");
    /* In order behind it: when this has gone, the other advice was followed. */
    unsigned char *last = small_pages(PAGES, PRIVATE);
    number_pages(last, PAGES, 5);
    tap_ok(page_out(last, PAGES) && resident_pages(cold, COLD) == COLD, "pages that are cold stay for now");
    const uint64_t spare = free_above_low();
    int error = memsrv_free_hold(GRANT_SLOT_MEMSRV, spare > LEFT ? spare - LEFT : 0, &held);
    unsigned char *more = small_pages(2 * LEFT, PRIVATE | MAP_NORESERVE);
    for (size_t page = 0; page < 2 * LEFT && resident_pages(cold, COLD) == COLD; page++)
        more[page * PAGE] = 1;
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (resident_pages(cold, COLD) == COLD && clock_now_ns() < end)
        usleep(2000);
    const long cold_left = resident_pages(cold, COLD), warm_left = resident_pages(warm, COLD);
    tap_ok(error == 0 && cold_left < (long)COLD && warm_left > cold_left,
           "they are the first to go when memory is wanted: %ld are left, of others %ld", cold_left, warm_left);
    tap_ok(are_numbered(warm, COLD, 3) && are_numbered(cold, COLD, 4), "all of them hold what they held");
    tap_equal(memsrv_free_hold(GRANT_SLOT_MEMSRV, 0, &held), 0, "memory is given back");
}

int main(void)
{
    uint64_t failures = 1;
    tap_plan(1 + 5 + 5 + 4 + 5 + 1);
    if (wait_for_area()) {
        goes(PRIVATE, "private");
        goes(SHARED, "shared");
        others_have_it();
        cold_first();
    }
    tap_ok(memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0, "memsrv's structures are sound");
    return tap_done();
}
