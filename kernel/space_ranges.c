/* SPDX-License-Identifier: MIT */
/*
 * Batches over an address space: map items, and unmap, protect and harvest over a range. Each call does a bounded part
 * (RANGE_STEPS entries or empty spans looked at) and says where to go on, so a range of any length is a loop in user
 * space that can be preempted and restarted.
 */
#include <errno.h>

#include <arch/pagetable.h>

#include "space_tables.h"

#define RANGE_STEPS 512u
/* From this many pages on it is cheaper to drop all that the TLBs hold of the space. */
#define TLB_PAGES_MAX 32u

struct range {
    struct aspace *aspace;
    uint64_t address, end;
    uint64_t argument;
    struct map_result *results; /* in the caller's buffer */
    uint32_t count;             /* results, or entries changed */
    uint32_t stale;             /* entries that TLBs may still hold */
    bool removes;               /* entries go, so tables may get empty */
    long error;
    uint64_t stale_pages[TLB_PAGES_MAX];
};

/* What a call does to one leaf in use. False: no room for the result, come again. */
typedef bool leaf_operation(struct range *range, uint64_t *entry, unsigned level);

struct aspace *space_argument(const struct thread *caller, long *error)
{
    if (!require_physical(caller, context_argument(&caller->context, 0), error))
        return NULL;
    return (struct aspace *)cap_find(caller->table, context_argument(&caller->context, 1), CAP_ASPACE, RIGHT_CONTROL,
                                     error);
}

static void mark_stale(struct range *range)
{
    if (range->stale < TLB_PAGES_MAX)
        range->stale_pages[range->stale] = range->address;
    range->stale++;
}

static void drop_stale(const struct range *range)
{
    if (!range->stale)
        return;
    table_write_barrier();
    if (range->stale > TLB_PAGES_MAX) {
        tlb_drop_space(range->aspace->identifier);
    } else {
        for (uint32_t i = 0; i < range->stale; i++)
            tlb_drop_page(range->aspace->identifier, range->stale_pages[i]);
    }
    tlb_finish();
}

static bool put_result(struct range *range, uint64_t entry)
{
    if (range->count == MAP_ITEMS_MAX)
        return false;
    range->results[range->count++] = (struct map_result){range->address, entry};
    return true;
}

/* One entry above the leaf level: nothing, or a huge page, which the range must cover whole. */
static bool walk_span(struct range *range, uint64_t *entry, unsigned level, leaf_operation *operation)
{
    uint64_t span = pte_span(level);
    uint64_t next = (range->address & ~(span - 1)) + span;

    if (*entry) {
        if (range->address % span || next > range->end) {
            range->error = -EINVAL;
            return false;
        }
        if (!operation(range, entry, level))
            return false;
    }
    range->address = next;
    return true;
}

/* The entries of one last-level table, from that of range->address on. */
static bool walk_table(struct range *range, uint64_t *entry, unsigned *steps, leaf_operation *operation)
{
    for (unsigned i = pte_index(range->address, LEAF_LEVEL); i < 512 && range->address < range->end && *steps;
         i++, entry++, --*steps) {
        if (*entry && !operation(range, entry, LEAF_LEVEL))
            return false;
        range->address += PAGE_SIZE;
    }
    return true;
}

/* Runs `operation` over the entries in use of the range, a bounded number of them. */
static void walk(struct range *range, leaf_operation *operation)
{
    unsigned steps = RANGE_STEPS;
    bool more = true;

    while (more && range->address < range->end && steps) {
        unsigned level;
        uint64_t first = range->address;
        uint64_t *entry = space_entry(range->aspace, first, &level);
        if (level == LEAF_LEVEL) {
            more = walk_table(range, entry, &steps, operation);
        } else {
            more = walk_span(range, entry, level, operation);
            steps--;
        }
        if (range->removes)
            space_prune(range->aspace, first);
    }
}

