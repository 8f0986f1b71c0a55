/* SPDX-License-Identifier: MIT */
/* The bump allocator of root's start. */
#include "frames.h"

#include "log.h"

#include <errno.h>
#include <stdbool.h>

static struct {
    const struct boot_info *info;
    size_t region;                    /* index of the region now taken from, counted down */
    uint64_t taken[BOOT_REGIONS_MAX]; /* bytes taken from the top of each region */
    bool closed;
} frames;

void frames_open(const struct boot_info *info)
{
    frames.info = info;
    frames.region = info->region_count;
}

uint64_t frame_take(void)
{
    const struct boot_info *info = frames.info;

    if (frames.closed)
        fatal("a frame was asked for after the memory was handed over");
    for (;;) {
        if (frames.region < info->region_count) {
            const struct boot_region *region = &info->regions[frames.region];
            uint64_t *taken = &frames.taken[frames.region];
            if (region->kind == BOOT_REGION_FREE && *taken + PAGE_SIZE <= region->size) {
                *taken += PAGE_SIZE;
                return (region->base + region->size - *taken) >> PAGE_SHIFT;
            }
        }
        if (frames.region == 0)
            fatal("no memory left to start memsrv with");
        frames.region--;
    }
}

long frames_close(struct frame_range *ranges, size_t max)
{
    size_t count = 0;

    frames.closed = true;
    for (size_t i = 0; i < frames.info->region_count; i++) {
        const struct boot_region *region = &frames.info->regions[i];
        if (frames.taken[i] == 0)
            continue;
        if (count == max)
            return -ENOSPC;
        ranges[count].base = region->base + region->size - frames.taken[i];
        ranges[count++].size = frames.taken[i];
    }
    return (long)count;
}
