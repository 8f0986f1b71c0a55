/* SPDX-License-Identifier: MIT */
/*
 * Translation table entries of x86-64 (4 levels) to and from the ABI's entries, and the TLB.
 *
 * The machine notes accesses. It would note writes as well, but an entry that the kernel changes at the same time could
 * lose them; so a writable page that was not written yet is mapped read-only, and PTE_WRITE, a bit the machine ignores,
 * says so: aspace_note_access() grants the write.
 *
 * There are no identifiers in the TLB: a CPU forgets everything of a space when it leaves it. Others are asked by an
 * interrupt to forget, and tlb_finish() waits until they have.
 */
#ifndef ARCH_PAGETABLE_H
#define ARCH_PAGETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/registers.h>
#include <quire/abi.h>

#include "memory_map.h"
#include "table_levels.h"

#define PTE_VALID           (1UL << 0)
#define PTE_MACHINE_WRITE   (1UL << 1)
#define PTE_USER            (1UL << 2)
#define PTE_WRITE_THROUGH   (1UL << 3)
#define PTE_DEVICE          (1UL << 4) /* uncached */
#define PTE_ACCESSED        (1UL << 5)
#define PTE_MACHINE_DIRTY   (1UL << 6)
#define PTE_HUGE            (1UL << 7) /* levels 1 and 2: a leaf */
#define PTE_GLOBAL          (1UL << 8)
#define PTE_TABLE           (1UL << 9)  /* ours: levels 0..2: a table */
#define PTE_WRITE           (1UL << 10) /* ours: writable, once it is dirty */
#define PTE_DIRTY           (1UL << 11) /* ours */
#define PTE_ADDRESS         0x0000fffffffff000UL
#define PTE_USER_NO_EXECUTE (1UL << 63)

static inline uint64_t pte_for_table(uint64_t physical)
{
    return physical | PTE_TABLE | PTE_ACCESSED | PTE_USER | PTE_MACHINE_WRITE | PTE_VALID;
}

/* The entry of a table that several spaces may use: nothing below can be written. */
static inline uint64_t pte_table_share(uint64_t pte)
{
    return pte & ~PTE_MACHINE_WRITE;
}

static inline uint64_t pte_table_unshare(uint64_t pte)
{
    return pte | PTE_MACHINE_WRITE;
}

static inline bool pte_is_shared_table(uint64_t pte)
{
    return (pte & (PTE_VALID | PTE_TABLE | PTE_MACHINE_WRITE)) == (PTE_VALID | PTE_TABLE);
}

/* A leaf without the right to write; whether it was written stays noted. */
static inline uint64_t pte_write_protect(uint64_t pte)
{
    return pte & ~(PTE_WRITE | PTE_MACHINE_WRITE);
}

/* The leaf for page `index` of a huge page. */
static inline uint64_t pte_part_of_huge(uint64_t pte, unsigned index)
{
    return (pte & ~PTE_HUGE) + ((uint64_t)index << PAGE_SHIFT);
}

/* What the rights of an ABI entry are in a leaf. */
static inline uint64_t pte_rights(uint64_t entry)
{
    uint64_t user = (entry | entry >> 1 | entry >> 2) & 1;
    return user << 2 | (entry & ENTRY_WRITE) << 9 | (~entry & ENTRY_EXECUTE) << 61;
}
#define PTE_RIGHTS (PTE_USER | PTE_WRITE | PTE_USER_NO_EXECUTE)
_Static_assert(PTE_USER == ENTRY_READ << 2 && PTE_WRITE == ENTRY_WRITE << 9 &&
                   PTE_USER_NO_EXECUTE == ENTRY_EXECUTE << 61,
               "pte_rights() and pte_to_entry() shift");
_Static_assert(PTE_DEVICE == ENTRY_DEVICE << 1 && PTE_ACCESSED == ENTRY_ACCESSED << 1 && PTE_DIRTY == ENTRY_DIRTY << 6,
               "pte_from_entry() and pte_to_entry() shift");

/* The leaf as the machine is to see it: only what may be written, and was, can be. The machine has then no write to note. */
static inline uint64_t pte_finish(uint64_t pte)
{
    return (pte & (PTE_WRITE | PTE_DIRTY)) == (PTE_WRITE | PTE_DIRTY) ? pte | PTE_MACHINE_WRITE | PTE_MACHINE_DIRTY
                                                                      : pte & ~PTE_MACHINE_WRITE;
}

/* A writable leaf that is written now. */
static inline uint64_t pte_written(uint64_t pte)
{
    return pte | PTE_DIRTY | PTE_ACCESSED | PTE_MACHINE_WRITE | PTE_MACHINE_DIRTY;
}

