/* SPDX-License-Identifier: MIT */
/* Numbers in little-endian order, as tables of firmware and disks have them, at whatever alignment. */
#ifndef BASE_LITTLE_ENDIAN_H
#define BASE_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint16_t read_le16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t read_le32(const uint8_t *bytes)
{
    return read_le16(bytes) | (uint32_t)read_le16(bytes + 2) << 16;
}

static inline uint64_t read_le64(const uint8_t *bytes)
{
    return read_le32(bytes) | (uint64_t)read_le32(bytes + 4) << 32;
}

#endif
