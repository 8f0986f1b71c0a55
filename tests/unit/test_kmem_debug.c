/* SPDX-License-Identifier: MIT */
/* Debugged kmem caches: faults that are planted, and found with the cache's name, the object and its last owners. */
#include <errno.h>

#include <base/bits.h>
#include <mm/kmem_cache.h>

#include "test_source.h"

#define OBJECT_SIZE 52u /* the red zone begins right behind it */
#define NAME        "planted"

static struct kmem_cache cache;
static struct test_arena *arena;
static struct kmem_report report;
static unsigned reports;

static void note_report(const struct kmem_report *found)
{
    report = *found;
    reports++;
}

static void start(uint32_t flags)
{
    arena = test_arena_create();
    const struct kmem_cache_args args = {.name = NAME,
                                         .size = OBJECT_SIZE,
                                         .flags = flags,
                                         .min_partial = 1,
                                         .secret = 0x123456789abcdef,
                                         .source = &arena->source,
                                         .report = note_report};
    reports = 0;
    EXPECT(kmem_cache_init(&cache, &args) == 0);
}

static void finish(void)
{
    EXPECT(kmem_cache_check(&cache) == 0);
    EXPECT(kmem_cache_destroy(&cache) == 0);
    test_arena_free(arena);
}

static bool reported(unsigned count, enum kmem_fault fault, const void *object)
{
    return reports == count && report.fault == fault && report.object == object && strcmp(report.cache, NAME) == 0;
}

static void red_zones(void)
{
    start(KMEM_DEBUG);
    uint8_t *object = kmem_cache_alloc(&cache, 3);
    memset(object, 0, OBJECT_SIZE);
    EXPECT(kmem_cache_check(&cache) == 0 && reports == 0);
    object[OBJECT_SIZE] = 0x42;
    EXPECT(kmem_cache_check(&cache) == -EIO && reported(1, KMEM_RED_ZONE_HIT, object));
    EXPECT(report.offset == OBJECT_SIZE && report.value == 0x42);
    EXPECT(report.allocated.cpu == 3 && report.allocated.sequence == 1 && report.allocated.caller != 0);
    EXPECT(kmem_cache_check(&cache) == 0); /* once */
    object[-1] = 0x43;
    kmem_cache_free(&cache, 5, object);
    EXPECT(reported(2, KMEM_RED_ZONE_HIT, object) && report.offset == -1 && report.value == 0x43);
    EXPECT(report.freed.caller == 0);
    object[OBJECT_SIZE + 1] = 0x44; /* beside a free object */
    EXPECT(kmem_cache_alloc(&cache, 1) == object && reported(3, KMEM_RED_ZONE_HIT, object));
    EXPECT(report.freed.cpu == 5 && report.freed.sequence == 2);
    kmem_cache_free(&cache, 1, object);
    EXPECT(reports == 3);
    finish();
}

static void use_after_free(void)
{
    start(KMEM_DEBUG);
    uint8_t *object = kmem_cache_alloc(&cache, 2);
    for (uint32_t i = 0; i < OBJECT_SIZE; i++)
        EXPECT(object[i] == KMEM_FRESH_BYTE);
    kmem_cache_free(&cache, 4, object);
    object[17] ^= 0x10;
    EXPECT(kmem_cache_check(&cache) == -EIO && reported(1, KMEM_USE_AFTER_FREE, object));
    EXPECT(report.offset == 17 && report.value == (KMEM_FREE_BYTE ^ 0x10));
    EXPECT(report.allocated.cpu == 2 && report.freed.cpu == 4);
    EXPECT(report.allocated.caller != 0 && report.freed.caller != 0 && report.allocated.caller != report.freed.caller);
    object[OBJECT_SIZE - 1] = 0;
    EXPECT(kmem_cache_alloc(&cache, 2) == object && reported(2, KMEM_USE_AFTER_FREE, object));
    EXPECT(report.offset == OBJECT_SIZE - 1);
    kmem_cache_free(&cache, 0, object);
    finish();
}

