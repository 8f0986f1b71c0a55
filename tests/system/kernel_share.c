/* SPDX-License-Identifier: MIT */
/*
 * Translation tables that several spaces use, and what the kernel promises to who decides about copy-on-write: counts of
 * mappings, promotion and conditional replacement.
 */
#include "kernel_test.h"

#define BASE       0x200000000UL /* of the 2 MiB that are shared */
#define PAGES      5u
#define READ_WRITE (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)
#define READ_ONLY  (ENTRY_READ | ENTRY_ACCESSED)
#define TABLE      HUGE_PAGE_SIZE
#define SPAN       (HUGE_PAGE_SIZE / PAGE_SIZE)

static struct space parent, child;
static uint64_t frames[PAGES];

static uint64_t address_of(unsigned page)
{
    return BASE + page * PAGE_SIZE;
}

/* A parent with some pages in one table, and an empty child with spare tables. */
static void scene_open(void)
{
    space_new(&parent);
    space_new(&child);
    space_give_tables(&parent, 5);
    space_give_tables(&child, 5);
    for (unsigned i = 0; i < PAGES; i++) {
        frames[i] = frame_new();
        MUST(space_map(&parent, address_of(i), frames[i] << PAGE_SHIFT | READ_WRITE));
    }
}

static void scene_close(void)
{
    space_end(&child);
    space_end(&parent);
    for (unsigned i = 0; i < PAGES; i++)
        frame_end(frames[i]);
}

static long share(uint64_t address, uint64_t pages)
{
    uint64_t next = 0;
    const long result = sys_share(SLOT_PHYSICAL, parent.slot, child.slot, address, pages, &next);
    if (result >= 0)
        CHECK_EQ(next, address + pages * PAGE_SIZE);
    return result;
}

/* Unmaps in one call and returns the first result's entry. */
static uint64_t unmap_first(const struct space *space, uint64_t address, uint64_t pages)
{
    uint64_t next;
    const long count = MUST(sys_unmap(SLOT_PHYSICAL, space->slot, address, pages, 0, &next));
    return count > 0 ? ((const struct map_result *)ipc_buffer()->words)->entry : 0;
}

static unsigned spare_tables(const struct space *space)
{
    return (unsigned)MUST(sys_aspace_control(SLOT_PHYSICAL, space->slot, ASPACE_INFO, 0, 0, NULL));
}

/* What a harvest says of a page in a space, with whether it is shared apart. */
static uint64_t plain_entry(const struct space *space, unsigned page, bool *shared)
{
    const uint64_t entry = space_entry(space, address_of(page));
    *shared = entry & ENTRY_SHARED;
    return entry & ~ENTRY_SHARED;
}

static void test_sharing(void)
{
    bool shared;

    scene_open();
    const unsigned spare = spare_tables(&child);
    CHECK_EQ(share(BASE, SPAN), PAGES);
    CHECK_EQ(spare_tables(&child), spare - 2); /* levels 1 and 2 alone */
    for (unsigned i = 0; i < PAGES; i++) {
        CHECK_EQ(plain_entry(&child, i, &shared), frames[i] << PAGE_SHIFT | READ_WRITE);
        CHECK(shared);
        CHECK_EQ(plain_entry(&parent, i, &shared), frames[i] << PAGE_SHIFT | READ_WRITE);
        CHECK(shared);
        CHECK_EQ(frame_references(frames[i]), 1);
    }
    CHECK_EQ(space_entry(&child, address_of(PAGES)), 0);
    scene_close();
}

static void test_letting_go(void)
{
    bool shared;

    scene_open();
    MUST(share(BASE, SPAN));
    CHECK_EQ(unmap_first(&child, BASE, SPAN), (uint64_t)PAGES << PAGE_SHIFT | ENTRY_TABLE);
    CHECK_EQ(space_entry(&child, BASE), 0);
    CHECK_EQ(plain_entry(&parent, 0, &shared), frames[0] << PAGE_SHIFT | READ_WRITE);
    CHECK_EQ(frame_references(frames[0]), 1);
    /* It is the parent's alone now, so its pages come out one by one. */
    CHECK_EQ(unmap_first(&parent, BASE, SPAN), frames[0] << PAGE_SHIFT | READ_WRITE | ENTRY_LAST);
    CHECK_EQ(frame_references(frames[0]), 0);
    scene_close();
}

