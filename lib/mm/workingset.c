/* SPDX-License-Identifier: MIT */
/* Refault distances, and where the shadows of evicted pages are kept. */
#include <errno.h>

#include <mm/workingset.h>

#define SHADOW_PRESENT       1u
#define SHADOW_WORKINGSET    2u
#define SHADOW_VECTOR_SHIFT  8
#define SHADOW_AGE_SHIFT     24
#define SHADOW_AGE_MASK      ((1UL << (64 - SHADOW_AGE_SHIFT)) - 1)
#define SHADOW_RESERVED_BITS 0xfcu

workingset_shadow workingset_evict(struct lru *lru, uint32_t vector, unsigned flags)
{
    ASSERT(vector < lru->vector_count);
    uint64_t age = lru->vectors[vector].nonresident_age++ & SHADOW_AGE_MASK;
    bool workingset = flags & (LRU_WORKINGSET | LRU_ACTIVE);
    return age << SHADOW_AGE_SHIFT | (uint64_t)vector << SHADOW_VECTOR_SHIFT | (workingset ? SHADOW_WORKINGSET : 0) |
           SHADOW_PRESENT;
}

/* Pages that could have gone instead of one of that kind. */
static uint64_t competitors(const struct lru_vector *vector, bool file, bool can_swap)
{
    uint64_t pages = lru_size(vector, LRU_ACTIVE_FILE);
    if (!file)
        pages += lru_size(vector, LRU_INACTIVE_FILE);
    if (can_swap) {
        pages += lru_size(vector, LRU_ACTIVE_ANON);
        if (file)
            pages += lru_size(vector, LRU_INACTIVE_ANON);
    }
    return pages;
}

int workingset_judge(struct lru *lru, workingset_shadow shadow, bool file, bool can_swap,
                     struct workingset_refault *out)
{
    uint64_t index = shadow >> SHADOW_VECTOR_SHIFT & UINT16_MAX;
    if (!(shadow & SHADOW_PRESENT) || (shadow & SHADOW_RESERVED_BITS) || index >= lru->vector_count)
        return -EINVAL;
    struct lru_vector *vector = &lru->vectors[index];
    /* The clock may have wrapped its 40 bits: then the page seems closer than it is. */
    out->distance = (vector->nonresident_age - (shadow >> SHADOW_AGE_SHIFT)) & SHADOW_AGE_MASK;
    out->was_workingset = shadow & SHADOW_WORKINGSET;
    out->activate = out->distance <= competitors(vector, file, can_swap);
    if (out->activate)
        vector->nonresident_age++;
    return 0;
}

int shadow_table_init(struct shadow_table *table, struct shadow_entry *entries, uint64_t count)
{
    uint64_t sets = 1;
    if (count < SHADOW_WAYS)
        return -EINVAL;
    while (sets * 2 * SHADOW_WAYS <= count)
        sets *= 2;
    *table = (struct shadow_table){.entries = entries, .sets = sets};
    for (uint64_t i = 0; i < sets * SHADOW_WAYS; i++)
        entries[i] = (struct shadow_entry){.shadow = WORKINGSET_NO_SHADOW};
    return 0;
}

/* The first entry of a page's set. Neighbours go to different sets. */
static struct shadow_entry *set_of(const struct shadow_table *table, uint64_t object, uint64_t index)
{
    uint64_t hash = (object * 0x9e3779b97f4a7c15u) ^ (index * 0xc2b2ae3d27d4eb4fu);
    hash ^= hash >> 29;
    return &table->entries[(hash & (table->sets - 1)) * SHADOW_WAYS];
}

/* The page's entry; NULL if it has none. */
static struct shadow_entry *entry_of(const struct shadow_table *table, uint64_t object, uint64_t index)
{
    struct shadow_entry *set = set_of(table, object, index);
    for (unsigned way = 0; way < SHADOW_WAYS; way++) {
        if (set[way].shadow != WORKINGSET_NO_SHADOW && set[way].object == object && set[way].index == index)
            return &set[way];
    }
    return NULL;
}

/* The entry of the page's set that a new shadow gets: a free one, or the oldest. */
static struct shadow_entry *entry_to_use(const struct shadow_table *table, uint64_t object, uint64_t index)
{
    struct shadow_entry *set = set_of(table, object, index), *oldest = set;
    for (unsigned way = 0; way < SHADOW_WAYS; way++) {
        if (set[way].shadow == WORKINGSET_NO_SHADOW)
            return &set[way];
        if (set[way].stored < oldest->stored)
            oldest = &set[way];
    }
    return oldest;
}

void shadow_table_put(struct shadow_table *table, uint64_t object, uint64_t index, workingset_shadow shadow)
{
    ASSERT(shadow & SHADOW_PRESENT);
    struct shadow_entry *entry = entry_of(table, object, index);
    if (!entry) {
        entry = entry_to_use(table, object, index);
        if (entry->shadow == WORKINGSET_NO_SHADOW)
            table->used++;
        else
            table->forgotten++;
    }
    *entry = (struct shadow_entry){.object = object, .index = index, .shadow = shadow, .stored = ++table->clock};
}

workingset_shadow shadow_table_take(struct shadow_table *table, uint64_t object, uint64_t index)
{
    struct shadow_entry *entry = entry_of(table, object, index);
    if (!entry)
        return WORKINGSET_NO_SHADOW;
    workingset_shadow shadow = entry->shadow;
    entry->shadow = WORKINGSET_NO_SHADOW;
    table->used--;
    return shadow;
}

void shadow_table_forget(struct shadow_table *table, uint64_t object)
{
    for (uint64_t i = 0; i < table->sets * SHADOW_WAYS; i++) {
        if (table->entries[i].shadow != WORKINGSET_NO_SHADOW && table->entries[i].object == object) {
            table->entries[i].shadow = WORKINGSET_NO_SHADOW;
            table->used--;
        }
    }
}

int shadow_table_check(const struct shadow_table *table)
{
    uint64_t used = 0;
    for (uint64_t i = 0; i < table->sets * SHADOW_WAYS; i++) {
        const struct shadow_entry *entry = &table->entries[i];
        if (entry->shadow == WORKINGSET_NO_SHADOW)
            continue;
        used++;
        /* A second shadow of the page, or one in another page's set, is not the one that is found. */
        if (!(entry->shadow & SHADOW_PRESENT) || entry->stored > table->clock ||
            entry_of(table, entry->object, entry->index) != entry)
            return -EIO;
    }
    return used == table->used ? 0 : -EIO;
}