static void double_frees(void)
{
    start(KMEM_DEBUG);
    uint8_t *objects[200];
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
        objects[i] = kmem_cache_alloc(&cache, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i += 2)
        kmem_cache_free(&cache, i % 8, objects[i]);
    unsigned count = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i += 2) {
        kmem_cache_free(&cache, 7, objects[i]);
        EXPECT(reported(++count, KMEM_DOUBLE_FREE, objects[i]) && report.freed.cpu == i % 8);
        kmem_cache_free(&cache, 7, objects[i + 1] + 4);
        EXPECT(reported(++count, KMEM_BAD_POINTER, objects[i + 1] + 4));
        EXPECT(kmem_cache_check(&cache) == 0);
    }
    for (unsigned i = 1; i < ARRAY_LENGTH(objects); i += 2)
        kmem_cache_free(&cache, 0, objects[i]);
    EXPECT(reports == count);
    finish();
}

/* An object of another cache is none of this one's. */
static void foreign_free(void)
{
    struct kmem_cache other;
    start(KMEM_DEBUG);
    const struct kmem_cache_args args = {.name = "other", .size = OBJECT_SIZE, .source = &arena->source};
    EXPECT(kmem_cache_init(&other, &args) == 0);
    void *object = kmem_cache_alloc(&other, 0);
    EXPECT(kmem_cache_of(&arena->source, object) == &other && !kmem_cache_of(&arena->source, &cache));
    kmem_cache_free(&cache, 0, object);
    EXPECT(reported(1, KMEM_BAD_POINTER, object));
    kmem_cache_free(&other, 0, object);
    EXPECT(kmem_cache_check(&other) == 0 && kmem_cache_destroy(&other) == 0);
    finish();
}

/* A link that was written to ends the list: what follows is lost, nothing else. */
static void broken_link(void)
{
    start(KMEM_DEBUG);
    uint8_t *first = kmem_cache_alloc(&cache, 0), *second = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, 0, second);
    kmem_cache_free(&cache, 0, first);
    memset(first + cache.link, 0x41, 8);
    EXPECT(kmem_cache_check(&cache) == -EIO);
    EXPECT(kmem_cache_alloc(&cache, 0) == first && reported(1, KMEM_BAD_LINK, first));
    uint8_t *third = kmem_cache_alloc(&cache, 0);
    EXPECT(third && third != first && third != second && reports == 1);
    kmem_cache_free(&cache, 0, third);
    kmem_cache_free(&cache, 0, first);
    struct kmem_cache_info info;
    kmem_cache_read_info(&cache, &info);
    EXPECT(kmem_cache_check(&cache) == 0 && info.used == cache.objects - 1); /* lost ones count as used */
    EXPECT(kmem_cache_destroy(&cache) == -EBUSY && arena->held == 1);
    free(arena->memory);
    free(arena->pages);
    free(arena);
}

/* Every flag alone finds what it is for. */
static void single_flags(void)
{
    start(KMEM_RED_ZONE);
    uint8_t *object = kmem_cache_alloc(&cache, 0);
    object[OBJECT_SIZE] = 0;
    kmem_cache_free(&cache, 0, object);
    EXPECT(reported(1, KMEM_RED_ZONE_HIT, object) && report.allocated.caller == 0);
    finish();
    start(KMEM_POISON);
    object = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, 0, object);
    object[0] = 0;
    EXPECT(kmem_cache_alloc(&cache, 0) == object && reported(1, KMEM_USE_AFTER_FREE, object));
    kmem_cache_free(&cache, 0, object);
    finish();
    start(KMEM_CONSISTENCY);
    object = kmem_cache_alloc(&cache, 0);
    void *another = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, 0, object);
    kmem_cache_free(&cache, 0, another);
    kmem_cache_free(&cache, 0, object);
    EXPECT(reported(1, KMEM_DOUBLE_FREE, object));
    finish();
    start(KMEM_STORE_USER);
    object = kmem_cache_alloc(&cache, 6);
    kmem_cache_free(&cache, 1, object);
    kmem_cache_free(&cache, 1, object);
    EXPECT(reported(1, KMEM_DOUBLE_FREE, object) && report.allocated.cpu == 6 && report.freed.cpu == 1);
    finish();
}