static bool unmap_leaf(struct range *range, uint64_t *entry, unsigned level)
{
    uint64_t pte = *entry;
    if (!pte_is_present(pte) && (range->argument & UNMAP_KEEP_SOFT))
        return true;
    if (!put_result(range, pte_to_entry(pte, level)))
        return false;
    if (pte_is_present(pte))
        mark_stale(range);
    space_drop_leaf(range->aspace, entry, level);
    return true;
}

static bool protect_leaf(struct range *range, uint64_t *entry, unsigned level)
{
    if (!pte_is_present(*entry))
        return true;
    uint64_t rights = ENTRY_READ | ENTRY_WRITE | ENTRY_EXECUTE;
    uint64_t old = pte_to_entry(*entry, level);
    uint64_t wanted = (old & ~rights) | (range->argument & rights);
    if (wanted == old)
        return true;
    if (!(old & ENTRY_WRITE))
        wanted &= ~ENTRY_DIRTY;
    *entry = pte_from_entry(wanted, level);
    mark_stale(range);
    range->count++;
    return true;
}

static bool harvest_leaf(struct range *range, uint64_t *entry, unsigned level)
{
    uint64_t found = pte_to_entry(*entry, level);
    if (!put_result(range, found))
        return false;
    uint64_t clear = range->argument & (ENTRY_ACCESSED | ENTRY_DIRTY);
    if (pte_is_present(*entry) && (found & clear)) {
        *entry = pte_from_entry(found & ~clear, level);
        mark_stale(range);
    }
    return true;
}

static long begin(struct thread *caller, struct range *range)
{
    struct context *context = &caller->context;
    uint64_t pages = context_argument(context, 3);
    long error = 0;

    range->aspace = space_argument(caller, &error);
    if (error)
        return error;
    range->address = context_argument(context, 2);
    if (range->address % PAGE_SIZE || pages > USER_VA_END / PAGE_SIZE || !caller->buffer ||
        !space_range_ok(range->aspace, range->address, pages * PAGE_SIZE))
        return -EINVAL;
    range->end = range->address + pages * PAGE_SIZE;
    range->argument = context_argument(context, 4);
    range->results = (struct map_result *)caller->buffer->words;
    range->count = range->stale = 0;
    range->removes = false;
    range->error = 0;
    return 0;
}

static long finish(struct thread *caller, const struct range *range)
{
    drop_stale(range);
    context_set_second(&caller->context, range->address < range->end ? range->address : range->end);
    return range->count ? range->count : range->error;
}

long aspace_unmap(struct thread *caller)
{
    struct range range;
    long error = begin(caller, &range);
    if (error)
        return error;
    range.removes = true;
    walk(&range, unmap_leaf);
    return finish(caller, &range);
}

long aspace_protect(struct thread *caller)
{
    struct range range;
    long error = begin(caller, &range);
    if (error)
        return error;
    walk(&range, protect_leaf);
    return finish(caller, &range);
}

long aspace_harvest(struct thread *caller)
{
    struct range range;
    long error = begin(caller, &range);
    if (error)
        return error;
    walk(&range, harvest_leaf);
    return finish(caller, &range);
}

long aspace_map(struct thread *caller)
{
    uint64_t count = context_argument(&caller->context, 2);
    long error = 0;

    struct aspace *aspace = space_argument(caller, &error);
    if (error)
        return error;
    if (!caller->buffer || count > MAP_ITEMS_MAX)
        return -EINVAL;
    const struct map_item *items = (const struct map_item *)caller->buffer->words;
    for (uint64_t done = 0; done < count; done++) {
        /* Copied once: another CPU may write to the buffer meanwhile. */
        struct map_item item = {*(volatile const uint64_t *)&items[done].target,
                                *(volatile const uint64_t *)&items[done].entry};
        error = aspace_apply(aspace, &item);
        if (error)
            return done ? (long)done : error;
    }
    return (long)count;
}
