/* SPDX-License-Identifier: MIT */
/*
 * Batches over an address space: map items, and unmap, protect and harvest over a range. Each call does a bounded part
 * (RANGE_STEPS entries or empty spans looked at) and says where to go on, so a range of any length is a loop in user
 * space that can be preempted and restarted.
 */
#include <errno.h>

#include "space_tables.h"

#define RANGE_STEPS 512u

#define ALWAYS_INLINE inline __attribute__((always_inline))
/* A shared table that goes or is copied counts as so many. */
#define TABLE_STEPS 128u
/* From this many pages on it is cheaper to drop all that the TLBs hold of the space. */
#define TLB_PAGES_MAX 32u

struct range {
    struct aspace *aspace;
    uint64_t address, end;
    uint64_t argument;
    struct map_result *results; /* in the caller's buffer */
    uint32_t count;             /* results, or entries changed */
    uint32_t stale;             /* entries that TLBs may still hold */
    uint64_t rights;            /* protect: `argument` as a leaf has it */
    bool removes;               /* entries go, so tables may get empty */
    bool changes;               /* entries change, so no other space may use their table */
    bool elsewhere;             /* other spaces may have it in their TLBs, too */
    bool shared;                /* the entry at `address` is in a table that other spaces may use */
    long error;
    uint64_t stale_pages[TLB_PAGES_MAX];
};

/* What changes from leaf to leaf. A walk through a table has it in registers, and the range does not know it meanwhile. */
struct place {
    uint64_t address;
    uint32_t count, stale;
    uint32_t emptied; /* entries of the table, which its frame does not know yet */
};

/* What a call does to one leaf in use, at place->address. False: no room for the result, come again; or an error. */
typedef bool leaf_operation(struct range *range, struct place *place, uint64_t *entry, unsigned level);

enum step { STEP_DONE, STEP_AGAIN, STEP_STOP };

struct aspace *space_argument(const struct thread *caller, long *error)
{
    if (!require_physical(caller, context_argument(&caller->context, 0), error))
        return NULL;
    return (struct aspace *)cap_find(caller->table, context_argument(&caller->context, 1), CAP_ASPACE, RIGHT_CONTROL,
                                     error);
}

static ALWAYS_INLINE struct place place_of(const struct range *range)
{
    return (struct place){.address = range->address, .count = range->count, .stale = range->stale};
}

static ALWAYS_INLINE void settle(struct range *range, const struct place *place)
{
    range->address = place->address;
    range->count = place->count;
    range->stale = place->stale;
}

static ALWAYS_INLINE void mark_stale(struct range *range, struct place *place)
{
    if (place->stale < TLB_PAGES_MAX)
        range->stale_pages[place->stale] = place->address;
    place->stale++;
}

static void drop_stale(const struct range *range)
{
    if (!range->stale)
        return;
    table_write_barrier();
    if (range->elsewhere) {
        tlb_drop_everything();
    } else if (range->stale > TLB_PAGES_MAX) {
        tlb_drop_space(range->aspace->identifier);
    } else {
        for (uint32_t i = 0; i < range->stale; i++)
            tlb_drop_page(range->aspace->identifier, range->stale_pages[i]);
    }
    tlb_finish();
}

static ALWAYS_INLINE bool put_result(const struct range *range, struct place *place, uint64_t entry)
{
    if (place->count == MAP_ITEMS_MAX)
        return false;
    range->results[place->count++] = (struct map_result){place->address, entry};
    return true;
}

/* True if the range covers all of a huge page or table whose first address is next. */
static bool covers_span(const struct range *range)
{
    return range->address % HUGE_PAGE_SIZE == 0 && range->end - range->address >= HUGE_PAGE_SIZE;
}

/* A huge page of which a part is meant becomes pages; registers cannot. */
static enum step split_span(struct range *range, uint64_t *entry)
{
    range->error = *entry & PTE_DEVICE ? -EINVAL : space_split(range->aspace, entry, range->address);
    return range->error ? STEP_STOP : STEP_AGAIN;
}

