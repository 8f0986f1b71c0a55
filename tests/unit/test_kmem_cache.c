/* SPDX-License-Identifier: MIT */
/* Kmem caches without debugging: directed cases, threads, every page failing in turn, and a model of live objects. */
#include <errno.h>

#include <base/bits.h>
#include <mm/kmem_cache.h>

#include "test_source.h"

#define SECRET 0x5ca1ab1e0ddba11uL

static struct kmem_cache cache;
static struct test_arena *arena;
static struct kmem_report last_report;
static unsigned reports;

static void note_report(const struct kmem_report *report)
{
    last_report = *report;
    reports++;
}

static struct kmem_cache_args args_for(uint32_t size)
{
    return (struct kmem_cache_args){.name = "test",
                                    .size = size,
                                    .min_partial = 2,
                                    .cpu_partial = 3,
                                    .secret = SECRET,
                                    .source = &arena->source,
                                    .report = note_report};
}

static void start(const struct kmem_cache_args *args)
{
    reports = 0;
    EXPECT(kmem_cache_init(&cache, args) == 0);
}

static void start_size(uint32_t size)
{
    arena = test_arena_create();
    const struct kmem_cache_args args = args_for(size);
    start(&args);
}

static void finish(void)
{
    EXPECT(kmem_cache_check(&cache) == 0 && kmem_cache_destroy(&cache) == 0);
    test_arena_free(arena);
}

static struct kmem_cache_info info(void)
{
    struct kmem_cache_info figures;
    kmem_cache_read_info(&cache, &figures);
    return figures;
}

static void bad_shapes(void)
{
    arena = test_arena_create();
    struct kmem_cache_args args = args_for(0);
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    args = args_for(KMEM_SIZE_MAX + 1);
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    args = args_for(64);
    args.align = 24;
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    args.align = 2 * PAGE_SIZE;
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    args.align = 0;
    args.flags = 0x80;
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    args.flags = KMEM_EXTERNAL;
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    args.external = KMEM_EXTERNAL_MAX + 1;
    EXPECT(kmem_cache_init(&cache, &args) == -EINVAL);
    test_arena_free(arena);
}

static void try_size(uint32_t size, uint32_t align, uint32_t flags)
{
    struct kmem_cache_args args = args_for(size);
    args.align = align;
    args.flags = flags;
    start(&args);
    uint32_t count = cache.objects + 1;
    uint8_t **objects = calloc(count, sizeof(*objects));
    uint64_t bytes = (uint64_t)cache.objects * cache.size;
    EXPECT(cache.objects >= 1 && bytes <= PAGE_SIZE << cache.order);
    for (uint32_t i = 0; i < count; i++) {
        objects[i] = kmem_cache_alloc(&cache, 0);
        EXPECT(objects[i] && is_aligned((uint64_t)objects[i], align ? align : 8));
        memset(objects[i], (int)i, size);
    }
    EXPECT(kmem_cache_check(&cache) == 0 && info().used == count && info().slabs == 2);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t byte = 0; byte < size; byte++)
            EXPECT(objects[i][byte] == (uint8_t)i);
        kmem_cache_free(&cache, i % 3, objects[i]);
    }
    free(objects);
    EXPECT(reports == 0 && kmem_cache_check(&cache) == 0 && info().used == 0);
    EXPECT(kmem_cache_destroy(&cache) == 0 && arena->held == 0);
}

static void every_size(void)
{
    static const uint32_t flags[] = {0, KMEM_RED_ZONE, KMEM_POISON, KMEM_DEBUG, KMEM_STORE_USER | KMEM_RED_ZONE};
    arena = test_arena_create();
    for (uint32_t size = 1; size <= KMEM_SIZE_MAX; size += size < 300 ? 1 : 397)
        try_size(size, size % 11 ? 1u << size % 13 : 0, flags[size % ARRAY_LENGTH(flags)]);
    try_size(KMEM_SIZE_MAX, 8, KMEM_DEBUG);
    test_arena_free(arena);
}

