/* SPDX-License-Identifier: MIT */
/* The pager's requests about memory groups. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "memgroups.h"
#include "pager.h"
#include "paging_pages.h"
#include "parking.h"

/* Descriptors that one memgroup_pages looks at. */
#define PAGES_STEPS 8192u

int memsrv_handle_memgroup_pages(struct memsrv_context *context, const struct message *request, uint64_t group,
                                 uint64_t pfn, uint64_t *next, struct memsrv_page_use *pages, size_t pages_capacity,
                                 size_t *pages_count)
{
    bool inner[MEMGROUPS_MAX], more = true;
    size_t count = 0;

    if (!pager_is_caller(request))
        return -EPERM;
    if (group >= MEMGROUPS_MAX)
        return -EINVAL;
    memgroups_find_inner((uint32_t)group, inner);
    for (unsigned step = 0; step < PAGES_STEPS && count < pages_capacity && (more = page_next_described(&pfn));
         step++) {
        const struct page *page = page_of(pfn++);
        const uint32_t flags = __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
        if (inner[(flags & PAGE_CHARGED_GROUP) >> PAGE_CHARGED_SHIFT])
            count += page_describe(page, &pages[count]);
    }
    *pages_count = count;
    *next = more ? pfn : 0;
    return 0;
}

int memsrv_handle_memgroup_reclaim_end(struct memsrv_context *context, const struct message *request, uint64_t group,
                                       int64_t status, uint64_t killed)
{
    if (!pager_is_caller(request))
        return -EPERM;
    if (group >= MEMGROUPS_MAX || group == MEMGROUP_ROOT || status > 0 || status <= -4096)
        return -EINVAL;
    if (killed)
        memgroups_count_kill((uint32_t)group);
    parking_complete(MEMSRV_DEMAND_RECLAIM, group, 0, 0, status ? -ENOMEM : 0);
    return 0;
}
