/* SPDX-License-Identifier: MIT */
/* Classes of sizes over kmem caches, and blocks of pages. */
#include <errno.h>

#include <base/bits.h>
#include <mm/kmalloc.h>

static const struct {
    const char *name;
    uint32_t size;
} classes[KMALLOC_CLASSES] = {
    {"kmalloc-8", 8},     {"kmalloc-16", 16},   {"kmalloc-32", 32},   {"kmalloc-64", 64},   {"kmalloc-96", 96},
    {"kmalloc-128", 128}, {"kmalloc-192", 192}, {"kmalloc-256", 256}, {"kmalloc-512", 512}, {"kmalloc-1k", 1024},
    {"kmalloc-2k", 2048}, {"kmalloc-4k", 4096}, {"kmalloc-8k", 8192},
};

/* The class of each eighth of a size up to 192. */
#define SMALL_MAX 192u
static const uint8_t small_classes[SMALL_MAX / 8] = {0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4,
                                                     5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6};
#define CLASS_256 7u

uint32_t kmalloc_class_size(unsigned class)
{
    return class < KMALLOC_CLASSES ? classes[class].size : 0;
}

/* The smallest class for a size of 1..KMALLOC_CACHE_MAX. */
static unsigned class_of(size_t size)
{
    if (size <= SMALL_MAX)
        return small_classes[(size - 1) / 8];
    return size <= 256 ? CLASS_256 : CLASS_256 + highest_bit(size - 1) - 7;
}

static unsigned order_of(size_t size)
{
    return highest_bit((size - 1) >> PAGE_SHIFT) + 1;
}

int kmalloc_init(struct kmalloc_heap *heap, const struct kmem_cache_args *defaults)
{
    if (defaults->flags & KMEM_EXTERNAL)
        return -EINVAL;
    heap->source = defaults->source;
    heap->report = defaults->report;
    heap->large_blocks = heap->large_pages = 0;
    for (unsigned class = 0; class < KMALLOC_CLASSES; class ++) {
        struct kmem_cache_args args = *defaults;
        uint32_t size = classes[class].size;
        args.name = classes[class].name;
        args.size = size;
        args.align = !is_power_of_two(size) ? 0 : size < PAGE_SIZE ? size : (uint32_t)PAGE_SIZE;
        args.constructor = NULL;
        args.secret = defaults->secret + 0x9e3779b97f4a7c15UL * (class + 1);
        int error = kmem_cache_init(&heap->caches[class], &args);
        if (error)
            return error;
    }
    return 0;
}

/* --- Blocks of pages ---------------------------------------------------------------------------------------------- */

static void *large_alloc(struct kmalloc_heap *heap, size_t size)
{
    unsigned order = order_of(size);
    struct page *page = heap->source->get(heap->source->context, order);
    if (!page)
        return NULL;
    page->owner = heap;
    for (uint64_t i = 1; i < 1UL << order; i++)
        page[i].owner = NULL;
    __atomic_fetch_add(&heap->large_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&heap->large_pages, 1UL << order, __ATOMIC_RELAXED);
    return heap->source->address(heap->source->context, page);
}

/* The block that starts at an address, if it is one of the heap's. */
static struct page *large_find(const struct kmalloc_heap *heap, const void *memory)
{
    struct page *page = heap->source->find(heap->source->context, memory);
    bool ours = page && is_aligned((uint64_t)memory, PAGE_SIZE) && page->owner == heap &&
                (page->flags & (PAGE_STATE | PAGE_CACHE)) == PAGE_ALLOCATED;
    return ours ? page : NULL;
}

static void large_free(struct kmalloc_heap *heap, struct page *page)
{
    unsigned order = page->order;
    page->owner = NULL;
    __atomic_fetch_sub(&heap->large_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&heap->large_pages, 1UL << order, __ATOMIC_RELAXED);
    heap->source->put(heap->source->context, page, order);
}

/* The cache that an address is an object of, if it is one of the heap's. */
static struct kmem_cache *find_cache(const struct kmalloc_heap *heap, const void *memory)
{
    struct kmem_cache *cache = kmem_cache_of(heap->source, memory);
    return cache >= heap->caches && cache < heap->caches + KMALLOC_CLASSES ? cache : NULL;
}

/* --- Memory of any size ------------------------------------------------------------------------------------------- */

void *kmalloc(struct kmalloc_heap *heap, unsigned cpu, size_t size)
{
    if (size == 0 || size > KMALLOC_MAX)
        return NULL;
    if (size > KMALLOC_CACHE_MAX)
        return large_alloc(heap, size);
    return kmem_cache_alloc(&heap->caches[class_of(size)], cpu);
}

void *kzalloc(struct kmalloc_heap *heap, unsigned cpu, size_t size)
{
    void *memory = kmalloc(heap, cpu, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

void *kmalloc_array(struct kmalloc_heap *heap, unsigned cpu, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : kmalloc(heap, cpu, bytes);
}

static void report_bad(struct kmalloc_heap *heap, const void *memory)
{
    const struct kmem_report report = {.cache = "kmalloc", .object = memory, .fault = KMEM_BAD_POINTER};
    if (heap->report)
        heap->report(&report);
}

void kfree(struct kmalloc_heap *heap, unsigned cpu, void *memory)
{
    if (!memory)
        return;
    struct kmem_cache *cache = find_cache(heap, memory);
    struct page *page = cache ? NULL : large_find(heap, memory);
    if (cache)
        kmem_cache_free(cache, cpu, memory);
    else if (page)
        large_free(heap, page);
    else
        report_bad(heap, memory);
}

size_t ksize(const struct kmalloc_heap *heap, const void *memory)
{
    const struct kmem_cache *cache = find_cache(heap, memory);
    if (cache)
        return cache->object_size;
    const struct page *page = large_find(heap, memory);
    return page ? PAGE_SIZE << page->order : 0;
}

void *krealloc(struct kmalloc_heap *heap, unsigned cpu, void *memory, size_t size)
{
    if (!memory)
        return kmalloc(heap, cpu, size);
    if (size == 0) {
        kfree(heap, cpu, memory);
        return NULL;
    }
    size_t old = ksize(heap, memory);
    if (size <= old)
        return memory;
    if (old == 0) {
        report_bad(heap, memory);
        return NULL;
    }
    void *larger = kmalloc(heap, cpu, size);
    if (larger) {
        memcpy(larger, memory, old);
        kfree(heap, cpu, memory);
    }
    return larger;
}

/* --- The whole heap ----------------------------------------------------------------------------------------------- */

uint64_t kmalloc_shrink(struct kmalloc_heap *heap)
{
    uint64_t pages = 0;
    for (unsigned class = 0; class < KMALLOC_CLASSES; class ++)
        pages += kmem_cache_shrink(&heap->caches[class]);
    return pages;
}

uint64_t kmalloc_pages(struct kmalloc_heap *heap)
{
    uint64_t pages = __atomic_load_n(&heap->large_pages, __ATOMIC_RELAXED);
    for (unsigned class = 0; class < KMALLOC_CLASSES; class ++) {
        struct kmem_cache_info info;
        kmem_cache_read_info(&heap->caches[class], &info);
        pages += info.pages;
    }
    return pages;
}

int kmalloc_destroy(struct kmalloc_heap *heap)
{
    (void)kmalloc_shrink(heap);
    return kmalloc_pages(heap) ? -EBUSY : 0;
}

int kmalloc_check(struct kmalloc_heap *heap)
{
    int error = 0;
    for (unsigned class = 0; class < KMALLOC_CLASSES && !error; class ++)
        error = kmem_cache_check(&heap->caches[class]);
    return error;
}
