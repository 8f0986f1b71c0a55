/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: the translation tables, made of donated frames. A table that gets its last entry taken away returns
 * to the space's spare tables; a walk that needs a table takes one from there. The kernel neither finds nor frees
 * memory itself.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/pagetable.h>

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

static uint64_t pfn_of(const void *direct)
{
    return direct_map_to_physical(direct) >> PAGE_SHIFT;
}

static struct frame *frame_of_table(const uint64_t *table)
{
    return frame_known(&frames, pfn_of(table));
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
    __builtin_memset(aspace->top, 0, PAGE_SIZE);
    aspace->identifier = identifier;
    aspace->root = table_register(top_pfn << PAGE_SHIFT, identifier);
    table_write_barrier();
    return 0;
}

bool aspace_in_use(const struct aspace *aspace)
{
    return aspace->users || aspace->entries || aspace->table_count || aspace->spare_count;
}

long aspace_destroy(struct aspace *aspace)
{
    if (aspace_in_use(aspace))
        return -EBUSY;
    if (aspace->window) {
        aspace->top[pte_index(WINDOW_BASE, 0)] = 0;
        frame_of_table(aspace->top)->references--;
    }
    table_write_barrier();
    tlb_drop_space(aspace->identifier);
    tlb_finish();
    uint64_t pfn = pfn_of(aspace->top);
    long error = frame_return_table(&frames, pfn);
    KERNEL_ASSERT(error == 0);
    window_add(pfn);
    identifiers[aspace->identifier / 64] &= ~(1UL << aspace->identifier % 64);
    cap_clear(&aspace->handler);
    return error;
}

static long give_spare(struct aspace *aspace, uint64_t pfn)
{
    long error = frame_take_table(&frames, pfn);
    if (error)
        return error;
    window_remove(pfn);
    uint64_t *table = direct_map(pfn << PAGE_SHIFT);
    __builtin_memset(table, 0, PAGE_SIZE);
    *(uint64_t **)(void *)table = aspace->spare;
    aspace->spare = table;
    aspace->spare_count++;
    return 0;
}

static uint64_t *take_spare(struct aspace *aspace)
{
    uint64_t *table = aspace->spare;
    if (!table)
        return NULL;
    aspace->spare = *(uint64_t **)(void *)table;
    aspace->spare_count--;
    table[0] = 0;
    return table;
}

/* Finds the entry for `address` at `level`, adding tables from the spare ones. NULL with *error: ENOMEM, no spare
 * table; EEXIST, a larger page covers the address. */
static inline uint64_t *entry_for_map(struct aspace *aspace, uint64_t address, unsigned level, long *error)
{
    uint64_t *table = aspace->top;
    for (unsigned i = 0; i < level; i++) {
        uint64_t *entry = &table[pte_index(address, i)];
        if (__builtin_expect(pte_is_table(*entry), 1)) {
            table = direct_map(*entry & PTE_ADDRESS);
            continue;
        }
        if (*entry) {
            *error = -EEXIST;
            return NULL;
        }
        uint64_t *fresh = take_spare(aspace);
        if (!fresh) {
            *error = -ENOMEM;
            return NULL;
        }
        table_write_barrier();
        *entry = pte_for_table(direct_map_to_physical(fresh));
        frame_of_table(table)->references++;
        aspace->table_count++;
        table = fresh;
    }
    return &table[pte_index(address, level)];
}

uint64_t *space_entry(const struct aspace *aspace, uint64_t address, unsigned *level)
{
    uint64_t *table = aspace->top;
    for (*level = 0;; ++*level) {
        uint64_t *entry = &table[pte_index(address, *level)];
        if (*level == LEAF_LEVEL || !pte_is_table(*entry))
            return entry;
        table = direct_map(*entry & PTE_ADDRESS);
    }
}

void space_drop_leaf(struct aspace *aspace, uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;
    *entry = 0;
    aspace->entries--;
    frame_of_table(entry)->references--;
    space_forget_frame(old, level);
}

void space_forget_frame(uint64_t old, unsigned level)
{
    if (!pte_is_present(old) || (old & PTE_DEVICE))
        return;
    uint64_t pfn = (old & PTE_ADDRESS) >> PAGE_SHIFT;
    if (level == LEAF_LEVEL)
        frame_remove_mapping(&frames, pfn);
    else
        frame_remove_mappings(&frames, pfn, 1UL << HUGE_PAGE_ORDER);
}

void space_prune(struct aspace *aspace, uint64_t address)
{
    uint64_t *tables[TABLE_LEVELS];
    unsigned level = 0;

    tables[0] = aspace->top;
    while (level < LEAF_LEVEL) {
        uint64_t entry = tables[level][pte_index(address, level)];
        if (!pte_is_table(entry))
            break;
        tables[++level] = direct_map(entry & PTE_ADDRESS);
    }
    for (; level > 0 && frame_of_table(tables[level])->references == 0; level--) {
        tables[level - 1][pte_index(address, level - 1)] = 0;
        frame_of_table(tables[level - 1])->references--;
        table_write_barrier();
        tlb_drop_page(aspace->identifier, address);
        tlb_finish();
        *(uint64_t **)(void *)tables[level] = aspace->spare;
        aspace->spare = tables[level];
        aspace->spare_count++;
        aspace->table_count--;
    }
}