/* A larger slab where single pages would waste more. */
static void orders(void)
{
    arena = test_arena_create();
    static const struct {
        uint32_t size, order;
    } shapes[] = {{8, 0}, {104, 0}, {1024, 0}, {1400, 2}, {2048, 1}, {4096, 2}, {8192, 3}};
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        const struct kmem_cache_args args = args_for(shapes[i].size);
        start(&args);
        EXPECT(cache.order == shapes[i].order);
    }
    test_arena_free(arena);
}

/* When there is no large block a small one does. */
static void smaller_slabs(void)
{
    start_size(1400);
    void *objects[16];
    arena->fail_at = 0;
    EXPECT((objects[0] = kmem_cache_alloc(&cache, 0)) && arena->held == 1 && info().objects == 2);
    for (unsigned i = 1; i < 16; i++)
        EXPECT((objects[i] = kmem_cache_alloc(&cache, 0)));
    EXPECT(arena->held == 1 + 2 * 4 && kmem_cache_check(&cache) == 0);
    for (unsigned i = 0; i < 16; i++)
        kmem_cache_free(&cache, 1, objects[i]);
    EXPECT(reports == 0);
    finish();
}

static unsigned constructed;

static void construct(void *object)
{
    memset(object, 0x77, 100);
    constructed++;
}

static void constructor(void)
{
    arena = test_arena_create();
    for (unsigned round = 0; round < 2; round++) {
        struct kmem_cache_args args = args_for(100);
        args.constructor = construct;
        args.flags = round ? KMEM_DEBUG : 0;
        start(&args);
        constructed = 0;
        for (unsigned i = 0; i < 1000; i++) {
            uint8_t *object = kmem_cache_alloc(&cache, 0);
            for (unsigned byte = 0; byte < 100; byte++)
                EXPECT(object[byte] == 0x77);
            kmem_cache_free(&cache, i % 2, object);
        }
        EXPECT(constructed == info().objects && reports == 0);
        EXPECT(kmem_cache_check(&cache) == 0 && kmem_cache_destroy(&cache) == 0);
    }
    test_arena_free(arena);
}

/* The slabs' ways: active, full, partial on a CPU, partial in the cache, back to the source. */
static void slab_ways(void)
{
    start_size(1024); /* four objects in a page */
    void *objects[40];
    for (unsigned i = 0; i < 40; i++)
        EXPECT((objects[i] = kmem_cache_alloc(&cache, 0)));
    EXPECT(info().slabs == 10 && info().slabs_cpu == 1 && info().slabs_partial == 0);
    for (unsigned i = 0; i < 12; i += 4) /* one object each of three full slabs */
        kmem_cache_free(&cache, 1, objects[i]);
    EXPECT(cache.cpus[1].partial_count == 3 && info().slabs_cpu == 4);
    kmem_cache_free(&cache, 1, objects[12]); /* one too many: the three become the cache's */
    EXPECT(cache.cpus[1].partial_count == 1 && info().slabs_partial == 3);
    EXPECT(kmem_cache_alloc(&cache, 1) == objects[12]); /* the CPU's own before the cache's */
    for (unsigned i = 0; i < 12; i += 4) {
        for (unsigned j = i + 1; j < i + 4; j++)
            kmem_cache_free(&cache, 0, objects[j]);
    }
    EXPECT(info().slabs_partial == 2 && info().slabs == 9); /* min_partial empty ones are kept */
    EXPECT(kmem_cache_shrink(&cache) == 2 && info().slabs == 7 && info().used == 28);
    EXPECT(kmem_cache_check(&cache) == 0 && kmem_cache_destroy(&cache) == -EBUSY);
    for (unsigned i = 12; i < 40; i++)
        kmem_cache_free(&cache, 2, objects[i]);
    EXPECT(reports == 0);
    finish();
}

