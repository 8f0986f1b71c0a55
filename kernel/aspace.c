/* SPDX-License-Identifier: MIT */
/* Address spaces come and go, and what becomes of a single map item. The tables themselves are space_tables.c. */
#include <errno.h>

#include "kernel.h"
#include "panic.h"
#include "space_tables.h"

/* Identifiers in use; 0 is the empty table's. */
#define IDENTIFIER_WORDS 1024u
static uint64_t identifiers[IDENTIFIER_WORDS] = {1};
static unsigned identifier_hint;

static long take_identifier(uint64_t *identifier)
{
    unsigned words = (unsigned)(identifier_count() / 64);
    for (unsigned i = 0; i < words; i++) {
        unsigned word = (identifier_hint + i) % words;
        if (~identifiers[word] == 0)
            continue;
        unsigned bit = (unsigned)__builtin_ctzl(~identifiers[word]);
        identifiers[word] |= 1UL << bit;
        identifier_hint = word;
        *identifier = word * 64UL + bit;
        return 0;
    }
    return -EAGAIN;
}

long aspace_init(struct aspace *aspace, uint64_t top_pfn)
{
    uint64_t identifier;
    long error = take_identifier(&identifier);
    if (error)
        return error;
    error = frame_take_table(&frames, top_pfn);
    if (error) {
        identifiers[identifier / 64] &= ~(1UL << identifier % 64);
        return error;
    }
    window_remove(top_pfn);
    aspace->top = direct_map(top_pfn << PAGE_SHIFT);
    arch_zero_page(aspace->top);
    top_table_begin(aspace->top);
    aspace->identifier = identifier;
    space_forget_leaf(aspace);
    aspace->root = table_register(top_pfn << PAGE_SHIFT, identifier);
    table_write_barrier();
    return 0;
}

bool aspace_in_use(const struct aspace *aspace)
{
    /* Entries are in tables, so where there is no table but the top one there is no entry. */
    return aspace->users || aspace->table_count || aspace->spare_count;
}

long aspace_destroy(struct aspace *aspace)
{
    if (aspace_in_use(aspace))
        return -EBUSY;
    if (aspace->window) {
        aspace->top[pte_index(WINDOW_BASE, 0)] = 0;
        space_frame(aspace->top)->references--;
    }
    table_write_barrier();
    tlb_drop_space(aspace->identifier);
    tlb_finish();
    top_table_end(aspace->top);
    uint64_t pfn = space_table_pfn(aspace->top);
    long error = frame_return_table(&frames, pfn);
    KERNEL_ASSERT(error == 0);
    window_add(pfn);
    identifiers[aspace->identifier / 64] &= ~(1UL << aspace->identifier % 64);
    cap_clear(&aspace->handler);
    return error;
}

static bool is_kernel_device(uint64_t physical, uint64_t bytes)
{
    for (size_t i = 0; i < machine.kernel_device_count; i++) {
        const struct memory_region *region = &machine.kernel_devices[i];
        if (physical < region->base + region->size && region->base < physical + bytes)
            return true;
    }
    return false;
}

/* Device registers may be mapped where there is no memory and nothing that the kernel itself uses. */
static long take_device(struct aspace *aspace, uint64_t pfn, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct frame *frame = frame_find(&frames, pfn + i);
        if (frame && frame->type != FRAME_NONE)
            return -EPERM;
    }
    if (is_kernel_device(pfn << PAGE_SHIFT, count << PAGE_SHIFT))
        return -EPERM;
    table_register_add_device(&aspace->root, pfn, count);
    return 0;
}

