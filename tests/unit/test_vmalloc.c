/* SPDX-License-Identifier: MIT */
/* vmalloc and per-CPU memory: guard pages, every page and mapping failing in turn, and models. */
#include <errno.h>

#include <base/bits.h>
#include <mm/percpu.h>
#include <mm/vmalloc.h>

#include "test_source.h"

#define LOW         0x200000000000UL
#define SPACE_PAGES 1024u
#define HIGH        (LOW + SPACE_PAGES * PAGE_SIZE)

static struct kmalloc_heap heap;
static struct test_arena *arena;
static struct vmalloc_space space;

/* What the test's "machine" has mapped. */
static struct page *mapped[SPACE_PAGES];
static uint64_t map_calls, map_fails_at;

static uint64_t place(uint64_t address)
{
    EXPECT(address >= LOW && address < HIGH && is_aligned(address, PAGE_SIZE));
    return (address - LOW) / PAGE_SIZE;
}

static int map(void *context, uint64_t address, struct page *const pages[], uint64_t count)
{
    if (map_calls++ == map_fails_at)
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        EXPECT(!mapped[place(address) + i] && pages[i]->flags == PAGE_ALLOCATED);
        mapped[place(address) + i] = pages[i];
    }
    return 0;
}

static void unmap(void *context, uint64_t address, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        EXPECT(mapped[place(address) + i]);
        mapped[place(address) + i] = NULL;
    }
}

static const struct vmalloc_ops ops = {.map = map, .unmap = unmap};

static void start(void)
{
    arena = test_arena_create();
    const struct kmem_cache_args defaults = {.source = &arena->source};
    map_calls = 0;
    map_fails_at = UINT64_MAX;
    EXPECT(kmalloc_init(&heap, &defaults) == 0);
    vmalloc_init(&space, LOW, HIGH, &ops, &arena->source, &heap);
}

static void finish(void)
{
    EXPECT(vmalloc_check(&space) == 0 && vmalloc_pages(&space) == 0 && space.areas.count == 0);
    for (unsigned i = 0; i < SPACE_PAGES; i++)
        EXPECT(!mapped[i]);
    EXPECT(kmalloc_check(&heap) == 0 && kmalloc_destroy(&heap) == 0);
    test_arena_free(arena);
}

static bool is_mapped(uint64_t address)
{
    return address >= LOW && address < HIGH && mapped[place(address)];
}

