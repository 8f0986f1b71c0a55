/* SPDX-License-Identifier: MIT */
/* Threads and other kernel objects of a space. */
#include <errno.h>

#include <proto/memsrv_handover.h>
#include <quire/syscall.h>

#include "areas.h"
#include "map.h"
#include "memory.h"
#include "parking.h"
#include "records.h"
#include "space_pages.h"

static struct member *find(struct list *members, uint64_t name)
{
    LIST_FOR_EACH (link, members) {
        struct member *member = CONTAINER_OF(link, struct member, link);
        if (member->name == name)
            return member;
    }
    return NULL;
}

struct member *space_thread_find_locked(struct space *space, uint64_t number)
{
    return find(&space->threads, number);
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

/* Takes, zeroes and maps the page of a buffer's area. No fault is answered there, so nobody else maps one. NULL: there is
 * no memory. */
static struct page *map_buffer(struct memsrv_context *worker, struct space *space, struct vma *area)
    REQUIRES(space->lock)
{
    struct page *page = memgroups_take_always(worker, space);
    if (!page)
        return NULL;
    page_zero(page);
    page->owner = space->family;
    page->index = area_index(area, area->start);
    area->touched = true;
    if (space_map_entry_locked(space, area->start, page_address(page) | entry_flags(area->flags))) {
        user_page_give(worker, page);
        return NULL;
    }
    space->resident++;
    return page;
}

/* An area of one page among the buffers, with its page mapped. NULL: no memory or no room. */
static struct vma *make_buffer(struct memsrv_context *worker, struct space *space, struct page **page)
    REQUIRES(space->lock)
{
    const struct vma_gap_request gap = {
        .length = PAGE_SIZE, .alignment = PAGE_SIZE, .low = BUFFERS_LOW, .high = BUFFERS_HIGH};
    struct area_request request = {.length = PAGE_SIZE,
                                   .flags = VMA_READ | VMA_WRITE | VMA_NO_MERGE | AREA_BUFFER,
                                   .exact = true,
                                   .privileged = true};
    uint64_t address;
    struct vma *above;
    int error = vma_find_gap(&space->areas, &gap, &request.address, &above);
    struct vma *area = error ? NULL : area_add_locked(space, &request, &address, &error);
    if (!area)
        return NULL;
    *page = map_buffer(worker, space, area);
    if (*page)
        return area;
    area_drop_locked(worker, space, area);
    return NULL;
}

static void drop_buffer(struct memsrv_context *worker, struct space *space, uint64_t address) REQUIRES(space->lock)
{
    struct vma *area = vma_at(&space->areas, address);
    ASSERT(area && (area->flags & AREA_BUFFER));
    space_release_locked(worker, space, address, address + PAGE_SIZE);
    area_drop_locked(worker, space, area);
}

static int configure(const struct space *space, const struct member *member, const struct page *buffer)
{
    uint64_t slot = member->object.slot;
    long error = sys_thread_control(slot, THREAD_CONFIGURE, space->aspace.slot, space->table.slot, page_pfn(buffer),
                                    member->buffer_address, member->name);
    if (!error)
        error = sys_thread_control(slot, THREAD_SET_EVENT, MEMSRV_SLOT_EVENTS, memsrv_event(space->pid), 0, 0, 0);
    return (int)error;
}

static int make_thread(struct memsrv_context *worker, struct space *space, struct member *member) REQUIRES(space->lock)
{
    struct page *page = NULL;
    struct vma *buffer = make_buffer(worker, space, &page);
    if (!buffer)
        return -ENOMEM;
    member->buffer_address = buffer->start;
    int error = kernel_object_create(CAP_THREAD, 0, &member->object);
    if (!error)
        error = configure(space, member, page);
    if (error) {
        int ignored = kernel_object_destroy(&member->object);
        ASSERT(ignored == 0);
        (void)ignored;
        drop_buffer(worker, space, buffer->start);
    }
    return error;
}

int space_thread_create_locked(struct memsrv_context *worker, struct space *space, uint64_t number, uint64_t *buffer,
                               uint64_t *slot)
{
    if (!space_has_memory(space))
        return -ENODEV;
    if (find(&space->threads, number))
        return -EEXIST;
    if (space->thread_count >= MEMSRV_THREAD_QUOTA)
        return -EDQUOT;
    struct member *member = member_alloc();
    if (!member)
        return -ENOMEM;
    member->name = number;
    int error = parking_add_thread();
    if (!error) {
        error = make_thread(worker, space, member);
        if (error)
            parking_remove_thread();
    }
    if (error) {
        member_free(member);
        return error;
    }
    list_push_back(&space->threads, &member->link);
    space->thread_count++;
    *buffer = member->buffer_address;
    *slot = member->object.slot;
    return 0;
}

static int end_thread(struct memsrv_context *worker, struct space *space, struct member *member) REQUIRES(space->lock)
{
    int error = kernel_object_destroy(&member->object);
    if (error)
        return error;
    drop_buffer(worker, space, member->buffer_address);
    list_remove(&member->link);
    space->thread_count--;
    parking_remove_thread();
    member_free(member);
    return 0;
}

/* The time in ns that a thread has had a processor; 0: the kernel does not say. */
static uint64_t member_run_time(const struct member *thread)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    struct thread_info saved;

