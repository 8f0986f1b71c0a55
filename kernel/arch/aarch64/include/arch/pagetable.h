/* SPDX-License-Identifier: MIT */
/*
 * Translation table entries of AArch64 (4 KiB granule, 48 bits) to and from the ABI's entries, and the TLB.
 * The tables are four levels of 512 entries; level 0 is the top, a leaf is at level 3 (4 KiB) or level 2 (2 MiB).
 *
 * This machine's tables have no dirty bit (before Armv8.1), so a writable page that was not written yet is mapped
 * read-only and PTE_WRITE, a bit the hardware ignores, says so: aspace_note_access() grants the write.
 */
#ifndef ARCH_PAGETABLE_H
#define ARCH_PAGETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <quire/abi.h>

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

#define TABLE_LEVELS 4u
#define LEAF_LEVEL   3u
#define HUGE_LEVEL   2u

static inline unsigned pte_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (39 - 9 * level)) & 511;
}

/* Bytes that one entry of a level covers. */
static inline uint64_t pte_span(unsigned level)
{
    return 1UL << (39 - 9 * level);
}

static inline uint64_t pte_for_table(uint64_t physical)
{
    return physical | PTE_TABLE | PTE_VALID;
}

/* In the entry of a table that several spaces may use: nothing below can be written (APTable). */
#define PTE_TABLE_SHARED (1UL << 62)

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

static inline bool pte_is_table(uint64_t pte)
{
    return (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

static inline bool pte_is_present(uint64_t pte)
{
    return pte & PTE_VALID;
}

/* ABI entry to leaf. Soft entries keep their upper 52 bits and are not valid. */
static inline uint64_t pte_from_entry(uint64_t entry, unsigned level)
{
    if (entry & ENTRY_SOFT)
        return (entry & ~ENTRY_FLAGS) | ENTRY_SOFT;
    uint64_t pte = (entry & PTE_ADDRESS) | PTE_VALID | PTE_NOT_GLOBAL | PTE_KERNEL_NO_EXECUTE | PTE_READ_ONLY |
                   PTE_USER_NO_EXECUTE;
    if (level == LEAF_LEVEL)
        pte |= PTE_TABLE;
    if (entry & (ENTRY_READ | ENTRY_WRITE | ENTRY_EXECUTE))
        pte |= PTE_USER;
    if (entry & ENTRY_WRITE)
        pte |= PTE_WRITE;
    if (entry & ENTRY_EXECUTE)
        pte &= ~PTE_USER_NO_EXECUTE;
    if (entry & ENTRY_DEVICE)
        pte |= PTE_DEVICE;
    else
        pte |= PTE_SHAREABLE;
    if (entry & ENTRY_ACCESSED)
        pte |= PTE_ACCESSED;
    if (entry & ENTRY_DIRTY) {
        pte |= PTE_DIRTY;
        if (entry & ENTRY_WRITE)
            pte &= ~PTE_READ_ONLY;
    }
    return pte;
}

static inline uint64_t pte_to_entry(uint64_t pte, unsigned level)
{
    if (!pte)
        return 0;
    if (!(pte & PTE_VALID))
        return pte;
    uint64_t entry = pte & PTE_ADDRESS;
    if (pte & PTE_USER)
        entry |= ENTRY_READ;
    if (pte & PTE_WRITE)
        entry |= ENTRY_WRITE;
    if (!(pte & PTE_USER_NO_EXECUTE))
        entry |= ENTRY_EXECUTE;
    if (pte & PTE_DEVICE)
        entry |= ENTRY_DEVICE;
    if (pte & PTE_ACCESSED)
        entry |= ENTRY_ACCESSED;
    if (pte & PTE_DIRTY)
        entry |= ENTRY_DIRTY;
    if (level == HUGE_LEVEL)
        entry |= ENTRY_HUGE;
    return entry;
}

/* Makes table writes visible to the walkers of all CPUs. */
static inline void table_write_barrier(void)
{
    __asm__ volatile("dsb ishst" ::: "memory");
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

/* Number of address-space identifiers that the machine tells apart. */
static inline uint64_t identifier_count(void)
{
    uint64_t features;
    __asm__("mrs %0, id_aa64mmfr0_el1" : "=r"(features));
    return (features >> 4 & 0xf) == 2 ? 65536 : 256;
}

#endif
