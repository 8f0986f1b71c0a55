/* SPDX-License-Identifier: MIT */
/* Memory groups: charging, limits, and whose turn it is to give pages up. */
#include <errno.h>
#include <stddef.h>

#include <mm/memgroup.h>

int memgroup_init(struct memgroups *groups, struct memgroup *records, uint32_t count)
{
    if (count == 0 || count == MEMGROUP_NONE)
        return -EINVAL;
    *groups = (struct memgroups){.groups = records, .count = count};
    for (uint32_t i = 0; i < count; i++)
        records[i] =
            (struct memgroup){.parent = MEMGROUP_NONE, .limit = MEMGROUP_NO_LIMIT, .swap_limit = MEMGROUP_NO_LIMIT};
    records[MEMGROUP_ROOT].used = 1;
    return 0;
}

/* The group's record; NULL: there is no such group. */
static struct memgroup *find(const struct memgroups *groups, uint32_t group)
{
    return group < groups->count && groups->groups[group].used ? &groups->groups[group] : NULL;
}

int64_t memgroup_create(struct memgroups *groups, uint32_t parent)
{
    struct memgroup *outer = find(groups, parent);
    if (!outer || outer->depth + 1 >= MEMGROUP_DEPTH)
        return -EINVAL;
    for (uint32_t i = 0; i < groups->count; i++) {
        if (groups->groups[i].used)
            continue;
        groups->groups[i] = (struct memgroup){.parent = parent,
                                              .depth = outer->depth + 1,
                                              .used = 1,
                                              .limit = MEMGROUP_NO_LIMIT,
                                              .swap_limit = MEMGROUP_NO_LIMIT};
        outer->children++;
        return i;
    }
    return -ENOSPC;
}

int memgroup_destroy(struct memgroups *groups, uint32_t group)
{
    struct memgroup *record = find(groups, group);
    if (!record || group == MEMGROUP_ROOT)
        return -EINVAL;
    if (record->children > 0)
        return -EBUSY;
    struct memgroup *parent = &groups->groups[record->parent];
    for (unsigned kind = 0; kind < MEMGROUP_KINDS; kind++)
        parent->own[kind] += record->own[kind];
    parent->children--;
    *record = (struct memgroup){.parent = MEMGROUP_NONE, .limit = MEMGROUP_NO_LIMIT, .swap_limit = MEMGROUP_NO_LIMIT};
    return 0;
}

int memgroup_limit(struct memgroups *groups, uint32_t group, uint64_t memory, uint64_t swap)
{
    struct memgroup *record = find(groups, group);
    if (!record || group == MEMGROUP_ROOT)
        return -EINVAL;
    record->limit = memory;
    record->swap_limit = swap;
    return 0;
}

static bool fits(const struct memgroup *group, enum memgroup_kind kind, uint64_t pages)
{
    uint64_t have = kind == MEMGROUP_SWAP ? group->swap : group->memory;
    uint64_t limit = kind == MEMGROUP_SWAP ? group->swap_limit : group->limit;
    return have <= limit && pages <= limit - have;
}

void memgroup_charge_always(struct memgroups *groups, uint32_t group, enum memgroup_kind kind, uint64_t pages)
{
    ASSERT(find(groups, group));
    groups->groups[group].own[kind] += pages;
    for (uint32_t i = group; i != MEMGROUP_NONE; i = groups->groups[i].parent) {
        struct memgroup *record = &groups->groups[i];
        *(kind == MEMGROUP_SWAP ? &record->swap : &record->memory) += pages;
        if (record->memory > record->most)
            record->most = record->memory;
    }
}

int memgroup_charge(struct memgroups *groups, uint32_t group, enum memgroup_kind kind, uint64_t pages, uint32_t *over)
{
    if (!find(groups, group))
        return -EINVAL;
    for (uint32_t i = group; i != MEMGROUP_NONE; i = groups->groups[i].parent) {
        if (fits(&groups->groups[i], kind, pages))
            continue;
        groups->groups[i].refusals++;
        if (over)
            *over = i;
        return -ENOMEM;
    }
    memgroup_charge_always(groups, group, kind, pages);
    return 0;
}

void memgroup_uncharge(struct memgroups *groups, uint32_t group, enum memgroup_kind kind, uint64_t pages)
{
    ASSERT(find(groups, group) && groups->groups[group].own[kind] >= pages);
    groups->groups[group].own[kind] -= pages;
    for (uint32_t i = group; i != MEMGROUP_NONE; i = groups->groups[i].parent)
        *(kind == MEMGROUP_SWAP ? &groups->groups[i].swap : &groups->groups[i].memory) -= pages;
}

uint64_t memgroup_excess(const struct memgroups *groups, uint32_t group)
{
    const struct memgroup *record = find(groups, group);
    return record && record->memory > record->limit ? record->memory - record->limit : 0;
}

bool memgroup_is_in(const struct memgroups *groups, uint32_t group, uint32_t outer)
{
    if (!find(groups, outer))
        return false;
    while (find(groups, group) && group != outer)
        group = groups->groups[group].parent;
    return group == outer;
}

uint32_t memgroup_next(const struct memgroups *groups, uint32_t outer, uint32_t last, bool can_swap)
{
    uint32_t start = last < groups->count ? last + 1 : 0;
    for (uint32_t turn = 0; turn < groups->count; turn++) {
        uint32_t group = (start + turn) % groups->count;
        const struct memgroup *record = &groups->groups[group];
        uint64_t pages = record->own[MEMGROUP_FILE] + (can_swap ? record->own[MEMGROUP_ANON] : 0);
        if (pages > 0 && memgroup_is_in(groups, group, outer))
            return group;
    }
    return MEMGROUP_NONE;
}

uint64_t memgroup_share(const struct memgroups *groups, uint32_t outer, uint32_t group, uint64_t wanted)
{
    if (!find(groups, group) || !memgroup_is_in(groups, group, outer))
        return 0;
    const struct memgroup *record = &groups->groups[group];
    uint64_t own = record->own[MEMGROUP_FILE] + record->own[MEMGROUP_ANON], all = groups->groups[outer].memory;
    return own == 0 ? 0 : (wanted * own + all - 1) / all;
}

/* What a group's sums are to be: its own, and those of the groups right in it. */
static bool sums_ok(const struct memgroups *groups, uint32_t group)
{
    const struct memgroup *record = &groups->groups[group];
    uint64_t memory = record->own[MEMGROUP_ANON] + record->own[MEMGROUP_FILE], swap = record->own[MEMGROUP_SWAP];
    uint32_t children = 0;
    for (uint32_t i = 0; i < groups->count; i++) {
        const struct memgroup *child = &groups->groups[i];
        if (!child->used || child->parent != group)
            continue;
        if (child->depth != record->depth + 1)
            return false;
        children++;
        memory += child->memory;
        swap += child->swap;
    }
    return children == record->children && memory == record->memory && swap == record->swap &&
           record->most >= record->memory;
}

int memgroup_check(const struct memgroups *groups)
{
    for (uint32_t i = 0; i < groups->count; i++) {
        const struct memgroup *record = &groups->groups[i];
        if (!record->used)
            continue;
        if (i == MEMGROUP_ROOT ? record->parent != MEMGROUP_NONE || record->depth != 0 : !find(groups, record->parent))
            return -EIO;
        if (record->depth >= MEMGROUP_DEPTH || !sums_ok(groups, i))
            return -EIO;
    }
    return 0;
}
