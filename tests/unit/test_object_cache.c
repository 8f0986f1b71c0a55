/* SPDX-License-Identifier: MIT */
/* Object caches: directed cases, every page allocation failing in turn, and a model of live objects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mm/object_cache.h>

#include "harness.h"

static struct object_cache cache;
static struct test_pages pages;

static void start(size_t size, size_t alignment)
{
    struct object_cache_source source = {.get = test_page_get, .put = test_page_put, .context = &pages};
    pages = (struct test_pages){.fail_at = TEST_PAGES_NEVER_FAIL};
    EXPECT(object_cache_init(&cache, "test", size, alignment, &source) == 0);
}

static void finish(void)
{
    EXPECT(object_cache_check(&cache) == 0 && object_cache_destroy(&cache) == 0);
    EXPECT(pages.held == 0);
}

static struct object_cache_info info(void)
{
    struct object_cache_info figures;
    object_cache_read_info(&cache, &figures);
    return figures;
}

static void bad_shapes(void)
{
    struct object_cache_source source = {.get = test_page_get, .put = test_page_put, .context = &pages};
    EXPECT(object_cache_init(&cache, "bad", 0, 8, &source) == -EINVAL);
    EXPECT(object_cache_init(&cache, "bad", OBJECT_SIZE_MAX + 1, 8, &source) == -EINVAL);
    EXPECT(object_cache_init(&cache, "bad", 64, 0, &source) == -EINVAL);
    EXPECT(object_cache_init(&cache, "bad", 64, 24, &source) == -EINVAL);
    EXPECT(object_cache_init(&cache, "bad", 64, 512, &source) == -EINVAL);
}

static void every_size(void)
{
    for (size_t size = 1; size <= OBJECT_SIZE_MAX; size += size < 300 ? 1 : 37) {
        size_t alignment = 1UL << size % 9;
        start(size, alignment);
        unsigned count = cache.capacity + 1;
        void *objects[OBJECTS_PER_SLAB_MAX + 1];
        EXPECT(cache.capacity >= 1 && cache.capacity <= OBJECTS_PER_SLAB_MAX);
        for (unsigned i = 0; i < count; i++) {
            objects[i] = object_cache_alloc(&cache);
            EXPECT(objects[i] && (uintptr_t)objects[i] % alignment == 0);
            memset(objects[i], (int)i, size);
        }
        EXPECT(info().pages == 2 && info().used == count && pages.held == 2 && object_cache_check(&cache) == 0);
        for (unsigned i = 0; i < count; i++) {
            for (size_t byte = 0; byte < size; byte++)
                EXPECT(((uint8_t *)objects[i])[byte] == (uint8_t)i);
            EXPECT(object_cache_free(&cache, objects[i]) == 0);
        }
        EXPECT(info().pages == 1); /* one is kept */
        finish();
    }
}

static void wrong_frees(void)
{
    struct object_cache_source source = {.get = test_page_get, .put = test_page_put, .context = &pages};
    struct object_cache other;
    start(40, 8);
    EXPECT(object_cache_init(&other, "other", 40, 8, &source) == 0);
    uint8_t *first = object_cache_alloc(&cache), *second = object_cache_alloc(&cache), *foreign;
    EXPECT((foreign = object_cache_alloc(&other)) != NULL);
    EXPECT(object_cache_free(&cache, NULL) == -EINVAL && object_cache_free(&cache, first + 8) == -EINVAL);
    EXPECT(object_cache_free(&cache, foreign) == -EINVAL && object_cache_free(&other, first) == -EINVAL);
    uint8_t *page = (uint8_t *)((uintptr_t)first & PAGE_MASK);
    for (unsigned offset = 0; offset < PAGE_SIZE; offset++) {
        if (page + offset != first && page + offset != second)
            EXPECT(object_cache_free(&cache, page + offset) == -EINVAL);
    }
    EXPECT(object_cache_destroy(&cache) == -EBUSY);
    EXPECT(object_cache_free(&cache, first) == 0 && object_cache_free(&cache, first) == -EINVAL);
    EXPECT(object_cache_free(&cache, second) == 0 && object_cache_free(&cache, second) == -EINVAL);
    EXPECT(object_cache_free(&other, foreign) == 0 && object_cache_destroy(&other) == 0);
    EXPECT(info().used == 0 && info().frees == 2);
    finish();
}

static void shrink(void)
{
    void *objects[3 * OBJECTS_PER_SLAB_MAX];
    start(1000, 8);
    for (unsigned i = 0; i < 3 * cache.capacity; i++)
        objects[i] = object_cache_alloc(&cache);
    EXPECT(info().pages == 3 && object_cache_shrink(&cache) == 0);
    for (unsigned i = 0; i < 3 * cache.capacity; i++)
        EXPECT(object_cache_free(&cache, objects[i]) == 0);
    EXPECT(pages.held == 1 && object_cache_shrink(&cache) == 1 && pages.held == 0 && info().pages == 0);
    void *object = object_cache_alloc(&cache);
    EXPECT(object && pages.held == 1 && object_cache_destroy(&cache) == -EBUSY);
    EXPECT(object_cache_free(&cache, object) == 0);
    finish();
}

