/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does with huge pages of which a part is to be something else, or is somebody else's: it splits them
 * where it must, only there, and counts mappings frame by frame throughout.
 */
#include <string.h>

#include "kernel_pool.h"
#include "kernel_test.h"

#define ADDRESS     0x200000000UL
#define READ_ONLY   (ENTRY_READ | ENTRY_ACCESSED | ENTRY_DIRTY)
#define READ_WRITE  (READ_ONLY | ENTRY_WRITE)
#define HUGE_FRAMES (1UL << HUGE_PAGE_ORDER)
#define SEEN        (READ_WRITE | ENTRY_HUGE | ENTRY_SHARED | ENTRY_LAST)

static struct space space, other;
static uint64_t huge;

/* A huge page of huge_block() at ADDRESS. */
static void scene_open(unsigned tables)
{
    huge = huge_block();
    space_new(&space);
    space_give_tables(&space, tables);
    CHECK_EQ(space_map(&space, ADDRESS, huge << PAGE_SHIFT | READ_WRITE | ENTRY_HUGE), 1);
}

static void scene_close(void)
{
    space_end(&space);
    for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
        if (frame_references(huge + i)) {
            CHECK_EQ(frame_references(huge + i), 0);
            return;
        }
    }
}

static uint64_t page_address(uint64_t page)
{
    return ADDRESS + page * PAGE_SIZE;
}

static uint64_t part_entry(uint64_t page, uint64_t flags)
{
    return (huge + page) << PAGE_SHIFT | flags;
}

/* Unmaps all of [ADDRESS, HUGE_PAGE_SIZE); counts results, those with ENTRY_LAST and those with ENTRY_HUGE. */
static void unmap_all(const struct space *from, unsigned *results, unsigned *last, unsigned *whole)
{
    const struct map_result *found = (const struct map_result *)ipc_buffer()->words;
    const uint64_t end = ADDRESS + HUGE_PAGE_SIZE;
    uint64_t address = ADDRESS;

    *results = *last = *whole = 0;
    while (address < end) {
        long count = MUST(sys_unmap(SLOT_PHYSICAL, from->slot, address, (end - address) / PAGE_SIZE, 0, &address));
        for (long i = 0; i < count; i++) {
            *last += (found[i].entry & ENTRY_LAST) != 0;
            *whole += (found[i].entry & ENTRY_HUGE) != 0;
        }
        *results += (unsigned)count;
    }
}

static void test_unmap_part(void)
{
    const struct map_result *found = (const struct map_result *)ipc_buffer()->words;
    unsigned results, last, whole;
    uint64_t next;

    scene_open(3);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, page_address(17), 2, 0, &next), 2);
    CHECK_EQ(next, page_address(19));
    CHECK_EQ(found[0].address, page_address(17));
    CHECK_EQ(found[0].entry, part_entry(17, READ_WRITE | ENTRY_LAST));
    CHECK_EQ(found[1].entry, part_entry(18, READ_WRITE | ENTRY_LAST));
    CHECK_EQ(frame_references(huge + 16), 1);
    CHECK_EQ(frame_references(huge + 17), 0);
    CHECK_EQ(space_entry(&space, page_address(17)), 0);
    CHECK_EQ(space_entry(&space, page_address(19)), part_entry(19, READ_WRITE));
    unmap_all(&space, &results, &last, &whole);
    CHECK_EQ(results, HUGE_FRAMES - 2);
    CHECK_EQ(last, HUGE_FRAMES - 2);
    CHECK_EQ(whole, 0);
    scene_close();
}

