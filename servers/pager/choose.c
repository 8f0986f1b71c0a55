/* SPDX-License-Identifier: MIT */
/* Out of memory: who is ended, with a report that says why. */
#include <errno.h>

#include "pager.h"

#define SPACES_MAX    32u
#define VICTIM_END_US 10000000u /* a victim that has not ended by then is not waited for any more */

static void add(struct pager *pager, const struct space_use *use)
{
    struct oom_task task = {.pid = use->pid,
                            .resident = use->resident,
                            .swapped = use->swapped,
                            .tables = use->tables,
                            .adj = (int32_t)use->adj,
                            .group = use->group};
    if (use->protected)
        task.flags |= OOM_PROTECTED;
    if (use->pid == pager->reclaim.victim) {
        uint64_t passed = pager->backend.now_us(pager->backend.context) - pager->reclaim.victim_since;
        task.flags |= passed < VICTIM_END_US ? OOM_DYING : OOM_DYING | OOM_ANSWERED;
    }
    (void)!oom_record_add(&pager->oom, &task); /* the smallest may be left out */
}

/* Adds what all processes use to the record; of those in `group`, it is said that they are right in there. */
static void add_spaces(struct pager *pager, uint32_t group)
{
    const struct backend *backend = &pager->backend;
    uint64_t cursor = 0;
    do {
        struct space_use uses[SPACES_MAX];
        uint32_t found = 0;
        if (backend->spaces(backend->context, cursor, uses, SPACES_MAX, &found, &cursor) < 0)
            break;
        for (uint32_t i = 0; i < found; i++) {
            if (group != OOM_NOBODY && group_is_in(pager, uses[i].group, group))
                uses[i].group = group;
            add(pager, &uses[i]);
        }
    } while (cursor != 0);
}

enum oom_decision oom_look(struct pager *pager, uint32_t group, uint32_t *victim)
{
    const struct backend *backend = &pager->backend;
    const struct swap_map_info swap = swap_map_info(&pager->swap);
    struct memory_state memory;
    backend->memory(backend->context, &memory);
    oom_record_init(&pager->oom, group == OOM_NOBODY ? pager->lru.count + swap.total : pager->groups[group].limit);
    pager->oom.group = group;
    pager->oom.free_pages = memory.free;
    pager->oom.file_pages = lru_size(&pager->vector, LRU_ACTIVE_FILE) + lru_size(&pager->vector, LRU_INACTIVE_FILE);
    pager->oom.swap_free = swap.available;
    add_spaces(pager, group);
    return oom_decide(&pager->oom, victim);
}

/* Prints all that the decision was made from: the lines can be read back and decided again. */
static void report(struct pager *pager)
{
    char line[OOM_LINE_MAX];
    for (uint32_t i = 0; oom_record_print(&pager->oom, i, line) > 0; i++)
        pager->backend.log(pager->backend.context, line);
}

int oom_end_one(struct pager *pager, uint32_t group)
{
    const struct backend *backend = &pager->backend;
    uint32_t victim;
    enum oom_decision decision = oom_look(pager, group, &victim);
    if (decision == OOM_WAIT)
        return 0;
    if (decision == OOM_NO_ONE)
        return -ESRCH;
    report(pager);
    const struct oom_task *task = &pager->oom.tasks[victim];
    pager->reclaim.victim = task->pid;
    pager->reclaim.victim_since = backend->now_us(backend->context);
    pager->counters.kills++;
    int error = backend->kill(backend->context, task, oom_score(&pager->oom, task));
    return error == -ESRCH || error == 0 ? 1 : error;
}