/* Freed by another CPU, an object of the active slab is found again when the CPU's own list is empty. */
static void remote_free(void)
{
    start_size(1024);
    void *objects[4];
    for (unsigned i = 0; i < 4; i++)
        EXPECT((objects[i] = kmem_cache_alloc(&cache, 0)));
    for (unsigned i = 0; i < 4; i++)
        kmem_cache_free(&cache, 1, objects[i]);
    for (unsigned i = 0; i < 4; i++)
        EXPECT(kmem_cache_alloc(&cache, 0) == objects[3 - i]);
    EXPECT(info().slabs == 1);
    for (unsigned i = 0; i < 4; i++)
        kmem_cache_free(&cache, 0, objects[i]);
    finish();
}

/* Links are not addresses: nobody who reads or copies one learns where the next object is. */
static void hardened(void)
{
    start_size(64);
    uint64_t *first = kmem_cache_alloc(&cache, 0), *second = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, 0, second);
    kmem_cache_free(&cache, 0, first);
    uint64_t stored = first[cache.link / 8];
    EXPECT(stored != (uint64_t)second && stored != (uint64_t)NULL && stored != ((uint64_t)second ^ SECRET));
    EXPECT(kmem_link_get(&cache, first) == second);
    EXPECT(kmem_link_code(&cache, stored, second) !=
           (uint64_t)second); /* the same bytes elsewhere mean another place */
    finish();
}

static void simple_faults(void)
{
    start_size(1024);
    char *object = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, 0, object);
    kmem_cache_free(&cache, 0, object);
    EXPECT(reports == 1 && last_report.fault == KMEM_DOUBLE_FREE && last_report.object == object);
    EXPECT(strcmp(last_report.cache, "test") == 0);
    object = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, 1, object);
    kmem_cache_free(&cache, 1, object);
    EXPECT(reports == 2 && last_report.fault == KMEM_DOUBLE_FREE && last_report.object == object);
    kmem_cache_free(&cache, 1, object + 8);
    EXPECT(reports == 3 && last_report.fault == KMEM_BAD_POINTER && last_report.object == object + 8);
    kmem_cache_free(&cache, 1, &cache);
    kmem_cache_free(&cache, 1, NULL);
    kmem_cache_free(&cache, 1, arena->memory + 100 * PAGE_SIZE);
    EXPECT(reports == 6 && last_report.fault == KMEM_BAD_POINTER && info().used == 3);
    finish();
}

/* --- External caches ---------------------------------------------------------------------------------------------- */

static void start_external(uint32_t count)
{
    arena = test_arena_create();
    struct kmem_cache_args args = args_for(0);
    args.flags = KMEM_EXTERNAL;
    args.external = count;
    args.min_partial = 0;
    start(&args);
}

static void external(void)
{
    for (uint32_t count = 1; count <= KMEM_EXTERNAL_MAX; count += 7) {
        struct kmem_place places[3 * KMEM_EXTERNAL_MAX];
        start_external(count);
        for (uint32_t i = 0; i < 3 * count; i++) {
            EXPECT(kmem_place_alloc(&cache, &places[i]) == 0 && places[i].index == i % count);
            EXPECT(places[i].page == places[i - i % count].page);
        }
        EXPECT(arena->held == 3 && info().used == 3 * count && kmem_cache_check(&cache) == 0);
        kmem_place_free(&cache, places[count]);
        kmem_place_free(&cache, places[count]);
        EXPECT(reports == 1);
        EXPECT(last_report.fault == (count == 1 ? KMEM_BAD_POINTER : KMEM_DOUBLE_FREE));
        EXPECT(kmem_place_alloc(&cache, &places[count]) == 0);
        for (uint32_t i = 0; i < 3 * count; i++)
            kmem_place_free(&cache, places[i]);
        /* Nobody has touched the pages. */
        for (uint64_t byte = 0; byte < 4 * PAGE_SIZE; byte++)
            EXPECT((uint8_t)arena->memory[byte] == TEST_ARENA_FILLER);
        EXPECT(arena->held == 0 && reports == 1);
        finish();
    }
}

