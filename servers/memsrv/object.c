/* SPDX-License-Identifier: MIT */
/* Memory objects: who may use them, how long they live, and their pages. */
#include "object.h"
#include "object_backed.h"
#include "object_internal.h"

#include <errno.h>

#include <base/bits.h>

#include "limits.h"
#include "log.h"
#include "memgroups.h"
#include "memory.h"
#include "pager.h"
#include "records.h"

struct spinlock registry_lock;
static struct radix_index registry; /* by number */
static uint64_t next_id;
static uint64_t page_total;   /* atomic */
static uint64_t backed_total; /* atomic; of those, pages of backed objects */

void objects_init(void)
{
    spinlock_init(&registry_lock, LOCK_OBJECT_REGISTRY);
    index_init(&registry, &index_records);
    objects_dma_init();
    next_id = 1;
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

static int enter_registry(struct space *owner, struct object *object)
{
    int error = 0;

    spinlock_acquire(&registry_lock);
    object->id = next_id++;
    if (owner && owner->memory_object_count >= MEMSRV_MEMORY_OBJECT_QUOTA)
        error = -EDQUOT;
    if (!error)
        error = index_insert(&registry, object->id, object);
    if (!error && owner) {
        object->owner = owner;
        object->uses++;
        list_push_back(&owner->memory_objects, &object->link);
        owner->memory_object_count++;
    }
    spinlock_release(&registry_lock);
    return error;
}

int object_create(struct space *owner, uint64_t size, bool reserve, bool charge,
                  struct object **result) NO_THREAD_SAFETY_ANALYSIS
{
    uint64_t promised = reserve && charge ? pages_for(size) : 0;

    if (size > OBJECT_SIZE_LIMIT)
        return -EINVAL;
    int error = promised ? limits_charge(promised) : 0;
    if (error)
        return error;
    struct object *object = object_record_new();
    if (!object) {
        limits_uncharge(promised);
        return -ENOMEM;
    }
    list_init(&object->link);
    list_init(&object->held_link);
    list_init(&object->grants);
    list_init(&object->areas);
    spinlock_init(&object->lock, LOCK_OBJECT);
    index_init(&object->pages, &index_records);
    index_init(&object->swapped, &index_records);
    object->uses = 1;
    object->size = size;
    object->charged = promised;
    object->charges_pages = charge && !reserve;
    error = enter_registry(owner, object);
    if (error) {
        limits_uncharge(promised);
        object_record_free(object);
        return error;
    }
    *result = object;
    return 0;
}

void object_destroy(struct memsrv_context *worker, struct object *object)
{
    uint64_t index = 0;

    spinlock_acquire(&object->lock);
    for (struct page *page = index_next(&object->pages, &index, UINT64_MAX); page;
         page = index_next(&object->pages, &index, UINT64_MAX)) {
        (void)index_erase(&object->pages, index);
        object_forget_page(object, page);
        if (object->pinned)
            pages_give(page, 0);
        else
            page_give(worker, page);
    }
    object_swap_drop_locked(worker, object, 0, UINT64_MAX);
    spinlock_release(&object->lock);
    limits_uncharge(object->charged);
    if (object->backed)
        pager_tell_gone(object->id, object->cookie);
    object_record_free(object);
}

bool object_end_use_locked(struct object *object)
{
    ASSERT(object->uses > 0);
    if (--object->uses)
        return false;
    (void)index_erase(&registry, object->id);
    return true;
}

void object_hold(struct object *object)
{
    spinlock_acquire(&registry_lock);
    object->uses++;
    spinlock_release(&registry_lock);
}

bool object_is_others(const struct object *object, const struct space *space)
{
    spinlock_acquire(&registry_lock);
    const bool others = object->owner && object->owner != space;
    spinlock_release(&registry_lock);
    return others;
}

void object_set_backed(struct object *object, uint64_t cookie)
{
    object->backed = true;
    object->cookie = cookie;
}

int object_find(uint64_t id, struct object **result)
{
    spinlock_acquire(&registry_lock);
    struct object *object = index_find(&registry, id);
    if (object)
        object->uses++;
    spinlock_release(&registry_lock);
    *result = object;
    return object ? 0 : -ENOENT;
}

void object_hold_pages(struct object *object, uint64_t count)
{
    spinlock_acquire(&registry_lock);
    object->uses += count;
    object->transit_uses += count;
    spinlock_release(&registry_lock);
}

void object_put_pages(struct memsrv_context *worker, struct object *object, uint64_t count)
{
    if (count == 0)
        return;
    spinlock_acquire(&registry_lock);
    object->uses -= count - 1;
    object->transit_uses -= count;
    bool last = object_end_use_locked(object);
    spinlock_release(&registry_lock);
    if (last)
        object_destroy(worker, object);
}

void object_put(struct memsrv_context *worker, struct object *object)
{
    spinlock_acquire(&registry_lock);
    bool last = object_end_use_locked(object);
    spinlock_release(&registry_lock);
    if (last)
        object_destroy(worker, object);
}

/* --- Who may use it ----------------------------------------------------------------------------------------------- */

static struct object_grant *find_grant(struct object *object, const struct space *space) REQUIRES(registry_lock)
{
    LIST_FOR_EACH (link, &object->grants) {
        struct object_grant *grant = CONTAINER_OF(link, struct object_grant, link);
        if (grant->space == space)
            return grant;
    }
    return NULL;
}

int object_get(const struct space *space, uint64_t id, bool own, struct object **result, uint64_t *rights)
{
    int error = -ENOENT;

    spinlock_acquire(&registry_lock);
    struct object *object = index_find(&registry, id);
    if (object) {
        const struct object_grant *grant = own || object->owner == space ? NULL : find_grant(object, space);
        if (object->owner == space || grant) {
            *rights = grant ? grant->rights : OBJECT_RIGHTS_ALL;
            *result = object;
            object->uses++;
            error = 0;
        }
    }
    spinlock_release(&registry_lock);
    return error;
}

static void add_grant(struct object_grant *grant, struct object *object, struct space *space, uint64_t rights)
    REQUIRES(registry_lock)
{
    *grant = (struct object_grant){.object = object, .space = space, .rights = rights};
    list_push_back(&object->grants, &grant->link);
    list_push_back(&space->grants, &grant->space_link);
    object->uses++;
}

/* Takes a grant out; the caller frees the record and, if the result is true, the object. */
static bool drop_grant(struct object_grant *grant) REQUIRES(registry_lock)
{
    list_remove(&grant->link);
    list_remove(&grant->space_link);
    return object_end_use_locked(grant->object);
}

int object_grant(struct object *object, struct space *space, uint64_t rights)
{
    struct object_grant *fresh = rights ? grant_record_new() : NULL;
    if (rights && !fresh)
        return -ENOMEM;
    spinlock_acquire(&registry_lock);
    struct object_grant *old = find_grant(object, space), *unused = fresh;
    if (old && rights) {
        old->rights = rights;
    } else if (old) {
        bool last = drop_grant(old);
        ASSERT(!last); /* the caller works with it */
        (void)last;
        unused = old;
    } else if (rights) {
        add_grant(fresh, object, space, rights);
        unused = NULL;
    }
    spinlock_release(&registry_lock);
    if (unused)
        grant_record_free(unused);
    return 0;
}

static bool drop_owner(struct object *object) REQUIRES(registry_lock)
{
    list_remove(&object->link);
    object->owner->memory_object_count--;
    object->owner = NULL;
    return object_end_use_locked(object);
}

int object_release(struct memsrv_context *worker, struct space *space, uint64_t id)
{
    struct object *object;
    struct object_grant *grant = NULL;
    uint64_t rights;
    bool owned = false;

    int error = object_get(space, id, false, &object, &rights);
    if (error)
        return error;
    spinlock_acquire(&registry_lock);
    if (object->owner == space) {
        owned = true;
        object_end_hold_locked(object);
        (void)drop_owner(object); /* not the last: object_get() made one */
    }
    grant = find_grant(object, space);
    if (grant)
        (void)drop_grant(grant);
    spinlock_release(&registry_lock);
    if (grant)
        grant_record_free(grant);
    object_put(worker, object);
    return owned || grant ? 0 : -ENOENT;
}

/* One grant for the child; true if there is one already, or it was made. */
static bool inherit_one(struct object *object, struct space *child, uint64_t rights) REQUIRES(registry_lock)
{
    if (find_grant(object, child))
        return true;
    struct object_grant *grant = grant_record_new();
    if (grant)
        add_grant(grant, object, child, rights);
    return grant != NULL;
}

int objects_inherit(const struct space *parent, struct space *child)
{
    bool good = true;

    spinlock_acquire(&registry_lock);
    LIST_FOR_EACH (link, &parent->grants) {
        const struct object_grant *grant = CONTAINER_OF(link, struct object_grant, space_link);
        good = good && inherit_one(grant->object, child, grant->rights);
    }
    LIST_FOR_EACH (link, &parent->memory_objects)
        good = good && inherit_one(CONTAINER_OF(link, struct object, link), child, OBJECT_RIGHTS_ALL);
    spinlock_release(&registry_lock);
    return good ? 0 : -ENOMEM;
}

void objects_leave_locked(struct memsrv_context *worker, struct space *space)
{
    struct list *link;
    struct object *last;

    do {
        struct object_grant *grant = NULL;
        last = NULL;
        spinlock_acquire(&registry_lock);
        link = list_first(&space->grants);
        if (link) {
            grant = CONTAINER_OF(link, struct object_grant, space_link);
            last = drop_grant(grant) ? grant->object : NULL;
        } else if ((link = list_first(&space->memory_objects))) {
            struct object *object = CONTAINER_OF(link, struct object, link);
            last = drop_owner(object) ? object : NULL;
        }
        spinlock_release(&registry_lock);
        if (grant)
            grant_record_free(grant);
        if (last)
            object_destroy(worker, last);
    } while (link);
}

/* --- Areas -------------------------------------------------------------------------------------------------------- */

void object_attach(struct vma *area)
{
    struct object *object = area->object;

    object_hold(object);
    spinlock_acquire(&object->lock);
    list_push_back(&object->areas, &area->object_link);
    object->attachments++;
    spinlock_release(&object->lock);
}

void object_detach(struct memsrv_context *worker, struct vma *area)
{
    struct object *object = area->object;

    spinlock_acquire(&object->lock);
    list_remove(&area->object_link);
    spinlock_release(&object->lock);
    object_put(worker, object);
}

bool object_knows(const struct vma *area)
{
    return !list_empty(&area->object_link);
}

/* --- Pages -------------------------------------------------------------------------------------------------------- */

void object_link_page(struct object *object, uint64_t index, struct page *page)
{
    page->private_data = object->id;
    page->owner = object;
    page->index = index;
    page->flags |= PAGE_OF_OBJECT | (object->backed ? PAGE_BACKED : 0);
    if (object->backed)
        __atomic_fetch_add(&backed_total, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&page_total, 1, __ATOMIC_RELAXED);
}

int object_insert_page_locked(struct object *object, uint64_t index, struct page *page)
{
    int error = index_insert(&object->pages, index, page);
    if (!error)
        object_link_page(object, index, page);
    return error;
}

static int add_page(struct memsrv_context *worker, struct object *object, uint64_t index, struct page **result)
    REQUIRES(object->lock)
{
    int error = object->charges_pages ? limits_charge(1) : 0;
    if (error)
        return error;
    struct page *page = page_take(worker);
    error = page ? object_insert_page_locked(object, index, page) : -ENOMEM;
    if (!error && worker->group_taking) {
        error = memgroups_charge_page(worker, worker->group_taking, MEMGROUP_ANON, page);
        if (error) {
            (void)index_erase(&object->pages, index);
            object_forget_page(object, page);
            page_give(worker, page);
            return error;
        }
    }
    if (error) {
        if (page)
            page_give(worker, page);
        if (object->charges_pages)
            limits_uncharge(1);
        return error;
    }
    page_zero(page);
    *result = page;
    return 0;
}

int object_page(struct memsrv_context *worker, struct object *object, uint64_t index, enum object_want want,
                struct page **page)
{
    int error = 0;

    spinlock_acquire(&object->lock);
    *page = index_find(&object->pages, index);
    if (index >= pages_for(object->size)) {
        error = -EFAULT;
    } else if (index >= object->leaving_first && index < object->leaving_end) {
        error = -EBUSY;
    } else if (!*page && !object->backed) {
        error = object->swapped.count ? object_swap_in_locked(worker, object, index, want != OBJECT_PRESENT, page) : 0;
        if (!error && !*page)
            error = want == OBJECT_PRESENT ? -ENOENT : add_page(worker, object, index, page);
    } else if (!*page || !object_page_is_usable(*page)) {
        error = want == OBJECT_PRESENT ? -ENOENT : object_wait_locked(worker, object, index, want);
    } else if (want == OBJECT_WRITE && object->backed) {
        object_dirty_page_locked(object, *page);
    }
    spinlock_release(&object->lock);
    return error;
}

void object_find_present(struct object *object, uint64_t first, uint64_t count, struct page *pages[])
{
    spinlock_acquire(&object->lock);
    const uint64_t end = pages_for(object->size);
    index_read(&object->pages, first, count, (void **)pages);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t index = first + i;
        if (pages[i] && (index >= end || !object_page_is_usable(pages[i]) ||
                         (index >= object->leaving_first && index < object->leaving_end)))
            pages[i] = NULL;
    }
    spinlock_release(&object->lock);
}

