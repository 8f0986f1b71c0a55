/* SPDX-License-Identifier: MIT */
/* How much of which list a round of reclaim looks at. */
#include <mm/lru.h>
#include <quire/abi.h>

/* The largest number whose square is not above `value`. */
static uint64_t square_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = 1UL << 31; bit != 0; bit >>= 1) {
        if ((root | bit) * (root | bit) <= value)
            root |= bit;
    }
    return root;
}

bool lru_inactive_is_low(const struct lru_vector *vector, bool file)
{
    uint64_t inactive = lru_size(vector, file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON);
    uint64_t active = lru_size(vector, file ? LRU_ACTIVE_FILE : LRU_ACTIVE_ANON);
    uint64_t gib = (inactive + active) >> (30 - PAGE_SHIFT);
    uint64_t ratio = gib ? square_root(10 * gib) : 1;
    return inactive * ratio < active;
}

/* Which part of the two kinds a round looks at: weights, of which one can be 0. Both 1: all of both. */
struct share {
    uint64_t anon, file;
};

/* By swappiness, and the less the more it cost; even without any cost neither kind is left alone. */
static struct share share_by_cost(const struct lru_vector *vector, unsigned swappiness)
{
    uint64_t sum = vector->cost[0] + vector->cost[1];
    uint64_t anon_cost = sum + vector->cost[0], file_cost = sum + vector->cost[1];
    uint64_t total = anon_cost + file_cost;
    return (struct share){
        .anon = swappiness * (total + 1) / (anon_cost + 1),
        .file = (LRU_SWAPPINESS_MAX - swappiness) * (total + 1) / (file_cost + 1),
    };
}

static struct share share_of(const struct lru_vector *vector, const struct lru_scan *scan, bool *whole)
{
    const struct share file_only = {0, 1}, anon_only = {1, 0}, both = {1, 1};
    *whole = true;
    if (!scan->can_swap || (scan->group && scan->swappiness == 0))
        return file_only;
    if (scan->priority == 0 && scan->swappiness > 0)
        return both;
    if (scan->file_is_tiny)
        return anon_only;
    if (!lru_inactive_is_low(vector, true) && lru_size(vector, LRU_INACTIVE_FILE) >> scan->priority > 0)
        return file_only;
    *whole = false;
    return share_by_cost(vector, scan->swappiness);
}

void lru_scan_counts(const struct lru_vector *vector, const struct lru_scan *scan, uint64_t counts[4])
{
    bool whole;
    struct share share = share_of(vector, scan, &whole);
    ASSERT(scan->swappiness <= LRU_SWAPPINESS_MAX && scan->priority <= LRU_PRIORITY_DEFAULT);
    for (unsigned list = 0; list < LRU_UNEVICTABLE; list++) {
        uint64_t part = list >= LRU_INACTIVE_FILE ? share.file : share.anon;
        uint64_t size = lru_size(vector, (enum lru_list)list) >> scan->priority;
        if (whole)
            counts[list] = part ? size : 0;
        else
            counts[list] = size * part / (share.anon + share.file);
    }
}

void lru_note_cost(struct lru_vector *vector, bool file, uint64_t written, uint64_t rotated)
{
    uint64_t size = 0;
    vector->cost[file] += written * LRU_BATCH + rotated;
    for (unsigned list = 0; list < LRU_UNEVICTABLE; list++)
        size += lru_size(vector, (enum lru_list)list);
    while (vector->cost[0] + vector->cost[1] > size / 4 && vector->cost[0] + vector->cost[1] > 0) {
        vector->cost[0] /= 2;
        vector->cost[1] /= 2;
    }
}