static void external_fails(void)
{
    struct kmem_place place;
    start_external(3);
    arena->fail_at = 0;
    EXPECT(kmem_place_alloc(&cache, &place) == -ENOMEM && info().failures == 1 && arena->held == 0);
    EXPECT(kmem_place_alloc(&cache, &place) == 0);
    place.index = 3;
    kmem_place_free(&cache, place);
    EXPECT(last_report.fault == KMEM_BAD_POINTER);
    place.index = 0;
    kmem_place_free(&cache, place);
    finish();
}

/* --- Failures ----------------------------------------------------------------------------------------------------- */

/* A fixed story with allocations and frees that must survive a failure at any point. */
static bool run_story(void)
{
    void *objects[64];
    bool complete = true;
    for (unsigned i = 0; i < 64; i++) {
        objects[i] = kmem_cache_alloc(&cache, i % 4);
        complete = complete && objects[i];
        if (i % 3 == 2 && objects[i - 1]) {
            kmem_cache_free(&cache, i % 2, objects[i - 1]);
            objects[i - 1] = NULL;
        }
        EXPECT(kmem_cache_check(&cache) == 0);
    }
    for (unsigned i = 0; i < 64; i++) {
        if (objects[i])
            kmem_cache_free(&cache, i % 5, objects[i]);
    }
    return complete;
}

static void each_page_fails(void)
{
    bool complete = false;
    for (uint64_t fail_at = 0; !complete; fail_at++) {
        start_size(1000); /* slabs of one page, so that there is no smaller block to try */
        arena->fail_at = fail_at;
        complete = run_story();
        EXPECT(complete == (arena->calls <= fail_at) && info().failures == (complete ? 0 : 1) && reports == 0);
        finish();
        EXPECT(fail_at < 64);
    }
}

/* --- Random ------------------------------------------------------------------------------------------------------- */

#define LIVE_MAX 600u

static struct live {
    uint8_t *object;
    uint8_t fill;
} live[LIVE_MAX];

static void free_live(unsigned choice, unsigned *count, size_t size)
{
    uint8_t *object = live[choice].object;
    for (size_t i = 0; i < size; i++)
        EXPECT(object[i] == live[choice].fill); /* nobody else had it */
    kmem_cache_free(&cache, (unsigned)random_below(KMEM_CPUS_MAX), object);
    live[choice] = live[--*count];
}

static void random_model(void)
{
    static const uint32_t sizes[] = {16, 56, 120, 200, 500, 1400, 3000, 8192};
    static const uint32_t flags[] = {0, 0, KMEM_DEBUG, 0, KMEM_RED_ZONE | KMEM_POISON, 0, 0, KMEM_CONSISTENCY};
    unsigned count = 0;
    size_t size = 0;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (test_step % 5000 == 0) {
            while (count > 0)
                free_live(count - 1, &count, size);
            if (test_step > 0)
                finish();
            uint64_t which = test_step / 5000 % ARRAY_LENGTH(sizes);
            size = sizes[which];
            arena = test_arena_create();
            struct kmem_cache_args args = args_for((uint32_t)size);
            args.flags = flags[which];
            args.secret = random_next();
            start(&args);
            arena->fail_percent = 20;
        }
        unsigned fill = test_step / 1000 % 2 ? 35 : 65;
        if (random_chance(1)) {
            kmem_cache_shrink(&cache);
            EXPECT(info().used == count);
        } else if (random_chance(fill) && count < LIVE_MAX) {
            uint8_t *object = kmem_cache_alloc(&cache, (unsigned)random_below(KMEM_CPUS_MAX));
            if (object) {
                live[count].object = object;
                live[count].fill = (uint8_t)random_next();
                memset(object, live[count++].fill, size);
            }
        } else if (count > 0) {
            free_live((unsigned)random_below(count), &count, size);
        }
        if (random_chance(20))
            EXPECT(kmem_cache_check(&cache) == 0 && info().used == count);
        EXPECT(info().pages == arena->held && info().used >= count && info().used <= info().objects && reports == 0);
    }
    while (count > 0)
        free_live(count - 1, &count, size);
    finish();
}

