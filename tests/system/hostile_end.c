/* SPDX-License-Identifier: MIT */
/* Takes down whatever the attackers have made, and looks whether anything of it is left. */
#include <errno.h>

#include <proto/grant.h>

#include "hostile_end.h"
#include "kernel_pool.h"
#include "kernel_test.h"

#define PASSES_MAX 200000u

static bool unmap_range(uint64_t slot, uint64_t address, uint64_t end)
{
    while (address < end) {
        const uint64_t from = address;
        const long count = sys_unmap(SLOT_PHYSICAL, slot, address, (end - address) / PAGE_SIZE, 0, &address);
        if (count < 0 || (count == 0 && address == from))
            return false;
    }
    return true;
}

/* Unmaps everything, around the window if the space shows it, and takes the tables. */
static void empty_space(uint64_t slot)
{
    if (!unmap_range(slot, 0, USER_VA_END)) {
        CHECK(unmap_range(slot, 0, WINDOW_BASE));
        CHECK(unmap_range(slot, WINDOW_BASE + WINDOW_SIZE, USER_VA_END));
    }
    while (MUST(sys_aspace_control(SLOT_PHYSICAL, slot, ASPACE_TAKE_TABLES, MSG_BUFFER_WORDS, 0, NULL)) > 0)
        continue;
}

/* One step towards the end of what a slot holds; true if it is empty now. */
static bool end_one(uint64_t slot)
{
    const long type = MUST(sys_cap_query(slot, NULL)) & 0xff;

    if (type == CAP_NONE)
        return true;
    if (type == CAP_PHYSICAL)
        return sys_cap_delete(SLOT_TABLE, slot) == 0;
    if (type == CAP_ASPACE)
        empty_space(slot);
    const long result = sys_object_destroy(SLOT_PHYSICAL, slot, NULL);
    /* EBUSY: threads use it; EAGAIN: in parts, or a CPU must let go of it first; 1: a frame of slots. */
    CHECK(result == 0 || result == 1 || result == -EBUSY || result == -EAGAIN);
    return result == 0;
}

bool objects_end(uint64_t first, unsigned count)
{
    bool left = true;

    for (unsigned pass = 0; left && pass < PASSES_MAX; pass++) {
        left = false;
        for (uint64_t slot = first; slot < first + count; slot++)
            left |= !end_one(slot);
        (void)sys_yield();
    }
    return !left;
}

unsigned frames_in_use(void)
{
    unsigned used = 0;

    for (uint64_t pfn = pool_first(); pfn < pool_first() + GRANT_FRAMES; pfn++)
        used += frame_type(pfn) != FRAME_USER || frame_references(pfn) != 0;
    return used;
}

bool kernel_is_sound(void)
{
    long result = 1;

    for (uint64_t part = 0; result == 1; part++)
        result = sys_system(SLOT_PHYSICAL, SYSTEM_KERNEL_CHECK, part, 0, NULL);
    return result == 0;
}
