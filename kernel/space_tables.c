/* SPDX-License-Identifier: MIT */
/* Walking, adding, sharing and returning translation tables: see space_tables.h. */
#include "space_tables.h"

#include <errno.h>

#include "panic.h"

/* --- Spare tables ------------------------------------------------------------------------------------------------- */

static void push_spare(struct aspace *aspace, uint64_t *table)
{
    *(uint64_t **)(void *)table = aspace->spare;
    aspace->spare = table;
    aspace->spare_count++;
}

long space_give_spare(struct aspace *aspace, uint64_t pfn)
{
    long error = frame_take_table(&frames, pfn);
    if (error)
        return error;
    window_remove(pfn);
    uint64_t *table = direct_map(pfn << PAGE_SHIFT);
    arch_zero_page(table);
    push_spare(aspace, table);
    return 0;
}

uint64_t *space_take_spare(struct aspace *aspace)
{
    uint64_t *table = aspace->spare;
    if (!table)
        return NULL;
    aspace->spare = *(uint64_t **)(void *)table;
    aspace->spare_count--;
    table[0] = 0;
    return table;
}

/* --- Walking ------------------------------------------------------------------------------------------------------ */

/* Notes the last-level table for `address`, which no other space uses. */
static inline void note_leaf(struct aspace *aspace, uint64_t address, uint64_t *table)
{
    aspace->leaf_number = address >> HUGE_PAGE_SHIFT;
    aspace->leaf = table;
}

uint64_t *space_find(struct aspace *aspace, uint64_t address, unsigned *level, bool *shared)
{
    *shared = false;
    if (__builtin_expect(aspace->leaf_number == address >> HUGE_PAGE_SHIFT, 1)) {
        *level = LEAF_LEVEL;
        return &aspace->leaf[pte_index(address, LEAF_LEVEL)];
    }
    uint64_t *table = aspace->top;
    for (*level = 0;; ++*level) {
        uint64_t *entry = &table[pte_index(address, *level)];
        if (*level == LEAF_LEVEL) {
            if (!*shared)
                note_leaf(aspace, address, table);
            return entry;
        }
        if (!pte_is_table(*entry))
            return entry;
        *shared = pte_is_shared_table(*entry);
        table = direct_map(*entry & PTE_ADDRESS);
    }
}

/* Makes an entry point to another table, or to one instead of a huge page: the machine must not see both. */
static void change_table(const struct aspace *aspace, uint64_t *entry, uint64_t pte, uint64_t address)
{
    *entry = 0;
    table_write_barrier();
    tlb_drop_page(aspace->identifier, address);
    tlb_finish();
    *entry = pte;
    table_write_barrier();
}

/* A new table below `entry`, which is empty and lies in `table`; NULL: no spare one. */
static uint64_t *add_table(struct aspace *aspace, const uint64_t *table, uint64_t *entry)
{
    uint64_t *fresh = space_take_spare(aspace);
    if (!fresh)
        return NULL;
    table_write_barrier();
    *entry = pte_for_table(direct_map_to_physical(fresh));
    space_frame(table)->references++;
    aspace->table_count++;
    return fresh;
}

/* The first entry in use from `index` on; ENTRIES if there is none. */
static inline unsigned next_entry(const uint64_t *table, unsigned index)
{
    for (; index % 4 && index < ENTRIES; index++) {
        if (table[index])
            return index;
    }
    while (index < ENTRIES && !(table[index] | table[index + 1] | table[index + 2] | table[index + 3]))
        index += 4;
    while (index < ENTRIES && !table[index])
        index++;
    return index;
}

/* Takes the mappings away again that copy_entries() has added for the first `count` entries. */
static void uncopy_entries(const uint64_t *table, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        space_forget_frame(table[i], LEAF_LEVEL);
}

/* Fills `copy` with the `left` entries in use of `table`, one more mapping for each frame, and takes the right to write
 * from both. */
static long copy_entries(uint64_t *table, uint64_t *copy, unsigned left)
{
    for (unsigned i = next_entry(table, 0); left > 0; i = next_entry(table, i + 1), left--) {
        uint64_t pte = table[i];
        if (pte_is_present(pte) && !(pte & PTE_DEVICE)) {
            long error = frame_add_mapping(&frames, (pte & PTE_ADDRESS) >> PAGE_SHIFT);
            if (error) {
                uncopy_entries(table, i);
                return error;
            }
            if (pte & PTE_WRITE)
                table[i] = pte = pte_write_protect(pte);
        }
        copy[i] = pte;
    }
    return 0;
}

/* Makes the shared table below `entry` the space's own. */
static long privatize(struct aspace *aspace, uint64_t *entry, uint64_t address)
{
    uint64_t *table = direct_map(*entry & PTE_ADDRESS);
    struct frame *frame = space_frame(table);

    if (frame->sharers == 0) {
        *entry = pte_table_unshare(*entry);
        table_write_barrier();
        return 0;
    }
    uint64_t *copy = space_take_spare(aspace);
    if (!copy)
        return -ENOMEM;
    long error = copy_entries(table, copy, frame->references);
    if (error) {
        arch_zero_page(copy);
        push_spare(aspace, copy);
        return error;
    }
    space_frame(copy)->references = frame->references;
    frame->sharers--;
    change_table(aspace, entry, pte_for_table(direct_map_to_physical(copy)), address);
    return 0;
}

