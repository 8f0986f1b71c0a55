/* SPDX-License-Identifier: MIT */
#include "server_state.h"

#include "tap.h"

bool memsrv_is_sound(void)
{
    uint64_t failures = 1;
    return memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0;
}

struct memsrv_memory memory_now(void)
{
    struct memsrv_memory memory = {0};
    size_t count = 0;
    if (memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) < 0 || count != 1)
        tap_diag("no memory_info");
    return memory;
}

struct memsrv_paging paging_now(void)
{
    struct memsrv_paging paging = {0};
    size_t count = 0;
    if (memsrv_paging_info(SLOT_MEMSRV, &paging, 1, &count) < 0 || count != 1)
        tap_diag("no paging_info");
    return paging;
}

struct memsrv_thp thp_now(void)
{
    struct memsrv_thp thp = {0};
    size_t count = 0;
    if (memsrv_thp_info(SLOT_MEMSRV, &thp, 1, &count) < 0 || count != 1)
        tap_diag("no thp_info");
    return thp;
}

struct pager_info pager_now(void)
{
    struct pager_info info = {0};
    size_t count = 0;
    (void)!pager_info(SLOT_PAGER, &info, 1, &count);
    return info;
}

unsigned long free_pages(void)
{
    const struct memsrv_memory memory = memory_now();
    return memory.free + memory.lists;
}

unsigned long pages_used(void)
{
    const struct memsrv_memory memory = memory_now();
    return memory.total - memory.free - memory.lists;
}
