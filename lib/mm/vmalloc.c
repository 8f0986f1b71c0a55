/* SPDX-License-Identifier: MIT */
/* Areas of single pages: their pages, their place, their mapping, and the way back. */
#include <errno.h>

#include <base/bits.h>
#include <mm/vmalloc.h>

static struct vmalloc_area *area_of(struct vma *range)
{
    return range ? CONTAINER_OF(range, struct vmalloc_area, range) : NULL;
}

void vmalloc_init(struct vmalloc_space *space, uint64_t low, uint64_t high, const struct vmalloc_ops *ops,
                  const struct page_source *source, struct kmalloc_heap *heap) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_init(&space->lock, LOCK_VMALLOC);
    vma_tree_init(&space->areas, low, high);
    space->pages = space->failures = 0;
    space->bytes = high - low;
    space->ops = ops;
    space->source = source;
    space->heap = heap;
}

/* --- An area without a place -------------------------------------------------------------------------------------- */

static void drop_pages(const struct vmalloc_space *space, const struct vmalloc_area *area)
{
    for (uint64_t i = 0; i < area->count; i++)
        space->source->put(space->source->context, area->pages[i], 0);
}

static void free_area(const struct vmalloc_space *space, unsigned cpu, struct vmalloc_area *area)
{
    drop_pages(space, area);
    kfree(space->heap, cpu, area->pages);
    kfree(space->heap, cpu, area);
}

/* Takes `count` pages; true if there were that many. Those that there were are the area's in any case. */
static bool take_pages(const struct vmalloc_space *space, struct vmalloc_area *area, uint64_t count, bool zeroed)
{
    const struct page_source *source = space->source;
    for (area->count = 0; area->count < count; area->count++) {
        struct page *page = source->get(source->context, 0);
        if (!page)
            return false;
        if (zeroed)
            memset(source->address(source->context, page), 0, PAGE_SIZE);
        area->pages[area->count] = page;
    }
    return true;
}

static struct vmalloc_area *make_area(const struct vmalloc_space *space, unsigned cpu, uint64_t count, bool zeroed)
{
    struct vmalloc_area *area = kzalloc(space->heap, cpu, sizeof(*area));
    if (!area)
        return NULL;
    area->pages = kmalloc_array(space->heap, cpu, count, sizeof(struct page *));
    if (!area->pages || !take_pages(space, area, count, zeroed)) {
        free_area(space, cpu, area);
        return NULL;
    }
    return area;
}

/* --- Places ------------------------------------------------------------------------------------------------------- */

/* Finds room for an area with its guard page, and puts it there. */
static int place_area(struct vmalloc_space *space, struct vmalloc_area *area) EXCLUDES(space->lock)
{
    const struct vma_gap_request request = {
        .length = (area->count + 1) * PAGE_SIZE, .alignment = PAGE_SIZE, .low = 0, .high = UINT64_MAX};

    spinlock_acquire(&space->lock);
    struct vma *above;
    int error = vma_find_gap(&space->areas, &request, &area->range.start, &above);
    if (!error) {
        area->range.end = area->range.start + request.length;
        area->range.offset = area->range.start;
        vma_insert_below(&space->areas, &area->range, above);
    }
    if (!error)
        space->pages += area->count;
    spinlock_release(&space->lock);
    return error;
}

static void remove_area(struct vmalloc_space *space, struct vmalloc_area *area) EXCLUDES(space->lock)
{
    spinlock_acquire(&space->lock);
    vma_remove(&space->areas, &area->range);
    space->pages -= area->count;
    spinlock_release(&space->lock);
}

static void *map_area(struct vmalloc_space *space, unsigned cpu, struct vmalloc_area *area) EXCLUDES(space->lock)
{
    if (place_area(space, area)) {
        free_area(space, cpu, area);
        return NULL;
    }
    uint64_t start = area->range.start;
    if (space->ops->map(space->ops->context, start, area->pages, area->count)) {
        remove_area(space, area);
        free_area(space, cpu, area);
        return NULL;
    }
    spinlock_acquire(&space->lock);
    area->ready = true;
    spinlock_release(&space->lock);
    return (void *)start;
}