/* The walker sees counts that are wrong. */
static void damage_is_noticed(void)
{
    start(0);
    void *object = kmem_cache_alloc(&cache, 0);
    uint64_t *totals[] = {&cache.slabs, &cache.pages, &cache.objects_total};
    for (unsigned i = 0; i < ARRAY_LENGTH(totals); i++) {
        ++*totals[i];
        EXPECT(kmem_cache_check(&cache) == -EIO);
        --*totals[i];
    }
    cache.cpus[0].base = 0;
    EXPECT(kmem_cache_check(&cache) == -EIO);
    cache.cpus[0].base = (uint64_t)object & cache.slab_mask;
    cache.cpus[0].slab->index--;
    EXPECT(kmem_cache_check(&cache) == -EIO);
    cache.cpus[0].slab->index++;
    cache.partial_count++;
    EXPECT(kmem_cache_check(&cache) == -EIO);
    cache.partial_count--;
    kmem_cache_free(&cache, 0, object);
    finish();
}

#define LIVE_MAX 300u

/* One fault is planted now and then; exactly that one must be reported, and nothing in between. */
static void random_faults(void)
{
    static uint8_t *live[LIVE_MAX];
    unsigned count = 0, expected = 0;
    start(KMEM_DEBUG);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        uint8_t *object = count ? live[random_below(count)] : NULL;
        unsigned choice = (unsigned)random_below(100);
        if (choice < 50 && count < LIVE_MAX) {
            EXPECT((live[count++] = kmem_cache_alloc(&cache, choice % 8)));
        } else if (choice < 95 && count > 0) {
            kmem_cache_free(&cache, choice % 8, live[--count]);
        } else if (choice < 97 && object) {
            object[OBJECT_SIZE + random_below(4)] ^= 1;
            EXPECT(kmem_cache_check(&cache) == -EIO && reported(++expected, KMEM_RED_ZONE_HIT, object));
        } else if (choice < 99 && count > 1) {
            object = live[--count];
            kmem_cache_free(&cache, 0, object);
            struct page *slab = arena->source.find(arena, object);
            if (!(slab->flags & PAGE_CACHE))
                continue; /* its slab has been given back */
            kmem_cache_free(&cache, 0, object);
            EXPECT(reported(++expected, KMEM_DOUBLE_FREE, object));
            object[random_below(OBJECT_SIZE)] ^= (uint8_t)(1 + random_below(255));
            EXPECT(kmem_cache_check(&cache) == -EIO && reported(++expected, KMEM_USE_AFTER_FREE, object));
        } else if (object) {
            kmem_cache_free(&cache, 0, object + 1 + random_below(cache.size - 1));
            EXPECT(reports == ++expected && report.fault == KMEM_BAD_POINTER);
        }
        EXPECT(reports == expected);
        if (test_step % 64 == 0)
            EXPECT(kmem_cache_check(&cache) == 0);
    }
    while (count > 0)
        kmem_cache_free(&cache, 0, live[--count]);
    EXPECT(reports == expected && expected > 0);
    finish();
}

static const struct test_row rows[] = {
    {"red_zones", "a byte beside an object, used or free, is found once, with its owner", red_zones},
    {"use_after_free", "a write to a free object is found with who freed it", use_after_free},
    {"double_frees", "a second free and a pointer into an object are refused and reported", double_frees},
    {"foreign_free", "another cache's object is refused and reported", foreign_free},
    {"broken_link", "a broken list of free objects costs its rest and no more", broken_link},
    {"single_flags", "each check works without the others", single_flags},
    {"damage_is_noticed", "the walker sees wrong counts and places", damage_is_noticed},
    {"random_faults", "planted faults are reported, each once, and no others", random_faults},
};
TEST_MAIN("kmem_debug", rows)
