/* SPDX-License-Identifier: MIT */
/*
 * Translation table entries of AArch64 (4 KiB granule, 48 bits) to and from the ABI's entries, and the TLB.
 *
 * This machine's tables have no dirty bit (before Armv8.1), so a writable page that was not written yet is mapped
 * read-only and PTE_WRITE, a bit the hardware ignores, says so: aspace_note_access() grants the write.
 */
#ifndef ARCH_PAGETABLE_H
#define ARCH_PAGETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <quire/abi.h>

#include "table_levels.h"

#define PTE_VALID             (1UL << 0)
#define PTE_TABLE             (1UL << 1) /* levels 0..2: a table; level 3: always set */
#define PTE_DEVICE            (1UL << 2) /* MAIR index 1 */
#define PTE_USER              (1UL << 6)
#define PTE_READ_ONLY         (1UL << 7)
#define PTE_SHAREABLE         (3UL << 8)
#define PTE_ACCESSED          (1UL << 10)
#define PTE_NOT_GLOBAL        (1UL << 11)
#define PTE_KERNEL_NO_EXECUTE (1UL << 53)
#define PTE_USER_NO_EXECUTE   (1UL << 54)
#define PTE_WRITE             (1UL << 55) /* ours: writable, once it is dirty */
#define PTE_DIRTY             (1UL << 56) /* ours */
#define PTE_ADDRESS           0x0000fffffffff000UL

static inline uint64_t pte_for_table(uint64_t physical)
{
    return physical | PTE_TABLE | PTE_VALID;
}

/* In the entry of a table that several spaces may use: nothing below can be written (APTable). */
#define PTE_TABLE_SHARED (1UL << 62)

static inline uint64_t pte_table_share(uint64_t pte)
{
    return pte | PTE_TABLE_SHARED;
}

static inline uint64_t pte_table_unshare(uint64_t pte)
{
    return pte & ~PTE_TABLE_SHARED;
}

static inline bool pte_is_shared_table(uint64_t pte)
{
    return (pte & (PTE_VALID | PTE_TABLE | PTE_TABLE_SHARED)) == (PTE_VALID | PTE_TABLE | PTE_TABLE_SHARED);
}

/* A leaf without the right to write; whether it was written stays noted. */
static inline uint64_t pte_write_protect(uint64_t pte)
{
    return (pte & ~PTE_WRITE) | PTE_READ_ONLY;
}

/* The leaf for page `index` of a huge page. */
static inline uint64_t pte_part_of_huge(uint64_t pte, unsigned index)
{
    return (pte | PTE_TABLE) + ((uint64_t)index << PAGE_SHIFT);
}

/* What the rights of an ABI entry are in a leaf. */
static inline uint64_t pte_rights(uint64_t entry)
{
    uint64_t user = (entry | entry >> 1 | entry >> 2) & 1;
    return user << 6 | (entry & ENTRY_WRITE) << 54 | (~entry & ENTRY_EXECUTE) << 52;
}
#define PTE_RIGHTS (PTE_USER | PTE_WRITE | PTE_USER_NO_EXECUTE)
_Static_assert(PTE_USER == ENTRY_READ << 6 && PTE_WRITE == ENTRY_WRITE << 54 &&
                   PTE_USER_NO_EXECUTE == ENTRY_EXECUTE << 52,
               "pte_rights() and pte_to_entry() shift");
_Static_assert(PTE_DEVICE == ENTRY_DEVICE >> 1 && PTE_ACCESSED == ENTRY_ACCESSED << 6 && PTE_DIRTY == ENTRY_DIRTY << 51,
               "pte_from_entry() and pte_to_entry() shift");

/* The leaf as the machine is to see it: only what may be written, and was, is not read-only. */
static inline uint64_t pte_finish(uint64_t pte)
{
    return (pte & (PTE_WRITE | PTE_DIRTY)) == (PTE_WRITE | PTE_DIRTY) ? pte & ~PTE_READ_ONLY : pte | PTE_READ_ONLY;
}

/* A writable leaf that is written now. */
static inline uint64_t pte_written(uint64_t pte)
{
    return (pte | PTE_DIRTY | PTE_ACCESSED) & ~PTE_READ_ONLY;
}

/* ABI entry to leaf. Soft entries keep their upper 52 bits and are not valid. */
static inline uint64_t pte_from_entry(uint64_t entry, unsigned level)
{
    if (__builtin_expect(entry & ENTRY_SOFT, 0))
        return (entry & ~ENTRY_FLAGS) | ENTRY_SOFT;
    uint64_t pte = (entry & PTE_ADDRESS) | PTE_VALID | PTE_NOT_GLOBAL | PTE_KERNEL_NO_EXECUTE | pte_rights(entry) |
                   (entry & ENTRY_DEVICE) >> 1 | (entry & ENTRY_ACCESSED) << 6 | (entry & ENTRY_DIRTY) << 51;
    if (level == LEAF_LEVEL)
        pte |= PTE_TABLE;
    if (__builtin_expect(!(entry & ENTRY_DEVICE), 1))
        pte |= PTE_SHAREABLE;
    return pte_finish(pte);
}