static void zeroed(void)
{
    static const uint8_t zeros[100];
    start(100, 8);
    uint8_t *object = object_cache_alloc(&cache);
    memset(object, 0xff, 100);
    EXPECT(object_cache_free(&cache, object) == 0 && object_cache_alloc_zeroed(&cache) == object);
    EXPECT(memcmp(object, zeros, 100) == 0 && object_cache_free(&cache, object) == 0);
    finish();
}

/* A fixed story with allocations and frees that must survive a failure at any point. */
static bool run_story(void)
{
    void *objects[64];
    bool complete = true;
    for (unsigned i = 0; i < 64; i++) {
        objects[i] = object_cache_alloc(&cache);
        complete = complete && objects[i];
        EXPECT(object_cache_check(&cache) == 0);
        if (i % 3 == 2 && objects[i - 1]) {
            EXPECT(object_cache_free(&cache, objects[i - 1]) == 0);
            objects[i - 1] = NULL;
        }
    }
    for (unsigned i = 0; i < 64; i++) {
        if (objects[i])
            EXPECT(object_cache_free(&cache, objects[i]) == 0 && object_cache_check(&cache) == 0);
    }
    return complete;
}

static void each_page_fails(void)
{
    bool complete = false;
    for (uint64_t fail_at = 0; !complete; fail_at++) {
        start(700, 8);
        pages.fail_at = fail_at;
        complete = run_story();
        EXPECT(complete == (pages.calls <= fail_at) && info().failures == (complete ? 0 : 1));
        finish();
        EXPECT(fail_at < 64);
    }
}

static void damage_is_noticed(void)
{
    start(48, 8);
    uint8_t *object = object_cache_alloc(&cache), *after = object_cache_alloc(&cache);
    EXPECT(object_cache_free(&cache, after) == 0);
    cache.used++;
    EXPECT(object_cache_check(&cache) == -EIO);
    cache.used--;
    cache.empty_slabs++;
    EXPECT(object_cache_check(&cache) == -EIO);
    cache.empty_slabs--;
    if (QUIRE_CHECKS >= 2) {
        after[5] ^= 1; /* a write after the free */
        EXPECT(object_cache_check(&cache) == -EIO);
        after[5] ^= 1;
    }
    EXPECT(object_cache_free(&cache, object) == 0);
    finish();
}

#define LIVE_MAX 600u

static void random_model(void)
{
    static struct {
        uint8_t *object;
        uint8_t fill;
    } live[LIVE_MAX];
    static const size_t sizes[] = {16, 56, 120, 200, 500};
    unsigned count = 0;
    size_t size = 0;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (test_step % 10000 == 0) {
            while (count > 0)
                EXPECT(object_cache_free(&cache, live[--count].object) == 0);
            if (test_step > 0)
                finish();
            size = sizes[test_step / 10000 % 5];
            start(size, 8);
            pages.fail_percent = 20;
        }
        unsigned fill = test_step / 1000 % 2 ? 35 : 65;
        if (random_chance(2) && random_chance(10)) {
            object_cache_shrink(&cache);
        } else if (random_chance(fill) && count < LIVE_MAX) {
            uint8_t *object = object_cache_alloc(&cache);
            if (object) {
                live[count].object = object;
                live[count].fill = (uint8_t)random_next();
                memset(object, live[count++].fill, size);
            }
        } else if (count > 0) {
            unsigned choice = (unsigned)random_below(count);
            uint8_t *object = live[choice].object;
            for (size_t i = 0; i < size; i++)
                EXPECT(object[i] == live[choice].fill); /* nobody else had it */
            EXPECT(object_cache_free(&cache, object) == 0);
            live[choice] = live[--count];
        }
        EXPECT(object_cache_check(&cache) == 0);
        EXPECT(info().used == count && info().pages == pages.held);
    }
    while (count > 0)
        EXPECT(object_cache_free(&cache, live[--count].object) == 0);
    finish();
}

static const struct test_row rows[] = {
    {"bad_shapes", "sizes and alignments that cannot work are refused", bad_shapes},
    {"every_size", "objects of each size are aligned, apart, and all given back", every_size},
    {"wrong_frees", "double, inner and foreign frees are refused", wrong_frees},
    {"shrink", "pages without objects go back to their source", shrink},
    {"zeroed", "a zeroed object is zero though it was used before", zeroed},
    {"each_page_fails", "a failed page at any point costs one object and leaks nothing", each_page_fails},
    {"damage_is_noticed", "the walker sees wrong counts and writes to free objects", damage_is_noticed},
    {"random_model", "live objects keep their content and the sums hold after each step", random_model},
};
TEST_MAIN("object_cache", rows)