/* ABI entry to leaf. Soft entries keep their upper 52 bits and are not valid. */
static inline uint64_t pte_from_entry(uint64_t entry, unsigned level)
{
    if (__builtin_expect(entry & ENTRY_SOFT, 0))
        return (entry & ~ENTRY_FLAGS) | ENTRY_SOFT;
    uint64_t pte = (entry & PTE_ADDRESS) | PTE_VALID | pte_rights(entry) | (entry & ENTRY_DEVICE) << 1 |
                   (entry & ENTRY_ACCESSED) << 1 | (entry & ENTRY_DIRTY) << 6;
    if (level == HUGE_LEVEL)
        pte |= PTE_HUGE;
    if (__builtin_expect(entry & ENTRY_DEVICE, 0))
        pte |= PTE_WRITE_THROUGH;
    return pte_finish(pte);
}

/* A leaf with the rights and notes of an ABI entry besides its own. */
static inline uint64_t pte_add(uint64_t pte, uint64_t entry)
{
    const uint64_t rights = pte_rights(entry);
    pte |= (rights & (PTE_USER | PTE_WRITE)) | (entry & ENTRY_ACCESSED) << 1 | (entry & ENTRY_DIRTY) << 6;
    return pte_finish(pte & ~(~rights & PTE_USER_NO_EXECUTE));
}

/* Leaf to ABI entry, for a page of memory that is present. */
static inline uint64_t pte_page_to_entry(uint64_t pte)
{
    return (pte & PTE_ADDRESS) | (pte & PTE_USER) >> 2 | (pte & PTE_ACCESSED) >> 1 | (pte & PTE_WRITE) >> 9 |
           (~pte & PTE_USER_NO_EXECUTE) >> 61 | (pte & PTE_DIRTY) >> 6;
}

static inline uint64_t pte_to_entry(uint64_t pte, unsigned level)
{
    if (!(pte & PTE_VALID))
        return pte;
    uint64_t entry = pte_page_to_entry(pte) | (pte & PTE_DEVICE) >> 1;
    return level == HUGE_LEVEL ? entry | ENTRY_HUGE : entry;
}

/* The kernel's own leaves. */
#define PTE_KERNEL_MEMORY                                                                                              \
    (PTE_VALID | PTE_ACCESSED | PTE_MACHINE_WRITE | PTE_MACHINE_DIRTY | PTE_GLOBAL | PTE_USER_NO_EXECUTE)
#define PTE_KERNEL_RODATA (PTE_VALID | PTE_ACCESSED | PTE_GLOBAL | PTE_USER_NO_EXECUTE)
#define PTE_KERNEL_TEXT   (PTE_VALID | PTE_ACCESSED | PTE_GLOBAL)
#define PTE_KERNEL_DEVICE (PTE_KERNEL_MEMORY | PTE_DEVICE | PTE_WRITE_THROUGH)

#define FEATURE_GIBIBYTE_PAGES (1u << 26) /* leaf 0x80000001, edx */

static inline unsigned kernel_leaf_top(void)
{
    return cpuid_read(0x80000001, 0).d & FEATURE_GIBIBYTE_PAGES ? 1 : HUGE_LEVEL;
}

static inline uint64_t pte_kernel_leaf(uint64_t physical, unsigned level, uint64_t attributes)
{
    return physical | attributes | (level == LEAF_LEVEL ? 0 : PTE_HUGE);
}

/* The machine keeps writes in order, and its walkers see them. */
static inline void table_write_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

static inline void table_use_barrier(void)
{
    table_write_barrier();
}

/* What the machine's table register takes for a top table and an identifier. */
static inline uint64_t table_register(uint64_t top_physical, uint64_t identifier)
{
    (void)identifier;
    return top_physical;
}

#define TOP_KERNEL_FIRST 256u

/* A fresh top table, all zero: gets the kernel's half. */
static inline void top_table_begin(uint64_t *top)
{
    for (unsigned i = TOP_KERNEL_FIRST; i < 512; i++)
        top[i] = kernel_top_table[i];
}

/* The top table, with nothing of the user's in it, is to be a plain frame. */
static inline void top_table_end(uint64_t *top)
{
    for (unsigned i = TOP_KERNEL_FIRST; i < 512; i++)
        top[i] = 0;
}

/* The space whose register value is *root got these device registers: ports are used by other instructions. */
static inline void table_register_add_device(uint64_t *root, uint64_t pfn, uint64_t count)
{
    if (pfn <= PORT_BASE >> PAGE_SHIFT && PORT_BASE >> PAGE_SHIFT < pfn + count)
        *root |= TABLE_REGISTER_PORTS;
}

/* Number of address-space identifiers that the machine tells apart: it tells none, but the kernel does. */
static inline uint64_t identifier_count(void)
{
    return 65536;
}

#endif
