/* SPDX-License-Identifier: MIT */
/* What memsrv must know of the processor: zeroing pages fast, waiting in a loop, and fresh code. */
#ifndef ARCH_MACHINE_H
#define ARCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <quire/abi.h>

#define ZERO_BLOCK 64u /* bytes that one DC ZVA zeroes, on the machines where it is used */

/* True if this machine's DC ZVA is allowed and zeroes ZERO_BLOCK bytes. Asked once, at start. */
static inline bool machine_zeroes_blocks(void)
{
    uint64_t feature;
    __asm__("mrs %0, dczid_el0" : "=r"(feature));
    return (feature & 0x1f) == 4;
}

/* Zeroes the page at `page`, page-aligned, by cache lines. */
static inline void machine_zero_page(char *page)
{
    const char *end = page + PAGE_SIZE;
    do {
        __asm__ volatile(".rept 16\n\t"
                         "dc zva, %[page]\n\t"
                         "add %[page], %[page], %[block]\n\t"
                         ".endr"
                         : [page] "+r"(page)
                         : [block] "I"(ZERO_BLOCK)
                         : "memory");
    } while (page != end);
}
_Static_assert(PAGE_SIZE % (16 * ZERO_BLOCK) == 0, "a page is whole turns of the loop");

/* Copies the page at `from` to `to`, both page-aligned, without FP registers: a worker that used them would have to
 * have them saved and loaded at each switch. Of each 256 bytes the first 16 come last, with the step to the next. */
static inline void machine_copy_page(char *to, const char *from)
{
    const char *end = from + PAGE_SIZE;
    uint64_t a, b, c, d, e, f, g, h;
    do {
        __asm__ volatile(".rept 2\n\t"
                         ".irp at, 192, 128, 64\n\t"
                         "ldp %[a], %[b], [%[from], #\\at]\n\t"
                         "ldp %[c], %[d], [%[from], #\\at + 16]\n\t"
                         "ldp %[e], %[f], [%[from], #\\at + 32]\n\t"
                         "ldp %[g], %[h], [%[from], #\\at + 48]\n\t"
                         "stp %[a], %[b], [%[to], #\\at]\n\t"
                         "stp %[c], %[d], [%[to], #\\at + 16]\n\t"
                         "stp %[e], %[f], [%[to], #\\at + 32]\n\t"
                         "stp %[g], %[h], [%[to], #\\at + 48]\n\t"
                         ".endr\n\t"
                         "ldp %[c], %[d], [%[from], #16]\n\t"
                         "ldp %[e], %[f], [%[from], #32]\n\t"
                         "ldp %[g], %[h], [%[from], #48]\n\t"
                         "ldp %[a], %[b], [%[from]], #256\n\t"
                         "stp %[c], %[d], [%[to], #16]\n\t"
                         "stp %[e], %[f], [%[to], #32]\n\t"
                         "stp %[g], %[h], [%[to], #48]\n\t"
                         "stp %[a], %[b], [%[to]], #256\n\t"
                         ".endr"
                         : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f),
                           [g] "=&r"(g), [h] "=&r"(h), [from] "+r"(from), [to] "+r"(to)
                         :
                         : "memory");
    } while (from != end);
}
_Static_assert(PAGE_SIZE % 512 == 0, "a page is whole turns of the loop");

/* One turn of a loop that waits for another processor. */
static inline void machine_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

/* Makes bytes that were written through the data cache visible to instruction fetches of all processors. */
static inline void machine_sync_code(const char *from, uint64_t bytes)
{
    uint64_t type;
    __asm__("mrs %0, ctr_el0" : "=r"(type));
    uint64_t data_line = 4UL << (type >> 16 & 0xf);
    uint64_t code_line = 4UL << (type & 0xf);
    uint64_t start = (uint64_t)from;

    for (uint64_t line = start & ~(data_line - 1); line < start + bytes; line += data_line)
        __asm__ volatile("dc cvau, %0" ::"r"(line) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (uint64_t line = start & ~(code_line - 1); line < start + bytes; line += code_line)
        __asm__ volatile("ic ivau, %0" ::"r"(line) : "memory");
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

#endif
