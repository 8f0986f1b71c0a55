/* SPDX-License-Identifier: MIT */
/* kmalloc and mempools: directed cases, every page failing in turn, and models. */
#include <errno.h>

#include <base/bits.h>
#include <mm/mempool.h>

#include "test_source.h"

static struct kmalloc_heap heap;
static struct test_arena *arena;
static unsigned reports;
static struct kmem_report last_report;

static void note_report(const struct kmem_report *report)
{
    last_report = *report;
    reports++;
}

static void start(uint32_t flags)
{
    arena = test_arena_create();
    const struct kmem_cache_args defaults = {.flags = flags,
                                             .min_partial = 1,
                                             .cpu_partial = 2,
                                             .secret = 77,
                                             .source = &arena->source,
                                             .report = note_report};
    reports = 0;
    EXPECT(kmalloc_init(&heap, &defaults) == 0);
}

static void finish(void)
{
    EXPECT(kmalloc_check(&heap) == 0 && kmalloc_destroy(&heap) == 0 && reports == 0);
    test_arena_free(arena);
}

static void classes(void)
{
    static const uint32_t sizes[KMALLOC_CLASSES] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
    start(0);
    for (unsigned i = 0; i < KMALLOC_CLASSES; i++)
        EXPECT(kmalloc_class_size(i) == sizes[i]);
    EXPECT(kmalloc_class_size(KMALLOC_CLASSES) == 0);
    unsigned class = 0;
    for (size_t size = 1; size <= KMALLOC_CACHE_MAX; size++) {
        class += size > sizes[class];
        uint8_t *memory = kmalloc(&heap, 0, size);
        EXPECT(memory && ksize(&heap, memory) == sizes[class]);
        EXPECT(!is_power_of_two(sizes[class]) ||
               is_aligned((uint64_t)memory, sizes[class] < PAGE_SIZE ? sizes[class] : PAGE_SIZE));
        memset(memory, 1, size);
        kfree(&heap, 0, memory);
    }
    finish();
}

static void large(void)
{
    start(0);
    EXPECT(!kmalloc(&heap, 0, 0) && !kmalloc(&heap, 0, KMALLOC_MAX + 1) && !kmalloc_array(&heap, 0, SIZE_MAX / 2, 3));
    for (size_t size = KMALLOC_CACHE_MAX + 1; size <= KMALLOC_MAX; size = size * 2 - 1) {
        uint8_t *memory = kzalloc(&heap, 0, size);
        uint64_t pages = 1;
        while (pages * PAGE_SIZE < size)
            pages *= 2;
        EXPECT(memory && is_aligned((uint64_t)memory, pages * PAGE_SIZE) && ksize(&heap, memory) == pages * PAGE_SIZE);
        EXPECT(arena->held == pages && kmalloc_pages(&heap) == pages && heap.large_blocks == 1);
        EXPECT(memory[0] == 0 && memory[size - 1] == 0 && ksize(&heap, memory + PAGE_SIZE) == 0);
        EXPECT(kmalloc_destroy(&heap) == -EBUSY);
        kfree(&heap, 3, memory);
        EXPECT(arena->held == 0 && ksize(&heap, memory) == 0);
    }
    void *memory = kmalloc(&heap, 0, KMALLOC_MAX);
    EXPECT(memory && ksize(&heap, memory) == KMALLOC_MAX);
    kfree(&heap, 0, memory);
    finish();
}

static void reallocs(void)
{
    start(0);
    uint8_t *memory = krealloc(&heap, 0, NULL, 1);
    size_t size = 1;
    memory[0] = 0;
    while (size < 100000) {
        size_t larger = size * 3 / 2 + 1;
        uint8_t *moved = krealloc(&heap, 0, memory, larger);
        EXPECT(moved && ksize(&heap, moved) >= larger);
        for (size_t i = 0; i < size; i++)
            EXPECT(moved[i] == (uint8_t)i);
        for (size_t i = size; i < larger; i++)
            moved[i] = (uint8_t)i;
        memory = moved;
        size = larger;
    }
    EXPECT(krealloc(&heap, 0, memory, 10) == memory);
    arena->fail_percent = 100;
    EXPECT(!krealloc(&heap, 0, memory, 1000000) && memory[9] == 9); /* the old memory stays */
    EXPECT(!krealloc(&heap, 0, memory, 0));
    kfree(&heap, 0, NULL);
    finish();
}