static void test_last_user(void)
{
    scene_open();
    MUST(share(BASE, SPAN));
    CHECK_EQ(unmap_first(&parent, BASE, SPAN), (uint64_t)PAGES << PAGE_SHIFT | ENTRY_TABLE);
    CHECK_EQ(unmap_first(&child, BASE, SPAN), frames[0] << PAGE_SHIFT | READ_WRITE | ENTRY_LAST);
    /* The table that the parent was given is the child's now. */
    CHECK(spare_tables(&child) > spare_tables(&parent));
    scene_close();
}

static void test_parting(void)
{
    bool shared;

    scene_open();
    MUST(share(BASE, SPAN));
    const unsigned spare = spare_tables(&child);
    CHECK_EQ(unmap_first(&child, address_of(1), 1), frames[1] << PAGE_SHIFT | READ_ONLY | ENTRY_DIRTY);
    CHECK_EQ(spare_tables(&child), spare - 1);
    CHECK_EQ(space_entry(&child, address_of(1)), 0);
    CHECK_EQ(frame_references(frames[0]), 2);
    CHECK_EQ(frame_references(frames[1]), 1);
    /* Neither may write any more, and both know why. */
    CHECK_EQ(plain_entry(&child, 0, &shared), frames[0] << PAGE_SHIFT | READ_ONLY | ENTRY_DIRTY);
    CHECK(shared);
    CHECK_EQ(plain_entry(&parent, 0, &shared), frames[0] << PAGE_SHIFT | READ_ONLY | ENTRY_DIRTY);
    CHECK(shared);
    scene_close();
}

static void test_changes(void)
{
    bool shared;
    uint64_t next;
    const uint64_t fresh = frame_new();

    scene_open();
    MUST(share(BASE, SPAN));
    MUST(space_map(&child, address_of(7), fresh << PAGE_SHIFT | READ_WRITE));
    CHECK_EQ(space_entry(&parent, address_of(7)), 0);
    MUST(share(BASE + TABLE, SPAN)); /* nothing there */
    CHECK_EQ(share(BASE, SPAN), -EEXIST);
    (void)space_unmap(&child, BASE, SPAN);
    MUST(share(BASE, SPAN));
    CHECK_EQ(MUST(sys_protect(SLOT_PHYSICAL, child.slot, address_of(2), 1, ENTRY_READ | ENTRY_EXECUTE, &next)), 1);
    CHECK_EQ(plain_entry(&parent, 2, &shared) & ENTRY_EXECUTE, 0);
    CHECK_EQ(plain_entry(&child, 2, &shared) & ENTRY_EXECUTE, ENTRY_EXECUTE);
    scene_close();
    frame_end(fresh);
}

static void test_without_tables(void)
{
    uint64_t next;

    scene_open();
    MUST(share(BASE, SPAN));
    (void)space_take_tables(&child);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, child.slot, address_of(1), 1, 0, &next), -ENOMEM);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, child.slot, address_of(1), 1, ENTRY_READ, &next), -ENOMEM);
    CHECK_EQ(space_item(&child, address_of(1) | MAP_ITEM_PROMOTE, READ_WRITE), -ENOMEM);
    CHECK_EQ(space_map(&child, address_of(8), frames[0] << PAGE_SHIFT | READ_ONLY), -ENOMEM);
    CHECK_EQ(frame_references(frames[0]), 1);
    CHECK_EQ(unmap_first(&child, BASE, SPAN), (uint64_t)PAGES << PAGE_SHIFT | ENTRY_TABLE);
    (void)space_take_tables(&child);
    CHECK_EQ(share(BASE, SPAN), -ENOMEM);
    scene_close();
}

static void test_promotion(void)
{
    bool shared;
    const uint64_t target = address_of(0) | MAP_ITEM_PROMOTE;

    scene_open();
    MUST(share(BASE, SPAN));
    CHECK_EQ(space_item(&child, target, READ_WRITE), -EBUSY);
    CHECK_EQ(unmap_first(&parent, address_of(0), 1) & (ENTRY_LAST | ENTRY_WRITE), 0);
    MUST(space_item(&child, target, READ_WRITE));
    CHECK_EQ(plain_entry(&child, 0, &shared), frames[0] << PAGE_SHIFT | READ_WRITE);
    CHECK(!shared);
    CHECK_EQ(space_item(&child, address_of(6) | MAP_ITEM_PROMOTE, READ_WRITE), -ENOENT);
    CHECK_EQ(space_item(&child, USER_VA_END | MAP_ITEM_PROMOTE, READ_WRITE), -EINVAL);
    scene_close();
}

