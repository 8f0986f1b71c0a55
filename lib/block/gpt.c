/* SPDX-License-Identifier: MIT */
/* GUID partition tables (UEFI 2.10, chapter 5). */
#include <block/crc32.h>

#include "internal.h"

#define SIGNATURE    "EFI PART"
#define REVISION     0x00010000u
#define HEADER_MIN   92u
#define ENTRY_MIN    128u
#define NAME_UNITS   36u
#define HEADER_BLOCK 1u
#define GUID_BYTES   16u

enum {
    HEADER_REVISION = 8,
    HEADER_BYTES = 12,
    HEADER_CRC = 16,
    HEADER_OWN = 24,
    HEADER_FIRST_USABLE = 40,
    HEADER_LAST_USABLE = 48,
    HEADER_ENTRIES = 72,
    HEADER_ENTRY_COUNT = 80,
    HEADER_ENTRY_BYTES = 84,
    HEADER_ENTRIES_CRC = 88,
};

enum { ENTRY_TYPE = 0, ENTRY_FIRST = 32, ENTRY_LAST = 40, ENTRY_NAME = 56 };

/* What a header says, all of it checked; blocks are the disk's. */
struct header {
    uint64_t first_usable, last_usable;
    uint64_t entries;
    uint32_t entry_count, entry_bytes;
    uint32_t entries_crc;
};

static uint64_t blocks_of(const struct partition_source *source)
{
    return source->sectors / (source->block_bytes / SECTOR_BYTES);
}

/* The checksum of the header, with its own place taken as zeros. */
static uint32_t header_checksum(const uint8_t *bytes, uint32_t count)
{
    static const uint8_t zeros[4];
    uint32_t crc = crc32_update(0, bytes, HEADER_CRC);

    crc = crc32_update(crc, zeros, sizeof(zeros));
    return crc32_update(crc, bytes + HEADER_CRC + sizeof(zeros), count - HEADER_CRC - sizeof(zeros));
}

/* True if the entries lie on the disk, and neither on the header at `block` nor where partitions are. */
static bool entries_fit(const struct partition_source *source, const struct header *header, uint64_t block)
{
    const uint64_t bytes = (uint64_t)header->entry_count * header->entry_bytes;
    const uint64_t blocks = (bytes + source->block_bytes - 1) / source->block_bytes;
    const uint64_t end = header->entries + blocks;

    if (bytes == 0 || bytes > PARTITION_TABLE_BYTES_MAX || header->entries <= 1 ||
        header->entries >= blocks_of(source) || blocks > blocks_of(source) - header->entries)
        return false;
    return (end <= header->first_usable || header->entries > header->last_usable) &&
           (block < header->entries || block >= end);
}

static bool header_read(const struct partition_source *source, const uint8_t *bytes, uint64_t block,
                        struct header *header)
{
    const uint32_t size = read_le32(bytes + HEADER_BYTES);

    if (memcmp(bytes, SIGNATURE, sizeof(SIGNATURE) - 1) != 0 || read_le32(bytes + HEADER_REVISION) != REVISION ||
        size < HEADER_MIN || size > source->block_bytes ||
        header_checksum(bytes, size) != read_le32(bytes + HEADER_CRC) || read_le64(bytes + HEADER_OWN) != block)
        return false;
    *header = (struct header){.first_usable = read_le64(bytes + HEADER_FIRST_USABLE),
                              .last_usable = read_le64(bytes + HEADER_LAST_USABLE),
                              .entries = read_le64(bytes + HEADER_ENTRIES),
                              .entry_count = read_le32(bytes + HEADER_ENTRY_COUNT),
                              .entry_bytes = read_le32(bytes + HEADER_ENTRY_BYTES),
                              .entries_crc = read_le32(bytes + HEADER_ENTRIES_CRC)};
    /* A size is 128 times a power of two. */
    return header->entry_bytes >= ENTRY_MIN && (header->entry_bytes & (header->entry_bytes - 1)) == 0 &&
           header->first_usable <= header->last_usable && header->last_usable < blocks_of(source) &&
           entries_fit(source, header, block);
}

/* --- Entries ------------------------------------------------------------------------------------------------------ */

/* Writes the text of a GUID, whose first three parts are numbers in little-endian order. */
static void write_guid(char text[PARTITION_TYPE_BYTES], const uint8_t *guid)
{
    static const uint8_t order[GUID_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < GUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = digits[guid[order[i]] >> 4];
        *text++ = digits[guid[order[i]] & 0xf];
    }
    *text = '\0';
}