static void wrong_frees(void)
{
    char local;
    start(KMEM_CONSISTENCY);
    char *small = kmalloc(&heap, 0, 40), *block = kmalloc(&heap, 0, 20000);
    void *wrong[] = {&local, small + 8, block + PAGE_SIZE, block + 16, arena->memory + 4000 * PAGE_SIZE, &heap};
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        kfree(&heap, 0, wrong[i]);
        EXPECT(reports == i + 1 && last_report.fault == KMEM_BAD_POINTER && last_report.object == wrong[i]);
        EXPECT(strncmp(last_report.cache, "kmalloc", 7) == 0);
    }
    EXPECT(!krealloc(&heap, 0, &local, 10));
    kfree(&heap, 0, block);
    kfree(&heap, 0, block);
    EXPECT(last_report.fault == KMEM_BAD_POINTER && last_report.object == block);
    kfree(&heap, 0, small);
    kfree(&heap, 0, small);
    EXPECT(last_report.fault == KMEM_DOUBLE_FREE && strcmp(last_report.cache, "kmalloc-64") == 0);
    small = kmalloc(&heap, 0, 40);
    kfree(&heap, 0, small);
    reports = 0;
    finish();
}

/* Sizes of all kinds, some made larger, then all freed; how many allocations failed. */
static unsigned run_story(void)
{
    void *memory[40];
    unsigned failures = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(memory); i++) {
        memory[i] = kzalloc(&heap, i % 3, 1 + i * i * 11);
        failures += !memory[i];
        if (memory[i] && i % 4 == 3) {
            void *larger = krealloc(&heap, 0, memory[i], 3 * i * i * 11);
            failures += !larger;
            memory[i] = larger ? larger : memory[i];
        }
        EXPECT(kmalloc_check(&heap) == 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(memory); i++)
        kfree(&heap, i % 2, memory[i]);
    return failures;
}

static void each_page_fails(void)
{
    bool complete = false;
    uint64_t last = 0;
    for (uint64_t fail_at = 0; !complete; fail_at++) {
        start(0);
        arena->fail_at = fail_at;
        unsigned failures = run_story();
        complete = arena->calls <= fail_at;
        /* A class with large slabs tries a smaller one first, so not every failed page is a failed allocation. */
        EXPECT(failures <= (complete ? 0 : 1));
        last = fail_at;
        finish();
    }
    EXPECT(last > 20);
}

/* --- Random ------------------------------------------------------------------------------------------------------- */

#define LIVE_MAX 200u

static struct live {
    uint8_t *memory;
    size_t size;
    uint8_t fill;
} live[LIVE_MAX];

static size_t random_size(void)
{
    return 1 + random_below(1UL << (1 + random_below(random_chance(3) ? 18 : 13)));
}

static void check_live(const struct live *entry)
{
    for (size_t i = 0; i < entry->size; i += 1 + entry->size / 64)
        EXPECT(entry->memory[i] == entry->fill);
    EXPECT(entry->memory[entry->size - 1] == entry->fill && ksize(&heap, entry->memory) >= entry->size);
}

static void random_heap(uint32_t flags)
{
    unsigned count = 0;
    start(flags);
    arena->fail_percent = 10;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        unsigned cpu = (unsigned)random_below(KMEM_CPUS_MAX);
        struct live *entry = count ? &live[random_below(count)] : NULL;
        if (random_chance(48) && count < LIVE_MAX) {
            struct live new = {.size = random_size(), .fill = (uint8_t)random_next()};
            new.memory = kmalloc(&heap, cpu, new.size);
            if (new.memory) {
                memset(new.memory, new.fill, new.size);
                live[count++] = new;
            }
        } else if (entry && random_chance(20)) {
            check_live(entry);
            size_t size = random_size();
            uint8_t *memory = krealloc(&heap, cpu, entry->memory, size);
            if (memory) {
                entry->memory = memory;
                entry->size = size < entry->size ? size : entry->size;
                check_live(entry);
                memset(memory, entry->fill, size);
                entry->size = size;
            }
        } else if (entry) {
            check_live(entry);
            kfree(&heap, cpu, entry->memory);
            *entry = live[--count];
        }
        if (random_chance(2))
            EXPECT(kmalloc_check(&heap) == 0);
        EXPECT(test_step % 16 || kmalloc_pages(&heap) == arena->held);
        EXPECT(reports == 0);
    }
    while (count > 0)
        kfree(&heap, 0, live[--count].memory);
    finish();
}