static void test_conditions(void)
{
    const uint64_t copy = frame_new();
    const uint64_t replace = MAP_ITEM_MAP | MAP_ITEM_REPLACE;

    scene_open();
    CHECK_EQ(space_item(&parent, address_of(0) | replace | MAP_ITEM_IF_READ_ONLY, copy << PAGE_SHIFT | READ_WRITE),
             -EBUSY);
    CHECK_EQ(space_item(&parent, address_of(0) | replace | MAP_ITEM_IF_SHARED, copy << PAGE_SHIFT | READ_WRITE),
             -EBUSY);
    CHECK_EQ(frame_references(copy), 0);
    MUST(share(BASE, SPAN));
    MUST(space_item(&child, address_of(0) | replace | MAP_ITEM_IF_READ_ONLY | MAP_ITEM_IF_SHARED,
                    copy << PAGE_SHIFT | READ_WRITE));
    CHECK_EQ(frame_references(copy), 1);
    CHECK_EQ(frame_references(frames[0]), 1);
    /* Once is enough: the second answer to the same fault comes too late. */
    CHECK_EQ(space_item(&child, address_of(0) | replace | MAP_ITEM_IF_READ_ONLY | MAP_ITEM_IF_SHARED,
                        frames[1] << PAGE_SHIFT | READ_WRITE),
             -EBUSY);
    scene_close();
    frame_end(copy);
}

static void test_protect_if_last(void)
{
    uint64_t next;
    bool shared;

    scene_open();
    MUST(share(BASE, SPAN));
    MUST(space_unmap(&child, address_of(1), 1));
    MUST(sys_protect(SLOT_PHYSICAL, parent.slot, BASE, PAGES, ENTRY_READ | ENTRY_WRITE | PROTECT_IF_LAST, &next));
    CHECK_EQ(plain_entry(&parent, 0, &shared) & ENTRY_WRITE, 0);
    CHECK_EQ(plain_entry(&parent, 1, &shared) & ENTRY_WRITE, ENTRY_WRITE);
    scene_close();
}

static void test_bad_calls(void)
{
    uint64_t next;

    scene_open();
    const uint64_t bare = capability_new(child.slot, RIGHT_COPY, 0);
    CHECK_EQ(sys_share(SLOT_PHYSICAL, parent.slot, parent.slot, BASE, SPAN, &next), -EINVAL);
    CHECK_EQ(share(BASE + PAGE_SIZE, SPAN), -EINVAL);
    CHECK_EQ(share(BASE, SPAN - 1), -EINVAL);
    CHECK_EQ(share(USER_VA_END, SPAN), -EINVAL);
    CHECK_EQ(share(USER_VA_END - TABLE, 2 * SPAN), -EINVAL);
    CHECK_EQ(share(BASE, UINT64_MAX & ~(SPAN - 1)), -EINVAL);
    CHECK_EQ(share(0, 0), 0);
    CHECK_EQ(sys_share(SLOT_PHYSICAL, parent.slot, SLOT_THREAD, BASE, SPAN, &next), -EBADF);
    CHECK_EQ(sys_share(SLOT_PHYSICAL, SLOT_THREAD, child.slot, BASE, SPAN, &next), -EBADF);
    CHECK_EQ(sys_share(SLOT_THREAD, parent.slot, child.slot, BASE, SPAN, &next), -EBADF);
    CHECK_EQ(sys_share(SLOT_PHYSICAL, parent.slot, bare, BASE, SPAN, &next), -EPERM);
    slot_free(bare);
    scene_close();
}

