/* SPDX-License-Identifier: MIT */
/*
 * A program alone on the machine goes through more memory than there is, round and round: all that it touches has to come
 * from the partition for swapped pages, and something else to go there first. What is kept for paging stays there meanwhile.
 * The arguments are the size in percent of what is free, and the pages to leave free: the rest is locked, so that this takes
 * little time.
 */
#include "memory_calls.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <quire/clock.h>
#include <stdlib.h>
#include <unistd.h>

#define LEFT       2000u /* pages */
#define ROUNDS     2u
#define LOOK_PAGES 64u
#define WORDS      (PAGE / sizeof(uint64_t))
#define PATIENCE   (120 * NS_PER_SECOND)

static struct memsrv_paging paging(void)
{
    struct memsrv_paging info = {0};
    size_t count;
    if (memsrv_paging_info(SLOT_MEMSRV, &info, 1, &count) < 0)
        tap_diag("no paging_info");
    return info;
}

static uint64_t free_pages(void)
{
    struct memsrv_memory info = {0};
    size_t count;
    return memsrv_memory_info(SLOT_MEMSRV, &info, 1, &count) < 0 ? 0 : info.free + info.lists;
}

/* Locks memory until so many pages are left. */
static bool leave(uint64_t left)
{
    int error = memsrv_space_limit_set(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_RESOURCE_LOCKED_MEMORY, UINT64_MAX,
                                       UINT64_MAX);
    const uint64_t now = free_pages(), bytes = now > left ? (now - left) * PAGE : PAGE;
    void *rest = mmap(NULL, bytes, READ_WRITE, PRIVATE, -1, 0);
    return error == 0 && rest != MAP_FAILED && mlock(rest, bytes) == 0;
}

static bool swap_is_on(void)
{
    const uint64_t end = clock_now_ns() + PATIENCE;
    size_t count = 0;
    do {
        struct pager_swap_area area;
        if (pager_swap_list(SLOT_PAGER, &area, 1, &count) < 0)
            return false;
        usleep(10000);
    } while (count == 0 && clock_now_ns() < end);
    return count > 0;
}

/* Writes to all pages in turn: what it finds has to be `before`. Returns how often it was not. */
static uint64_t go_round(volatile uint64_t *memory, uint64_t pages, uint64_t before, uint64_t *least_free)
{
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < pages; page++) {
        wrong += memory[page * WORDS] != (before == 0 ? 0 : page + before);
        memory[page * WORDS] = page + before + 1;
        if (page % LOOK_PAGES == 0 && free_pages() < *least_free)
            *least_free = free_pages();
    }
    return wrong;
}

int main(int count, char **words)
{
    const uint64_t percent = count > 1 ? strtoul(words[1], NULL, 10) : 130;

    tap_plan(5);
    if (!tap_ok(swap_is_on() && leave(count > 2 ? strtoul(words[2], NULL, 10) : LEFT),
                "there is swap, and little memory"))
        return tap_done();
    const uint64_t pages = free_pages() * percent / 100;
    volatile uint64_t *memory = mmap(NULL, pages * PAGE, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0);
    if (!tap_ok(memory != MAP_FAILED, "%lu pages are mapped, %lu%% of what is free", (unsigned long)pages,
                (unsigned long)percent))
        return tap_done();
    uint64_t wrong = 0, least_free = UINT64_MAX;
    const struct memsrv_paging before = paging();
    for (uint64_t round = 0; round <= ROUNDS; round++)
        wrong += go_round(memory, pages, round, &least_free);
    const struct memsrv_paging after = paging();
    tap_equal((long)wrong, 0, "each page holds what was written to it");
    tap_ok(after.swapped_out > before.swapped_out && after.swapped_in > before.swapped_in,
           "pages have gone and come: %lu, %lu", (unsigned long)(after.swapped_out - before.swapped_out),
           (unsigned long)(after.swapped_in - before.swapped_in));
    tap_ok(least_free > after.reservation / 2, "what is kept for paging was there: at least %lu pages were free",
           (unsigned long)least_free);
    return tap_done();
}