static void random_model(void)
{
    random_heap(0);
}

static void random_debugged(void)
{
    random_heap(KMEM_DEBUG);
}

/* --- Pools -------------------------------------------------------------------------------------------------------- */

/* An allocator that is empty when it is told so. */
static uint64_t elements_out;
static bool elements_end;
static uint64_t element_fails_at;
static uint64_t element_calls;

static void *element_alloc(void *context, unsigned cpu)
{
    if (elements_end || element_calls++ == element_fails_at)
        return NULL;
    elements_out++;
    return malloc(16);
}

static void element_free(void *context, unsigned cpu, void *element)
{
    EXPECT(elements_out > 0);
    elements_out--;
    free(element);
}

static const struct mempool_ops element_ops = {.alloc = element_alloc, .free = element_free};

static struct mempool pool;

static void pool_start(void)
{
    elements_end = false;
    element_calls = 0;
    element_fails_at = UINT64_MAX;
    start(0);
}

static void pool_reserve(void)
{
    void *held[20];
    pool_start();
    EXPECT(mempool_init(&pool, 0, &element_ops, NULL, &heap, 0) == -EINVAL);
    EXPECT(mempool_init(&pool, 8, &element_ops, NULL, &heap, 0) == 0 && elements_out == 8);
    held[0] = mempool_alloc(&pool, 0);
    EXPECT(held[0] && pool.count == 8 && elements_out == 9);
    elements_end = true;
    for (unsigned i = 1; i < 9; i++)
        EXPECT((held[i] = mempool_alloc(&pool, 0)) && pool.count == 8 - i);
    EXPECT(!mempool_alloc(&pool, 0) && pool.failures == 1 && pool.fallbacks == 8);
    for (unsigned i = 0; i < 9; i++) {
        mempool_free(&pool, 0, held[i]);
        EXPECT(mempool_check(&pool) == 0 && pool.count == (i < 8 ? i + 1 : 8)); /* the reserve first */
    }
    EXPECT(elements_out == 8);
    mempool_free(&pool, 0, NULL);
    mempool_destroy(&pool, 0);
    EXPECT(elements_out == 0);
    finish();
}

static void pool_resize(void)
{
    void *held[4];
    pool_start();
    EXPECT(mempool_init(&pool, 4, &element_ops, NULL, &heap, 0) == 0 && mempool_resize(&pool, 0, 0) == -EINVAL);
    elements_end = true;
    for (unsigned i = 0; i < 3; i++)
        EXPECT((held[i] = mempool_alloc(&pool, 0)));
    EXPECT(mempool_resize(&pool, 0, 10) == -ENOMEM && pool.min_nr == 4 && pool.count == 1);
    elements_end = false;
    EXPECT(mempool_resize(&pool, 0, 10) == 0 && pool.min_nr == 10 && pool.count == 7 && mempool_check(&pool) == 0);
    for (unsigned i = 0; i < 3; i++)
        mempool_free(&pool, 0, held[i]);
    EXPECT(pool.count == 10 && elements_out == 10 && mempool_resize(&pool, 0, 2) == 0);
    EXPECT(pool.count == 2 && elements_out == 2 && mempool_check(&pool) == 0);
    mempool_destroy(&pool, 0);
    EXPECT(elements_out == 0);
    finish();
}

