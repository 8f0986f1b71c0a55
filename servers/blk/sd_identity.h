/* SPDX-License-Identifier: MIT */
/* What an SD card says of itself, in the form in which an SD host controller gives its 128-bit answers: bits 8 to 127, in
 * four words. Pure; the bits are the card's and are believed in nothing. */
#ifndef BLK_SD_IDENTITY_H
#define BLK_SD_IDENTITY_H

#include <base/check.h>
#include <stdbool.h>
#include <stdint.h>

#define SD_SERIAL_BYTES 16u

/* From the CSD register (SD physical layer specification 5.3): size in sectors of 512 bytes, and whether the card forbids
 * to write. EOPNOTSUPP: a form that is not known; EIO: a size that cannot be. */
MUST_CHECK int sd_read_csd(const uint32_t answer[4], uint64_t *sectors, bool *read_only);

/* From the CID register (5.2): product name and serial number, as in QEMU!-deadbeef; other bytes than printable ones
 * become question marks. */
void sd_read_cid(const uint32_t answer[4], char text[SD_SERIAL_BYTES]);

/* The divider, 0 for none or an even number up to 2046, that makes the clock the fastest that is not above `wanted`; all
 * in hertz. */
uint32_t sd_clock_divider(uint32_t base, uint32_t wanted);

#endif