static void random_external(void)
{
    static struct kmem_place places[LIVE_MAX];
    unsigned count = 0;
    start_external(32);
    arena->fail_percent = 10;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        unsigned fill = test_step / 1000 % 2 ? 35 : 65;
        if (random_chance(fill) && count < LIVE_MAX) {
            if (kmem_place_alloc(&cache, &places[count]) == 0)
                count++;
        } else if (count > 0) {
            unsigned choice = (unsigned)random_below(count);
            kmem_place_free(&cache, places[choice]);
            places[choice] = places[--count];
        }
        EXPECT(kmem_cache_check(&cache) == 0 && info().used == count && info().pages == arena->held && reports == 0);
    }
    while (count > 0)
        kmem_place_free(&cache, places[--count]);
    EXPECT(arena->held == 0);
    finish();
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

#define THREADS  4u
#define EXCHANGE 64u

static void *exchanged[EXCHANGE]; /* objects on their way from one thread to another */

static void *thread_main(void *argument)
{
    unsigned cpu = (unsigned)(uint64_t)argument;
    uint64_t state = cpu + 1;
    for (uint64_t i = 0; i < test_steps(); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t *object = kmem_cache_alloc(&cache, cpu);
        if (object)
            object[0] = object[1] = state;
        void **place = &exchanged[(state >> 33) % EXCHANGE];
        object = __atomic_exchange_n(place, object, __ATOMIC_ACQ_REL);
        if (object) {
            EXPECT(object[0] == object[1]); /* whole: one thread alone had it */
            kmem_cache_free(&cache, cpu, object);
        }
        if (i % 1000 == 0)
            kmem_cache_shrink(&cache);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t ids[THREADS];
    start_size(256);
    for (uint64_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&ids[i], NULL, thread_main, (void *)i) == 0);
    for (unsigned i = 0; i < 50; i++)
        EXPECT(kmem_cache_check(&cache) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT(pthread_join(ids[i], NULL) == 0);
    for (unsigned i = 0; i < EXCHANGE; i++) {
        if (exchanged[i])
            kmem_cache_free(&cache, 0, exchanged[i]);
    }
    EXPECT(reports == 0);
    kmem_cache_shrink(&cache);
    EXPECT(info().used == 0);
    finish();
}

static const struct test_row rows[] = {
    {"bad_shapes", "sizes, alignments and flags that cannot work are refused", bad_shapes},
    {"every_size", "objects of each size are aligned, apart, and all given back", every_size},
    {"orders", "slabs are as large as wastes least", orders},
    {"smaller_slabs", "without a large block a small one becomes the slab", smaller_slabs},
    {"constructor", "objects are constructed once and come as they were freed", constructor},
    {"slab_ways", "slabs move between CPUs, cache and source as their objects come and go", slab_ways},
    {"remote_free", "what another CPU frees is used again", remote_free},
    {"hardened", "links are stored so that nobody can read or copy them", hardened},
    {"simple_faults", "double and foreign frees are reported even without debugging", simple_faults},
    {"external", "external caches hand out places and touch no page", external},
    {"external_fails", "a failed page and bad places of an external cache", external_fails},
    {"each_page_fails", "a failed page at any point costs one object and leaks nothing", each_page_fails},
    {"random_model", "live objects keep their content and the sums hold", random_model},
    {"random_external", "bitmaps and sums hold after each step", random_external},
    {"threads", "objects that travel between threads stay whole while others shrink and check", threads},
};
TEST_MAIN("kmem_cache", rows)
