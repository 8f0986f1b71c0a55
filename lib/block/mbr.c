/* SPDX-License-Identifier: MIT */
/* Master boot records: four primary partitions. Extended ones are shown as what they are and not looked into. */
#include "internal.h"

enum { MBR_ENTRIES = 446, MBR_ENTRY_BYTES = 16, MBR_SIGNATURE = 510 };
enum { ENTRY_STATUS = 0, ENTRY_TYPE = 4, ENTRY_FIRST = 8, ENTRY_SECTORS = 12 };

#define STATUS_ACTIVE 0x80u

static const uint8_t *entry_of(const uint8_t head[SECTOR_BYTES], unsigned number)
{
    return head + MBR_ENTRIES + (size_t)number * MBR_ENTRY_BYTES;
}

bool mbr_is_valid(const uint8_t head[SECTOR_BYTES])
{
    if (head[MBR_SIGNATURE] != 0x55 || head[MBR_SIGNATURE + 1] != 0xaa)
        return false;
    /* A boot sector of a file system has the same signature; what it has there instead of entries is seldom this. */
    for (unsigned i = 0; i < MBR_PARTITIONS; i++) {
        if (entry_of(head, i)[ENTRY_STATUS] & ~STATUS_ACTIVE)
            return false;
    }
    return true;
}

bool mbr_has_type(const uint8_t head[SECTOR_BYTES], uint8_t type)
{
    for (unsigned i = 0; i < MBR_PARTITIONS; i++) {
        if (entry_of(head, i)[ENTRY_TYPE] == type)
            return true;
    }
    return false;
}

static void write_type(char text[PARTITION_TYPE_BYTES], uint8_t type)
{
    static const char digits[] = "0123456789abcdef";

    text[0] = '0';
    text[1] = 'x';
    text[2] = digits[type >> 4];
    text[3] = digits[type & 0xf];
    text[4] = '\0';
}

bool mbr_read(const struct partition_source *source, const uint8_t head[SECTOR_BYTES], struct partition_table *table)
{
    /* Its sectors are the disk's blocks. */
    const uint64_t block_sectors = source->block_bytes / SECTOR_BYTES;

    for (unsigned i = 0; i < MBR_PARTITIONS; i++) {
        const uint8_t *entry = entry_of(head, i);
        const uint64_t first = read_le32(entry + ENTRY_FIRST) * block_sectors;
        const uint64_t sectors = read_le32(entry + ENTRY_SECTORS) * block_sectors;
        if (entry[ENTRY_TYPE] == 0)
            continue;
        if (!partition_fits(source, table, first, sectors))
            return false;
        struct partition *partition = &table->partitions[table->count++];
        partition->number = i + 1;
        partition->first = first;
        partition->sectors = sectors;
        write_type(partition->type, entry[ENTRY_TYPE]);
    }
    table->scheme = table->count ? PARTITION_MBR : PARTITION_NONE;
    return true;
}
