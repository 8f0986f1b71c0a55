/* SPDX-License-Identifier: MIT */
#include "sd_identity.h"

#include <errno.h>

#define DIVIDER_MAX      2046u
#define SECTOR_SHIFT     9u
#define BLOCK_SHIFT_MAX  11u
#define SECTORS_A_UNIT_2 1024u /* version 2 counts in 512 KiB */

/* Bits [low, low + count) of a register whose lowest 8 are not in the answer. count is at most 32. */
static uint32_t bits(const uint32_t answer[4], unsigned low, unsigned count)
{
    const unsigned first = low - 8, word = first / 32, shift = first % 32;
    uint64_t pair = answer[word];

    if (word < 3)
        pair |= (uint64_t)answer[word + 1] << 32;
    return (uint32_t)(pair >> shift & ((1UL << count) - 1));
}

int sd_read_csd(const uint32_t answer[4], uint64_t *sectors, bool *read_only)
{
    const uint32_t structure = bits(answer, 126, 2);

    *read_only = bits(answer, 12, 2) != 0;
    if (structure == 1) {
        *sectors = ((uint64_t)bits(answer, 48, 22) + 1) * SECTORS_A_UNIT_2;
        return 0;
    }
    if (structure != 0)
        return -EOPNOTSUPP;
    const uint32_t block_shift = bits(answer, 80, 4), multiplier_shift = bits(answer, 47, 3) + 2;
    if (block_shift < SECTOR_SHIFT || block_shift > BLOCK_SHIFT_MAX)
        return -EIO;
    *sectors = ((uint64_t)bits(answer, 62, 12) + 1) << multiplier_shift << (block_shift - SECTOR_SHIFT);
    return 0;
}

void sd_read_cid(const uint32_t answer[4], char text[SD_SERIAL_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *place = text;

    for (unsigned i = 0; i < 5; i++) {
        const uint32_t byte = bits(answer, 96 - 8 * i, 8);
        *place++ = (char)(byte > ' ' && byte < 0x7f ? byte : (uint32_t)'?');
    }
    *place++ = '-';
    for (unsigned i = 0; i < 8; i++)
        *place++ = digits[bits(answer, 52 - 4 * i, 4)];
    *place = '\0';
}

uint32_t sd_clock_divider(uint32_t base, uint32_t wanted)
{
    if (base <= wanted)
        return 0;
    uint32_t divider = 2;
    while (divider < DIVIDER_MAX && base / divider + (base % divider != 0) > wanted)
        divider += 2;
    return divider;
}
