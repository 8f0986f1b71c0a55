/* SPDX-License-Identifier: MIT */
/* Four bits at a time: tables are read once in the life of a disk. */
#include <block/crc32.h>

/* What each value of the low four bits adds; the polynomial is 0xedb88320, bits turned round. */
static const uint32_t steps[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                   0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                   0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};

uint32_t crc32_update(uint32_t crc, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;

    crc = ~crc;
    while (count--) {
        crc ^= *next++;
        crc = crc >> 4 ^ steps[crc & 0xf];
        crc = crc >> 4 ^ steps[crc & 0xf];
    }
    return ~crc;
}
