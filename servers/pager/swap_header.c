/* SPDX-License-Identifier: MIT */
/* Checks the header of a swap area: every number in it comes from a disk. */
#include "swap_header.h"

#include <errno.h>
#include <string.h>

#include <mm/swap_map.h>

#define SIGNATURE        "SWAPSPACE2"
#define SIGNATURE_OFFSET (SWAP_HEADER_BYTES - 10)
#define VERSION_OFFSET   1024u
#define LAST_OFFSET      1028u
#define BAD_COUNT_OFFSET 1032u
#define BAD_OFFSET       1536u

static uint32_t number_at(const uint8_t *page, size_t offset)
{
    uint32_t value;
    memcpy(&value, page + offset, sizeof(value)); /* written by a machine of the same byte order */
    return value;
}

int swap_header_parse(const void *header, uint64_t pages, struct swap_header_use *use)
{
    const uint8_t *page = header;
    const uint32_t last = number_at(page, LAST_OFFSET), bad = number_at(page, BAD_COUNT_OFFSET);
    if (memcmp(page + SIGNATURE_OFFSET, SIGNATURE, strlen(SIGNATURE)) != 0 || number_at(page, VERSION_OFFSET) != 1)
        return -EINVAL;
    if (last == 0 || last >= pages || last >= SWAP_SLOTS_MAX || bad > SWAP_BAD_MAX)
        return -EINVAL;
    use->slots = (uint64_t)last + 1;
    use->bad_count = bad;
    for (uint32_t i = 0; i < bad; i++) {
        use->bad[i] = number_at(page, BAD_OFFSET + i * sizeof(uint32_t));
        if (use->bad[i] == 0 || use->bad[i] > last)
            return -EINVAL;
    }
    return 0;
}