/* One entry above the leaf level: nothing, or a huge page. */
static ALWAYS_INLINE enum step walk_span(struct range *range, uint64_t *entry, unsigned level,
                                         leaf_operation *operation)
{
    uint64_t span = pte_span(level);
    struct place place = place_of(range);
    bool good = true;

    if (*entry && range->changes && !covers_span(range))
        return split_span(range, entry);
    if (*entry) {
        good = operation(range, &place, entry, level);
        settle(range, &place);
    }
    if (!good)
        return range->error == -EMLINK ? split_span(range, entry) : STEP_STOP;
    range->address = (range->address & ~(span - 1)) + span;
    return STEP_DONE;
}

/* A table that other spaces may use, too, before something in it changes: it goes whole, or is made the space's own. */
static enum step part_with_table(struct range *range)
{
    uint64_t *entry = space_shared_entry(range->aspace, range->address);

    if (!range->removes || !covers_span(range) || !space_table_in_common(*entry)) {
        range->error = space_privatize(range->aspace, range->address);
        return range->error ? STEP_STOP : STEP_AGAIN;
    }
    if (range->count == MAP_ITEMS_MAX)
        return STEP_STOP;
    uint64_t first = range->address;
    uint64_t entries = space_unlink(range->aspace, entry);
    range->results[range->count++] = (struct map_result){first, entries << PAGE_SHIFT | ENTRY_TABLE};
    range->stale = TLB_PAGES_MAX + 1;
    range->address += HUGE_PAGE_SIZE;
    space_prune(range->aspace, first);
    return STEP_DONE;
}

/* The first entry in use from the empty one at `entry` on, below `end`; `end` if there is none. */
static ALWAYS_INLINE uint64_t *skip_empty(uint64_t *entry, uint64_t *end)
{
    for (entry++; entry < end && !*entry; entry++) {
        while (end - entry >= 4 && !(entry[0] | entry[1] | entry[2] | entry[3]))
            entry += 4;
        if (entry == end || *entry)
            break;
    }
    return entry;
}

/* The entries of one last-level table, from that of range->address on. */
static ALWAYS_INLINE enum step walk_table(struct range *range, uint64_t *const first, unsigned *steps,
                                          leaf_operation *operation)
{
    const uint64_t base = range->address;
    uint64_t count = ENTRIES - pte_index(base, LEAF_LEVEL);
    struct place place = place_of(range);
    enum step step = STEP_DONE;
    uint64_t *entry = first;

    if (count > (range->end - base) >> PAGE_SHIFT)
        count = (range->end - base) >> PAGE_SHIFT;
    if (count > *steps)
        count = *steps;
    for (uint64_t *end = first + count; entry < end; entry++) {
        if (!*entry) {
            entry = skip_empty(entry, end);
            if (entry == end)
                break;
        }
        place.address = base + ((uint64_t)(entry - first) << PAGE_SHIFT);
        if (!operation(range, &place, entry, LEAF_LEVEL)) {
            step = STEP_STOP;
            break;
        }
    }
    place.address = base + ((uint64_t)(entry - first) << PAGE_SHIFT);
    settle(range, &place);
    *steps -= (unsigned)(entry - first);
    if (place.emptied)
        space_frame(first)->references -= place.emptied;
    return step;
}

/* Runs `operation` over the entries in use of the range, a bounded number of them. Made anew for each operation, which
 * is then a part of the loop. */
static ALWAYS_INLINE void walk(struct range *range, leaf_operation *operation)
{
    unsigned steps = RANGE_STEPS;
    enum step step = STEP_DONE;

    while (step != STEP_STOP && range->address < range->end && steps) {
        unsigned level;
        uint64_t first = range->address;
        uint64_t *entry = space_find(range->aspace, first, &level, &range->shared);
        if (range->shared && range->changes) {
            step = part_with_table(range);
            steps = steps < TABLE_STEPS ? 0 : steps - TABLE_STEPS;
            continue;
        }
        if (level == LEAF_LEVEL) {
            step = walk_table(range, entry, &steps, operation);
        } else {
            step = walk_span(range, entry, level, operation);
            steps--;
        }
        if (range->removes)
            space_prune(range->aspace, first);
    }
}

