/* SPDX-License-Identifier: MIT */
/* Threads that wait. */
#include "waits.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int wait_add(struct wait_table *table, uint64_t pid, uint64_t thread, uint64_t key, struct wait **wait)
{
    struct wait *place = table->end < WAITS_MAX ? &table->entries[table->end] : NULL;
    unsigned of_process = 0;

    for (unsigned i = 0; i < table->end; i++) {
        struct wait *entry = &table->entries[i];
        if (entry->pid == 0 && (!place || entry < place))
            place = entry;
        if (entry->pid != pid)
            continue;
        if (entry->thread == thread)
            return -EBUSY;
        of_process++;
    }
    if (of_process >= WAITS_PER_PROCESS_MAX)
        return -EDQUOT;
    if (!place)
        return -ENOSPC;
    place->pid = pid;
    place->thread = thread;
    place->key = key;
    place->order = ++table->arrivals;
    place->granted = false;
    if (place == &table->entries[table->end])
        table->end++;
    table->counts[pid % WAIT_COUNTS]++;
    *wait = place;
    return 0;
}

struct wait *wait_grant(struct wait_table *table, uint64_t key)
{
    struct wait *first = NULL;

    for (unsigned i = 0; i < table->end; i++) {
        struct wait *entry = &table->entries[i];
        if (entry->pid == 0 || entry->granted || entry->key != key)
            continue;
        if (!first || entry->order < first->order)
            first = entry;
    }
    if (first)
        first->granted = true;
    return first;
}

struct wait *wait_find(struct wait_table *table, uint64_t pid, uint64_t thread)
{
    for (unsigned i = 0; i < table->end; i++)
        if (table->entries[i].pid == pid && table->entries[i].thread == thread)
            return &table->entries[i];
    return NULL;
}

struct wait *wait_of_process(struct wait_table *table, uint64_t pid)
{
    if (table->counts[pid % WAIT_COUNTS] == 0)
        return NULL;
    for (unsigned i = 0; i < table->end; i++)
        if (table->entries[i].pid == pid)
            return &table->entries[i];
    return NULL;
}

void wait_remove(struct wait_table *table, struct wait *wait)
{
    table->counts[wait->pid % WAIT_COUNTS]--;
    wait->pid = 0;
    while (table->end > 0 && table->entries[table->end - 1].pid == 0)
        table->end--;
}

int waits_check(const struct wait_table *table)
{
    uint16_t counts[WAIT_COUNTS] = {0};

    for (unsigned i = 0; i < WAITS_MAX; i++) {
        const struct wait *entry = &table->entries[i];
        if (entry->pid == 0)
            continue;
        counts[entry->pid % WAIT_COUNTS]++;
        if (i >= table->end)
            return -EINVAL;
        if (entry->order == 0 || entry->order > table->arrivals)
            return -EINVAL;
        for (unsigned j = 0; j < i; j++)
            if (table->entries[j].pid == entry->pid && table->entries[j].thread == entry->thread)
                return -EINVAL;
    }
    if (table->end > 0 && table->entries[table->end - 1].pid == 0)
        return -EINVAL;
    return memcmp(counts, table->counts, sizeof(counts)) == 0 ? 0 : -EINVAL;
}
