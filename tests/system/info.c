/* SPDX-License-Identifier: MIT */
/*
 * memsrv's books add up to the last page, and programs that come and go leave nothing behind.
 */
#include "server_state.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <quire/process.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHILDREN      50
#define WARM_CHILDREN 5
#define TOUCHED       300UL
#define CHILD_STATUS  7
#define SPIN_NS       20000000UL

#define PAGES_PER_BLOCK (1UL << HUGE_PAGE_ORDER)

static uint64_t sum(const struct memsrv_memory *memory)
{
    return memory->free + memory->lists + memory->user + memory->table + memory->object + memory->metadata +
           memory->kernel + memory->root + memory->archive + memory->tree + memory->firmware;
}

static void tell(const char *when, const struct memsrv_memory *memory)
{
    tap_diag("%s: free %lu lists %lu user %lu table %lu object %lu metadata %lu root %lu", when,
             (unsigned long)memory->free, (unsigned long)memory->lists, (unsigned long)memory->user,
             (unsigned long)memory->table, (unsigned long)memory->object, (unsigned long)memory->metadata,
             (unsigned long)memory->root);
}

static bool adds_up(void)
{
    const struct memsrv_memory memory = memory_now();
    if (sum(&memory) == memory.total)
        return true;
    tell("does not add up", &memory);
    return false;
}

/* True if the zone's figures fit together, whatever they are. */
static bool zone_is_sound(const struct memsrv_zone *zone, const struct memsrv_pagetype *pagetype)
{
    uint64_t pageblocks = 0;
    for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++)
        pageblocks += pagetype->pageblocks[type];
    return zone->free >= zone->deferred && zone->free <= zone->managed && zone->managed <= zone->present &&
           zone->present <= zone->spanned && zone->min > 0 && zone->min < zone->low && zone->low < zone->high &&
           zone->workers > 0 && zone->workers <= MEMSRV_WORKERS && zone->list_batch > 0 &&
           zone->list_batch <= zone->list_high && pageblocks * PAGES_PER_BLOCK >= zone->managed / 2;
}

static void test_zones(void)
{
    const struct memsrv_memory memory = memory_now();
    struct memsrv_zone zone;
    struct memsrv_buddy buddy;
    struct memsrv_pagetype pagetype;
    uint64_t free_in_zones = 0, free_in_blocks = 0, free_by_type = 0, listed = 0, present = 0;
    bool sound = true;
    size_t count;

    for (uint64_t index = 0; memsrv_zone_info(SLOT_MEMSRV, index, &zone, 1, &count) == 0; index++) {
        free_in_zones += zone.free;
        free_in_blocks += zone.deferred;
        free_by_type += zone.deferred;
        present += zone.present;
        for (uint64_t worker = 0; worker < zone.workers && worker < MEMSRV_WORKERS; worker++)
            listed += zone.list_movable[worker] + zone.list_unmovable[worker];
        if (memsrv_buddy_info(SLOT_MEMSRV, index, &buddy, 1, &count) < 0 ||
            memsrv_pagetype_info(SLOT_MEMSRV, index, &pagetype, 1, &count) < 0)
            break;
        for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++) {
            free_in_blocks += buddy.blocks[order] << order;
            for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++)
                free_by_type += pagetype.blocks[type * MEMSRV_BUDDY_ORDERS + order] << order;
        }
        sound = sound && (zone.managed == 0 || zone_is_sound(&zone, &pagetype));
    }
    tap_equal((long)free_in_zones, (long)memory.free, "the zones' free pages are all free pages");
    tap_equal((long)free_in_blocks, (long)memory.free, "the blocks' pages and the deferred ones are all free pages");
    tap_equal((long)free_by_type, (long)memory.free, "and so they are by migrate type");
    tap_equal((long)listed, (long)memory.lists, "the lists of all zones are all lists");
    tap_equal((long)present, (long)memory.total, "the zones hold all memory");
    tap_ok(sound, "watermarks, lists and pageblocks of each zone make sense");
}