bool space_range_ok(const struct aspace *aspace, uint64_t address, uint64_t bytes)
{
    if (address >= USER_VA_END || bytes > USER_VA_END - address)
        return false;
    return !aspace->window || address + bytes <= WINDOW_BASE || address >= WINDOW_BASE + WINDOW_SIZE;
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
static long check_device(uint64_t pfn, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct frame *frame = frame_find(&frames, pfn + i);
        if (frame && frame->type != FRAME_NONE)
            return -EPERM;
    }
    return is_kernel_device(pfn << PAGE_SHIFT, count << PAGE_SHIFT) ? -EPERM : 0;
}

static long take_frame(uint64_t entry, unsigned level)
{
    uint64_t pfn = (entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
    uint64_t count = level == LEAF_LEVEL ? 1 : 1UL << HUGE_PAGE_ORDER;

    if (__builtin_expect(entry & ENTRY_DEVICE, 0))
        return check_device(pfn, count);
    if (level == LEAF_LEVEL)
        return frame_add_mapping(&frames, pfn);
    if (pfn % count)
        return -EINVAL;
    return frame_add_mappings(&frames, pfn, count);
}

/* Puts `entry` at `address`; see MAP_ITEM_MAP and MAP_ITEM_SOFT. */
static inline long put_entry(struct aspace *aspace, uint64_t address, uint64_t entry, bool replace)
{
    unsigned level = entry & ENTRY_HUGE && !(entry & ENTRY_SOFT) ? HUGE_LEVEL : LEAF_LEVEL;
    long error = 0;

    if (__builtin_expect(!space_range_ok(aspace, address, pte_span(level)) || address % pte_span(level), 0))
        return -EINVAL;
    uint64_t *slot = entry_for_map(aspace, address, level, &error);
    if (__builtin_expect(!slot, 0)) {
        space_prune(aspace, address);
        return error;
    }
    uint64_t old = *slot;
    if (__builtin_expect(old != 0, 0)) {
        if (!replace || (level == HUGE_LEVEL && pte_is_table(old)))
            return -EEXIST;
    }
    if (!(entry & ENTRY_SOFT))
        error = take_frame(entry, level);
    if (__builtin_expect(error != 0, 0)) {
        if (!old)
            space_prune(aspace, address);
        return error;
    }
    if (__builtin_expect(old != 0, 0)) {
        *slot = 0;
        if (pte_is_present(old)) {
            table_write_barrier();
            tlb_drop_page(aspace->identifier, address);
            tlb_finish();
        }
        space_forget_frame(old, level);
    } else {
        aspace->entries++;
        frame_of_table(slot)->references++;
    }
    *slot = pte_from_entry(entry, level);
    table_write_barrier();
    return 0;
}

long aspace_apply(struct aspace *aspace, const struct map_item *item)
{
    uint64_t address = item->target & PAGE_MASK;
    bool replace = item->target & MAP_ITEM_REPLACE;
    uint64_t kind = item->target & MAP_ITEM_KIND;

    if (__builtin_expect(kind == MAP_ITEM_MAP && !(item->entry & ENTRY_SOFT), 1))
        return put_entry(aspace, address, item->entry, replace);
    if (kind == MAP_ITEM_SOFT)
        return put_entry(aspace, address, item->entry | ENTRY_SOFT, replace);
    if (kind == MAP_ITEM_TABLE)
        return give_spare(aspace, (item->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    return -EINVAL;
}

uint64_t aspace_entry(const struct aspace *aspace, uint64_t address)
{
    unsigned level;
    if (!space_range_ok(aspace, address & PAGE_MASK, PAGE_SIZE))
        return 0;
    const uint64_t *entry = space_entry(aspace, address, &level);
    return pte_to_entry(*entry, level);
}

bool aspace_note_access(struct aspace *aspace, uint64_t address, uint32_t access)
{
    unsigned level;
    if (!space_range_ok(aspace, address & PAGE_MASK, PAGE_SIZE))
        return false;
    uint64_t *entry = space_entry(aspace, address, &level);
    uint64_t pte = *entry;
    if (!pte_is_present(pte) || !(pte & PTE_USER))
        return false;
    if ((access & FAULT_EXECUTE) && (pte & PTE_USER_NO_EXECUTE))
        return false;
    if (access & FAULT_WRITE) {
        if (!(pte & PTE_WRITE))
            return false;
        pte = (pte | PTE_DIRTY) & ~PTE_READ_ONLY;
    }
    pte |= PTE_ACCESSED;
    if (pte == *entry) {
        /* Another CPU was faster; what this one remembers is stale. */
        tlb_drop_page(aspace->identifier, address);
        tlb_finish();
        return true;
    }
    *entry = pte;
    table_write_barrier();
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
        uint64_t pfn = pfn_of(take_spare(aspace));
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