void object_read_info(struct object *object, uint64_t *size, uint64_t *pages)
{
    spinlock_acquire(&object->lock);
    *size = object->size;
    *pages = object->pages.count + object->swapped.count;
    spinlock_release(&object->lock);
}

int object_charge_page(struct memsrv_context *worker, struct object *object, uint64_t index, uint32_t group)
{
    int error = 0;

    spinlock_acquire(&object->lock);
    struct page *page = index_find(&object->pages, index);
    if (page && object->backed && !(page->flags & PAGE_CHARGED))
        error = memgroups_charge_page(worker, group, MEMGROUP_FILE, page);
    spinlock_release(&object->lock);
    return error;
}

void object_read_use(struct object *object, uint64_t *others, uint64_t *transit)
{
    uint64_t count = 0;

    spinlock_acquire(&registry_lock);
    LIST_FOR_EACH (link, &object->grants)
        count++;
    *transit = object->transit_uses;
    spinlock_acquire(&object->lock);
    LIST_FOR_EACH (link, &object->areas)
        count++;
    spinlock_release(&object->lock);
    spinlock_release(&registry_lock);
    *others = count;
}

void object_uncharge_page(const struct object *object)
{
    if (object->charges_pages)
        limits_uncharge(1);
}

void object_forget_page(struct object *object, struct page *page)
{
    ASSERT(!(page->flags & PAGE_TRANSIT));
    object_unlink_page(object, page);
    object_uncharge_page(object);
}

