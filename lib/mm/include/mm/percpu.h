/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU memory: an allocation is one piece for each CPU, all at the same offset in units that lie side by side in a
 * chunk. So the pieces of one CPU share cache lines with each other and never with another CPU's.
 *
 * In every call: sizes are bytes; percpu->lock is taken inside, except by percpu_pointer().
 */
#ifndef MM_PERCPU_H
#define MM_PERCPU_H

#include <base/lock.h>
#include <mm/page_source.h>

#define PERCPU_UNIT       PAGE_SIZE /* the most that one allocation can be, a CPU */
#define PERCPU_GRANULE    8u
#define PERCPU_GRANULES   (PERCPU_UNIT / PERCPU_GRANULE)
#define PERCPU_CHUNKS_MAX 32u

/* What names an allocation: chunk and offset. 0 names none. */
typedef uint64_t percpu_t;
#define PERCPU_NONE 0UL

struct percpu_chunk {
    struct page *block; /* NULL: there is no such chunk */
    char *units;        /* the first CPU's */
    uint32_t free_granules;
    uint64_t used[PERCPU_GRANULES / 64]; /* bit: the granule is allocated */
    uint64_t last[PERCPU_GRANULES / 64]; /* bit: it is the last of its allocation */
};

struct percpu {
    struct spinlock lock; /* order: before the zones' locks */
    struct percpu_chunk chunks[PERCPU_CHUNKS_MAX] GUARDED_BY(lock);
    uint64_t allocations, granules GUARDED_BY(lock); /* now; of one CPU */

    /* Fixed by percpu_init(). */
    const struct page_source *source;
    uint32_t cpus;
    unsigned order; /* of a chunk */
};

/* Makes an allocator without memory for CPUs 0..cpus-1. EINVAL: no CPU, or a chunk would be larger than the largest
 * block. */
MUST_CHECK int percpu_init(struct percpu *percpu, uint32_t cpus, const struct page_source *source);

/*
 * Takes `size` bytes a CPU, zeroed, each aligned to `align`, a power of two; the caller owns them. EINVAL: size 0 or
 * above PERCPU_UNIT, bad alignment or above PERCPU_UNIT. ENOMEM: no memory, or PERCPU_CHUNKS_MAX chunks are full.
 */
MUST_CHECK int percpu_alloc(struct percpu *percpu, uint32_t size, uint32_t align, percpu_t *allocation)
    EXCLUDES(percpu->lock);

/* Gives an allocation back. PERCPU_NONE is fine. EINVAL: it is none. */
MUST_CHECK int percpu_free(struct percpu *percpu, percpu_t allocation) EXCLUDES(percpu->lock);

/* The piece of a CPU. The allocation exists, the CPU, too. No lock: the chunk stays while it has the allocation. */
static inline void *percpu_pointer(const struct percpu *percpu, percpu_t allocation,
                                   uint32_t cpu) NO_THREAD_SAFETY_ANALYSIS
{
    return percpu->chunks[(allocation >> 32) - 1].units + cpu * PERCPU_UNIT + (uint32_t)allocation;
}

/* Pages in chunks. */
uint64_t percpu_pages(struct percpu *percpu) EXCLUDES(percpu->lock);

/* 0, or EIO (negative) if bitmaps and counts do not agree. */
MUST_CHECK int percpu_check(struct percpu *percpu) EXCLUDES(percpu->lock);

#endif