uint64_t *space_shared_entry(const struct aspace *aspace, uint64_t address)
{
    uint64_t *table = aspace->top;
    for (unsigned level = 0; level < LEAF_LEVEL; level++) {
        uint64_t *entry = &table[pte_index(address, level)];
        if (!pte_is_table(*entry))
            return NULL;
        if (pte_is_shared_table(*entry))
            return entry;
        table = direct_map(*entry & PTE_ADDRESS);
    }
    return NULL;
}

long space_privatize(struct aspace *aspace, uint64_t address)
{
    if (aspace->leaf_number == address >> HUGE_PAGE_SHIFT)
        return 0;
    uint64_t *entry = space_shared_entry(aspace, address);
    return entry ? privatize(aspace, entry, address) : 0;
}

bool space_is_last_sharer(struct aspace *aspace, uint64_t address)
{
    uint64_t *entry = space_shared_entry(aspace, address);
    if (!entry || space_table_in_common(*entry))
        return false;
    *entry = pte_table_unshare(*entry);
    table_write_barrier();
    return true;
}

long space_split(struct aspace *aspace, uint64_t *entry, uint64_t address)
{
    uint64_t huge = *entry;
    uint64_t *table = space_take_spare(aspace);
    if (!table)
        return -ENOMEM;
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = pte_part_of_huge(huge, i);
    space_frame(table)->references = ENTRIES;
    aspace->table_count++;
    change_table(aspace, entry, pte_for_table(direct_map_to_physical(table)), address);
    return 0;
}

/* Goes below `entry`, which lies in `table`, for a change; NULL with *error if that cannot be. */
static uint64_t *descend(struct aspace *aspace, const uint64_t *table, uint64_t *entry, uint64_t address, bool split,
                         long *error)
{
    *error = 0;
    if (!*entry) {
        uint64_t *fresh = add_table(aspace, table, entry);
        *error = fresh ? 0 : -ENOMEM;
        return fresh;
    }
    if (pte_is_shared_table(*entry))
        *error = privatize(aspace, entry, address);
    else if (!pte_is_table(*entry))
        *error =
            split && pte_is_present(*entry) && !(*entry & PTE_DEVICE) ? space_split(aspace, entry, address) : -EEXIST;
    return *error ? NULL : direct_map(*entry & PTE_ADDRESS);
}

uint64_t *space_entry_for_map(struct aspace *aspace, uint64_t address, unsigned level, bool split, long *error)
{
    if (__builtin_expect(level == LEAF_LEVEL && aspace->leaf_number == address >> HUGE_PAGE_SHIFT, 1))
        return &aspace->leaf[pte_index(address, LEAF_LEVEL)];
    uint64_t *table = aspace->top;
    for (unsigned i = 0; i < level; i++) {
        table = descend(aspace, table, &table[pte_index(address, i)], address, split, error);
        if (!table)
            return NULL;
    }
    if (level == LEAF_LEVEL)
        note_leaf(aspace, address, table);
    return &table[pte_index(address, level)];
}

/* --- Leaves ------------------------------------------------------------------------------------------------------- */

bool space_huge_shared(const struct frame *first)
{
    for (const struct frame *frame = first; frame < first + HUGE_FRAMES; frame++) {
        if (frame->references > 1)
            return true;
    }
    return false;
}

bool space_leaf_last(uint64_t pte)
{
    uint64_t pfn = (pte & PTE_ADDRESS) >> PAGE_SHIFT;
    const struct frame *first = frame_known(&frames, pfn);
    for (const struct frame *frame = first; frame < first + HUGE_FRAMES; frame++) {
        if (frame->references == 1)
            return true;
    }
    return false;
}

void space_drop_leaf(uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;
    *entry = 0;
    space_frame(entry)->references--;
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
        frame_remove_mappings(&frames, pfn, HUGE_FRAMES);
}

/* --- Tables go ---------------------------------------------------------------------------------------------------- */

void space_prune(struct aspace *aspace, uint64_t address)
{
    uint64_t *tables[TABLE_LEVELS];
    unsigned level = 0;

    if (aspace->leaf_number == address >> HUGE_PAGE_SHIFT && space_frame(aspace->leaf)->references)
        return;
    tables[0] = aspace->top;
    while (level < LEAF_LEVEL) {
        uint64_t entry = tables[level][pte_index(address, level)];
        if (!pte_is_table(entry))
            break;
        tables[++level] = direct_map(entry & PTE_ADDRESS);
    }
    for (; level > 0 && space_frame(tables[level])->references == 0; level--) {
        tables[level - 1][pte_index(address, level - 1)] = 0;
        space_frame(tables[level - 1])->references--;
        table_write_barrier();
        tlb_drop_page(aspace->identifier, address);
        tlb_finish();
        push_spare(aspace, tables[level]);
        aspace->table_count--;
        space_forget_leaf(aspace);
    }
}

uint64_t space_unlink(struct aspace *aspace, uint64_t *entry)
{
    struct frame *frame = space_frame(direct_map(*entry & PTE_ADDRESS));

    KERNEL_ASSERT(frame->sharers > 0);
    frame->sharers--;
    *entry = 0;
    space_frame(entry)->references--;
    aspace->table_count--;
    return frame->references;
}