/* A leaf with the rights and notes of an ABI entry besides its own. */
static inline uint64_t pte_add(uint64_t pte, uint64_t entry)
{
    const uint64_t rights = pte_rights(entry);
    pte |= (rights & (PTE_USER | PTE_WRITE)) | (entry & ENTRY_ACCESSED) << 6 | (entry & ENTRY_DIRTY) << 51;
    return pte_finish(pte & ~(~rights & PTE_USER_NO_EXECUTE));
}

/* Leaf to ABI entry, for a page of memory that is present. */
static inline uint64_t pte_page_to_entry(uint64_t pte)
{
    return (pte & PTE_ADDRESS) | (pte & (PTE_USER | PTE_ACCESSED)) >> 6 | (pte & PTE_WRITE) >> 54 |
           (~pte & PTE_USER_NO_EXECUTE) >> 52 | (pte & PTE_DIRTY) >> 51;
}

static inline uint64_t pte_to_entry(uint64_t pte, unsigned level)
{
    if (!(pte & PTE_VALID))
        return pte;
    uint64_t entry = pte_page_to_entry(pte) | (pte & PTE_DEVICE) << 1;
    return level == HUGE_LEVEL ? entry | ENTRY_HUGE : entry;
}

/* The kernel's own leaves. */
#define PTE_KERNEL_DATA   (PTE_VALID | PTE_ACCESSED | PTE_KERNEL_NO_EXECUTE | PTE_USER_NO_EXECUTE)
#define PTE_KERNEL_MEMORY (PTE_KERNEL_DATA | PTE_SHAREABLE)
#define PTE_KERNEL_DEVICE (PTE_KERNEL_DATA | PTE_DEVICE)

static inline unsigned kernel_leaf_top(void)
{
    return 1;
}

static inline uint64_t pte_kernel_leaf(uint64_t physical, unsigned level, uint64_t attributes)
{
    return physical | attributes | (level == LEAF_LEVEL ? PTE_TABLE : 0);
}

static inline void table_write_barrier(void)
{
    __asm__ volatile("dsb ishst" ::: "memory");
}

static inline void table_use_barrier(void)
{
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

/* Drops what the TLBs of all CPUs hold of a page, walk caches included; tlb_finish() waits for that. */
static inline void tlb_drop_page(uint64_t identifier, uint64_t address)
{
    __asm__ volatile("tlbi vae1is, %0" ::"r"(identifier << 48 | (address >> PAGE_SHIFT & 0xfffffffffffUL)) : "memory");
}

/* The same in every address space. */
static inline void tlb_drop_page_everywhere(uint64_t address)
{
    __asm__ volatile("tlbi vaae1is, %0" ::"r"(address >> PAGE_SHIFT & 0xfffffffffffUL) : "memory");
}

static inline void tlb_drop_space(uint64_t identifier)
{
    __asm__ volatile("tlbi aside1is, %0" ::"r"(identifier << 48) : "memory");
}

/* All that the TLBs of all CPUs hold. */
static inline void tlb_drop_everything(void)
{
    __asm__ volatile("tlbi vmalle1is" ::: "memory");
}

static inline void tlb_finish(void)
{
    __asm__ volatile("dsb ish" ::: "memory");
}

/* What the machine's table register takes for a top table and an identifier. */
static inline uint64_t table_register(uint64_t top_physical, uint64_t identifier)
{
    return top_physical | identifier << 48;
}

/* A fresh top table, all zero: the kernel's half is in a register of its own. */
static inline void top_table_begin(uint64_t *top)
{
    (void)top;
}

/* The top table, with nothing of the user's in it, is to be a plain frame. */
static inline void top_table_end(uint64_t *top)
{
    (void)top;
}

/* The space whose register value is *root got these device registers: they are reached by memory accesses alone. */
static inline void table_register_add_device(uint64_t *root, uint64_t pfn, uint64_t count)
{
    (void)root;
    (void)pfn;
    (void)count;
}

/* Number of address-space identifiers that the machine tells apart. */
static inline uint64_t identifier_count(void)
{
    uint64_t features;
    __asm__("mrs %0, id_aa64mmfr0_el1" : "=r"(features));
    return (features >> 4 & 0xf) == 2 ? 65536 : 256;
}

#endif
