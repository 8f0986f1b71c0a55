/* SPDX-License-Identifier: MIT */
/* Volumes: disks and their partitions. */
#include "server.h"

#include <proto/root_client.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof(((struct blk_volume *)0)->label) >= PARTITION_LABEL_BYTES &&
                   sizeof(((struct blk_volume *)0)->type) >= PARTITION_TYPE_BYTES,
               "the records have room");

#define LABEL_KEY "label="
#define TYPE_KEY  "type="

static struct volume *add(struct blk_context *context, struct disk *disk, uint64_t flags)
{
    ASSERT(context->volume_count < VOLUMES_MAX);
    struct volume *volume = &context->volumes[context->volume_count++];

    *volume = (struct volume){.disk = disk};
    volume->record.id = context->volume_count;
    volume->record.block = disk->block_bytes;
    volume->record.flags = flags;
    if (disk->read_only)
        volume->record.flags |= BLK_READ_ONLY;
    if (disk->cached)
        volume->record.flags |= BLK_CACHED;
    return volume;
}

static void name_it(struct volume *volume, unsigned partition)
{
    char *name = volume->record.name;
    const struct disk_kind *kind = volume->disk->kind;
    const char letter = (char)(kind->first + (int)volume->disk->place);

    if (partition == 0)
        (void)snprintf(name, sizeof(volume->record.name), "%s%c", kind->name, letter);
    else
        (void)snprintf(name, sizeof(volume->record.name), "%s%c%s%u", kind->name, letter, kind->separator, partition);
}

static int read_table(void *context, uint64_t sector, uint32_t count, void *bytes)
{
    return disk_read_now(context, sector, count, bytes);
}

/* Reads the partitions; none if the disk cannot be read. */
static void read_partitions(struct disk *disk, struct partition_table *table)
{
    static struct partition_workspace workspace;
    const struct partition_source source = {
        .context = disk, .sectors = disk->sectors, .block_bytes = disk->block_bytes, .read = read_table};
    char line[96];

    const int error = partition_table_read(&source, &workspace, table);
    if (error) {
        const int length =
            snprintf(line, sizeof(line), "blk: disk %u: reading its partition table: error %d\n", disk->number, error);
        (void)!root_log(SLOT_ROOT, line, (size_t)length);
    }
}

void volumes_add(struct blk_context *context, struct disk *disk)
{
    static struct partition_table table;
    struct volume *whole = add(context, disk, 0);

    whole->record.sectors = disk->sectors;
    name_it(whole, 0);
    /* A disk without a serial number has no label. */
    (void)!disk->kind->read_serial(disk, whole->record.label);
    read_partitions(disk, &table);
    for (unsigned i = 0; i < table.count; i++) {
        const struct partition *partition = &table.partitions[i];
        struct volume *volume = add(context, disk, BLK_PARTITION);
        volume->record.first = partition->first;
        volume->record.sectors = partition->sectors;
        name_it(volume, partition->number);
        memcpy(volume->record.label, partition->label, sizeof(partition->label));
        memcpy(volume->record.type, partition->type, sizeof(partition->type));
    }
}

struct volume *volume_find(struct blk_context *context, uint64_t id)
{
    return id == 0 || id > context->volume_count ? NULL : &context->volumes[id - 1];
}

int blk_handle_list(struct blk_context *context, const struct message *request, uint64_t cursor, uint64_t *next,
                    struct blk_volume *volumes, size_t volumes_capacity, size_t *volumes_count)
{
    while (cursor < context->volume_count && *volumes_count < volumes_capacity)
        volumes[(*volumes_count)++] = context->volumes[cursor++].record;
    *next = cursor < context->volume_count ? cursor : 0;
    return 0;
}

/* True if a text of a record is the `bytes` bytes at `name`. */
static bool is_text(const char *text, const char *name, size_t bytes)
{
    return strlen(text) == bytes && memcmp(text, name, bytes) == 0;
}

/* True if `name` is the key and what follows it the text. */
static bool has_key(const char *key, const char *text, const char *name, size_t bytes)
{
    const size_t length = strlen(key);
    return bytes > length && memcmp(name, key, length) == 0 && is_text(text, name + length, bytes - length);
}

int blk_handle_find(struct blk_context *context, const struct message *request, const void *name, size_t name_bytes,
                    struct blk_volume *volume, size_t volume_capacity, size_t *volume_count)
{
    for (unsigned i = 0; i < context->volume_count; i++) {
        const struct blk_volume *record = &context->volumes[i].record;
        if (!is_text(record->name, name, name_bytes) && !has_key(LABEL_KEY, record->label, name, name_bytes) &&
            !has_key(TYPE_KEY, record->type, name, name_bytes))
            continue;
        if (volume_capacity == 0)
            return -EINVAL;
        *volume = *record;
        *volume_count = 1;
        return 0;
    }
    return -ENOENT;
}

int blk_handle_counts(struct blk_context *context, const struct message *request, uint64_t volume_id,
                      struct blk_counts *counts, size_t counts_capacity, size_t *counts_count)
{
    const struct volume *volume = volume_find(context, volume_id);

    if (!volume)
        return -ENODEV;
    if (counts_capacity == 0)
        return -EINVAL;
    *counts = volume->disk->counts;
    *counts_count = 1;
    return 0;
}