/* Writes a label in UTF-8. Control characters and what is no character of the basic plane become question marks. */
static void write_label(char *text, const uint8_t *name)
{
    for (unsigned i = 0; i < NAME_UNITS; i++) {
        const uint32_t unit = read_le16(name + (size_t)2 * i);
        if (unit == 0)
            break;
        if (unit < 0x20 || unit == 0x7f || (unit >= 0xd800 && unit < 0xe000)) {
            *text++ = '?';
        } else if (unit < 0x80) {
            *text++ = (char)unit;
        } else if (unit < 0x800) {
            *text++ = (char)(0xc0 | unit >> 6);
            *text++ = (char)(0x80 | (unit & 0x3f));
        } else {
            *text++ = (char)(0xe0 | unit >> 12);
            *text++ = (char)(0x80 | (unit >> 6 & 0x3f));
            *text++ = (char)(0x80 | (unit & 0x3f));
        }
    }
    *text = '\0';
}
_Static_assert(3 * NAME_UNITS < PARTITION_LABEL_BYTES, "a label fits with its zero");

static bool is_unused(const uint8_t *entry)
{
    static const uint8_t zeros[GUID_BYTES];
    return memcmp(entry + ENTRY_TYPE, zeros, sizeof(zeros)) == 0;
}

/* Adds a partition to the table. False: it cannot be believed. */
static bool add_entry(const struct partition_source *source, const struct header *header, const uint8_t *entry,
                      unsigned number, struct partition_table *table)
{
    const uint64_t block_sectors = source->block_bytes / SECTOR_BYTES;
    const uint64_t first = read_le64(entry + ENTRY_FIRST), last = read_le64(entry + ENTRY_LAST);

    if (first < header->first_usable || last > header->last_usable || first > last)
        return false;
    if (!partition_fits(source, table, first * block_sectors, (last - first + 1) * block_sectors))
        return false;
    if (table->count == PARTITIONS_MAX)
        return true;
    struct partition *partition = &table->partitions[table->count++];
    partition->number = number;
    partition->first = first * block_sectors;
    partition->sectors = (last - first + 1) * block_sectors;
    write_guid(partition->type, entry + ENTRY_TYPE);
    write_label(partition->label, entry + ENTRY_NAME);
    return true;
}

static bool entries_read(const struct partition_source *source, const struct header *header, const uint8_t *entries,
                         struct partition_table *table)
{
    if (crc32_update(0, entries, (size_t)header->entry_count * header->entry_bytes) != header->entries_crc)
        return false;
    for (uint32_t i = 0; i < header->entry_count; i++) {
        const uint8_t *entry = entries + (size_t)i * header->entry_bytes;
        if (!is_unused(entry) && !add_entry(source, header, entry, i + 1, table))
            return false;
    }
    table->scheme = PARTITION_GPT;
    return true;
}

/* --- The two copies ----------------------------------------------------------------------------------------------- */

/* As gpt_read(), for the header at a block. */
static int read_copy(const struct partition_source *source, uint64_t block, struct partition_workspace *workspace,
                     struct partition_table *table)
{
    const uint32_t block_sectors = source->block_bytes / SECTOR_BYTES;
    struct header header;

    memset(table, 0, sizeof(*table));
    int error = source->read(source->context, block * block_sectors, block_sectors, workspace->head);
    if (error || !header_read(source, workspace->head, block, &header))
        return error;
    const uint64_t bytes = (uint64_t)header.entry_count * header.entry_bytes;
    const uint64_t blocks = (bytes + source->block_bytes - 1) / source->block_bytes;
    error = source->read(source->context, header.entries * block_sectors, (uint32_t)blocks * block_sectors,
                         workspace->entries);
    return error ? error : entries_read(source, &header, workspace->entries, table);
}

int gpt_read(const struct partition_source *source, struct partition_workspace *workspace,
             struct partition_table *table)
{
    if (blocks_of(source) <= HEADER_BLOCK)
        return 0;
    int found = read_copy(source, HEADER_BLOCK, workspace, table);
    if (found == 1)
        return found;
    /* Where the first copy cannot be read the second is still worth a look. */
    const int second = read_copy(source, blocks_of(source) - 1, workspace, table);
    if (second == 1)
        table->backup = true;
    return second == 1 || found == 0 ? second : found;
}
