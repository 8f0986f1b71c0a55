/* SPDX-License-Identifier: MIT */
/* Per-CPU memory: chunks, each with a bitmap of what is taken in all of its units alike. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/percpu.h>

int percpu_init(struct percpu *percpu, uint32_t cpus, const struct page_source *source) NO_THREAD_SAFETY_ANALYSIS
{
    unsigned order = 0;
    while (order <= MAX_ORDER && PAGE_SIZE << order < cpus * PERCPU_UNIT)
        order++;
    if (cpus == 0 || order > MAX_ORDER)
        return -EINVAL;
    memset(percpu, 0, sizeof(*percpu));
    spinlock_init(&percpu->lock, LOCK_PERCPU);
    percpu->source = source;
    percpu->cpus = cpus;
    percpu->order = order;
    return 0;
}

/* --- Bitmaps ------------------------------------------------------------------------------------------------------ */

static bool bit_get(const uint64_t *bitmap, uint32_t index)
{
    return bitmap[index / 64] >> (index % 64) & 1;
}

static void bit_put(uint64_t *bitmap, uint32_t index, bool value)
{
    uint64_t bit = 1UL << (index % 64);
    bitmap[index / 64] = value ? bitmap[index / 64] | bit : bitmap[index / 64] & ~bit;
}

/* The first of `count` free granules whose number is a multiple of `step`; PERCPU_GRANULES if there are none. */
static uint32_t find_run(const struct percpu_chunk *chunk, uint32_t count, uint32_t step)
{
    uint32_t first = 0;
    while (first + count <= PERCPU_GRANULES) {
        uint32_t length = 0;
        while (length < count && !bit_get(chunk->used, first + length))
            length++;
        if (length == count)
            return first;
        first = (uint32_t)align_up(first + length + 1, step);
    }
    return PERCPU_GRANULES;
}

/* --- Chunks ------------------------------------------------------------------------------------------------------- */

static bool make_chunk(struct percpu *percpu, struct percpu_chunk *chunk) REQUIRES(percpu->lock)
{
    const struct page_source *source = percpu->source;
    struct page *block = source->get(source->context, percpu->order);
    if (!block)
        return false;
    memset(chunk, 0, sizeof(*chunk));
    chunk->block = block;
    chunk->units = source->address(source->context, block);
    chunk->free_granules = PERCPU_GRANULES;
    return true;
}

static void drop_chunk(struct percpu *percpu, struct percpu_chunk *chunk) REQUIRES(percpu->lock)
{
    percpu->source->put(percpu->source->context, chunk->block, percpu->order);
    memset(chunk, 0, sizeof(*chunk));
}

/* Takes a run of granules in a chunk. ENOSPC: there is none. */
static int take_run(struct percpu *percpu, uint32_t which, uint32_t count, uint32_t step, percpu_t *allocation)
    REQUIRES(percpu->lock)
{
    struct percpu_chunk *chunk = &percpu->chunks[which];
    uint32_t first = chunk->free_granules < count ? PERCPU_GRANULES : find_run(chunk, count, step);
    if (first == PERCPU_GRANULES)
        return -ENOSPC;
    for (uint32_t i = 0; i < count; i++)
        bit_put(chunk->used, first + i, true);
    bit_put(chunk->last, first + count - 1, true);
    chunk->free_granules -= count;
    percpu->allocations++;
    percpu->granules += count;
    const uint64_t offset = (uint64_t)first * PERCPU_GRANULE;
    for (uint32_t cpu = 0; cpu < percpu->cpus; cpu++)
        memset(chunk->units + cpu * PERCPU_UNIT + offset, 0, (size_t)count * PERCPU_GRANULE);
    *allocation = (uint64_t)(which + 1) << 32 | offset;
    return 0;
}

static int alloc_locked(struct percpu *percpu, uint32_t count, uint32_t step, percpu_t *allocation)
    REQUIRES(percpu->lock)
{
    uint32_t vacant = PERCPU_CHUNKS_MAX;
    for (uint32_t which = 0; which < PERCPU_CHUNKS_MAX; which++) {
        if (percpu->chunks[which].block) {
            if (take_run(percpu, which, count, step, allocation) == 0)
                return 0;
        } else if (vacant == PERCPU_CHUNKS_MAX) {
            vacant = which;
        }
    }
    if (vacant == PERCPU_CHUNKS_MAX || !make_chunk(percpu, &percpu->chunks[vacant]))
        return -ENOMEM;
    return take_run(percpu, vacant, count, step, allocation);
}

