/* SPDX-License-Identifier: MIT */
/*
 * memsrv: physical memory and address spaces. Root starts it with the pages that say what the machine has; from then
 * on it owns every frame that is not the kernel's or root's, and is the first to hear of every abort.
 */
#include <quire/syscall.h>

#include "boot_memory.h"
#include "caches.h"
#include "cow.h"
#include "event.h"
#include "fail_alloc.h"
#include "family.h"
#include "huge.h"
#include "kernel_objects.h"
#include "layout.h"
#include "limits.h"
#include "log.h"
#include "memgroups.h"
#include "memory.h"
#include "object.h"
#include "own_memory.h"
#include "page_debug.h"
#include "pager.h"
#include "parking.h"
#include "records.h"
#include "space_tables.h"
#include "swap.h"
#include "transit.h"

/* Pages that programs can have. */
static uint64_t managed_pages(void)
{
    uint64_t pages = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        struct zone_info info;
        zone_read_info(&zones[type], &info);
        pages += info.managed_pages;
    }
    return pages;
}

int main(void)
{
    const struct boot_info *info = (const struct boot_info *)BOOT_INFO_ADDRESS;
    const struct memsrv_handover *handover = (const struct memsrv_handover *)MEMSRV_HANDOVER_ADDRESS;

    boot_memory(info, handover);
    memory_init(info->cpu_count);
    caches_init(info->arguments);
    page_debug_init(info->arguments);
    kernel_objects_init(handover->first_free_slot, handover->slot_count);
    records_init();
    own_memory_init(info->cpu_count);
    events_init(info->cpu_count);
    tables_init();
    cow_init();
    families_init();
    huge_init(info->arguments);
    huge_scan_init(info->arguments);
    layout_init(info);
    limits_init(managed_pages());
    objects_init();
    memgroups_init();
    spaces_init();
    transit_init();
    swap_init();
    parking_init();
    pager_init();
    workers[0].thread_slot = SLOT_THREAD;
    workers[0].reply_slot = SLOT_REPLY;
    parking_worker_init(&workers[0]);
    workers_start(info->cpu_count);
    fail_alloc_init(info->arguments);
    worker_serve(&workers[0]);
}
