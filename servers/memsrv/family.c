/* SPDX-License-Identifier: MIT */
/* Families of spaces, and the reverse mapping of anonymous memory. */
#include "family.h"

#include <errno.h>

#include "areas.h"
#include "huge.h"
#include "memory.h"
#include "records.h"
#include "space_pages.h"

/* There are no more than spaces. The records never become anything else, so one that is named by a page which has
 * found another owner meanwhile can be looked at all the same. */
static struct family families[SPACES_MAX];
static struct spinlock free_lock; /* of the rank of a family's, and never taken with one */
static struct family *free_families GUARDED_BY(free_lock);

void families_init(void) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_init(&free_lock, LOCK_FAMILY);
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        spinlock_init(&families[i].lock, LOCK_FAMILY);
        list_init(&families[i].spaces);
        families[i].next_free = free_families;
        free_families = &families[i];
    }
}

/* Adds a space to a family that exists. */
static void add(struct family *family, struct space *space)
{
    spinlock_acquire(&family->lock);
    list_push_back(&family->spaces, &space->family_link);
    family->uses++;
    family->joins++;
    spinlock_release(&family->lock);
    space->family = family;
}

int family_create(struct space *space)
{
    spinlock_acquire(&free_lock);
    struct family *family = free_families;
    if (family)
        free_families = family->next_free;
    spinlock_release(&free_lock);
    if (!family)
        return -ENOMEM;
    __atomic_store_n(&family->swapped, false, __ATOMIC_RELAXED);
    add(family, space);
    return 0;
}

void family_join(const struct space *parent, struct space *child)
{
    add(parent->family, child);
}

void family_hold(struct family *family)
{
    spinlock_acquire(&family->lock);
    family->uses++;
    spinlock_release(&family->lock);
}

void family_put(struct family *family)
{
    spinlock_acquire(&family->lock);
    bool last = --family->uses == 0;
    spinlock_release(&family->lock);
    if (!last)
        return;
    spinlock_acquire(&free_lock);
    family->next_free = free_families;
    free_families = family;
    spinlock_release(&free_lock);
}

struct family *family_get(const struct page *page)
{
    const uint32_t others = PAGE_OF_OBJECT | PAGE_TABLE | PAGE_OBJECT | PAGE_CACHE | PAGE_ZERO;
    struct family *family = __atomic_load_n(&page->owner, __ATOMIC_RELAXED);
    const uint64_t offset = (uint64_t)family - (uint64_t)families;

    if (offset >= sizeof(families) || offset % sizeof(*family) ||
        (__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) & (others | PAGE_ALLOCATED)) != PAGE_ALLOCATED)
        return NULL;
    spinlock_acquire(&family->lock);
    bool there = family->uses != 0;
    family->uses += there;
    spinlock_release(&family->lock);
    return there ? family : NULL;
}

uint64_t family_number(const struct family *family)
{
    return (uint64_t)(family - families);
}

void family_leave(struct space *space)
{
    struct family *family = space->family;

    spinlock_acquire(&family->lock);
    list_remove(&space->family_link);
    spinlock_release(&family->lock);
    space->family = NULL;
    family_put(family);
}

bool family_is_alone(const struct space *space)
{
    struct family *family = space->family;

    spinlock_acquire(&family->lock);
    bool alone = list_first(&family->spaces) == &space->family_link && space->family_link.next == &family->spaces;
    spinlock_release(&family->lock);
    return alone;
}

/* True if the space has what is looked for at `address`. */
static bool has_at(struct space *space, const struct wanted_entry *wanted, uint64_t address) REQUIRES(space->lock)
{
    const uint64_t entry = space_entry_locked(space, address);
    if (entry & ENTRY_SOFT)
        return wanted->soft && (entry & ~ENTRY_SHARED) == wanted->soft;
    return wanted->page && entry && !(entry & ENTRY_DEVICE) &&
           (entry & ENTRY_ADDRESS) >> PAGE_SHIFT == page_pfn(wanted->page);
}

/* At the address of the index, if the area was never moved; otherwise in any area that may have it. */
uint64_t family_find_entry_locked(struct space *space, const struct wanted_entry *wanted)
{
    const uint64_t index = wanted->index;
    uint64_t address = index << PAGE_SHIFT;

    if (address < USER_VA_END && vma_at(&space->areas, address) && has_at(space, wanted, address))
        return address;
    for (const struct vma *area = vma_first(&space->areas); area; area = vma_next(&space->areas, area)) {
        uint64_t first = area->offset >> PAGE_SHIFT;
        if ((area->flags & (VMA_SHARED | VMA_DEVICE)) || index < first ||
            index - first >= pages_of(area->end - area->start))
            continue;
        address = area->start + ((index - first) << PAGE_SHIFT);
        if (has_at(space, wanted, address))
            return address;
    }
    return 0;
}

uint32_t family_list(struct family *family, struct space *found[], uint64_t *joins)
{
    uint32_t count = 0;

    spinlock_acquire(&family->lock);
    *joins = family->joins;
    LIST_FOR_EACH (link, &family->spaces)
        found[count++] = CONTAINER_OF(link, struct space, family_link);
    spinlock_release(&family->lock);
    return count;
}

uint32_t family_find_mappings(struct family *family, const struct page *page, struct mapping *mappings,
                              uint32_t capacity)
{
    const struct wanted_entry wanted = {.page = page, .index = page_index(page)};
    struct space *members[SPACES_MAX];
    uint64_t joins;
    uint32_t found = 0;
    uint32_t count = family_list(family, members, &joins);

    for (uint32_t i = 0; i < count && found < capacity; i++) {
        struct space *space = members[i];
        if (!family_enter(space, family))
            continue;
        uint64_t address = family_find_entry_locked(space, &wanted);
        if (address)
            mappings[found++] = (struct mapping){space->pid, address};
        space_leave(space);
    }
    return found;
}