/* Nothing is left behind when any element, or the array, cannot be had. */
static void pool_each_fails(void)
{
    for (uint64_t fail_at = 0;; fail_at++) {
        pool_start();
        element_fails_at = fail_at;
        int error = mempool_init(&pool, 5, &element_ops, NULL, &heap, 0);
        if (error == 0) {
            error = mempool_resize(&pool, 0, 9);
            EXPECT(error == 0 || (pool.min_nr == 5 && pool.count == 5));
            mempool_destroy(&pool, 0);
        }
        EXPECT((error == 0) == (fail_at >= 9) && (error == 0 || error == -ENOMEM) && elements_out == 0);
        finish();
        if (error == 0)
            break;
    }
    pool_start();
    arena->fail_at = 0;
    EXPECT(mempool_init(&pool, 5, &element_ops, NULL, &heap, 0) == -ENOMEM && elements_out == 0);
    finish();
}

/* Over a kmem cache whose pages come to an end. */
static void pool_over_cache(void)
{
    struct kmem_cache cache;
    void *held[64];
    start(0);
    const struct kmem_cache_args args = {.name = "pool", .size = 1000, .source = &arena->source};
    EXPECT(kmem_cache_init(&cache, &args) == 0);
    EXPECT(mempool_init(&pool, 6, &mempool_kmem_ops, &cache, &heap, 0) == 0);
    arena->fail_percent = 100;
    unsigned count = 0;
    while ((held[count] = mempool_alloc(&pool, count % 2)))
        count++;
    EXPECT(count == 8 && pool.count == 0); /* two slabs of four */
    while (count > 0)
        mempool_free(&pool, 0, held[--count]);
    EXPECT(pool.count == 6);
    mempool_destroy(&pool, 0);
    EXPECT(kmem_cache_destroy(&cache) == 0);
    finish();
}

static void pool_random(void)
{
    static void *held[100];
    unsigned count = 0;
    pool_start();
    EXPECT(mempool_init(&pool, 10, &element_ops, NULL, &heap, 0) == 0);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (random_chance(5))
            elements_end = random_chance(50);
        if (random_chance(1)) {
            uint32_t wanted = 1 + (uint32_t)random_below(30), before = pool.min_nr;
            int error = mempool_resize(&pool, 0, wanted);
            EXPECT(error == 0 ? pool.min_nr == wanted : error == -ENOMEM && pool.min_nr == before);
        } else if (random_chance(50) && count < 100) {
            uint32_t reserve = pool.count;
            held[count] = mempool_alloc(&pool, 0);
            EXPECT(held[count] || (elements_end && reserve == 0));
            EXPECT(pool.count == reserve - (elements_end && reserve ? 1 : 0));
            count += held[count] != NULL;
        } else if (count > 0) {
            unsigned choice = (unsigned)random_below(count);
            mempool_free(&pool, 0, held[choice]);
            held[choice] = held[--count];
        }
        EXPECT(mempool_check(&pool) == 0 && elements_out == count + pool.count);
    }
    while (count > 0)
        mempool_free(&pool, 0, held[--count]);
    mempool_destroy(&pool, 0);
    EXPECT(elements_out == 0);
    finish();
}

static const struct test_row rows[] = {
    {"classes", "every size comes from the smallest class that holds it, aligned", classes},
    {"large", "larger sizes are blocks of pages, up to 4 MiB", large},
    {"reallocs", "content moves along; a failure leaves the old memory", reallocs},
    {"wrong_frees", "what is none of the heap's is reported and left alone", wrong_frees},
    {"each_page_fails", "a failed page at any point costs one allocation at most and leaks nothing", each_page_fails},
    {"random_model", "live memory keeps its content and the sums hold", random_model},
    {"random_debugged", "the same with debugging, which finds nothing", random_debugged},
    {"pool_reserve", "the reserve is used last and filled first", pool_reserve},
    {"pool_resize", "a reserve changes its size, or nothing", pool_resize},
    {"pool_each_fails", "a failed element or array at any point leaves nothing behind", pool_each_fails},
    {"pool_over_cache", "a pool over a kmem cache outlives its last page", pool_over_cache},
    {"pool_random", "reserve and elements add up after each step", pool_random},
};
TEST_MAIN("kmalloc", rows)
