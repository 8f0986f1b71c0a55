/* SPDX-License-Identifier: MIT */
/*
 * Memory groups: what the pages of the processes in a group count against its limits. The arithmetic is in lib/mm
 * (memgroup.h). A page is charged when a process of a group is the first to get it, and remembers the group's number
 * (PAGE_CHARGED) until it is free; a process that moves to another group leaves its charges where they are.
 *
 * A page that goes to swap has its slot charged to the group that it was charged to, until the slot is free: so
 * a page in the swap cache counts twice, as memory and as a slot.
 *
 * Each worker has a stock of pages that are charged to a group and given to nobody yet, so that most faults only take
 * one from it. Stocks are taken back before anybody is refused, and before figures are told.
 *
 * Lock: memgroups_lock, taken inside these calls, whatever else is held but the zones'.
 */
#ifndef MEMSRV_MEMGROUPS_H
#define MEMSRV_MEMGROUPS_H

#include <mm/memgroup.h>

#include "memory.h"
#include "space.h"

#define MEMGROUPS_MAX (PAGE_CHARGED_GROUP_MAX + 1)

/* Before there is a second thread. */
void memgroups_init(void);

/* Charges a page that is nobody's yet, `kind` of memory. ENOMEM: a limit is reached, and worker->group_full says whose. */
MUST_CHECK int memgroups_charge_page(struct memsrv_context *worker, uint32_t group, enum memgroup_kind kind,
                                     struct page *page);

/* True if the group and those that it is in allow a page more. If not, worker->group_full says which does not. */
MUST_CHECK bool memgroups_have_room(struct memsrv_context *worker, uint32_t group);

/* The group that a page is charged to; MEMGROUP_ROOT: none. */
static inline uint32_t memgroups_group_of(const struct page *page)
{
    return (__atomic_load_n(&page->flags, __ATOMIC_RELAXED) & PAGE_CHARGED_GROUP) >> PAGE_CHARGED_SHIFT;
}

/* Charges a swap slot to a group, or takes that back; to MEMGROUP_ROOT nothing is. ENOMEM: the group, or one that it is in,
 * may have no more. */
MUST_CHECK int memgroups_charge_slot(uint32_t group);
void memgroups_uncharge_slot(uint32_t group);

/* There is one process more in the group, whose number is another process's in it; or one less. */
void memgroups_join(uint32_t group);
void memgroups_leave(uint32_t group);

/* True if there is any group but the root. */
MUST_CHECK bool memgroups_exist(void);

/* 0, or EIO (negative): figures contradict each other, or what pages say. All other workers stand still. */
MUST_CHECK int memgroups_check(void);

/* Which groups are the group or in it. */
void memgroups_find_inner(uint32_t group, bool inner[MEMGROUPS_MAX]);

/* A process was ended on the group's account. */
void memgroups_count_kill(uint32_t group);

#endif
