/* SPDX-License-Identifier: MIT */
/* Zeroing whole pages. */
#include "arch.h"

#define ZERO_BLOCK 64u /* bytes that one DC ZVA zeroes where it is used */
_Static_assert(PAGE_SIZE % (16 * ZERO_BLOCK) == 0, "a page is whole turns of the loop");

void arch_zero_page(void *page)
{
    uint64_t feature;
    char *line = page;
    const char *end = line + PAGE_SIZE;

    /* The instruction is allowed (bit 4 is clear) and zeroes 2^4 words. */
    __asm__("mrs %0, dczid_el0" : "=r"(feature));
    if ((feature & 0x1f) != 4) {
        __builtin_memset(page, 0, PAGE_SIZE);
        return;
    }
    do {
        __asm__ volatile(".rept 16\n\t"
                         "dc zva, %[line]\n\t"
                         "add %[line], %[line], %[block]\n\t"
                         ".endr"
                         : [line] "+r"(line)
                         : [block] "I"(ZERO_BLOCK)
                         : "memory");
    } while (line != end);
}