static void guard_pages(void)
{
    uint64_t areas[100];
    start();
    for (unsigned i = 0; i < ARRAY_LENGTH(areas); i++) {
        uint64_t size = 1 + i * 300;
        uint64_t pages = align_up(size, PAGE_SIZE) / PAGE_SIZE;
        areas[i] = (uint64_t)vmalloc(&space, 0, size);
        EXPECT(areas[i] && is_aligned(areas[i], PAGE_SIZE));
        for (uint64_t page = 0; page < pages; page++) {
            void *address = (void *)(areas[i] + page * PAGE_SIZE + 5);
            EXPECT(is_mapped(areas[i] + page * PAGE_SIZE));
            EXPECT(vmalloc_page(&space, address) == mapped[place(areas[i]) + page]);
        }
        EXPECT(!is_mapped(areas[i] + pages * PAGE_SIZE) && !is_mapped(areas[i] - PAGE_SIZE));
        EXPECT(!vmalloc_page(&space, (void *)(areas[i] + pages * PAGE_SIZE)));
        EXPECT(vmalloc_check(&space) == 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(areas); i++)
        EXPECT(vfree(&space, 1, (void *)areas[i]) == 0 && vmalloc_check(&space) == 0);
    finish();
}

static void zeroed_and_full(void)
{
    start();
    EXPECT(!vmalloc(&space, 0, 0) && !vmalloc(&space, 0, UINT64_MAX) && !vmalloc(&space, 0, HIGH - LOW));
    EXPECT(space.failures == 3);
    void *all = vzalloc(&space, 0, HIGH - LOW - PAGE_SIZE); /* with the guard page that is all */
    EXPECT((uint64_t)all == LOW && vmalloc_pages(&space) == SPACE_PAGES - 1 && !vmalloc(&space, 0, 1));
    for (unsigned i = 0; i < SPACE_PAGES - 1; i++) {
        const uint64_t *words = test_arena_address(arena, mapped[i]);
        EXPECT(words[0] == 0 && words[PAGE_SIZE / 8 - 1] == 0);
    }
    EXPECT(vfree(&space, 0, (char *)all + PAGE_SIZE) == -EINVAL && vfree(&space, 0, &space) == -EINVAL);
    EXPECT(vfree(&space, 0, NULL) == 0 && vfree(&space, 0, all) == 0 && vfree(&space, 0, all) == -EINVAL);
    finish();
}

static void listing(void)
{
    struct vmalloc_info info;
    start();
    EXPECT(vmalloc_next(&space, 0, &info) == -ENOENT);
    void *first = vmalloc(&space, 0, 3 * PAGE_SIZE), *second = vmalloc(&space, 0, 1);
    EXPECT(vmalloc_next(&space, 0, &info) == 0 && info.start == (uint64_t)second && info.end - info.start == PAGE_SIZE);
    EXPECT(info.caller != 0 && vmalloc_next(&space, info.end, &info) == 0);
    EXPECT(info.start == (uint64_t)first && info.end - info.start == 3 * PAGE_SIZE);
    EXPECT(vmalloc_next(&space, info.end, &info) == -ENOENT);
    EXPECT(vfree(&space, 0, first) == 0 && vfree(&space, 0, second) == 0);
    finish();
}

/* Some allocations and frees; how many failed. */
static unsigned run_story(void)
{
    void *areas[8];
    unsigned failures = 0;
    for (unsigned i = 0; i < 8; i++) {
        areas[i] = vmalloc(&space, i, (i + 1) * PAGE_SIZE);
        failures += !areas[i];
        EXPECT(vmalloc_check(&space) == 0);
        if (i == 5) {
            EXPECT(vfree(&space, 0, areas[3]) == 0);
            areas[3] = NULL;
        }
    }
    for (unsigned i = 0; i < 8; i++)
        EXPECT(vfree(&space, i, areas[i]) == 0);
    return failures;
}

static void each_fails(void)
{
    bool complete = false;
    for (uint64_t fail_at = 0; !complete; fail_at++) {
        start();
        arena->fail_at = fail_at;
        unsigned failures = run_story();
        complete = arena->calls <= fail_at;
        EXPECT(failures == (complete ? 0 : 1) && space.failures == failures);
        finish();
    }
    for (uint64_t fail_at = 0; fail_at < 8; fail_at++) {
        start();
        map_fails_at = fail_at;
        EXPECT(run_story() == 1);
        finish();
    }
}

#define LIVE_MAX 60u

static void random_model(void)
{
    static struct {
        uint64_t start, pages;
    } live[LIVE_MAX];
    unsigned count = 0;
    uint64_t total = 0;
    start();
    arena->fail_percent = 1;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (random_chance(2))
            map_fails_at = map_calls + random_below(10);
        if (random_chance(50) && count < LIVE_MAX) {
            uint64_t pages = 1 + random_below(1UL << random_below(7));
            void *area = vmalloc(&space, (unsigned)random_below(8), pages * PAGE_SIZE - random_below(PAGE_SIZE));
            if (area) {
                live[count].start = (uint64_t)area;
                live[count++].pages = pages;
                total += pages;
            }
        } else if (count > 0) {
            unsigned choice = (unsigned)random_below(count);
            EXPECT(vfree(&space, (unsigned)random_below(8), (void *)live[choice].start) == 0);
            total -= live[choice].pages;
            live[choice] = live[--count];
        }
        for (unsigned i = 0; i < count; i++) {
            uint64_t end = live[i].start + live[i].pages * PAGE_SIZE;
            EXPECT(is_mapped(live[i].start) && is_mapped(end - PAGE_SIZE));
            EXPECT(!is_mapped(end) && !is_mapped(live[i].start - PAGE_SIZE));
        }
        EXPECT(vmalloc_pages(&space) == total && space.areas.count == count);
        if (test_step % 8 == 0)
            EXPECT(vmalloc_check(&space) == 0 && arena->held == total + kmalloc_pages(&heap));
    }
    while (count > 0)
        EXPECT(vfree(&space, 0, (void *)live[--count].start) == 0);
    finish();
}

