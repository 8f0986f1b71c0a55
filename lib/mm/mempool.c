/* SPDX-License-Identifier: MIT */
/* Pools with a reserve. */
#include <errno.h>

#include <mm/mempool.h>

static void *kmem_alloc(void *context, unsigned cpu)
{
    return kmem_cache_alloc(context, cpu);
}

static void kmem_free(void *context, unsigned cpu, void *element)
{
    kmem_cache_free(context, cpu, element);
}

const struct mempool_ops mempool_kmem_ops = {.alloc = kmem_alloc, .free = kmem_free};

/* Frees elements[from..to). */
static void free_elements(struct mempool *pool, unsigned cpu, void **elements, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        pool->ops->free(pool->context, cpu, elements[i]);
}

/* A new array of `count` places, the last of which, from `first` on, are filled. NULL: no memory. */
static void **make_array(struct mempool *pool, unsigned cpu, uint32_t first, uint32_t count)
{
    void **elements = kmalloc_array(pool->heap, cpu, count, sizeof(*elements));
    if (!elements)
        return NULL;
    for (uint32_t i = first; i < count; i++) {
        elements[i] = pool->ops->alloc(pool->context, cpu);
        if (!elements[i]) {
            free_elements(pool, cpu, elements, first, i);
            kfree(pool->heap, cpu, elements);
            return NULL;
        }
    }
    return elements;
}

int mempool_init(struct mempool *pool, uint32_t min_nr, const struct mempool_ops *ops, void *context,
                 struct kmalloc_heap *heap, unsigned cpu) NO_THREAD_SAFETY_ANALYSIS
{
    if (min_nr == 0)
        return -EINVAL;
    *pool = (struct mempool){.ops = ops, .context = context, .heap = heap};
    spinlock_init(&pool->lock, LOCK_MEMPOOL);
    pool->elements = make_array(pool, cpu, 0, min_nr);
    if (!pool->elements)
        return -ENOMEM;
    pool->min_nr = pool->count = min_nr;
    return 0;
}

void *mempool_alloc(struct mempool *pool, unsigned cpu)
{
    void *element = pool->ops->alloc(pool->context, cpu);
    if (__builtin_expect(element != NULL, 1))
        return element;
    spinlock_acquire(&pool->lock);
    if (pool->count > 0) {
        element = pool->elements[--pool->count];
        pool->fallbacks++;
    } else {
        pool->failures++;
    }
    spinlock_release(&pool->lock);
    return element;
}

/* True if the reserve seems to be full: most frees find it so, and then take no lock. Who is wrong about it gives an
 * element to the allocator that the reserve could have had; the next one fills it. */
static bool seems_full(const struct mempool *pool) NO_THREAD_SAFETY_ANALYSIS
{
    return __atomic_load_n(&pool->count, __ATOMIC_RELAXED) >= __atomic_load_n(&pool->min_nr, __ATOMIC_RELAXED);
}

/* True if the reserve has taken the element. */
static bool refill(struct mempool *pool, void *element)
{
    if (seems_full(pool))
        return false;
    spinlock_acquire(&pool->lock);
    bool room = pool->count < pool->min_nr;
    if (room)
        pool->elements[pool->count++] = element;
    spinlock_release(&pool->lock);
    return room;
}

void mempool_free(struct mempool *pool, unsigned cpu, void *element)
{
    if (!element || refill(pool, element))
        return;
    pool->ops->free(pool->context, cpu, element);
}

/* The reserve becomes smaller; its array stays as it is. */
static void shrink_reserve(struct mempool *pool, unsigned cpu, uint32_t min_nr)
{
    spinlock_acquire(&pool->lock);
    pool->min_nr = min_nr;
    while (pool->count > min_nr) {
        void *element = pool->elements[--pool->count];
        spinlock_release(&pool->lock);
        pool->ops->free(pool->context, cpu, element);
        spinlock_acquire(&pool->lock);
    }
    spinlock_release(&pool->lock);
}

int mempool_resize(struct mempool *pool, unsigned cpu, uint32_t min_nr)
{
    if (min_nr == 0)
        return -EINVAL;
    spinlock_acquire(&pool->lock);
    uint32_t old_min = pool->min_nr; /* nobody else changes it */
    spinlock_release(&pool->lock);
    if (min_nr <= old_min) {
        shrink_reserve(pool, cpu, min_nr);
        return 0;
    }
    void **elements = make_array(pool, cpu, old_min, min_nr);
    if (!elements)
        return -ENOMEM;
    spinlock_acquire(&pool->lock);
    void **old = pool->elements;
    memcpy(elements, old, pool->count * sizeof(*elements));
    memmove(elements + pool->count, elements + old_min, (min_nr - old_min) * sizeof(*elements));
    pool->elements = elements;
    pool->count += min_nr - old_min;
    pool->min_nr = min_nr;
    spinlock_release(&pool->lock);
    kfree(pool->heap, cpu, old);
    return 0;
}

void mempool_destroy(struct mempool *pool, unsigned cpu)
{
    spinlock_acquire(&pool->lock);
    void **elements = pool->elements;
    uint32_t count = pool->count;
    pool->elements = NULL;
    pool->min_nr = pool->count = 0;
    spinlock_release(&pool->lock);
    free_elements(pool, cpu, elements, 0, count);
    kfree(pool->heap, cpu, elements);
}

int mempool_check(struct mempool *pool)
{
    spinlock_acquire(&pool->lock);
    bool ok = pool->count <= pool->min_nr && pool->elements;
    for (uint32_t i = 0; ok && i < pool->count; i++) {
        ok = pool->elements[i] != NULL;
        for (uint32_t j = 0; ok && j < i; j++)
            ok = pool->elements[i] != pool->elements[j];
    }
    spinlock_release(&pool->lock);
    return ok ? 0 : -EIO;
}
