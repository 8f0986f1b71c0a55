/* SPDX-License-Identifier: MIT */
/*
 * Memory groups that are full. The pages that are charged to a group, and to those in it, are looked through in order of
 * memory, round and round like the hand of a clock: in the first pass what was used since it was last looked at is
 * spared, in the second nothing is. When that gives nothing and nothing is being written either, a process of the group
 * is ended. Other groups' pages and processes have no part in it.
 */
#include <errno.h>

#include "pager.h"

#define GOAL_PAGES 32u /* that are freed before those who wait try again */
#define PASSES     2u
#define CALL_PAGES 64u

bool group_is_in(const struct pager *pager, uint32_t group, uint32_t outer)
{
    for (unsigned depth = 0; depth < GROUPS_MAX && group < GROUPS_MAX && pager->groups[group].exists; depth++) {
        if (group == outer)
            return true;
        if (group == 0)
            return false;
        group = pager->groups[group].parent;
    }
    return false;
}

void group_want(struct pager *pager, uint32_t group)
{
    if (group > 0 && group < GROUPS_MAX)
        pager->group.wanted[group] = true;
}

static void finish(struct pager *pager, int status, bool killed)
{
    struct group_reclaim *state = &pager->group;
    const uint32_t group = state->group;
    struct memory_state memory;
    state->group = 0;
    state->stalled = false;
    memory_look(pager, &memory);
    pager->backend.group_end(pager->backend.context, group, status, killed);
}

/* True if the group has room, whoever has made it. */
static bool has_room(struct pager *pager)
{
    const struct backend *backend = &pager->backend;
    backend->groups(backend->context, pager->groups, GROUPS_MAX);
    const struct group_state *group = &pager->groups[pager->group.group];
    return !group->exists || (group->memory < group->limit && group->limit - group->memory >= GOAL_PAGES);
}

/* Takes the next group in hand that is wanted and full. False: there is none. */
static bool take_next(struct pager *pager)
{
    struct group_reclaim *state = &pager->group;
    struct memory_state memory;
    for (uint32_t group = 1; group < GROUPS_MAX; group++) {
        if (!state->wanted[group])
            continue;
        state->wanted[group] = false;
        state->group = group;
        state->pass = 0;
        state->pfn = 0;
        state->freed = state->emptied = 0;
        state->stalled = state->warned = false;
        if (!has_room(pager)) {
            memory_look(pager, &memory);
            return true;
        }
        finish(pager, 0, false);
    }
    return false;
}

/* Evicts those of the pages that are of files, or that are not, as far as they can be had. */
static void evict_some(struct pager *pager, const struct page_use *uses, uint32_t count, bool file)
{
    struct group_reclaim *state = &pager->group;
    uint64_t pfns[LRU_BATCH];
    uint32_t taken = 0;
    for (uint32_t i = 0; i <= count; i++) {
        if (taken > 0 && (i == count || taken == LRU_BATCH)) {
            const uint32_t freed = reclaim_pages(pager, pfns, taken, file, state->pass == 0);
            state->freed += freed;
            state->emptied += freed;
            taken = 0;
        }
        if (i < count && (uses[i].kind == PAGE_IS_BACKED) == file && uses[i].kind != PAGE_IS_OTHER &&
            lru_isolate_page(&pager->lru, uses[i].pfn))
            pfns[taken++] = uses[i].pfn;
    }
}

/* Looks at a next part of the group's pages. True: that was the last one. */
static bool look(struct pager *pager)
{
    const struct backend *backend = &pager->backend;
    struct group_reclaim *state = &pager->group;
    struct page_use uses[CALL_PAGES];
    uint32_t found = 0;
    uint64_t next = 0;
    struct memory_state memory;
    memory_look(pager, &memory);
    if (backend->group_pages(backend->context, state->group, state->pfn, uses, CALL_PAGES, &found, &next) < 0)
        next = 0;
    for (uint32_t i = 0; i < found; i++)
        reclaim_learn(pager, &uses[i]);
    evict_some(pager, uses, found, true);
    if (reclaim_can_swap(pager, &memory))
        evict_some(pager, uses, found, false);
    pager->counters.scanned += found;
    state->pfn = next;
    return next == 0;
}

/* The group's pages were looked through. */
static void end_pass(struct pager *pager)
{
    struct group_reclaim *state = &pager->group;
    const uint64_t emptied = state->emptied;
    state->emptied = 0;
    if (emptied > 0 || ++state->pass < PASSES)
        return;
    if (state->freed > 0) {
        finish(pager, 0, false);
    } else if (reclaim_is_writing(pager)) {
        state->pass = 1;
        state->stalled = true; /* until one of them has ended */
    } else if (!state->warned && pager->backend.warn(pager->backend.context) > 0) {
        state->pass = 1;
        state->warned = state->stalled = true; /* those who were told may help until pager_tick() */
    } else {
        pager->backend.groups(pager->backend.context, pager->groups, GROUPS_MAX);
        const int ended = oom_end_one(pager, state->group);
        state->pass = 1;
        state->stalled = ended == 0; /* until that process is gone: pager_tick() looks */
        if (ended != 0)
            finish(pager, ended < 0 ? -ENOMEM : 0, ended > 0);
    }
}

void group_step(struct pager *pager)
{
    struct group_reclaim *state = &pager->group;
    while (!state->stalled && (state->group != 0 || take_next(pager))) {
        if (state->freed >= GOAL_PAGES)
            finish(pager, 0, false);
        else if (look(pager))
            end_pass(pager);
    }
}
