/* SPDX-License-Identifier: MIT */
/* Spaces come, are found and go. */
#include <errno.h>

#include <base/bits.h>
#include <quire/syscall.h>

#include "areas.h"
#include "fork.h"
#include "layout.h"
#include "log.h"
#include "memgroups.h"
#include "memory.h"
#include "object.h"
#include "pager.h"
#include "space_pages.h"
#include "space_tables.h"

struct space spaces[SPACES_MAX];
struct space *space_index[SPACE_INDEX];

/* Guards which space is whose: changes of `pid` and of the index. Order: before a space's lock. */
static struct spinlock table_lock;

/* Spaces whose numbers have the place in the index: where there are none nothing needs to be looked for. Atomic; counted
 * before the number appears and until it has gone. */
static uint16_t index_counts[SPACE_INDEX];

static void index_put(struct space *space, uint64_t pid)
{
    __atomic_store_n(&space_index[pid % SPACE_INDEX], space, __ATOMIC_RELEASE);
}

struct space *space_find_slow(uint64_t pid)
{
    if (pid == 0 || __atomic_load_n(&index_counts[pid % SPACE_INDEX], __ATOMIC_ACQUIRE) == 0)
        return NULL;
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        if (__atomic_load_n(&spaces[i].pid, __ATOMIC_RELAXED) == pid) {
            index_put(&spaces[i], pid);
            return &spaces[i];
        }
    }
    return NULL;
}

/* Makes `space` that of `pid`; the rest of it is ready. */
static void publish(struct space *space, uint64_t pid) REQUIRES(space->lock)
{
    const uint64_t old = space->pid;

    __atomic_fetch_add(&index_counts[pid % SPACE_INDEX], 1, __ATOMIC_RELEASE);
    __atomic_store_n(&space->pid, pid, __ATOMIC_RELEASE);
    index_put(space, pid);
    if (old)
        __atomic_fetch_sub(&index_counts[old % SPACE_INDEX], 1, __ATOMIC_RELEASE);
}

static void init_space(struct space *space) REQUIRES(space->lock)
{
    vma_tree_init(&space->areas, AREAS_LOW, USER_VA_END);
    space->aspace.slot = space->table.slot = SLOT_NONE;
    space->top = NULL;
    space->resident = space->tables = space->faults = space->major_faults = space->ended_time = 0;
    space->shares_tables = false;
    space->huge_entries = 0;
    space->family = NULL;
    space->parent = 0;
    list_init(&space->threads);
    list_init(&space->objects);
    space->thread_count = space->object_count = 0;
    space->next_identifier = 1;
    space->slot_frames = 1;
    space->image_end = AREAS_LOW;
    space->heap_start = space->heap_end = 0;
    space->mappings_high = layout_mappings_high();
    resource_table_init(&space->limits);
    space->standing = (struct space_standing){0};
    space->data_pages = space->locked_pages = space->charged_pages = 0;
    space->future_lock = 0;
    space->roles = 0;
    list_init(&space->memory_objects);
    list_init(&space->grants);
    space->memory_object_count = 0;
}

void spaces_init(void)
{
    spinlock_init(&table_lock, LOCK_SPACE_TABLE);
    for (uint32_t i = 0; i < SPACES_MAX; i++)
        spinlock_init(&spaces[i].lock, LOCK_SPACE);
    spinlock_acquire(&spaces[0].lock);
    init_space(&spaces[0]);
    memgroups_join(MEMGROUP_ROOT);
    publish(&spaces[0], PID_ROOT);
    spinlock_release(&spaces[0].lock);
}

/* Destroys an object that nothing uses. */
static void discard(struct kernel_object *object)
{
    int error = kernel_object_destroy(object);
    ASSERT(error == 0);
    (void)error;
}

/* Top table, address space, capability table with slots, fault handler. */
static int make_objects(struct space *space, uint64_t pid) REQUIRES(space->lock)
{
    space->top = table_take();
    if (!space->top)
        return -ENOMEM;
    int error = kernel_object_create(CAP_ASPACE, page_pfn(space->top), &space->aspace);
    if (error) {
        table_give(space->top);
        return error;
    }
    space->tables = 1;
    error = kernel_object_create(CAP_TABLE, 0, &space->table);
    if (!error)
        error = kernel_table_grow(&space->table);
    if (!error)
        error = (int)sys_aspace_control(SLOT_PHYSICAL, space->aspace.slot, ASPACE_SET_HANDLER, SLOT_SERVE, pid, NULL);
    if (error) {
        discard(&space->table);
        discard(&space->aspace);
        table_give(space->top);
    }
    return error;
}

