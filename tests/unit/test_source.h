/* SPDX-License-Identifier: MIT */
/*
 * A page source for host tests: an arena of pages with descriptors, blocks found first-fit. `fail_at` makes one call
 * fail (the first is 0), and `fail_percent` some. Blocks that are given back are filled, so that who uses them
 * afterwards sees it.
 */
#ifndef UNIT_TEST_SOURCE_H
#define UNIT_TEST_SOURCE_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <mm/page_source.h>

#include "harness.h"

#define TEST_ARENA_PAGES  4096u
#define TEST_NEVER_FAIL   UINT64_MAX
#define TEST_ARENA_FILLER 0xe7

struct test_arena {
    char *memory;
    struct page *pages;
    bool taken[TEST_ARENA_PAGES];
    uint64_t calls, held; /* calls of get; pages out */
    uint64_t fail_at;
    unsigned fail_percent;
    uint64_t hint;
    pthread_mutex_t mutex;
    struct page_source source;
};

static inline bool test_arena_free_at(const struct test_arena *arena, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (arena->taken[first + i])
            return false;
    }
    return true;
}

static inline struct page *test_arena_mark(struct test_arena *arena, uint64_t first, unsigned order)
{
    struct page *page = &arena->pages[first];
    uint64_t count = 1UL << order;
    memset(arena->taken + first, true, count);
    arena->held += count;
    page->flags = PAGE_ALLOCATED;
    page->order = (uint8_t)order;
    page->refcount = 1;
    for (uint64_t i = 1; i < count; i++)
        page[i].flags = 0;
    arena->hint = first + count < TEST_ARENA_PAGES ? first + count : 0;
    return page;
}

static inline struct page *test_arena_get(void *context, unsigned order)
{
    struct test_arena *arena = context;
    struct page *page = NULL;
    uint64_t count = 1UL << order;

    EXPECT(order <= MAX_ORDER);
    pthread_mutex_lock(&arena->mutex);
    bool fails = arena->calls++ == arena->fail_at || (arena->fail_percent && random_chance(arena->fail_percent));
    uint64_t start = arena->hint & ~(count - 1);
    for (uint64_t step = 0; !fails && !page && step < TEST_ARENA_PAGES; step += count) {
        uint64_t first = (start + step) % TEST_ARENA_PAGES;
        if (test_arena_free_at(arena, first, count))
            page = test_arena_mark(arena, first, order);
    }
    pthread_mutex_unlock(&arena->mutex);
    return page;
}

static inline void test_arena_put(void *context, struct page *page, unsigned order)
{
    struct test_arena *arena = context;
    uint64_t first = (uint64_t)(page - arena->pages);
    uint64_t count = 1UL << order;

    pthread_mutex_lock(&arena->mutex);
    EXPECT(page->flags == PAGE_ALLOCATED && page->order == order && arena->taken[first]);
    for (uint64_t i = 1; i < count; i++)
        EXPECT(page[i].flags == 0 && arena->taken[first + i]);
    page->flags = PAGE_FREE;
    memset(arena->memory + first * PAGE_SIZE, TEST_ARENA_FILLER, count * PAGE_SIZE);
    memset(arena->taken + first, false, count);
    arena->held -= count;
    pthread_mutex_unlock(&arena->mutex);
}

static inline struct page *test_arena_find(void *context, const void *address)
{
    struct test_arena *arena = context;
    uint64_t offset = (uint64_t)address - (uint64_t)arena->memory;
    return offset < TEST_ARENA_PAGES * PAGE_SIZE ? &arena->pages[offset / PAGE_SIZE] : NULL;
}

static inline void *test_arena_address(void *context, const struct page *page)
{
    struct test_arena *arena = context;
    return arena->memory + (uint64_t)(page - arena->pages) * PAGE_SIZE;
}

/* Makes an arena that never fails; free with test_arena_free(). */
static inline struct test_arena *test_arena_create(void)
{
    struct test_arena *arena = calloc(1, sizeof(*arena));
    EXPECT(arena);
    arena->memory = aligned_alloc(PAGE_SIZE << MAX_ORDER, TEST_ARENA_PAGES * PAGE_SIZE);
    arena->pages = aligned_alloc(sizeof(struct page), TEST_ARENA_PAGES * sizeof(struct page));
    EXPECT(arena->memory && arena->pages);
    memset(arena->memory, TEST_ARENA_FILLER, TEST_ARENA_PAGES * PAGE_SIZE);
    memset(arena->pages, 0, TEST_ARENA_PAGES * sizeof(struct page));
    for (uint64_t i = 0; i < TEST_ARENA_PAGES; i++) {
        arena->pages[i].pfn = i;
        arena->pages[i].flags = PAGE_FREE;
    }
    arena->fail_at = TEST_NEVER_FAIL;
    pthread_mutex_init(&arena->mutex, NULL);
    arena->source = (struct page_source){
        .get = test_arena_get,
        .put = test_arena_put,
        .find = test_arena_find,
        .address = test_arena_address,
        .context = arena,
    };
    return arena;
}

/* Fails the row if a page is still out. */
static inline void test_arena_free(struct test_arena *arena)
{
    EXPECT(arena->held == 0);
    free(arena->memory);
    free(arena->pages);
    free(arena);
}

#endif
