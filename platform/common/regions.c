/* SPDX-License-Identifier: MIT */
/* Region lists: the longest has a few dozen entries, so everything is linear. */
#include "regions.h"

static uint64_t end_of(const struct memory_region *region)
{
    return region->base + region->size;
}

/* Replaces `removed` entries from `index` on by the `added` ones. The list has room. */
static void splice(struct memory_region *list, size_t *count, size_t index, size_t removed,
                   const struct memory_region *replacement, size_t added)
{
    size_t tail = *count - index - removed;
    if (added > removed) {
        for (size_t i = tail; i-- > 0;)
            list[index + added + i] = list[index + removed + i];
    } else {
        for (size_t i = 0; i < tail; i++)
            list[index + added + i] = list[index + removed + i];
    }
    for (size_t i = 0; i < added; i++)
        list[index + i] = replacement[i];
    *count += added - removed;
}

bool regions_add(struct memory_region *list, size_t *count, uint64_t base, uint64_t end)
{
    size_t first = 0;
    if (base == end)
        return true;
    while (first < *count && end_of(&list[first]) < base)
        first++;
    size_t last = first;
    while (last < *count && list[last].base <= end) {
        if (list[last].base < base)
            base = list[last].base;
        if (end_of(&list[last]) > end)
            end = end_of(&list[last]);
        last++;
    }
    if (first == last && *count == MEMORY_REGIONS_MAX)
        return false;
    splice(list, count, first, last - first, &(struct memory_region){base, end - base}, 1);
    return true;
}

bool regions_remove(struct memory_region *list, size_t *count, uint64_t base, uint64_t end)
{
    struct memory_region rest[2];
    size_t rests = 0, first = 0;
    if (base == end)
        return true;
    while (first < *count && end_of(&list[first]) <= base)
        first++;
    size_t last = first;
    while (last < *count && list[last].base < end) {
        if (list[last].base < base)
            rest[rests++] = (struct memory_region){list[last].base, base - list[last].base};
        if (end_of(&list[last]) > end)
            rest[rests++] = (struct memory_region){end, end_of(&list[last]) - end};
        last++;
    }
    if (*count - (last - first) + rests > MEMORY_REGIONS_MAX)
        return false;
    splice(list, count, first, last - first, rest, rests);
    return true;
}

bool regions_hold(const struct memory_region *list, size_t count, uint64_t base, uint64_t end)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].base <= base && end_of(&list[i]) >= end)
            return true;
    }
    return false;
}