    /* The buffer may hold a message. */
    memcpy(&saved, info, sizeof(saved));
    const bool told = sys_thread_control(thread->object.slot, THREAD_INFO, 0, 0, 0, 0, 0) == 0;
    const uint64_t time = told ? info->run_time : 0;
    memcpy(ipc_buffer()->words, &saved, sizeof(saved));
    return time;
}

uint64_t space_run_time_locked(const struct space *space)
{
    uint64_t time = space->ended_time;

    LIST_FOR_EACH (link, &space->threads)
        time += member_run_time(CONTAINER_OF(link, struct member, link));
    return time;
}

int space_thread_destroy_locked(struct memsrv_context *worker, struct space *space, uint64_t number)
{
    struct member *member = find(&space->threads, number);
    if (!member)
        return -ENOENT;
    const uint64_t time = member_run_time(member);
    const int error = end_thread(worker, space, member);
    if (error == 0)
        space->ended_time += time;
    return error;
}

/* --- Objects ------------------------------------------------------------------------------------------------------ */

int space_object_create_locked(struct space *space, enum cap_type type, uint64_t extra, uint64_t *identifier,
                               uint64_t *slot)
{
    if (space->object_count >= MEMSRV_OBJECT_QUOTA)
        return -EDQUOT;
    struct member *member = member_alloc();
    if (!member)
        return -ENOMEM;
    int error = kernel_object_create(type, extra, &member->object);
    if (error) {
        member_free(member);
        return error;
    }
    member->name = space->next_identifier++;
    list_push_back(&space->objects, &member->link);
    space->object_count++;
    *identifier = member->name;
    *slot = member->object.slot;
    return 0;
}

static int end_object(struct space *space, struct member *member) REQUIRES(space->lock)
{
    int error = kernel_object_destroy(&member->object);
    if (error)
        return error;
    list_remove(&member->link);
    space->object_count--;
    member_free(member);
    return 0;
}

int space_object_destroy_locked(struct space *space, uint64_t identifier)
{
    struct member *member = find(&space->objects, identifier);
    return member ? end_object(space, member) : -ENOENT;
}

int space_members_destroy_locked(struct memsrv_context *worker, struct space *space)
{
    int error = 0;
    for (struct list *link = list_first(&space->threads); link && !error; link = list_first(&space->threads))
        error = end_thread(worker, space, CONTAINER_OF(link, struct member, link));
    for (struct list *link = list_first(&space->objects); link && !error; link = list_first(&space->objects))
        error = end_object(space, CONTAINER_OF(link, struct member, link));
    return error;
}
