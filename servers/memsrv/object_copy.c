/* SPDX-License-Identifier: MIT */
/*
 * Bytes into and out of backed objects, for their owner, who serves them as files. A part of a copy lies in one page of the
 * object and in one of memory. It is copied with the object's lock held, so that the page stays what it is meanwhile.
 */
#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "areas.h"
#include "memory.h"
#include "object_backed.h"
#include "object_internal.h"
#include "parking.h"
#include "requests.h"
#include "space_pages.h"

struct copy {
    struct object *object;
    uint64_t offset, bytes; /* in the object; what is left */
    uint64_t address;       /* 0: zeros */
    bool store;
};

/* The bytes that come next: up to the end of a page on either side. */
static uint64_t next_part(const struct copy *copy)
{
    const uint64_t object_rest = PAGE_SIZE - copy->offset % PAGE_SIZE;
    const uint64_t memory_rest = copy->address ? PAGE_SIZE - copy->address % PAGE_SIZE : PAGE_SIZE;
    uint64_t part = object_rest < memory_rest ? object_rest : memory_rest;

    return part < copy->bytes ? part : copy->bytes;
}

/* Puts a page that is overwritten as a whole where none is. ENOMEM, ENOSPC: the pager is to bring one. */
static int insert_locked(struct memsrv_context *worker, struct object *object, uint64_t index, struct page **result)
    REQUIRES(object->lock)
{
    struct page *page = page_take(worker);
    if (!page)
        return -ENOMEM;
    int error = object_insert_page_locked(object, index, page);
    if (error) {
        page_give(worker, page);
        return error;
    }
    *result = page;
    return 0;
}

/* The object's page that the next part is about; whoever writes it makes it dirty. ENXIO: behind the end; EBUSY: it is being
 * taken away; else as object_wait_locked(). */
static int find_page_locked(struct memsrv_context *worker, const struct copy *copy, struct object *object,
                            uint64_t part, struct page **page) REQUIRES(object->lock)
{
    const uint64_t index = copy->offset >> PAGE_SHIFT;

    if (copy->offset + part > object->size)
        return -ENXIO;
    if (index >= object->leaving_first && index < object->leaving_end)
        return -EBUSY;
    *page = index_find(&object->pages, index);
    if (!*page && copy->store && part == PAGE_SIZE && insert_locked(worker, object, index, page) == 0)
        return 0;
    if (!*page || !object_page_is_usable(*page))
        return object_wait_locked(worker, object, index, copy->store ? OBJECT_WRITE : OBJECT_READ);
    return 0;
}

/* Copies the next part; `memory`: where it goes to or comes from, NULL: zeros. */
static int copy_page(struct memsrv_context *worker, const struct copy *copy, uint64_t part, char *memory)
{
    struct object *object = copy->object;
    struct page *page;

    spinlock_acquire(&object->lock);
    int error = find_page_locked(worker, copy, object, part, &page);
    if (!error) {
        char *content = (char *)page_window(page) + copy->offset % PAGE_SIZE;
        if (!copy->store)
            memcpy(memory, content, part);
        else if (memory)
            memcpy(content, memory, part);
        else
            memset(content, 0, part);
        if (copy->store)
            object_dirty_page_locked(object, page);
    }
    spinlock_release(&object->lock);
    return error;
}

/* True if what an area shows can be reached as a program reaches it that writes there, without waiting for the pager. */
static bool is_memory(const struct vma *area)
{
    const struct object *object = area ? area->object : NULL;

    return area && (area->flags & VMA_WRITE) && !(area->flags & (VMA_DEVICE | AREA_BUFFER)) &&
           !(object && object->backed);
}

/* The caller's memory at an address. EFAULT, ENOMEM. */
static int find_memory(struct memsrv_context *worker, struct space *space, const struct copy *copy, char **memory)
    REQUIRES(space->lock)
{
    const uint64_t address = copy->address;
    struct vma *area = address < USER_VA_END ? vma_at(&space->areas, address) : NULL;

    if (!is_memory(area))
        return -EFAULT;
    const struct page *page = space_page_locked(worker, space, area, address & PAGE_MASK);
    if (!page)
        return -ENOMEM;
    *memory = (char *)page_window(page) + address % PAGE_SIZE;
    return 0;
}

/* Copies the next part of what is left. EBUSY: the page is being taken away. */
static int try_part(struct memsrv_context *worker, const struct message *request, struct copy *copy)
{
    const uint64_t part = next_part(copy);
    struct space *space;
    char *memory = NULL;

    if (!enter_own(request, &space))
        return -ESRCH;
    int error = copy->address ? find_memory(worker, space, copy, &memory) : 0;
    if (!error)
        error = copy_page(worker, copy, part, memory);
    space_leave(space);
    if (error)
        return error;
    copy->offset += part;
    copy->bytes -= part;
    if (copy->address)
        copy->address += part;
    return 0;
}

/* Who takes pages away visits spaces, this one perhaps, so its lock must be free for that. */
static int copy_part(struct memsrv_context *worker, const struct message *request, struct copy *copy)
{
    int error;

    while ((error = try_part(worker, request, copy)) == -EBUSY)
        (void)sys_yield();
    return error;
}

static int copy_all(struct memsrv_context *worker, const struct message *request, struct copy *copy, uint64_t *done)
{
    const uint64_t bytes = copy->bytes;

    /* Only while nothing is copied the caller may wait. */
    parking_allow(worker, request);
    int error = copy_part(worker, request, copy);
    if (error == -EINPROGRESS)
        return PROTO_PARKED;
    parking_forbid(worker);
    if (error)
        return error;
    while (!error && copy->bytes)
        error = copy_part(worker, request, copy);
    *done = bytes - copy->bytes;
    return 0;
}

/* The object that the caller owns, with a use more. */
static int get_own(const struct message *request, uint64_t id, struct object **object)
{
    struct space *space;
    uint64_t rights;

    if (!enter_caller(request, &space))
        return -ESRCH;
    int error = object_get(space, id, true, object, &rights);
    space_leave(space);
    return error;
}

static int copy_request(struct memsrv_context *worker, const struct message *request, uint64_t id, struct copy *copy,
                        uint64_t *done)
{
    uint64_t end;

    if (copy->bytes == 0 || __builtin_add_overflow(copy->offset, copy->bytes, &end))
        return -EINVAL;
    int error = get_own(request, id, &copy->object);
    if (error)
        return error;
    error = copy->object->backed ? copy_all(worker, request, copy, done) : -EINVAL;
    object_put(worker, copy->object);
    return error;
}

int memsrv_handle_object_load(struct memsrv_context *context, const struct message *request, uint64_t id,
                              uint64_t offset, uint64_t bytes, uint64_t address, uint64_t *done)
{
    struct copy copy = {.offset = offset, .bytes = bytes, .address = address};

    return address ? copy_request(context, request, id, &copy, done) : -EFAULT;
}

int memsrv_handle_object_store(struct memsrv_context *context, const struct message *request, uint64_t id,
                               uint64_t offset, uint64_t bytes, uint64_t address, uint64_t *done)
{
    struct copy copy = {.offset = offset, .bytes = bytes, .address = address, .store = true};

    return copy_request(context, request, id, &copy, done);
}

int memsrv_handle_object_use(struct memsrv_context *context, const struct message *request, uint64_t id,
                             uint64_t *others, uint64_t *transit)
{
    struct object *object;

    int error = get_own(request, id, &object);
    if (error)
        return error;
    object_read_use(object, others, transit);
    object_put(context, object);
    return 0;
}
