/* SPDX-License-Identifier: MIT */
/* Which kind of table a disk has. */
#include <errno.h>

#include "internal.h"

#define BLOCK_BYTES_MAX 4096u

bool partition_fits(const struct partition_source *source, const struct partition_table *table, uint64_t first,
                    uint64_t sectors)
{
    if (sectors == 0 || first == 0 || first >= source->sectors || sectors > source->sectors - first)
        return false;
    for (unsigned i = 0; i < table->count; i++) {
        const struct partition *other = &table->partitions[i];
        if (first < other->first + other->sectors && other->first < first + sectors)
            return false;
    }
    return true;
}

static void forget(struct partition_table *table)
{
    memset(table, 0, sizeof(*table));
}

int partition_table_read(const struct partition_source *source, struct partition_workspace *workspace,
                         struct partition_table *table)
{
    uint8_t record[SECTOR_BYTES];
    const uint32_t block_sectors = source->block_bytes / SECTOR_BYTES;

    forget(table);
    if (source->block_bytes < SECTOR_BYTES || source->block_bytes > BLOCK_BYTES_MAX ||
        (source->block_bytes & (source->block_bytes - 1)) || source->sectors < block_sectors)
        return 0;
    int error = source->read(source->context, 0, block_sectors, workspace->head);
    if (error)
        return error;
    memcpy(record, workspace->head, sizeof(record));
    if (!mbr_is_valid(record))
        return 0;
    if (mbr_has_type(record, MBR_TYPE_PROTECTIVE)) {
        const int found = gpt_read(source, workspace, table);
        if (found == 1)
            return 0;
        forget(table);
        return found;
    }
    if (!mbr_read(source, record, table))
        forget(table);
    return 0;
}