/* A leaf that is no page of memory: a soft entry, registers, a huge page. */
static __attribute__((noinline)) bool unmap_other(struct range *range, uint64_t *entry, unsigned level)
{
    struct place place = place_of(range);
    uint64_t pte = *entry;
    uint64_t last = pte_is_present(pte) && !(pte & PTE_DEVICE) && !space_leaf_shared(pte, level) ? ENTRY_LAST : 0;

    if (!pte_is_present(pte) && (range->argument & UNMAP_KEEP_SOFT))
        return true;
    if (!last && level == HUGE_LEVEL && !(pte & PTE_DEVICE) && space_leaf_last(pte)) {
        /* Some of its frames are mapped elsewhere and some are not: no one answer is right. */
        range->error = -EMLINK;
        return false;
    }
    if (!put_result(range, &place, pte_to_entry(pte, level) | last))
        return false;
    if (pte_is_present(pte))
        mark_stale(range, &place);
    settle(range, &place);
    space_drop_leaf(entry, level);
    return true;
}

static ALWAYS_INLINE bool unmap_leaf(struct range *range, struct place *place, uint64_t *entry, unsigned level)
{
    uint64_t pte = *entry;

    if (__builtin_expect(level != LEAF_LEVEL || (pte & (PTE_VALID | PTE_DEVICE)) != PTE_VALID, 0)) {
        settle(range, place);
        const bool good = unmap_other(range, entry, level);
        place->count = range->count;
        place->stale = range->stale;
        return good;
    }
    struct frame *frame = frame_known(&frames, (pte & PTE_ADDRESS) >> PAGE_SHIFT);
    if (!put_result(range, place, pte_page_to_entry(pte) | (frame->references == 1 ? ENTRY_LAST : 0)))
        return false;
    frame->references--;
    *entry = 0;
    place->emptied++;
    mark_stale(range, place);
    return true;
}

static ALWAYS_INLINE bool protect_leaf(struct range *range, struct place *place, uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;
    if (!pte_is_present(old))
        return true;
    uint64_t pte = (old & ~PTE_RIGHTS) | range->rights;
    if ((range->argument & PROTECT_IF_LAST) && (pte & PTE_WRITE) && space_leaf_shared(old, level))
        pte &= ~PTE_WRITE;
    pte = pte_finish(pte);
    if (pte == old)
        return true;
    *entry = pte;
    mark_stale(range, place);
    return true;
}

static ALWAYS_INLINE bool harvest_leaf(struct range *range, struct place *place, uint64_t *entry, unsigned level)
{
    uint64_t found = pte_to_entry(*entry, level);
    if (!put_result(range, place, found | (range->shared || space_leaf_shared(*entry, level) ? ENTRY_SHARED : 0)))
        return false;
    uint64_t clear = range->argument & (ENTRY_ACCESSED | ENTRY_DIRTY);
    if (pte_is_present(*entry) && (found & clear)) {
        *entry = pte_from_entry(found & ~clear, level);
        mark_stale(range, place);
    }
    /* In a shared table the right to write is the table's to withhold, not the entry's. */
    range->elsewhere |= range->shared;
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
    range->rights = pte_rights(range->argument);
    range->removes = range->changes = range->shared = range->elsewhere = false;
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
    range.removes = range.changes = true;
    walk(&range, unmap_leaf);
    return finish(caller, &range);
}

long aspace_protect(struct thread *caller)
{
    struct range range;
    long error = begin(caller, &range);
    if (error)
        return error;
    range.changes = true;
    walk(&range, protect_leaf);
    range.count = range.stale;
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