/* A space that is nobody's, or NULL. */
static struct space *find_free(void)
{
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        if (__atomic_load_n(&spaces[i].pid, __ATOMIC_RELAXED) == 0)
            return &spaces[i];
    }
    return NULL;
}

static void drop_all_areas(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    for (struct vma *area = vma_first(&space->areas); area; area = vma_first(&space->areas))
        area_drop_locked(worker, space, area);
}

/* Ends capability table and address space, which is empty. */
static int destroy_objects(struct space *space) REQUIRES(space->lock)
{
    int error = kernel_object_destroy(&space->table);
    if (!error)
        error = kernel_object_destroy(&space->aspace);
    if (error) {
        log_line("space %lu cannot be ended: error %ld", space->pid, (long)error);
        return error;
    }
    table_give(space->top);
    space->top = NULL;
    return 0;
}

/* Makes a free record that of `pid`, locked, with no objects yet. NULL with *error: EINVAL, EEXIST, ENOMEM. */
static struct space *claim(uint64_t pid, int *error) NO_THREAD_SAFETY_ANALYSIS
{
    *error = pid == 0 || pid >= PID_END ? -EINVAL : 0;
    if (*error)
        return NULL;
    spinlock_acquire(&table_lock);
    struct space *space = space_find_slow(pid) ? NULL : find_free();
    if (!space)
        *error = space_find_slow(pid) ? -EEXIST : -ENOMEM;
    if (space) {
        spinlock_acquire_as(&space->lock, LOCK_NEW_SPACE);
        init_space(space);
        memgroups_join(MEMGROUP_ROOT);
        publish(space, pid);
    }
    spinlock_release(&table_lock);
    return space;
}

/* Makes the record nobody's again. */
static void give_up(struct space *space) REQUIRES(space->lock)
{
    const uint64_t old = space->pid;

    memgroups_leave(space->standing.group);
    __atomic_store_n(&space->pid, 0, __ATOMIC_RELEASE);
    __atomic_fetch_sub(&index_counts[old % SPACE_INDEX], 1, __ATOMIC_RELEASE);
}

/* Without analysis: claim() returns with the lock of what it returns. */
int space_create(uint64_t pid, uint64_t model, uint64_t *table_slot) NO_THREAD_SAFETY_ANALYSIS
{
    struct space *giver = space_find(model);
    int error;

    if (!space_enter(giver, model))
        return -ESRCH;
    const struct resource_table limits = giver->limits;
    const struct space_standing standing = giver->standing;
    memgroups_join(standing.group);
    space_leave(giver);
    struct space *space = claim(pid, &error);
    if (!space) {
        memgroups_leave(standing.group);
        return error;
    }
    space->limits = limits;
    memgroups_leave(space->standing.group);
    space->standing = standing;
    error = make_objects(space, pid);
    if (!error) {
        error = family_create(space);
        if (error)
            (void)destroy_objects(space);
    }
    if (error)
        give_up(space);
    else
        *table_slot = space->table.slot;
    space_leave(space);
    return error;
}

/* Unmaps what the areas have: whole tables, since one in common that goes as a whole needs no other in its place, and as
 * one range where areas have a table in common. What lies between areas is not looked at. */
static void release_all_areas(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    uint64_t start = 0, end = 0;

    for (const struct vma *area = vma_first(&space->areas); area; area = vma_next(&space->areas, area)) {
        const uint64_t from = align_down(area->start, HUGE_PAGE_SIZE);
        if (from > end) {
            space_release_locked(worker, space, start, end);
            start = from;
        }
        end = align_up(area->end, HUGE_PAGE_SIZE);
    }
    space_release_locked(worker, space, start, end < USER_VA_END ? end : USER_VA_END);
}