static void test_protect_part(void)
{
    uint64_t next;

    scene_open(3);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, ADDRESS, HUGE_FRAMES, ENTRY_READ, &next), 1);
    CHECK_EQ(space_entry(&space, page_address(5)) & SEEN, READ_ONLY | ENTRY_HUGE);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, ADDRESS, HUGE_FRAMES, ENTRY_READ | ENTRY_WRITE, &next), 1);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, page_address(HUGE_FRAMES - 1), 1, ENTRY_READ, &next), 1);
    CHECK_EQ(space_entry(&space, page_address(HUGE_FRAMES - 1)), part_entry(HUGE_FRAMES - 1, READ_ONLY));
    CHECK_EQ(space_entry(&space, page_address(HUGE_FRAMES - 2)), part_entry(HUGE_FRAMES - 2, READ_WRITE));
    CHECK_EQ(space_entry(&space, ADDRESS), part_entry(0, READ_WRITE));
    CHECK_EQ(frame_references(huge + HUGE_FRAMES - 1), 1);
    scene_close();
}

/* Without a table to spare nothing changes; what lies before is done and told first. */
static void test_no_table(void)
{
    const uint64_t pfn = frame_new();
    uint64_t next;

    scene_open(4);
    CHECK_EQ(space_map(&space, ADDRESS - PAGE_SIZE, pfn << PAGE_SHIFT | READ_WRITE), 1);
    space_take_tables(&space);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, page_address(1), 1, 0, &next), -ENOMEM);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, ADDRESS, 1, ENTRY_READ, &next), -ENOMEM);
    CHECK_EQ(space_item(&space, ADDRESS | MAP_ITEM_MAP | MAP_ITEM_REPLACE, pfn << PAGE_SHIFT | READ_WRITE), -ENOMEM);
    CHECK_EQ(space_entry(&space, ADDRESS), part_entry(0, READ_WRITE | ENTRY_HUGE));
    CHECK_EQ(frame_references(huge + 1), 1);
    space_give_tables(&space, 1);
    CHECK_EQ(space_map(&space, ADDRESS - 2 * PAGE_SIZE, pfn << PAGE_SHIFT | READ_WRITE), 1);
    space_take_tables(&space);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, ADDRESS - 2 * PAGE_SIZE, 3, ENTRY_READ, &next), 2);
    CHECK_EQ(next, ADDRESS);
    scene_close();
    frame_end(pfn);
}

/* Some of its frames are mapped elsewhere: no one answer is right for all, so it goes in pages. */
static void test_mixed(void)
{
    unsigned results, last, whole;

    scene_open(6);
    CHECK_EQ(space_map(&space, ADDRESS + 4 * HUGE_PAGE_SIZE, part_entry(9, READ_WRITE)), 1);
    CHECK_EQ(space_entry(&space, ADDRESS) & SEEN, READ_WRITE | ENTRY_HUGE | ENTRY_SHARED);
    unmap_all(&space, &results, &last, &whole);
    CHECK_EQ(results, HUGE_FRAMES);
    CHECK_EQ(last, HUGE_FRAMES - 1);
    CHECK_EQ(whole, 0);
    CHECK_EQ(frame_references(huge + 9), 1);
    scene_close();
}

static void share(void)
{
    uint64_t next;
    space_new(&other);
    space_give_tables(&other, 6);
    CHECK_EQ(sys_share(SLOT_PHYSICAL, space.slot, other.slot, ADDRESS, HUGE_FRAMES, &next), HUGE_FRAMES);
    CHECK_EQ(next, ADDRESS + HUGE_PAGE_SIZE);
}

static void test_share(void)
{
    unsigned results, last, whole;

    scene_open(3);
    share();
    CHECK_EQ(frame_references(huge + HUGE_FRAMES - 1), 2);
    CHECK_EQ(space_entry(&space, ADDRESS) & SEEN, READ_ONLY | ENTRY_HUGE | ENTRY_SHARED);
    CHECK_EQ(space_entry(&other, ADDRESS) & SEEN, READ_ONLY | ENTRY_HUGE | ENTRY_SHARED);
    CHECK_EQ(space_item(&space, ADDRESS | MAP_ITEM_PROMOTE, READ_WRITE), -EBUSY);
    unmap_all(&other, &results, &last, &whole);
    CHECK(results == 1 && last == 0 && whole == 1);
    CHECK_EQ(space_item(&space, page_address(3) | MAP_ITEM_PROMOTE, READ_WRITE), 1);
    CHECK_EQ(space_entry(&space, ADDRESS) & SEEN, READ_WRITE | ENTRY_HUGE);
    unmap_all(&space, &results, &last, &whole);
    CHECK(results == 1 && last == 1 && whole == 1);
    space_end(&other);
    scene_close();
}

