/* SPDX-License-Identifier: MIT */
/* What the requests of lib/proto/memsrv.proto do that only ask. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "account.h"
#include "areas.h"
#include "caches.h"
#include "memory.h"
#include "object_backed.h"
#include "own_memory.h"
#include "records.h"
#include "space_pages.h"
#include "space_tables.h"

/* Tables that the asking space may keep to spare, so that two figures of it can be compared. */
#define TABLES_KEPT_AT_INFO FAULT_TABLES

void account_read(struct memsrv_memory *memory)
{
    const struct boot_account *boot = &boot_account;
    int64_t user = 0;

    *memory = (struct memsrv_memory){.total = boot->total,
                                     .kernel = boot->kernel,
                                     .root = boot->root,
                                     .archive = boot->archive,
                                     .tree = boot->tree,
                                     .firmware = boot->firmware};
    /* Workers other than the first have a page each for their IPC buffer; and there is the page of zeros. */
    memory->metadata = boot->metadata + record_pages() + own_table_pages() + worker_count;
    memory->object = kernel_object_pages();
    for (uint32_t i = 0; i < worker_count; i++)
        user += __atomic_load_n(&workers[i].user_pages, __ATOMIC_RELAXED);
    memory->user = (uint64_t)user + objects_pages();
    memory->table = table_pages();
    memory->free = memory_free_pages();
    memory->lists = memory_listed_pages();
}

bool account_adds_up(const struct memsrv_memory *memory)
{
    uint64_t sum = memory->free + memory->lists + memory->user + memory->table + memory->object + memory->metadata +
                   memory->kernel + memory->root + memory->archive + memory->tree + memory->firmware;
    return sum == memory->total;
}

int memsrv_handle_space_parent(struct memsrv_context *context, const struct message *request, uint64_t pid,
                               uint64_t *parent)
{
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return -ESRCH;
    *parent = space->parent;
    space_leave(space);
    return 0;
}

static void trim_caller(const struct message *request)
{
    uint64_t pid = request->badge & ~BADGE_RIGHTS;
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return;
    if (space_has_memory(space))
        space_trim_tables_locked(space, TABLES_KEPT_AT_INFO);
    space_leave(space);
}

int memsrv_handle_memory_info(struct memsrv_context *context, const struct message *request,
                              struct memsrv_memory *memory, size_t memory_capacity, size_t *memory_count)
{
    if (memory_capacity == 0)
        return -EINVAL;
    trim_caller(request);
    account_read(memory);
    *memory_count = 1;
    return 0;
}

int memsrv_handle_memory_room(struct memsrv_context *context, const struct message *request, uint64_t *total,
                              uint64_t *free)
{
    *total = boot_account.total;
    /* Pages of files that are as the disk has them go when others are wanted. */
    const uint64_t backed = object_backed_pages(), dirty = object_dirty_pages();
    *free = memory_free_pages() + memory_listed_pages() + (backed > dirty ? backed - dirty : 0);
    return 0;
}

int memsrv_handle_vmalloc_info(struct memsrv_context *context, const struct message *request, uint64_t address,
                               uint64_t *start, uint64_t *end, uint64_t *caller)
{
    struct vmalloc_info info;
    int error = vmalloc_next(&own_space, address, &info);
    if (error)
        return error;
    *start = info.start;
    *end = info.end;
    *caller = info.caller;
    return 0;
}

struct memsrv_area area_describe(const struct vma *area)
{
    struct memsrv_area description = {.start = area->start, .end = area->end, .protection = area->flags & VMA_ACCESS};
    if (area->flags & VMA_DEVICE)
        description.flags |= MEMSRV_AREA_DEVICE;
    if (area->flags & AREA_BUFFER)
        description.flags |= MEMSRV_AREA_BUFFER;
    if (area->flags & VMA_HEAP)
        description.flags |= MEMSRV_AREA_HEAP;
    if (area->flags & VMA_SHARED)
        description.flags |= MEMSRV_AREA_SHARED;
    if (area->flags & VMA_LOCKED)
        description.flags |= MEMSRV_AREA_LOCKED;
    if (area->flags & VMA_GROWS_DOWN)
        description.flags |= MEMSRV_AREA_GROWS_DOWN;
    if (area->flags & VMA_STACK)
        description.flags |= MEMSRV_AREA_STACK;
    return description;
}

int memsrv_handle_maps(struct memsrv_context *context, const struct message *request, uint64_t pid, uint64_t cursor,
                       uint64_t *next, struct memsrv_area *areas, size_t areas_capacity, size_t *areas_count)
{
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return -ESRCH;
    const struct vma *area = vma_find(&space->areas, cursor);
    size_t count = 0;
    for (; area && count < areas_capacity; area = vma_next(&space->areas, area))
        areas[count++] = area_describe(area);
    *next = area ? area->start : 0;
    *areas_count = count;
    space_leave(space);
    return 0;
}

int memsrv_handle_space_info(struct memsrv_context *context, const struct message *request, uint64_t pid,
                             uint64_t *resident, uint64_t *tables, uint64_t *objects, uint64_t *areas)
{
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return -ESRCH;
    *resident = space->resident;
    *tables = space_has_memory(space) ? space_count_tables_locked(space) : 0;
    *objects = space->object_count + space->thread_count;
    *areas = space->areas.count;
    space_leave(space);
    return 0;
}

int memsrv_handle_check(struct memsrv_context *context, const struct message *request, uint64_t *failures)
{
    *failures = check_all(context);
    return 0;
}
