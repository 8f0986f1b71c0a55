/* SPDX-License-Identifier: MIT */
/* The pages that paging can count on, and a way to take all others: see reservation.h. */
#include "reservation.h"

#include <errno.h>

#include <mm/index.h>
#include <proto/memsrv_dispatch.h>

#include "memory.h"
#include "space_pages.h"

/* Fills that have a page of the reserve: one batch of the pager's. */
#define FILLS MEMSRV_BATCH_PAGES

static uint64_t fills; /* atomic */

/* Pages of records for a page that is put into an object: a path of the index, each node in a slab of its own. */
#define RECORD_PAGES ((uint64_t)INDEX_LEVELS_MAX)

uint64_t reservation_pages(uint64_t cpu_count)
{
    const uint64_t at_once = cpu_count < WORKERS_MAX ? cpu_count : WORKERS_MAX;
    /* Each worker can be answering a fault of a server that the pager needs. */
    return at_once * (1 + FAULT_TABLES + RECORD_PAGES) + FILLS;
}

uint64_t reservation_min_free_kbytes(uint64_t cpu_count)
{
    /* Translation tables and kernel objects of programs (GFP_ATOMIC) leave three eighths of the min watermark. */
    return reservation_pages(cpu_count) * 3 * (PAGE_SIZE / 1024);
}

bool reservation_take_fill(void)
{
    if (__atomic_fetch_add(&fills, 1, __ATOMIC_RELAXED) < FILLS)
        return true;
    reservation_put_fill();
    return false;
}

void reservation_put_fill(void)
{
    __atomic_fetch_sub(&fills, 1, __ATOMIC_RELAXED);
}

/* --- Holding what is free ----------------------------------------------------------------------------------------- */

static bool holding; /* atomic: a call is in hand, and what follows is its own */
static struct list held = {&held, &held};
static uint64_t held_count;

static void hold(struct memsrv_context *worker, uint64_t most)
{
    struct page *page;

    while (held_count < most &&
           (page = page_alloc(&page_allocator, &worker->pages, GFP_HIGHUSER_MOVABLE | GFP_FLAG_NOWARN, 0))) {
        worker->user_pages++;
        page->owner = NULL; /* nobody's, and never evicted */
        list_push_back(&held, &page->link);
        held_count++;
    }
}

static void let_go(struct memsrv_context *worker, uint64_t most)
{
    while (held_count > most) {
        struct list *link = list_pop_front(&held);
        user_page_give(worker, CONTAINER_OF(link, struct page, link));
        held_count--;
    }
}

int memsrv_handle_free_hold(struct memsrv_context *context, const struct message *request, uint64_t most,
                            uint64_t *pages)
{
    if (__atomic_exchange_n(&holding, true, __ATOMIC_ACQUIRE))
        return -EBUSY;
    let_go(context, most);
    hold(context, most);
    *pages = held_count;
    __atomic_store_n(&holding, false, __ATOMIC_RELEASE);
    return 0;
}
