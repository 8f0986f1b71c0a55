/* SPDX-License-Identifier: MIT */
/* What the privileged requests of lib/proto/memsrv.proto do: root builds and ends other programs' spaces. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "log.h"
#include "map.h"
#include "memory.h"
#include "space_pages.h"

/* Device registers are few; more than this is a mistake. */
#define DEVICE_BYTES_MAX (64UL << 20)

/* Locks the space of `pid` if it has memory. */
static bool enter_memory(struct space *space, uint64_t pid) TRY_ACQUIRE(true, space->lock) NO_THREAD_SAFETY_ANALYSIS
{
    if (!space_enter(space, pid))
        return false;
    if (space_has_memory(space))
        return true;
    space_leave(space);
    return false;
}

int memsrv_handle_space_create(struct memsrv_context *context, const struct message *request, uint64_t pid,
                               uint64_t model, uint64_t *table)
{
    return space_create(pid, model ? model : PID_ROOT, table);
}

int memsrv_handle_space_fork(struct memsrv_context *context, const struct message *request, uint64_t parent,
                             uint64_t pid, uint64_t stack, uint64_t *table)
{
    return space_fork(context, parent, pid, stack, table);
}

int memsrv_handle_space_map(struct memsrv_context *context, const struct message *request, uint64_t pid,
                            uint64_t address, uint64_t length, uint64_t protection)
{
    const struct area_request area = {
        .address = address, .length = length, .flags = protection, .exact = true, .privileged = true};
    struct space *space = space_find(pid);
    uint64_t start;
    uint64_t range_end;
    int error = protection_check(protection);

    if (!error)
        error = range_check(address, length, &range_end);
    if (error)
        return error;
    if (!enter_memory(space, pid))
        return -ESRCH;
    if (area_add_locked(space, &area, &start, &error)) {
        uint64_t end = start + align_up(length, PAGE_SIZE);
        if (end <= MAPPINGS_LOW && end > space->image_end)
            space->image_end = end;
    }
    space_leave(space);
    return error;
}

int memsrv_handle_space_map_stack(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                  uint64_t end, uint64_t length)
{
    struct space *space = space_find(pid);
    uint64_t start, range_end;
    int error = 0;

    if (!is_aligned(end, PAGE_SIZE) || length == 0 || length > end)
        return -EINVAL;
    const struct area_request area = {.address = align_down(end - length, PAGE_SIZE),
                                      .length = align_up(length, PAGE_SIZE),
                                      .flags = VMA_READ | VMA_WRITE | VMA_GROWS_DOWN | VMA_STACK,
                                      .exact = true,
                                      .privileged = true};
    if (range_check(area.address, area.length, &range_end))
        return -EINVAL;
    if (!enter_memory(space, pid))
        return -ESRCH;
    if (!area_add_locked(space, &area, &start, &error))
        ASSERT(error != 0);
    space_leave(space);
    return error;
}

/* Maps the registers of an area that was just added, or removes it again. */
static int map_registers(struct memsrv_context *worker, struct space *space, const struct area_request *area)
    REQUIRES(space->lock)
{
    int error = 0;
    for (uint64_t offset = 0; offset < area->length && !error; offset += PAGE_SIZE)
        error = space_map_entry_locked(space, area->address + offset,
                                       (area->offset + offset) | ENTRY_READ | ENTRY_WRITE | ENTRY_DEVICE |
                                           ENTRY_ACCESSED | ENTRY_DIRTY);
    if (error) {
        int ignored = area_remove_locked(worker, space, area->address, area->length);
        ASSERT(ignored == 0);
        (void)ignored;
    }
    return error;
}

int memsrv_handle_space_map_device(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                   uint64_t address, uint64_t physical, uint64_t length)
{
    const struct area_request area = {.address = address,
                                      .length = align_up(length, PAGE_SIZE),
                                      .flags = VMA_READ | VMA_WRITE | VMA_DEVICE | VMA_NO_MERGE | VMA_NEVER_EXECUTE,
                                      .offset = physical,
                                      .exact = true,
                                      .privileged = true};
    struct space *space = space_find(pid);
    uint64_t start, end;
    int error = 0;

    if (range_check(address, length, &end) || !is_aligned(physical, PAGE_SIZE) || length > DEVICE_BYTES_MAX ||
        physical > ENTRY_ADDRESS - DEVICE_BYTES_MAX)
        return -EINVAL;
    if (!enter_memory(space, pid))
        return -ESRCH;
    if (area_add_locked(space, &area, &start, &error))
        error = map_registers(context, space, &area);
    space_leave(space);
    return error == -EPERM ? -EINVAL : error;
}

int memsrv_handle_space_thread_create(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                      uint64_t number, uint64_t *buffer, uint64_t *thread)
{
    struct space *space = space_find(pid);
    if (!enter_memory(space, pid))
        return -ESRCH;
    int error = space_thread_create_locked(context, space, number, buffer, thread);
    space_leave(space);
    return error;
}

int memsrv_handle_space_irq_create(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                   uint64_t irq, uint64_t *object)
{
    struct space *space = space_find(pid);
    uint64_t identifier;
    if (!space_enter(space, pid))
        return -ESRCH;
    int error = space_object_create_locked(space, CAP_IRQ, irq, &identifier, object);
    space_leave(space);
    return error;
}

int memsrv_handle_space_destroy(struct memsrv_context *context, const struct message *request, uint64_t pid)
{
    struct space *space = space_find(pid);
    if (!enter_memory(space, pid))
        return -ESRCH;
    int error = space_destroy_locked(context, space);
    space_leave(space);
    return error;
}

/* A thread whose fault was refused, or NULL. */
static struct member *find_refused(struct space *space) REQUIRES(space->lock)
{
    LIST_FOR_EACH (link, &space->threads) {
        struct member *thread = CONTAINER_OF(link, struct member, link);
        if (thread->fault_refused)
            return thread;
    }
    return NULL;
}

int memsrv_handle_space_fault(struct memsrv_context *context, const struct message *request, uint64_t pid,
                              uint64_t *number, uint64_t *address, uint64_t *access, uint64_t *instruction,
                              uint64_t *entry, uint64_t *kind)
{
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return -ESRCH;
    struct member *thread = find_refused(space);
    if (thread) {
        *number = thread->fault.thread;
        *address = thread->fault.address;
        *access = (uint32_t)thread->fault.access;
        *instruction = thread->fault.instruction;
        *entry = thread->fault.entry;
        *kind = thread->fault_kind;
        thread->fault_refused = false;
    }
    space_leave(space);
    return thread ? 0 : -ENOENT;
}

int memsrv_handle_space_replace(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                uint64_t replacement)
{
    return space_replace(context, pid, replacement);
}

int memsrv_handle_space_thread_get(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                   uint64_t number, uint64_t *thread)
{
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return -ESRCH;
    const struct member *member = space_thread_find_locked(space, number);
    if (member)
        *thread = member->object.slot;
    space_leave(space);
    return member ? 0 : -ENOENT;
}