/* A page of a shared huge page is replaced by a copy in one space; the other keeps it whole. */
static void test_copy_on_write(void)
{
    const uint64_t copy = frame_new(), unused = frame_new();
    const uint64_t wanted = MAP_ITEM_MAP | MAP_ITEM_REPLACE | MAP_ITEM_IF_READ_ONLY | MAP_ITEM_IF_SHARED;
    unsigned results, last, whole;

    scene_open(3);
    share();
    CHECK_EQ(space_item(&other, page_address(7) | wanted, copy << PAGE_SHIFT | READ_WRITE), 1);
    CHECK_EQ(space_entry(&other, page_address(7)), copy << PAGE_SHIFT | READ_WRITE);
    CHECK_EQ(space_entry(&other, page_address(8)), part_entry(8, READ_ONLY | ENTRY_SHARED));
    CHECK_EQ(space_entry(&space, page_address(7)) & SEEN, READ_ONLY | ENTRY_HUGE | ENTRY_SHARED);
    CHECK_EQ(frame_references(huge + 7), 1);
    CHECK_EQ(frame_references(huge + 8), 2);
    /* Its last page is not shared any more, so nothing is to be copied: it is split, and then it is a promotion. */
    CHECK_EQ(space_item(&space, page_address(7) | wanted, unused << PAGE_SHIFT | READ_WRITE), -EBUSY);
    CHECK_EQ(space_item(&space, page_address(7) | MAP_ITEM_PROMOTE, READ_WRITE), 1);
    CHECK_EQ(space_item(&space, page_address(8) | MAP_ITEM_PROMOTE, READ_WRITE), -EBUSY);
    unmap_all(&space, &results, &last, &whole);
    CHECK(results == HUGE_FRAMES && last == 1 && whole == 0);
    unmap_all(&other, &results, &last, &whole);
    CHECK(results == HUGE_FRAMES && last == HUGE_FRAMES && whole == 0);
    space_end(&other);
    scene_close();
    frame_end(copy), frame_end(unused);
}

static void test_harvest(void)
{
    const struct map_result *found = (const struct map_result *)ipc_buffer()->words;
    uint64_t next;

    scene_open(3);
    CHECK_EQ(sys_harvest(SLOT_PHYSICAL, space.slot, page_address(40), 2, ENTRY_DIRTY, &next), 1);
    CHECK_EQ(next, page_address(42));
    CHECK_EQ(found[0].address, page_address(40));
    CHECK_EQ(found[0].entry, part_entry(0, READ_WRITE | ENTRY_HUGE));
    CHECK_EQ(space_entry(&space, ADDRESS), part_entry(0, (READ_WRITE & ~ENTRY_DIRTY) | ENTRY_HUGE));
    CHECK_EQ(sys_harvest(SLOT_PHYSICAL, space.slot, page_address(40), 2 * HUGE_FRAMES, 0, &next), 1);
    CHECK_EQ(next, page_address(40 + 2 * HUGE_FRAMES));
    scene_close();
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a part of a huge page is unmapped, the rest stays", test_unmap_part},
        {"a part of a huge page gets other rights", test_protect_part},
        {"without a spare table nothing is split", test_no_table},
        {"a huge page some of whose frames are mapped elsewhere goes in pages", test_mixed},
        {"a shared huge page is whole in both spaces, and nobody's to write", test_share},
        {"copy-on-write of a page splits the huge page of one space", test_copy_on_write},
        {"a harvest tells a huge page by any address in it", test_harvest},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