int percpu_alloc(struct percpu *percpu, uint32_t size, uint32_t align, percpu_t *allocation)
{
    if (size == 0 || size > PERCPU_UNIT || !is_power_of_two(align) || align > PERCPU_UNIT)
        return -EINVAL;
    uint32_t count = (size + PERCPU_GRANULE - 1) / PERCPU_GRANULE;
    uint32_t step = align > PERCPU_GRANULE ? align / PERCPU_GRANULE : 1;
    spinlock_acquire(&percpu->lock);
    int error = alloc_locked(percpu, count, step, allocation);
    spinlock_release(&percpu->lock);
    return error;
}

/* --- Freeing ------------------------------------------------------------------------------------------------------ */

/* The chunk and the first granule that an allocation names; false if none starts there. */
static bool find_allocation(struct percpu *percpu, percpu_t allocation, struct percpu_chunk **chunk, uint32_t *first)
    REQUIRES(percpu->lock)
{
    uint64_t which = (allocation >> 32) - 1;
    uint32_t offset = (uint32_t)allocation;
    if (which >= PERCPU_CHUNKS_MAX || offset % PERCPU_GRANULE || offset >= PERCPU_UNIT)
        return false;
    *chunk = &percpu->chunks[which];
    *first = offset / PERCPU_GRANULE;
    if (!(*chunk)->block || !bit_get((*chunk)->used, *first))
        return false;
    return *first == 0 || !bit_get((*chunk)->used, *first - 1) || bit_get((*chunk)->last, *first - 1);
}

static int free_locked(struct percpu *percpu, percpu_t allocation) REQUIRES(percpu->lock)
{
    struct percpu_chunk *chunk;
    uint32_t index;
    bool last = false;

    if (!find_allocation(percpu, allocation, &chunk, &index))
        return -EINVAL;
    for (; !last; index++) {
        last = bit_get(chunk->last, index);
        bit_put(chunk->used, index, false);
        bit_put(chunk->last, index, false);
        chunk->free_granules++;
        percpu->granules--;
    }
    percpu->allocations--;
    if (chunk->free_granules == PERCPU_GRANULES)
        drop_chunk(percpu, chunk);
    return 0;
}

int percpu_free(struct percpu *percpu, percpu_t allocation)
{
    if (allocation == PERCPU_NONE)
        return 0;
    spinlock_acquire(&percpu->lock);
    int error = free_locked(percpu, allocation);
    spinlock_release(&percpu->lock);
    return error;
}

/* --- Questions ---------------------------------------------------------------------------------------------------- */

uint64_t percpu_pages(struct percpu *percpu)
{
    uint64_t chunks = 0;
    spinlock_acquire(&percpu->lock);
    for (uint32_t which = 0; which < PERCPU_CHUNKS_MAX; which++)
        chunks += percpu->chunks[which].block ? 1 : 0;
    spinlock_release(&percpu->lock);
    return chunks << percpu->order;
}

/* Adds up a chunk. False if an allocation has no end, or an end no allocation. */
static bool chunk_ok(const struct percpu_chunk *chunk, uint64_t *allocations, uint64_t *granules)
{
    uint32_t used = 0;
    bool open = false;
    for (uint32_t i = 0; i < PERCPU_GRANULES; i++) {
        bool taken = bit_get(chunk->used, i), last = bit_get(chunk->last, i);
        if (taken ? false : last || open)
            return false;
        used += taken;
        *allocations += last;
        open = taken && !last;
    }
    *granules += used;
    return !open && used > 0 && used + chunk->free_granules == PERCPU_GRANULES;
}

int percpu_check(struct percpu *percpu)
{
    uint64_t allocations = 0, granules = 0;
    bool ok = true;
    spinlock_acquire(&percpu->lock);
    for (uint32_t which = 0; which < PERCPU_CHUNKS_MAX && ok; which++) {
        if (percpu->chunks[which].block)
            ok = chunk_ok(&percpu->chunks[which], &allocations, &granules);
    }
    ok = ok && allocations == percpu->allocations && granules == percpu->granules;
    spinlock_release(&percpu->lock);
    return ok ? 0 : -EIO;
}
