/* SPDX-License-Identifier: MIT */
/* The checksum of IEEE 802.3, as GPT has it. */
#ifndef BLOCK_CRC32_H
#define BLOCK_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Of `count` bytes that follow those with checksum `crc`; 0 to begin with. */
uint32_t crc32_update(uint32_t crc, const void *bytes, size_t count);

#endif