/* --- Per-CPU memory ----------------------------------------------------------------------------------------------- */

#define CPUS 5u

static struct percpu percpu;

static void percpu_finish(void)
{
    EXPECT(percpu_check(&percpu) == 0 && percpu_pages(&percpu) == 0);
    test_arena_free(arena);
}

static void percpu_start(void)
{
    arena = test_arena_create();
    EXPECT(percpu_init(&percpu, CPUS, &arena->source) == 0);
}

static void percpu_directed(void)
{
    percpu_t first, second, third, none;
    percpu_start();
    EXPECT(percpu_init(&percpu, 0, &arena->source) == -EINVAL);
    EXPECT(percpu_init(&percpu, 5000, &arena->source) == -EINVAL);
    EXPECT(percpu_init(&percpu, CPUS, &arena->source) == 0);
    EXPECT(percpu_alloc(&percpu, 0, 8, &none) == -EINVAL);
    EXPECT(percpu_alloc(&percpu, PERCPU_UNIT + 1, 8, &none) == -EINVAL);
    EXPECT(percpu_alloc(&percpu, 8, 24, &none) == -EINVAL);
    EXPECT(percpu_alloc(&percpu, 8, 2 * PERCPU_UNIT, &none) == -EINVAL);
    EXPECT(percpu_alloc(&percpu, 4, 4, &first) == 0 && percpu_alloc(&percpu, 100, 64, &second) == 0);
    EXPECT(arena->held == 8 && percpu_pages(&percpu) == 8);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        uint64_t *piece = percpu_pointer(&percpu, second, cpu);
        EXPECT(is_aligned((uint64_t)piece, 64) && piece[0] == 0 && piece[11] == 0);
        piece[0] = cpu;
    }
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        EXPECT(*(uint64_t *)percpu_pointer(&percpu, second, cpu) == cpu);
    EXPECT(percpu_free(&percpu, second + 8) == -EINVAL && percpu_free(&percpu, second + 1) == -EINVAL);
    EXPECT(percpu_free(&percpu, first + 8) == -EINVAL && percpu_free(&percpu, UINT64_MAX) == -EINVAL);
    EXPECT(percpu_alloc(&percpu, PERCPU_UNIT, PERCPU_UNIT, &third) == 0 && percpu_pages(&percpu) == 16);
    EXPECT(percpu_free(&percpu, third) == 0 && percpu_free(&percpu, third) == -EINVAL && percpu_pages(&percpu) == 8);
    EXPECT(percpu_free(&percpu, PERCPU_NONE) == 0 && percpu_free(&percpu, first) == 0);
    EXPECT(percpu_free(&percpu, second) == 0);
    percpu_finish();
}

static void percpu_fails(void)
{
    percpu_t allocations[PERCPU_CHUNKS_MAX], one;
    percpu_start();
    arena->fail_at = 0;
    EXPECT(percpu_alloc(&percpu, 8, 8, &one) == -ENOMEM && percpu_check(&percpu) == 0);
    for (unsigned i = 0; i < PERCPU_CHUNKS_MAX; i++)
        EXPECT(percpu_alloc(&percpu, PERCPU_UNIT, 8, &allocations[i]) == 0);
    EXPECT(percpu_alloc(&percpu, 8, 8, &one) == -ENOMEM); /* every chunk is full */
    for (unsigned i = 0; i < PERCPU_CHUNKS_MAX; i++)
        EXPECT(percpu_free(&percpu, allocations[i]) == 0);
    percpu_finish();
}