static void test_softening(void)
{
    const uint64_t soft = 0x1234567UL << PAGE_SHIFT;
    const struct space *both[] = {&parent, &child};

    scene_open();
    MUST(share(BASE, SPAN));
    const unsigned spare = spare_tables(&child);
    CHECK_EQ(space_item(&child, address_of(1) | MAP_ITEM_SOFTEN, soft), 1);
    CHECK_EQ(spare_tables(&child), spare); /* the table is in common still */
    CHECK_EQ(frame_references(frames[1]), 0);
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(space_entry(both[i], address_of(1)) & ~ENTRY_SHARED, soft | ENTRY_SOFT);
    CHECK_EQ(space_item(&child, address_of(1) | MAP_ITEM_SOFTEN, soft), -ENOENT);
    CHECK_EQ(space_item(&child, address_of(PAGES) | MAP_ITEM_SOFTEN, soft), -ENOENT);
    CHECK_EQ(space_item(&child, USER_VA_END | MAP_ITEM_SOFTEN, soft), -EINVAL);
    /* When they part both have it, and each puts a page there for itself. */
    CHECK_EQ(space_item(&child, address_of(1) | MAP_ITEM_MAP | MAP_ITEM_REPLACE, frames[1] << PAGE_SHIFT | READ_WRITE),
             1);
    CHECK_EQ(space_entry(&parent, address_of(1)) & ~ENTRY_SHARED, soft | ENTRY_SOFT);
    CHECK_EQ(frame_references(frames[1]), 1);
    CHECK_EQ(frame_references(frames[0]), 2);
    /* In a table of its own it is the space's business alone. */
    CHECK_EQ(space_item(&parent, address_of(0) | MAP_ITEM_SOFTEN, soft), 1);
    CHECK_EQ(space_entry(&parent, address_of(0)) & ~ENTRY_SHARED, soft | ENTRY_SOFT);
    CHECK_EQ(frame_references(frames[0]), 1);
    CHECK_EQ(unmap_first(&parent, address_of(0), 1), soft | ENTRY_SOFT);
    scene_close();
}

static void test_huge(void)
{
    const uint64_t first = huge_block();

    scene_open();
    MUST(space_map(&parent, BASE + TABLE, first << PAGE_SHIFT | READ_WRITE | ENTRY_HUGE));
    CHECK_EQ(share(BASE + TABLE, SPAN), (long)SPAN);
    CHECK_EQ(frame_references(first), 2);
    CHECK_EQ(frame_references(first + SPAN - 1), 2);
    CHECK_EQ(space_entry(&parent, BASE + TABLE) & (ENTRY_WRITE | ENTRY_HUGE | ENTRY_SHARED), ENTRY_HUGE | ENTRY_SHARED);
    /* A part that goes makes it pages; then its frames are not all alike. */
    CHECK_EQ(unmap_first(&child, BASE + TABLE + PAGE_SIZE, 1) & (ENTRY_LAST | ENTRY_HUGE), 0);
    CHECK_EQ(frame_references(first + 1), 1);
    CHECK_EQ(unmap_first(&parent, BASE + TABLE, 2) & (ENTRY_LAST | ENTRY_HUGE), 0);
    CHECK_EQ(frame_references(first), 1);
    CHECK_EQ(unmap_first(&parent, BASE + TABLE + 2 * PAGE_SIZE, SPAN - 2) & ENTRY_LAST, 0);
    (void)space_unmap(&parent, BASE + TABLE, SPAN);
    CHECK_EQ(unmap_first(&child, BASE + TABLE, 1) & ENTRY_LAST, ENTRY_LAST);
    (void)space_unmap(&child, BASE + TABLE, SPAN);
    /* A huge page that nothing else maps goes whole. */
    MUST(space_map(&parent, BASE + TABLE, first << PAGE_SHIFT | READ_WRITE | ENTRY_HUGE));
    CHECK_EQ(unmap_first(&parent, BASE + TABLE, SPAN), first << PAGE_SHIFT | READ_WRITE | ENTRY_HUGE | ENTRY_LAST);
    CHECK_EQ(frame_references(first + 5), 0);
    scene_close();
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a shared table shows its pages in both spaces, and is told to", test_sharing},
        {"a space lets go of a shared table as a whole", test_letting_go},
        {"the last space that uses a table has its pages", test_last_user},
        {"who unmaps a part gets a table of its own", test_parting},
        {"who maps or protects a part does, too", test_changes},
        {"without a spare table nothing changes", test_without_tables},
        {"a page is promoted only if nothing else maps it", test_promotion},
        {"a page is replaced only as its conditions say", test_conditions},
        {"protecting gives the right to write to pages that are the space's alone", test_protect_if_last},
        {"bad arguments are refused", test_bad_calls},
        {"a soft entry takes the place of a page for all who use the table", test_softening},
        {"huge pages are shared, too, and become pages when a part goes", test_huge},
    };

    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