static void test_allocations(void)
{
    struct memsrv_alloc before, after;
    size_t count;
    unsigned char *pages = mmap(NULL, TOUCHED * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tap_ok(memsrv_alloc_info(SLOT_MEMSRV, &before, 1, &count) == 0 && count == 1, "requests for pages are counted");
    for (uint64_t page = 0; page < TOUCHED; page++)
        pages[page * PAGE_SIZE] = 1;
    tap_ok(memsrv_alloc_info(SLOT_MEMSRV, &after, 1, &count) == 0 && after.requests > before.requests &&
               after.requests - before.requests < TOUCHED,
           "most touches are served by a list");
    tap_equal((long)(after.failures - before.failures), 0, "and none fails");
    (void)munmap(pages, TOUCHED * PAGE_SIZE);
}

/* Finds a cache by its name. */
static bool slab_find(const char *name, struct memsrv_slab *slab)
{
    size_t count;

    for (uint64_t index = 0; memsrv_slab_info(SLOT_MEMSRV, index, slab, 1, &count) == 0 && count == 1; index++) {
        if (strcmp(slab->name, name) == 0)
            return true;
    }
    return false;
}

static bool slab_makes_sense(const struct memsrv_slab *slab)
{
    tap_diag("%s: %lu of %lu objects of %lu bytes, %lu slabs of %lu pages", slab->name, (unsigned long)slab->used,
             (unsigned long)slab->objects, (unsigned long)slab->size, (unsigned long)slab->slabs,
             (unsigned long)slab->pages_per_slab);
    return slab->used <= slab->objects && slab->objects <= slab->slabs * slab->objects_per_slab &&
           slab->pages <= slab->slabs * slab->pages_per_slab && slab->slabs_partial <= slab->slabs &&
           slab->size >= slab->object_size && slab->reports == 0;
}

static void test_slabs(void)
{
    const struct memsrv_memory memory = memory_now();
    struct memsrv_slab slab, before, after;
    uint64_t kernel_pages = 0, identifier;
    size_t count;
    bool sensible = true;

    for (uint64_t index = 0; memsrv_slab_info(SLOT_MEMSRV, index, &slab, 1, &count) == 0; index++) {
        sensible = slab_makes_sense(&slab) && sensible;
        if (strncmp(slab.name, "kernel_", 7) == 0)
            kernel_pages += slab.pages;
    }
    tap_ok(sensible, "the caches' figures make sense and no fault was found");
    tap_equal((long)kernel_pages, (long)memory.object, "the caches of kernel objects hold all of their pages");
    tap_ok(slab_find("kernel_endpoint", &before), "there is a cache of endpoints");
    const int error = memsrv_object_create(SLOT_MEMSRV, CAP_ENDPOINT, &identifier, SLOT_FIRST_FREE + 8);
    tap_ok(error == 0 && slab_find("kernel_endpoint", &after) && after.used == before.used + 1,
           "which counts one that is made");
    tap_ok(memsrv_object_destroy(SLOT_MEMSRV, identifier) == 0 && slab_find("kernel_endpoint", &after) &&
               after.used == before.used,
           "and one that is destroyed");
    tap_ok(slab_find("area", &before), "there is a cache of areas");
    void *page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tap_ok(page != MAP_FAILED && slab_find("area", &after) && after.used == before.used + 1, "which counts a new area");
    tap_ok(munmap(page, PAGE_SIZE) == 0 && slab_find("area", &after) && after.used == before.used, "and a removed one");
}

/* The workers' stacks, if there are several workers: whole pages, apart by an unmapped one at least. */
static void test_own_areas(void)
{
    uint64_t start, end, caller, last = 0, areas = 0;
    bool sensible = true;

    while (memsrv_vmalloc_info(SLOT_MEMSRV, last, &start, &end, &caller) == 0) {
        sensible = sensible && start < end && (start | end) % PAGE_SIZE == 0 && caller != 0 &&
                   (last == 0 || start >= last + PAGE_SIZE);
        last = end;
        areas++;
    }
    tap_ok(sensible, "memsrv's %lu areas of its own are apart", (unsigned long)areas);
}

static void test_touch(void)
{
    const struct memsrv_memory before = memory_now();
    unsigned char *pages = mmap(NULL, TOUCHED * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (uint64_t page = 0; page < TOUCHED; page++)
        pages[page * PAGE_SIZE] = 1;
    const struct memsrv_memory during = memory_now();
    tap_equal((long)(during.user - before.user), TOUCHED, "touched pages are counted");
    tap_ok(adds_up(), "the sum holds while they are there");
    tap_ok(munmap(pages, TOUCHED * PAGE_SIZE) == 0, "munmap");
    const struct memsrv_memory after = memory_now();
    tap_equal((long)after.user, (long)before.user, "and they are gone again");
    tap_ok(adds_up(), "the sum holds afterwards");
}

static bool run_children(int count)
{
    const char *line[] = {"/tests/info", "child", NULL};
    bool good = true;

    for (int index = 0; good && index < count; index++) {
        const int status = process_run(line);
        good = status == CHILD_STATUS;
        if (!good)
            tap_diag("child %d: %d", index, status);
    }
    return good;
}

static void test_children(void)
{
    tap_ok(run_children(WARM_CHILDREN), "%d children to warm up", WARM_CHILDREN);
    const struct memsrv_memory before = memory_now();
    tap_ok(run_children(CHILDREN), "%d children come and go", CHILDREN);
    const struct memsrv_memory after = memory_now();
    tell("before", &before);
    tell("after", &after);
    tap_equal((long)(after.free + after.lists), (long)(before.free + before.lists), "no page is lost");
    tap_equal((long)after.user, (long)before.user, "no mapped page is left over");
    tap_equal((long)after.table, (long)before.table, "no translation table is left over");
    tap_equal((long)after.object, (long)before.object, "no kernel object is left over");
    tap_ok(adds_up(), "the sum holds");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

/* A child uses some of everything and ends without giving anything back. */
static int child(void)
{
    unsigned char *pages = mmap(NULL, TOUCHED * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t identifier;

    if (pages == MAP_FAILED || memsrv_object_create(SLOT_MEMSRV, CAP_ENDPOINT, &identifier, SLOT_FIRST_FREE) < 0)
        return 1;
    for (uint64_t page = 0; page < TOUCHED; page++)
        pages[page * PAGE_SIZE] = 1;
    return CHILD_STATUS;
}

static struct memsrv_vmstat events_now(void)
{
    struct memsrv_vmstat vmstat = {0};
    size_t count = 0;

    if (memsrv_vm_info(SLOT_MEMSRV, &vmstat, 1, &count) < 0 || count != 1)
        tap_diag("vm_info failed");
    return vmstat;
}

static bool is_the_sum(const struct memsrv_vmstat *vmstat)
{
    return vmstat->faults == vmstat->fault_anonymous + vmstat->fault_zero + vmstat->fault_copy + vmstat->fault_reuse +
                                 vmstat->fault_swap + vmstat->fault_object + vmstat->fault_huge +
                                 vmstat->fault_spurious + vmstat->fault_refused;
}

/* Writes to each page. */
static void write_all(volatile char *memory)
{
    for (unsigned long i = 0; i < TOUCHED; i++)
        memory[i * PAGE_SIZE] = 1;
}

/* Each kind of fault is counted, once for each page and by whichever worker. Others fault, too: so at least. */
static void test_events(void)
{
    const char *line[] = {"/tests/segv", "read-null", NULL};
    char *memory = mmap(NULL, TOUCHED * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, TOUCHED * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct memsrv_vmstat first = events_now();
    char seen = 0;

    for (unsigned long i = 0; i < TOUCHED; i++)
        seen = (char)(seen + ((volatile char *)memory)[i * PAGE_SIZE]);
    const struct memsrv_vmstat read = events_now();
    tap_ok(read.fault_zero - first.fault_zero >= TOUCHED && seen == 0, "reads are counted");
    write_all(memory);
    const struct memsrv_vmstat copied = events_now();
    tap_ok(copied.fault_copy - read.fault_copy >= TOUCHED, "so are writes where zeros were read");
    madvise(memory, TOUCHED * PAGE_SIZE, MADV_DONTNEED);
    write_all(memory);
    const struct memsrv_vmstat written = events_now();
    tap_ok(written.fault_anonymous - copied.fault_anonymous >= TOUCHED, "and writes where nothing was");
    write_all(shared);
    const struct memsrv_vmstat mapped = events_now();
    tap_ok(mapped.fault_object - written.fault_object >= TOUCHED, "so is shared memory");
    (void)!process_run(line);
    const struct memsrv_vmstat last = events_now();
    tap_ok(last.fault_refused > mapped.fault_refused, "and what is refused");
    tap_ok(is_the_sum(&last) && last.faults - first.faults > 4 * TOUCHED, "all together are what faults there were");
    munmap(memory, TOUCHED * PAGE_SIZE);
    munmap(shared, TOUCHED * PAGE_SIZE);
}

/* --- Processor time ------------------------------------------------------------------------------------------------ */

/* The time that this program's threads have had a processor, in ns. */
static uint64_t own_time(void)
{
    struct memsrv_space_use uses[PROTO_DATA_MAX / sizeof(struct memsrv_space_use)];
    uint64_t cursor = 0;

    do {
        size_t count = 0;
        if (memsrv_spaces_info(SLOT_MEMSRV, cursor, &cursor, uses, sizeof(uses) / sizeof(uses[0]), &count) < 0)
            return 0;
        for (size_t i = 0; i < count; i++)
            if (uses[i].pid == (uint64_t)getpid())
                return uses[i].run_time;
    } while (cursor);
    return 0;
}

static void *spin(void *argument)
{
    const uint64_t end = clock_now_ns() + SPIN_NS;

    while (clock_now_ns() < end)
        ;
    return argument;
}

/* There is no way to tell how long a program that is ready to run waits, but what is between two questions is enough. */
static void test_time(void)
{
    pthread_t thread;
    const uint64_t start = clock_now_ns(), before = own_time();

    (void)spin(NULL);
    const uint64_t after = own_time(), passed = clock_now_ns() - start;
    tap_ok(before > 0 && after > before && after - before <= passed, "%lu us of %lu us it had a processor",
           (unsigned long)((after - before) / 1000), (unsigned long)(passed / 1000));
    if (pthread_create(&thread, NULL, spin, NULL) == 0)
        (void)pthread_join(thread, NULL);
    tap_ok(own_time() - after >= SPIN_NS / 10, "what a thread has had stays when it has ended");
}

int main(int argument_count, char **arguments)
{
    uint64_t resident, tables, objects, areas;

    (void)arguments;
    if (argument_count > 1)
        return child();
    tap_plan(1 + 6 + 3 + 8 + 1 + 5 + 6 + 1 + 2 + 8);
    tap_ok(adds_up(), "every page of the machine is in the books");
    test_zones();
    test_allocations();
    test_slabs();
    test_own_areas();
    test_touch();
    test_events();
    tap_ok(memsrv_space_info(SLOT_MEMSRV, (uint64_t)getpid(), &resident, &tables, &objects, &areas) == 0 &&
               resident > 0 && tables > 0 && objects > 0 && areas > 3,
           "space_info knows this program");
    test_time();
    test_children();
    return tap_done();
}