static void *allocate(struct vmalloc_space *space, unsigned cpu, uint64_t size, bool zeroed, uint64_t caller)
    EXCLUDES(space->lock)
{
    /* More than the space has need not be tried, and cannot overflow what follows. */
    bool sensible = size > 0 && size <= space->bytes;
    uint64_t count = sensible ? align_up(size, PAGE_SIZE) / PAGE_SIZE : 0;
    struct vmalloc_area *area = sensible ? make_area(space, cpu, count, zeroed) : NULL;
    void *memory = NULL;

    if (area) {
        area->caller = caller;
        memory = map_area(space, cpu, area);
    }
    if (!memory) {
        spinlock_acquire(&space->lock);
        space->failures++;
        spinlock_release(&space->lock);
    }
    return memory;
}

void *vmalloc(struct vmalloc_space *space, unsigned cpu, uint64_t size)
{
    return allocate(space, cpu, size, false, (uint64_t)__builtin_return_address(0));
}

void *vzalloc(struct vmalloc_space *space, unsigned cpu, uint64_t size)
{
    return allocate(space, cpu, size, true, (uint64_t)__builtin_return_address(0));
}

/* --- Freeing ------------------------------------------------------------------------------------------------------ */

int vfree(struct vmalloc_space *space, unsigned cpu, void *memory)
{
    if (!memory)
        return 0;
    spinlock_acquire(&space->lock);
    struct vmalloc_area *area = area_of(vma_at(&space->areas, (uint64_t)memory));
    bool whole = area && area->ready && area->range.start == (uint64_t)memory;
    if (whole)
        area->ready = false; /* nobody else frees it; its addresses stay taken until nothing is mapped there */
    spinlock_release(&space->lock);
    if (!whole)
        return -EINVAL;
    space->ops->unmap(space->ops->context, area->range.start, area->count);
    remove_area(space, area);
    free_area(space, cpu, area);
    return 0;
}

/* --- Questions ---------------------------------------------------------------------------------------------------- */

int vmalloc_next(struct vmalloc_space *space, uint64_t address, struct vmalloc_info *info)
{
    spinlock_acquire(&space->lock);
    struct vma *range = vma_find(&space->areas, address);
    if (range && address >= range->end - PAGE_SIZE) /* in its guard page */
        range = vma_next(&space->areas, range);
    const struct vmalloc_area *area = area_of(range);
    if (area)
        *info = (struct vmalloc_info){
            .start = area->range.start, .end = area->range.end - PAGE_SIZE, .caller = area->caller};
    spinlock_release(&space->lock);
    return area ? 0 : -ENOENT;
}

struct page *vmalloc_page(struct vmalloc_space *space, const void *address)
{
    struct page *page = NULL;
    spinlock_acquire(&space->lock);
    const struct vmalloc_area *area = area_of(vma_at(&space->areas, (uint64_t)address));
    if (area && area->ready) {
        uint64_t index = ((uint64_t)address - area->range.start) / PAGE_SIZE;
        page = index < area->count ? area->pages[index] : NULL;
    }
    spinlock_release(&space->lock);
    return page;
}

uint64_t vmalloc_pages(struct vmalloc_space *space)
{
    spinlock_acquire(&space->lock);
    uint64_t pages = space->pages;
    spinlock_release(&space->lock);
    return pages;
}

int vmalloc_check(struct vmalloc_space *space)
{
    uint64_t pages = 0;
    spinlock_acquire(&space->lock);
    int error = vma_tree_check(&space->areas);
    for (struct vma *range = vma_first(&space->areas); range && !error; range = vma_next(&space->areas, range)) {
        const struct vmalloc_area *area = area_of(range);
        pages += area->count;
        if (range->end - range->start != (area->count + 1) * PAGE_SIZE || area->count == 0 || !area->pages)
            error = -EIO;
    }
    if (pages != space->pages)
        error = -EIO;
    spinlock_release(&space->lock);
    return error;
}
