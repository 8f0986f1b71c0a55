/* SPDX-License-Identifier: MIT */
/* Frames of the grant, and kernel objects in them, one a frame. */
#include "kernel_pool.h"

#include <proto/grant.h>

#include "kernel_test.h"

#define HUGE_FRAMES (1u << HUGE_PAGE_ORDER)

static struct {
    uint64_t first; /* 0: not opened, or no grant */
    uint64_t huge;  /* first frame of the huge block */
    unsigned count; /* free ones */
    uint64_t free[GRANT_FRAMES];
} pool;

/* The frame in which the object of a slot lies. */
static uint64_t object_frames[SLOTS_PER_FRAME];

static void pool_open(void)
{
    uint64_t badge;

    if (pool.first || (sys_cap_query(SLOT_PHYSICAL, &badge) & 0xff) != CAP_PHYSICAL)
        return;
    pool.first = GRANT_FIRST_PFN(badge);
    pool.huge = (pool.first + HUGE_FRAMES - 1) & ~(uint64_t)(HUGE_FRAMES - 1);
    for (uint64_t pfn = pool.first; pfn < pool.first + GRANT_FRAMES; pfn++)
        if (pfn < pool.huge || pfn >= pool.huge + HUGE_FRAMES)
            pool.free[pool.count++] = pfn;
}

bool grant_present(void)
{
    pool_open();
    return pool.first != 0;
}

unsigned pool_free_frames(void)
{
    pool_open();
    return pool.count;
}

uint64_t pool_first(void)
{
    pool_open();
    return pool.first;
}

uint64_t frame_new(void)
{
    pool_open();
    if (pool.count == 0)
        give_up(__FILE__, __LINE__, pool.first ? "no frame left" : "this test needs " GRANT_ARGUMENT, 0);
    return pool.free[--pool.count];
}

void frame_end(uint64_t pfn)
{
    if (CHECK(pfn - pool.first < GRANT_FRAMES) && CHECK_EQ(frame_type(pfn), FRAME_USER) &&
        CHECK_EQ(frame_references(pfn), 0) && pool.count < GRANT_FRAMES)
        pool.free[pool.count++] = pfn;
}

uint64_t huge_block(void)
{
    pool_open();
    return pool.huge;
}

enum frame_type frame_type(uint64_t pfn)
{
    return (enum frame_type)MUST(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, pfn, 0, NULL));
}

uint64_t frame_references(uint64_t pfn)
{
    uint64_t references;
    MUST(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, pfn, 0, &references));
    return references;
}

uint64_t object_new(enum cap_type type)
{
    const uint64_t slot = slot_new();

    object_frames[slot] = frame_new();
    MUST(sys_object_create(SLOT_PHYSICAL, type, object_frames[slot], 0, slot, 0));
    return slot;
}

void object_end(uint64_t slot)
{
    long result;

    while ((result = sys_object_destroy(SLOT_PHYSICAL, slot, NULL)) == -EAGAIN)
        (void)sys_yield();
    CHECK_EQ(result, 0);
    slot_free(slot);
    frame_end(object_frames[slot]);
}
