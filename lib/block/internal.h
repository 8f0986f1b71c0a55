/* SPDX-License-Identifier: MIT */
/* What the readers of partition tables share. */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include <base/little_endian.h>
#include <block/partition.h>
#include <string.h>

#define MBR_PARTITIONS      4u
#define MBR_TYPE_PROTECTIVE 0xeeu

/* True if [first, first + sectors) is a range of the disk and of no partition that the table has. */
bool partition_fits(const struct partition_source *source, const struct partition_table *table, uint64_t first,
                    uint64_t sectors);

/* True if the bytes are a master boot record's. */
bool mbr_is_valid(const uint8_t head[SECTOR_BYTES]);

/* True if it has a partition of a type. */
bool mbr_has_type(const uint8_t head[SECTOR_BYTES], uint8_t type);

/* Fills *table with the partitions of a valid record. False: it cannot be believed. */
bool mbr_read(const struct partition_source *source, const uint8_t head[SECTOR_BYTES], struct partition_table *table);

/* Fills *table from a GPT: 1; 0: there is none that can be believed; or the source's error. */
int gpt_read(const struct partition_source *source, struct partition_workspace *workspace,
             struct partition_table *table);

#endif