void object_unlink_page(struct object *object, struct page *page)
{
    (void)object;
    if (page->flags & PAGE_DIRTY)
        object_count_dirty(-1);
    if (page->flags & PAGE_BACKED)
        __atomic_fetch_sub(&backed_total, 1, __ATOMIC_RELAXED);
    page->flags &= ~PAGE_OWNER_FLAGS | PAGE_CHARGED | PAGE_TRANSIT; /* the group's and the transit's */
    __atomic_fetch_sub(&page_total, 1, __ATOMIC_RELAXED);
}

void object_count_pages(uint64_t pages)
{
    __atomic_fetch_add(&page_total, pages, __ATOMIC_RELAXED);
}

uint64_t object_backed_pages(void)
{
    return __atomic_load_n(&backed_total, __ATOMIC_RELAXED);
}

void object_read_errors(struct object *object, uint64_t *sequence, int64_t *last)
{
    spinlock_acquire(&object->lock);
    *sequence = object->errors;
    *last = object->last_error;
    spinlock_release(&object->lock);
}

uint64_t objects_pages(void)
{
    return __atomic_load_n(&page_total, __ATOMIC_RELAXED);
}

/* --- The walker --------------------------------------------------------------------------------------------------- */

static bool pages_ok(struct object *object) REQUIRES(object->lock)
{
    uint64_t index = 0, count = 0, end = pages_for(object->size);
    const struct page *page;

    if (index_check(&object->pages))
        return false;
    while ((page = index_next(&object->pages, &index, UINT64_MAX))) {
        if (!(page->flags & PAGE_OF_OBJECT) || page->owner != object || page->index != index || index >= end ||
            page->private_data != object->id || !object_page_state_ok_locked(object, page))
            return false;
        count++;
        index++;
    }
    return count == object->pages.count && object_swap_ok_locked(object);
}

static uint64_t length(const struct list *head)
{
    uint64_t count = 0;
    LIST_FOR_EACH (link, (struct list *)head)
        count++;
    return count;
}

uint64_t objects_check(void)
{
    uint64_t failures = 0, id = 0;
    struct object *object;

    spinlock_acquire(&registry_lock);
    failures += index_check(&registry) != 0;
    while ((object = index_next(&registry, &id, UINT64_MAX))) {
        spinlock_acquire(&object->lock);
        /* Workers that use an object at this moment hold it, too. */
        uint64_t holders = length(&object->grants) + length(&object->areas) + (object->owner ? 1 : 0) +
                           (object->held_for ? 1 : 0) + object->transit_uses;
        bool ok = object->id == id && pages_ok(object) && object->uses >= holders &&
                  object->uses - holders <= 2 * worker_count;
        spinlock_release(&object->lock);
        if (!ok) {
            log_line("check: memory object %lu", id);
            failures++;
        }
        id++;
    }
    spinlock_release(&registry_lock);
    return failures;
}