/* Takes all memory of a space without threads; what is left are its objects. */
static void empty(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    release_all_areas(worker, space);
    drop_all_areas(worker, space);
    objects_leave_locked(worker, space);
    space_trim_tables_locked(space, 0);
    ASSERT(space->resident == 0);
    ASSERT(space->data_pages == 0 && space->locked_pages == 0 && space->charged_pages == 0);
}

int space_fork(struct memsrv_context *worker, uint64_t parent_pid, uint64_t pid, uint64_t stack,
               uint64_t *table_slot) NO_THREAD_SAFETY_ANALYSIS
{
    int error;
    struct space *child = claim(pid, &error);
    if (!child)
        return error;
    error = make_objects(child, pid);
    if (!error) {
        /* The one place where a worker holds two spaces' locks: nobody waits for a child's who has any other. */
        struct space *parent = space_find(parent_pid);
        error = parent != child && space_enter(parent, parent_pid) ? 0 : -ESRCH;
        if (!error) {
            error = space_has_memory(parent) ? fork_copy_locked(worker, parent, child) : -ESRCH;
            if (!error)
                fork_part_with_page_locked(worker, parent, child, stack & PAGE_MASK);
            space_leave(parent);
        }
        if (error) {
            if (child->family) {
                empty(worker, child);
                family_leave(child);
            }
            (void)destroy_objects(child);
        }
    }
    if (error)
        give_up(child);
    else
        *table_slot = child->table.slot;
    space_leave(child);
    return error;
}

/* Waits until nobody touches the figures of a space that has lost its threads. While the lock is free a worker may get
 * it that has a last fault of theirs, so all are looked at again then. */
static void wait_for_workers(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    uint32_t i = 0;

    while (i < worker_count) {
        if (&workers[i] == worker || worker_is_done_with(&workers[i], space)) {
            i++;
            continue;
        }
        spinlock_release(&space->lock);
        (void)sys_yield();
        spinlock_acquire(&space->lock);
        i = 0;
    }
}

/* Takes threads, objects and memory of a space. Errors of space_destroy_locked(). */
static int clear(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    const uint64_t pid = space->pid;
    pager_space_ends_locked(space);
    int error = space_members_destroy_locked(worker, space);
    if (error)
        return error;
    wait_for_workers(worker, space);
    if (space->pid != pid)
        return -ESRCH; /* somebody else has ended it meanwhile */
    empty(worker, space);
    return 0;
}

int space_destroy_locked(struct memsrv_context *worker, struct space *space)
{
    int error = clear(worker, space);
    if (error)
        return error;
    error = destroy_objects(space);
    if (error)
        return error;
    family_leave(space);
    give_up(space);
    return 0;
}

/* What a space hands on to the one that takes its place. */
struct succession {
    uint64_t pid, parent;
    struct resource_table limits;
    struct space_standing standing;
};

/* Makes a space that is not in use yet the successor. Makes system calls. */
static int succeed(struct space *space, const struct succession *succession)
{
    const uint64_t number = space->pid;
    long error = -ESRCH;

    if (!space_enter(space, number))
        return (int)error;
    error =
        sys_aspace_control(SLOT_PHYSICAL, space->aspace.slot, ASPACE_SET_HANDLER, SLOT_SERVE, succession->pid, NULL);
    if (!error) {
        space->limits = succession->limits;
        memgroups_leave(space->standing.group);
        space->standing = succession->standing;
        space->parent = succession->parent;
        publish(space, succession->pid);
    }
    space_leave(space);
    return (int)error;
}

int space_replace(struct memsrv_context *worker, uint64_t pid, uint64_t replacement)
{
    struct space *old = space_find(pid), *new = space_find(replacement);
    struct succession succession = {.pid = pid};

    if (old == new)
        return old ? -EINVAL : -ESRCH;
    if (!new || !space_has_memory(new) || !space_enter(old, pid))
        return -ESRCH;
    int error = space_has_memory(old) ? 0 : -ESRCH;
    if (!error) {
        succession.limits = old->limits;
        succession.standing = old->standing;
        succession.parent = old->parent;
        memgroups_join(succession.standing.group);
        error = space_destroy_locked(worker, old);
        if (error)
            memgroups_leave(succession.standing.group);
    }
    space_leave(old);
    if (error)
        return error;
    error = succeed(new, &succession);
    if (error)
        memgroups_leave(succession.standing.group);
    return error;
}
