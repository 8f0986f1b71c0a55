/* SPDX-License-Identifier: MIT */
/*
 * Reads the partition table of a disk, a GPT or an MBR, out of untrusted bytes. Pure: the caller brings the sectors. No
 * state, no lock, no allocation. Sectors are of SECTOR_BYTES bytes, whatever blocks the disk has.
 */
#ifndef BLOCK_PARTITION_H
#define BLOCK_PARTITION_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR_BYTES 512u

#define PARTITIONS_MAX            32u
#define PARTITION_LABEL_BYTES     112u /* 36 characters of three bytes at most, and the final zero */
#define PARTITION_TYPE_BYTES      40u
#define PARTITION_TABLE_BYTES_MAX 32768u /* of a GPT's entries */

/* A partition that lies on the disk, and overlaps no other of its table. */
struct partition {
    unsigned number;                   /* in the table, from 1 */
    uint64_t first, sectors;           /* at least one */
    char label[PARTITION_LABEL_BYTES]; /* UTF-8; empty in an MBR */
    char type[PARTITION_TYPE_BYTES];   /* a GUID in lower case; in an MBR 0x and two digits */
};

enum partition_scheme { PARTITION_NONE, PARTITION_MBR, PARTITION_GPT };

struct partition_table {
    enum partition_scheme scheme;
    bool backup; /* the GPT at the disk's start was broken, the one at its end is used */
    unsigned count;
    struct partition partitions[PARTITIONS_MAX];
};

/* How the reader reads. */
struct partition_source {
    void *context;
    uint64_t sectors;     /* of the disk */
    uint32_t block_bytes; /* of a block: a power of two from SECTOR_BYTES to 4096 */

    /* Reads sectors into `bytes`, which has room for them; they lie on the disk. 0 or a negative errno. */
    int (*read)(void *context, uint64_t sector, uint32_t count, void *bytes);
};

/* Room that partition_table_read() works in. */
struct partition_workspace {
    uint8_t head[4096], entries[PARTITION_TABLE_BYTES_MAX];
};

/*
 * Reads a disk's partition table. Without one, or with one that cannot be believed, the result is PARTITION_NONE and no
 * partition, and so is a table with partitions that overlap or lie past the disk's end. A GPT counts if a protective MBR is there, and
 * header and entries have their checksums: at the disk's start, or else at its end. Partitions above PARTITIONS_MAX are
 * left out. An error of the source is given on; *table then has none.
 */
MUST_CHECK int partition_table_read(const struct partition_source *source, struct partition_workspace *workspace,
                                    struct partition_table *table);

#endif
