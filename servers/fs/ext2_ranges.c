/* SPDX-License-Identifier: MIT */
/*
 * Ranges of page indices; see ext2_ranges.h.
 */
#include "ext2_ranges.h"

#include <string.h>

static void remove_at(struct ext2_ranges *ranges, size_t place)
{
    ranges->count--;
    memmove(&ranges->ranges[place], &ranges->ranges[place + 1], (ranges->count - place) * sizeof(ranges->ranges[0]));
}

/* Makes one of the two neighbours with the smallest gap. */
static void join_nearest(struct ext2_ranges *ranges)
{
    size_t best = 0;

    for (size_t i = 1; i + 1 < ranges->count; i++) {
        const struct ext2_range *range = &ranges->ranges[i];
        if (range[1].first - range[0].end < ranges->ranges[best + 1].first - ranges->ranges[best].end)
            best = i;
    }
    ranges->ranges[best].end = ranges->ranges[best + 1].end;
    remove_at(ranges, best + 1);
}

void ext2_ranges_add(struct ext2_ranges *ranges, uint64_t first, uint64_t end)
{
    size_t place = 0;

    while (place < ranges->count && ranges->ranges[place].end < first)
        place++;
    /* Those that touch it become a part of it. */
    while (place < ranges->count && ranges->ranges[place].first <= end) {
        if (ranges->ranges[place].first < first)
            first = ranges->ranges[place].first;
        if (ranges->ranges[place].end > end)
            end = ranges->ranges[place].end;
        remove_at(ranges, place);
    }
    if (ranges->count == EXT2_RANGES_MAX) {
        join_nearest(ranges);
        ext2_ranges_add(ranges, first, end);
        return;
    }
    memmove(&ranges->ranges[place + 1], &ranges->ranges[place], (ranges->count - place) * sizeof(ranges->ranges[0]));
    ranges->ranges[place] = (struct ext2_range){.first = first, .end = end};
    ranges->count++;
}

void ext2_ranges_cut(struct ext2_ranges *ranges, uint64_t first)
{
    while (ranges->count > 0) {
        struct ext2_range *last = &ranges->ranges[ranges->count - 1];
        if (last->first < first) {
            if (last->end > first)
                last->end = first;
            return;
        }
        ranges->count--;
    }
}

uint64_t ext2_ranges_total(const struct ext2_ranges *ranges)
{
    uint64_t total = 0;

    for (size_t i = 0; i < ranges->count; i++)
        total += ranges->ranges[i].end - ranges->ranges[i].first;
    return total;
}

bool ext2_ranges_check(const struct ext2_ranges *ranges)
{
    uint64_t end = 0;

    for (size_t i = 0; i < ranges->count; i++) {
        const struct ext2_range *range = &ranges->ranges[i];
        if (range->first >= range->end || (i > 0 && range->first <= end))
            return false;
        end = range->end;
    }
    return ranges->count <= EXT2_RANGES_MAX;
}
