/* SPDX-License-Identifier: MIT */
/* Page lists: one worker's against a model, and several workers' at once. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <mm/page_list.h>

#include "test_memory.h"

#define PAGES 2048u

static struct mem_map *map;
static struct zone zone;

static void start(void)
{
    map = test_map_create();
    test_zone_create(&zone, map, PAGES);
}

static void finish(void)
{
    EXPECT(buddy_check(&zone) == 0 && zone.free_pages == PAGES);
    test_map_free(map);
}

static void refill_and_drain(void)
{
    start();
    struct page_list list;
    page_list_init(&list, &zone, MIGRATE_MOVABLE);
    struct page *page = page_list_alloc(&list);
    EXPECT(page && page->flags == PAGE_ALLOCATED && page_refcount(page) == 1 && page_mapcount(page) == 0);
    EXPECT(list.count == list.batch - 1 && zone.free_pages == PAGES - list.batch);
    EXPECT(page_list_check(&list) == 0 && buddy_check(&zone) == 0);
    EXPECT(page_list_free(&list, page) == 0 && list.count == list.batch);
    EXPECT(page_list_alloc(&list) == page); /* the one that was used last */
    EXPECT(page_list_free(&list, page) == 0);
    page_list_drain(&list);
    EXPECT(list.count == 0 && list.refills == 1 && list.drains == 1);
    finish();
}

static void wrong_frees(void)
{
    start();
    struct page_list list;
    page_list_init(&list, &zone, MIGRATE_MOVABLE);
    struct page *page = page_list_alloc(&list), *block = buddy_alloc(&zone, 1, MIGRATE_MOVABLE);
    EXPECT(page_list_free(&list, block) == -EINVAL && page_list_free(&list, block + 1) == -EINVAL);
    page_get(page);
    EXPECT(page_list_free(&list, page) == -EBUSY && !page_put(page));
    page_add_mappings(page, 1);
    EXPECT(page_list_free(&list, page) == -EBUSY);
    page_remove_mappings(page, 1);
    EXPECT(page_list_free(&list, page) == 0 && page_list_free(&list, page) == -EINVAL);
    EXPECT(buddy_free(&zone, page, 0) == -EINVAL); /* in the list, so nobody's to free */
    page->flags = PAGE_ALLOCATED;
    EXPECT(page_list_check(&list) == -EIO);
    page->flags = PAGE_LISTED;
    page_list_drain(&list);
    EXPECT(page_list_free(&list, page) == -EINVAL && buddy_free(&zone, block, 1) == 0);
    finish();
}

static void empty_zone(void)
{
    start();
    struct page_list list;
    struct page *pages[PAGES];
    page_list_init(&list, &zone, MIGRATE_UNMOVABLE);
    for (unsigned i = 0; i < PAGES; i++)
        EXPECT((pages[i] = page_list_alloc(&list)) != NULL);
    EXPECT(!page_list_alloc(&list) && zone.free_pages == 0 && buddy_check(&zone) == 0);
    for (unsigned i = 0; i < PAGES; i++)
        EXPECT(page_list_free(&list, pages[i]) == 0 && list.count <= list.high);
    EXPECT(list.drains > 0 && page_list_check(&list) == 0);
    page_list_drain(&list);
    finish();
}

static void random_model(void)
{
    start();
    struct page_list list;
    static struct page *held[PAGES];
    static bool taken[PAGES];
    uint64_t count = 0;
    unsigned fill = 50;
    page_list_init(&list, &zone, MIGRATE_MOVABLE);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (test_step % 5000 == 0)
            fill = 30 + (unsigned)random_below(41);
        if (random_chance(1) && random_chance(20)) {
            page_list_drain(&list);
        } else if (random_chance(fill)) {
            struct page *page = page_list_alloc(&list);
            EXPECT(page ? !taken[page->pfn - TEST_FIRST_PFN] : count == PAGES);
            if (page) {
                taken[page->pfn - TEST_FIRST_PFN] = true;
                held[count++] = page;
            }
        } else if (count > 0) {
            uint64_t choice = random_below(count);
            struct page *page = held[choice];
            held[choice] = held[--count];
            taken[page->pfn - TEST_FIRST_PFN] = false;
            EXPECT(page_list_free(&list, page) == 0);
        }
        EXPECT(page_list_check(&list) == 0 && buddy_check(&zone) == 0);
        EXPECT(zone.free_pages + list.count + count == PAGES);
    }
    while (count > 0)
        EXPECT(page_list_free(&list, held[--count]) == 0);
    page_list_drain(&list);
    finish();
}

#define WORKERS  4u
#define HELD_MAX 400u

static void *work(void *argument)
{
    struct page_list list;
    struct page *held[HELD_MAX];
    unsigned count = 0;
    uint64_t random = (uintptr_t)argument;
    page_list_init(&list, &zone, MIGRATE_MOVABLE);
    for (uint64_t step = 0; step < test_steps(); step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (random >> 63 && count < HELD_MAX) {
            struct page *page = page_list_alloc(&list);
            if (page) {
                page->private_data = (uintptr_t)argument;
                held[count++] = page;
            }
        } else if (count > 0) {
            struct page *page = held[--count];
            if (page->private_data != (uintptr_t)argument || page_list_free(&list, page) != 0)
                return "a page had two owners";
        }
    }
    while (count > 0) {
        if (page_list_free(&list, held[--count]) != 0)
            return "a page could not be freed";
    }
    page_list_drain(&list);
    return NULL;
}

static void concurrent_workers(void)
{
    start();
    pthread_t threads[WORKERS];
    for (uintptr_t i = 0; i < WORKERS; i++)
        EXPECT(pthread_create(&threads[i], NULL, work, (void *)(test_seed * WORKERS + i)) == 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        void *complaint;
        EXPECT(pthread_join(threads[i], &complaint) == 0 && complaint == NULL);
    }
    finish();
}

static const struct test_row rows[] = {
    {"refill_and_drain", "pages come in batches and all go back", refill_and_drain},
    {"wrong_frees", "double, partial and early frees are refused", wrong_frees},
    {"empty_zone", "every page can be had; an overfull list drains", empty_zone},
    {"random_model", "no page is given twice and the sums hold after each step", random_model},
    {"concurrent_workers", "several workers share a zone and nothing is lost", concurrent_workers},
};
TEST_MAIN("page_list", rows)
