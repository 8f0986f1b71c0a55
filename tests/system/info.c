/* SPDX-License-Identifier: MIT */
/*
 * memsrv's books add up to the last page, and programs that come and go leave nothing behind.
 */
#include "tap.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHILDREN      50
#define WARM_CHILDREN 5
#define TOUCHED       300UL
#define CHILD_STATUS  7

static struct memsrv_memory memory_now(void)
{
    struct memsrv_memory memory = {0};
    size_t count = 0;

    if (memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) < 0 || count != 1)
        tap_diag("memory_info failed");
    return memory;
}

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

static void test_zones(void)
{
    const struct memsrv_memory memory = memory_now();
    struct memsrv_zone zone;
    struct memsrv_buddy buddy;
    uint64_t free_in_zones = 0, free_in_blocks = 0;
    size_t count;

    for (uint64_t index = 0; memsrv_zone_info(SLOT_MEMSRV, index, &zone, 1, &count) == 0; index++) {
        free_in_zones += zone.free;
        if (memsrv_buddy_info(SLOT_MEMSRV, index, &buddy, 1, &count) < 0)
            break;
        for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++)
            free_in_blocks += buddy.blocks[order] << order;
    }
    tap_equal((long)free_in_zones, (long)memory.free, "the zones' free pages are all free pages");
    tap_equal((long)free_in_blocks, (long)memory.free, "the blocks' pages are all free pages");
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
    uint64_t failures = 1;

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
    tap_ok(memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0, "memsrv's structures are sound");
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

int main(int argument_count, char **arguments)
{
    uint64_t resident, tables, objects, areas;

    (void)arguments;
    if (argument_count > 1)
        return child();
    tap_plan(1 + 2 + 5 + 1 + 8);
    tap_ok(adds_up(), "every page of the machine is in the books");
    test_zones();
    test_touch();
    tap_ok(memsrv_space_info(SLOT_MEMSRV, (uint64_t)getpid(), &resident, &tables, &objects, &areas) == 0 &&
               resident > 0 && tables > 0 && objects > 0 && areas > 3,
           "space_info knows this program");
    test_children();
    return tap_done();
}