/* A fixed story of allocations, in which each chunk fails in turn. */
static void percpu_each_fails(void)
{
    bool complete = false;
    for (uint64_t fail_at = 0; !complete; fail_at++) {
        percpu_t allocations[24];
        unsigned failures = 0;
        percpu_start();
        arena->fail_at = fail_at;
        for (uint32_t i = 0; i < ARRAY_LENGTH(allocations); i++) {
            allocations[i] = PERCPU_NONE;
            failures += percpu_alloc(&percpu, 1000 + i, 8, &allocations[i]) != 0;
            EXPECT(percpu_check(&percpu) == 0 && percpu.allocations == i + 1 - failures);
        }
        complete = arena->calls <= fail_at;
        EXPECT(failures == (complete ? 0 : 1));
        for (uint32_t i = 0; i < ARRAY_LENGTH(allocations); i++)
            EXPECT(percpu_free(&percpu, allocations[i]) == 0);
        percpu_finish();
    }
}

#define PERCPU_LIVE 200u

static void percpu_random(void)
{
    static struct {
        percpu_t allocation;
        uint32_t size;
        uint8_t fill;
    } live[PERCPU_LIVE];
    unsigned count = 0;
    percpu_start();
    arena->fail_percent = 10;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (random_chance(50) && count < PERCPU_LIVE) {
            uint32_t size = 1 + (uint32_t)random_below(1UL << random_below(12)), align = 1u << random_below(9);
            percpu_t allocation;
            if (percpu_alloc(&percpu, size, align, &allocation) == 0) {
                live[count].allocation = allocation;
                live[count].size = size;
                live[count].fill = (uint8_t)random_next();
                for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
                    uint8_t *piece = percpu_pointer(&percpu, allocation, cpu);
                    EXPECT(is_aligned((uint64_t)piece, align) && piece[0] == 0 && piece[size - 1] == 0);
                    memset(piece, live[count].fill + (int)cpu, size);
                }
                count++;
            }
        } else if (count > 0) {
            unsigned choice = (unsigned)random_below(count);
            for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
                const uint8_t *piece = percpu_pointer(&percpu, live[choice].allocation, cpu);
                EXPECT(piece[0] == (uint8_t)(live[choice].fill + cpu));
                EXPECT(piece[live[choice].size - 1] == (uint8_t)(live[choice].fill + cpu));
            }
            EXPECT(percpu_free(&percpu, live[choice].allocation) == 0);
            live[choice] = live[--count];
        }
        EXPECT(percpu.allocations == count && percpu_pages(&percpu) == arena->held);
        if (test_step % 16 == 0)
            EXPECT(percpu_check(&percpu) == 0);
    }
    while (count > 0)
        EXPECT(percpu_free(&percpu, live[--count].allocation) == 0);
    percpu_finish();
}

static const struct test_row rows[] = {
    {"guard_pages", "areas are mapped whole, with an unmapped page on both sides", guard_pages},
    {"zeroed_and_full", "zeroed memory, a full space, and frees of what is no area", zeroed_and_full},
    {"listing", "areas are listed by address with their makers", listing},
    {"each_fails", "a failed page or mapping at any point costs one area and leaks nothing", each_fails},
    {"random_model", "mappings, guard pages and sums hold after each step", random_model},
    {"percpu_directed", "pieces of CPUs are apart, aligned and zeroed; wrong frees are refused", percpu_directed},
    {"percpu_fails", "no page, and no chunk", percpu_fails},
    {"percpu_each_fails", "a failed chunk costs one allocation and leaks nothing", percpu_each_fails},
    {"percpu_random", "pieces keep their content and the sums hold after each step", percpu_random},
};
TEST_MAIN("vmalloc", rows)
