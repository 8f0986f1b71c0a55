/* SPDX-License-Identifier: MIT */
/* Bytes into and out of other programs' spaces, for root. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "map.h"
#include "memory.h"
#include "object.h"
#include "space_pages.h"
#include "swap.h"

/* How bytes are reached. */
enum way {
    WAY_FORCED, /* whatever the protection */
    WAY_READ,   /* as the program itself may */
    WAY_WRITE,
};

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

static bool area_allows(const struct vma *area, enum way way)
{
    if (area->flags & VMA_DEVICE)
        return false;
    return way == WAY_FORCED || (area->flags & (way == WAY_READ ? VMA_READ : VMA_WRITE));
}

/* True if all of [address, address + bytes) can be reached in that way: areas without holes, no registers. */
static bool is_reachable(struct space *space, uint64_t address, uint64_t bytes, enum way way) REQUIRES(space->lock)
{
    uint64_t end = address + bytes;
    if (address >= USER_VA_END || bytes > USER_VA_END - address)
        return false;
    while (address < end) {
        const struct vma *area = vma_at(&space->areas, address);
        if (!area && way == WAY_WRITE)
            area = area_grow_down_locked(space, address);
        if (!area || !area_allows(area, way))
            return false;
        address = area->end;
    }
    return true;
}

/* The page at an address, for reading. NULL: no memory, or past the end of the area's object. */
static const struct page *readable_page(struct memsrv_context *worker, struct space *space, struct vma *area,
                                        uint64_t address) REQUIRES(space->lock)
{
    uint64_t entry = space_entry_locked(space, address);
    if (entry & ENTRY_SOFT) {
        space_wait_for_answers_locked(worker, space);
        int error = swap_bring_locked(worker, space, area, address, entry, VMA_READ);
        entry = error ? 0 : space_entry_locked(space, address);
        return entry && !(entry & ENTRY_SOFT) ? page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT) : NULL;
    }
    if (!entry && !area->object)
        return space_page_locked(worker, space, area, address);
    if (!entry && space_map_object_page_locked(worker, space, area, address, false) == 0)
        entry = space_entry_locked(space, address);
    return entry ? page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT) : NULL;
}

/* The bytes of the page at an address that come next, at most `count`. */
static uint64_t part_at(uint64_t address, uint64_t count)
{
    const uint64_t rest = PAGE_SIZE - address % PAGE_SIZE;
    return count < rest ? count : rest;
}

/* Why there is no page: the pager has been asked for it, and it is to be tried again; or there is no memory. */
static int missing(struct space *space, const struct vma *area, uint64_t address) REQUIRES(space->lock)
{
    const struct object *object = area->object;
    const bool swapped = swap_concerns(space) && (space_entry_locked(space, address & PAGE_MASK) & ENTRY_SOFT);
    return (object && object->backed) || swapped ? -EAGAIN : -ENOMEM;
}

static int write_bytes(struct memsrv_context *worker, struct space *space, uint64_t address, const char *bytes,
                       uint64_t count) REQUIRES(space->lock)
{
    while (count) {
        struct vma *area = vma_at(&space->areas, address);
        uint64_t offset = address % PAGE_SIZE;
        uint64_t part = part_at(address, count);
        struct page *page = space_page_locked(worker, space, area, address - offset);
        if (!page)
            return missing(space, area, address);
        memcpy(page_window(page) + offset, bytes, part);
        if (area->flags & VMA_EXECUTE)
            machine_sync_code(page_window(page) + offset, part);
        address += part;
        bytes += part;
        count -= part;
    }
    return 0;
}

static int read_bytes(struct memsrv_context *worker, struct space *space, uint64_t address, char *bytes, uint64_t count)
    REQUIRES(space->lock)
{
    while (count) {
        uint64_t offset = address % PAGE_SIZE;
        uint64_t part = part_at(address, count);
        struct vma *area = vma_at(&space->areas, address);
        const struct page *page = readable_page(worker, space, area, address - offset);
        if (!page)
            return missing(space, area, address);
        memcpy(bytes, page_window(page) + offset, part);
        address += part;
        bytes += part;
        count -= part;
    }
    return 0;
}

static int put(struct memsrv_context *worker, uint64_t pid, uint64_t address, const void *content, size_t bytes,
               enum way way)
{
    struct space *space = space_find(pid);
    if (!enter_memory(space, pid))
        return -ESRCH;
    int error =
        is_reachable(space, address, bytes, way) ? write_bytes(worker, space, address, content, bytes) : -EFAULT;
    space_leave(space);
    return error;
}

int memsrv_handle_space_write(struct memsrv_context *context, const struct message *request, uint64_t pid,
                              uint64_t address, const void *content, size_t content_bytes)
{
    return put(context, pid, address, content, content_bytes, WAY_FORCED);
}

int memsrv_handle_space_store(struct memsrv_context *context, const struct message *request, uint64_t pid,
                              uint64_t address, const void *content, size_t content_bytes)
{
    return put(context, pid, address, content, content_bytes, WAY_WRITE);
}

int memsrv_handle_space_read(struct memsrv_context *context, const struct message *request, uint64_t pid,
                             uint64_t address, void *content, size_t content_capacity, size_t *content_count)
{
    struct space *space = space_find(pid);
    if (!enter_memory(space, pid))
        return -ESRCH;
    int error = is_reachable(space, address, content_capacity, WAY_READ)
                    ? read_bytes(context, space, address, content, content_capacity)
                    : -EFAULT;
    space_leave(space);
    if (!error)
        *content_count = content_capacity;
    return error;
}
