/* SPDX-License-Identifier: MIT */
/*
 * Fork: areas are copied one by one, translation tables are not copied at all but used by both spaces until one of them
 * changes something (SYS_SHARE). Which pages are whose is then a matter of copy-on-write: see cow.h.
 */
#include "fork.h"

#include <errno.h>

#include <base/bits.h>
#include <quire/syscall.h>

#include "areas.h"
#include "cow.h"
#include "limits.h"
#include "memgroups.h"
#include "object.h"
#include "records.h"
#include "space_pages.h"
#include "space_tables.h"

/* Bits of an address below the number of the gigabyte that a second-level table shows, and of that below the number of
 * the first-level one. */
#define GIGABYTE_SHIFT 30u
#define TABLE_SHIFT    9u

/* Flags that a child's area has not. */
#define NOT_INHERITED (VMA_LOCKED | VMA_LOCK_ON_FAULT)

/* Areas that a child has not. */
static bool is_left_out(const struct vma *area)
{
    return area->flags & (AREA_BUFFER | VMA_DEVICE | VMA_DONT_FORK);
}

/* Areas of which a child has no page. */
static bool is_empty_in_child(const struct vma *area)
{
    return is_left_out(area) || (area->flags & VMA_WIPE_ON_FORK);
}

static int copy_area(struct space *child, const struct vma *area) REQUIRES(child->lock)
{
    uint64_t pages = pages_of(area->end - area->start);
    struct vma *copy = area_alloc();
    if (!copy)
        return -ENOMEM;
    if (area->flags & VMA_CHARGED) {
        int error = limits_charge_locked(child, pages);
        if (error) {
            area_free(copy);
            return error;
        }
    }
    copy->start = area->start;
    copy->end = area->end;
    copy->flags = area->flags & ~NOT_INHERITED;
    copy->offset = area->offset;
    copy->object = area->object;
    copy->touched = area->touched && !is_empty_in_child(area);
    (void)area_insert_locked(child, copy, NULL); /* they come in order */
    return 0;
}

static int copy_areas(struct space *parent, struct space *child) REQUIRES(parent->lock, child->lock)
{
    int error = 0;
    for (const struct vma *area = vma_first(&parent->areas); area && !error; area = vma_next(&parent->areas, area)) {
        if (!is_left_out(area))
            error = copy_area(child, area);
    }
    return error;
}

/* About how many tables the child needs at once for what it shares, its thread's buffer and a stack of its own; one that is
 * missing after all is given then. */
static uint64_t tables_needed(struct space *parent) REQUIRES(parent->lock)
{
    uint64_t needed = 3, last = UINT64_MAX; /* the two last-level tables, and one to spare */

    for (const struct vma *area = vma_first(&parent->areas); area; area = vma_next(&parent->areas, area)) {
        const uint64_t gigabyte = area->start >> GIGABYTE_SHIFT;
        if (gigabyte == last || (!area->touched && !(area->flags & AREA_BUFFER)))
            continue;
        needed += last == UINT64_MAX || gigabyte >> TABLE_SHIFT != last >> TABLE_SHIFT ? 2 : 1;
        last = gigabyte;
    }
    return needed < TABLES_AT_ONCE ? needed : TABLES_AT_ONCE;
}

/* Shares the tables of [start, end), whole ones. */
static int share_range(struct space *parent, struct space *child, uint64_t start, uint64_t end)
    REQUIRES(parent->lock, child->lock)
{
    while (start < end) {
        uint64_t next = start;
        long pages = sys_share(SLOT_PHYSICAL, parent->aspace.slot, child->aspace.slot, start,
                               (end - start) >> PAGE_SHIFT, &next);
        if (pages == -ENOMEM)
            pages = space_give_table_locked(child);
        if (pages < 0)
            return (int)pages;
        child->resident += (uint64_t)pages;
        start = next;
    }
    return 0;
}

/* Shares the tables of all areas that have pages; areas that have a table in common are one range. */
static int share_tables(struct space *parent, struct space *child) REQUIRES(parent->lock, child->lock)
{
    uint64_t start = 0, end = 0;
    int error = 0;

    for (const struct vma *area = vma_first(&parent->areas); area && !error; area = vma_next(&parent->areas, area)) {
        if (!area->touched || is_empty_in_child(area))
            continue;
        uint64_t from = align_down(area->start, HUGE_PAGE_SIZE);
        if (from > end) {
            error = share_range(parent, child, start, end);
            start = from;
        }
        end = align_up(area->end, HUGE_PAGE_SIZE);
    }
    return error ? error : share_range(parent, child, start, end);
}

/* Takes away what came along in shared tables and is not the child's. */
static int forget_rest(struct space *parent, struct space *child) REQUIRES(parent->lock, child->lock)
{
    for (const struct vma *area = vma_first(&parent->areas); area; area = vma_next(&parent->areas, area)) {
        /* Buffers have their last-level table to themselves, which is not shared. */
        if (!is_empty_in_child(area) || !area->touched || (area->flags & AREA_BUFFER))
            continue;
        int error = space_ready_to_change_locked(child, area->start, area->end, false);
        if (error)
            return error;
        child->resident -= space_forget_locked(child, area->start, area->end);
    }
    return 0;
}

int fork_copy_locked(struct memsrv_context *worker, struct space *parent, struct space *child)
{
    family_join(parent, child);
    child->parent = parent->pid;
    child->image_end = parent->image_end;
    child->heap_start = parent->heap_start;
    child->heap_end = parent->heap_end;
    child->mappings_high = parent->mappings_high;
    child->limits = parent->limits;
    memgroups_leave(child->standing.group);
    child->standing = parent->standing;
    memgroups_join(child->standing.group);
    int error = objects_inherit(parent, child);
    if (!error)
        error = copy_areas(parent, child);
    if (error)
        return error;
    space_wait_for_faults_locked(worker, parent);
    parent->shares_tables = child->shares_tables = true;
    space_give_tables_locked(child, tables_needed(parent));
    child->huge_entries = parent->huge_entries;
    error = share_tables(parent, child);
    return error ? error : forget_rest(parent, child);
}

void fork_part_with_page_locked(struct memsrv_context *worker, struct space *parent, struct space *child,
                                uint64_t address)
{
    struct vma *area = address < USER_VA_END ? vma_at(&child->areas, address) : NULL;

    if (!area || area->object || (area->flags & (VMA_SHARED | VMA_DEVICE)) || !(area->flags & VMA_WRITE))
        return;
    const uint64_t entry = space_entry_locked(child, address);
    if (!(entry & ENTRY_WRITE) || (entry & ENTRY_HUGE))
        return;
    /* If either fails it has a fault more, and memory may be there by then. */
    if (cow_break_locked(worker, child, area, address, entry) == 0)
        (void)!space_promote_locked(parent, address, entry_flags(area->flags));
}