static long take_frame(struct aspace *aspace, uint64_t entry, unsigned level)
{
    uint64_t pfn = (entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
    uint64_t count = level == LEAF_LEVEL ? 1 : 1UL << HUGE_PAGE_ORDER;

    if (__builtin_expect(entry & ENTRY_DEVICE, 0))
        return take_device(aspace, pfn, count);
    if (level == LEAF_LEVEL)
        return frame_add_mapping(&frames, pfn);
    if (pfn % count)
        return -EINVAL;
    return frame_add_mappings(&frames, pfn, count);
}

/* EBUSY if a map item asks for more than the entry that it is to replace. */
static long check_old(uint64_t old, uint64_t target, unsigned level)
{
    if (!(target & MAP_ITEM_REPLACE))
        return -EEXIST;
    if ((target & MAP_ITEM_IF_READ_ONLY) && pte_is_present(old) && (old & PTE_WRITE))
        return -EBUSY;
    return (target & MAP_ITEM_IF_SHARED) && !space_leaf_shared(old, level) ? -EBUSY : 0;
}

/* Puts an entry where another is. */
static void replace_entry(struct aspace *aspace, uint64_t address, uint64_t *slot, uint64_t pte, unsigned level)
{
    uint64_t old = *slot;

    *slot = 0;
    if (pte_is_present(old)) {
        table_write_barrier();
        tlb_drop_page(aspace->identifier, address);
        tlb_finish();
    }
    space_forget_frame(old, level);
    *slot = pte;
}

/* Puts an entry at the address of `target`; see MAP_ITEM_MAP and MAP_ITEM_SOFT. */
static long put_entry(struct aspace *aspace, uint64_t target, uint64_t entry)
{
    unsigned level = entry & ENTRY_HUGE && !(entry & ENTRY_SOFT) ? HUGE_LEVEL : LEAF_LEVEL;
    uint64_t address = target & PAGE_MASK;
    long error = 0;

    if (__builtin_expect(!space_range_ok(aspace, address, pte_span(level)) || address % pte_span(level), 0))
        return -EINVAL;
    uint64_t *slot = space_entry_for_map(aspace, address, level, target & MAP_ITEM_REPLACE, &error);
    if (__builtin_expect(!slot, 0)) {
        space_prune(aspace, address);
        return error;
    }
    uint64_t old = *slot;
    if (__builtin_expect(old != 0, 0))
        error = level == HUGE_LEVEL && pte_is_table(old) ? -EEXIST : check_old(old, target, level);
    if (!error && !(entry & ENTRY_SOFT))
        error = take_frame(aspace, entry, level);
    if (__builtin_expect(error != 0, 0)) {
        if (!old)
            space_prune(aspace, address);
        return error;
    }
    if (__builtin_expect(old != 0, 0)) {
        replace_entry(aspace, address, slot, pte_from_entry(entry, level), level);
    } else {
        space_frame(slot)->references++;
        *slot = pte_from_entry(entry, level);
    }
    table_write_barrier();
    return 0;
}

/* The common case of put_entry(): a page of memory where nothing is, in the table that was used last, whose addresses were
 * looked at when it was. False: it is another case, and nothing has changed. */
static inline bool put_page(struct aspace *aspace, uint64_t target, uint64_t entry)
{
    uint64_t *slot = &aspace->leaf[pte_index(target, LEAF_LEVEL)];

    if (aspace->leaf_number != target >> HUGE_PAGE_SHIFT || (entry & (ENTRY_SOFT | ENTRY_HUGE | ENTRY_DEVICE)) || *slot)
        return false;
    struct frame *frame = frame_find(&frames, (entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    if (!frame || frame->type != FRAME_USER || frame->references == UINT32_MAX)
        return false;
    frame->references++;
    space_frame(slot)->references++;
    *slot = pte_from_entry(entry, LEAF_LEVEL);
    table_write_barrier();
    return true;
}

/* Gives the page at `address` the rights of `entry` besides its own; see MAP_ITEM_PROMOTE. */
static long promote(struct aspace *aspace, uint64_t address, uint64_t entry)
{
    unsigned level;
    bool shared;

    if (!space_range_ok(aspace, address, PAGE_SIZE))
        return -EINVAL;
    uint64_t *slot = space_find(aspace, address, &level, &shared);
    if (__builtin_expect(shared, 0)) {
        long error = space_privatize(aspace, address);
        if (error)
            return error;
        slot = space_entry(aspace, address, &level);
    }
    if (!pte_is_present(*slot) || (*slot & PTE_DEVICE))
        return -ENOENT;
    if (space_leaf_shared(*slot, level))
        return -EBUSY;
    *slot = pte_add(*slot, entry);
    table_write_barrier();
    tlb_drop_page(aspace->identifier, address);
    tlb_finish();
    return 0;
}

/* Puts a soft entry in the place of the page at `address`, in the table that is there even if others use it, too; see
 * MAP_ITEM_SOFTEN. */
static long soften(struct aspace *aspace, uint64_t address, uint64_t entry)
{
    unsigned level;
    bool shared;

    if (!space_range_ok(aspace, address, PAGE_SIZE))
        return -EINVAL;
    uint64_t *slot = space_find(aspace, address, &level, &shared);
    const uint64_t old = *slot;
    if (level != LEAF_LEVEL || !pte_is_present(old) || (old & PTE_DEVICE))
        return -ENOENT;
    *slot = pte_from_entry(entry | ENTRY_SOFT, LEAF_LEVEL);
    table_write_barrier();
    if (shared)
        tlb_drop_everything();
    else
        tlb_drop_page(aspace->identifier, address);
    tlb_finish();
    space_forget_frame(old, LEAF_LEVEL);
    return 0;
}

long aspace_apply(struct aspace *aspace, const struct map_item *item)
{
    uint64_t kind = item->target & MAP_ITEM_KIND;

    if (__builtin_expect(kind == MAP_ITEM_MAP && put_page(aspace, item->target, item->entry), 1))
        return 0;
    if (kind == MAP_ITEM_MAP && !(item->entry & ENTRY_SOFT))
        return put_entry(aspace, item->target, item->entry);
    if (kind == MAP_ITEM_PROMOTE)
        return promote(aspace, item->target & PAGE_MASK, item->entry);
    if (kind == MAP_ITEM_SOFT)
        return put_entry(aspace, item->target, item->entry | ENTRY_SOFT);
    if (kind == MAP_ITEM_SOFTEN)
        return soften(aspace, item->target & PAGE_MASK, item->entry);
    if (kind == MAP_ITEM_TABLE)
        return space_give_spare(aspace, (item->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    return -EINVAL;
}

/* What an entry is to whoever asks for it. */
static inline uint64_t describe(uint64_t pte, unsigned level, bool shared)
{
    uint64_t entry = pte_to_entry(pte, level);
    return pte_is_present(pte) && (shared || space_leaf_shared(pte, level)) ? entry | ENTRY_SHARED : entry;
}

uint64_t aspace_entry(struct aspace *aspace, uint64_t address)
{
    unsigned level;
    bool shared;
    if (!space_range_ok(aspace, address & PAGE_MASK, PAGE_SIZE))
        return 0;
    const uint64_t *entry = space_find(aspace, address, &level, &shared);
    return describe(*entry, level, shared);
}

/* The entry as it is to be after an access that it allows; 0 if it does not. */
static inline uint64_t accessed_entry(uint64_t pte, uint32_t access)
{
    if (!pte_is_present(pte) || !(pte & PTE_USER))
        return 0;
    if ((access & FAULT_EXECUTE) && (pte & PTE_USER_NO_EXECUTE))
        return 0;
    if (!(access & FAULT_WRITE))
        return pte | PTE_ACCESSED;
    return pte & PTE_WRITE ? pte_written(pte) : 0;
}

bool aspace_note_access(struct aspace *aspace, uint64_t address, uint32_t access, uint64_t *found)
{
    unsigned level;
    bool shared;

    *found = 0;
    if (!space_range_ok(aspace, address & PAGE_MASK, PAGE_SIZE))
        return false;
    uint64_t *entry = space_find(aspace, address, &level, &shared);
    if (shared && (access & FAULT_WRITE) && space_is_last_sharer(aspace, address))
        shared = false;
    uint64_t pte = shared && (access & FAULT_WRITE) ? 0 : accessed_entry(*entry, access);
    if (!pte) {
        *found = describe(*entry, level, shared);
        return false;
    }
    /* If nothing changes another CPU was faster, and what this one remembers is stale. */
    if (pte != *entry) {
        *entry = pte;
        table_write_barrier();
    }
    tlb_drop_page(aspace->identifier, address);
    tlb_finish();
    return true;
}

static long take_tables(struct aspace *aspace, struct ipc_buffer *buffer, uint64_t limit)
{
    if (limit > MSG_BUFFER_WORDS)
        limit = MSG_BUFFER_WORDS;
    uint64_t count = 0;
    for (; count < limit && aspace->spare; count++) {
        uint64_t pfn = space_table_pfn(space_take_spare(aspace));
        long error = frame_return_table(&frames, pfn);
        KERNEL_ASSERT(error == 0);
        if (error)
            return error;
        window_add(pfn);
        buffer->words[count] = pfn;
    }
    return (long)count;
}

long aspace_control(struct thread *caller)
{
    struct context *context = &caller->context;
    uint64_t a = context_argument(context, 3);
    long error = 0;

    struct aspace *aspace = space_argument(caller, &error);
    if (error)
        return error;
    context_set_second(context, 0);
    switch (context_argument(context, 2)) {
    case ASPACE_SET_HANDLER: {
        if (!a) {
            cap_clear(&aspace->handler);
            return 0;
        }
        struct object *endpoint = cap_find(caller->table, a, CAP_ENDPOINT, RIGHT_SEND, &error);
        if (error)
            return error;
        cap_clear(&aspace->handler);
        cap_set(&aspace->handler, endpoint, RIGHT_SEND, context_argument(context, 4));
        return 0;
    }
    case ASPACE_TAKE_TABLES:
        return caller->buffer ? take_tables(aspace, caller->buffer, a) : -EINVAL;
    case ASPACE_INFO:
        context_set_second(context, aspace->table_count);
        return aspace->spare_count;
    default:
        return -ENOSYS;
    }
}
