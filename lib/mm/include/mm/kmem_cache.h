/* SPDX-License-Identifier: MIT */
/*
 * Caches of objects of one size. A slab is a block of 2^order pages cut into objects; its free objects are a list that
 * runs through them, each link stored xored with a secret and its own place. Each CPU (a thread of the program; the
 * caller says which one it is) has an active slab, whose free objects it has taken as a list of its own, and some
 * partial slabs; the cache has a list of further partial ones, of which it keeps `min_partial` even if they are empty.
 *
 * The usual allocation, and the usual free, of an object of the active slab touches the CPU's list alone, by one atomic
 * exchange and no lock, so that kmem_cache_shrink() can take the list away from any thread.
 *
 * Objects on a CPU's list count as used in their slab. Such a list may hold objects of other slabs for a while, when a
 * shrink fell between the two halves of an allocation: nothing relies on where they are from.
 *
 * In every call: `cpu` is below KMEM_CPUS_MAX, and one thread at a time uses it; sizes are bytes; cache->lock is taken
 * inside where it is needed. Callbacks are called with it held.
 */
#ifndef MM_KMEM_CACHE_H
#define MM_KMEM_CACHE_H

#include <string.h>

#include <base/lock.h>
#include <mm/page_source.h>

#define KMEM_CPUS_MAX      8u
#define KMEM_ORDER_MAX     3u    /* of a slab */
#define KMEM_SIZE_MAX      8192u /* of an object */
#define KMEM_EXTERNAL_MAX  64u   /* objects in a slab of an external cache */
#define KMEM_NO_SLAB       1UL   /* what no slab's address is */
#define KMEM_FREE_BYTE     0x6b  /* POISON: in free objects */
#define KMEM_FREE_END_BYTE 0xa5  /* POISON: the last byte of a free object */
#define KMEM_FRESH_BYTE    0x5a  /* POISON: in objects that were just allocated */

/* What a cache checks. With any of the first four an allocation or free always takes the lock. */
#define KMEM_RED_ZONE    0x01u /* bytes in front of and behind each object that nobody may write */
#define KMEM_POISON      0x02u /* free objects are filled and must stay so; not with a constructor */
#define KMEM_STORE_USER  0x04u /* each object knows who allocated and who freed it last */
#define KMEM_CONSISTENCY 0x08u /* every pointer that is freed, and every link, is looked up */
#define KMEM_DEBUG       (KMEM_RED_ZONE | KMEM_POISON | KMEM_STORE_USER | KMEM_CONSISTENCY)
/* The objects' memory is not the program's to touch: which of them are free is a bitmap in the slab's descriptor. */
#define KMEM_EXTERNAL 0x10u

enum kmem_fault {
    KMEM_BAD_POINTER,    /* a free of what is no object of this cache */
    KMEM_DOUBLE_FREE,    /* a free of a free object */
    KMEM_USE_AFTER_FREE, /* a free object was written to */
    KMEM_RED_ZONE_HIT,   /* a byte beside an object was written to */
    KMEM_BAD_LINK,       /* the list of free objects is broken; the rest of it is given up */
};

/* Who did something last: the return address of the call, its CPU, and how many debugged operations the cache had had.
 * All 0: nobody yet, or no STORE_USER. */
struct kmem_track {
    uint64_t caller;
    uint64_t sequence;
    uint64_t cpu;
};

struct kmem_report {
    const char *cache; /* its name */
    const void *object;
    enum kmem_fault fault;
    int64_t offset; /* of the first wrong byte from the object's start; 0 where that says nothing */
    uint8_t value;  /* found there */
    struct kmem_track allocated, freed;
};

struct kmem_cache_cpu {
    void *freelist;         /* exchanged by the CPU and by whoever takes it away; stored by the CPU alone */
    uint64_t base;          /* address of the active slab, or KMEM_NO_SLAB; changes with the lock held */
    struct page *slab;      /* the active slab, or NULL. Lock: cache->lock, as the rest */
    struct list partial;    /* struct page, link */
    uint32_t partial_count; /* slabs */
    uint32_t reserved;
    uint64_t refills; /* how often the CPU's list was empty */
} __attribute__((aligned(64)));

struct kmem_cache {
    /* Fixed by kmem_cache_init(). */
    uint64_t secret;
    uint64_t slab_mask;         /* from an address to that of its slab */
    uint32_t link;              /* offset in an object of the link of the list of free objects */
    uint32_t object_size, size; /* bytes that the user may touch; from one object to the next */
    uint32_t red_left;          /* bytes in front of an object */
    uint32_t track;             /* offset in an object of its two struct kmem_track */
    uint32_t flags;
    uint32_t objects, objects_min; /* in a slab of order `order`, and of order `order_min` */
    uint8_t order, order_min;
    uint32_t min_partial, cpu_partial; /* slabs */
    uint32_t align;
    const char *name;
    void (*constructor)(void *object);
    const struct page_source *source;
    void (*report)(const struct kmem_report *report);

    struct kmem_cache_cpu cpus[KMEM_CPUS_MAX];

    struct spinlock lock;                    /* order: before the zones' locks */
    struct list partial GUARDED_BY(lock);    /* struct page, link */
    struct list full GUARDED_BY(lock);       /* those without a free object that are no CPU's */
    uint32_t partial_count GUARDED_BY(lock); /* slabs on `partial` */
    uint64_t slabs GUARDED_BY(lock);         /* taken from the source and not given back */
    uint64_t pages GUARDED_BY(lock);         /* in them */
    uint64_t objects_total GUARDED_BY(lock); /* in them, used or not */
    uint64_t failures GUARDED_BY(lock);      /* allocations */
    uint64_t reports GUARDED_BY(lock);       /* faults found */
    uint64_t sequence GUARDED_BY(lock);      /* debugged operations */
};

struct kmem_cache_args {
    const char *name;  /* must outlive the cache */
    uint32_t size;     /* of an object, 1..KMEM_SIZE_MAX; external: ignored */
    uint32_t align;    /* a power of two up to PAGE_SIZE; 0: that of a pointer */
    uint32_t flags;    /* KMEM_* */
    uint32_t external; /* KMEM_EXTERNAL: objects in a page, 1..KMEM_EXTERNAL_MAX */
    uint32_t min_partial;
    uint32_t cpu_partial;              /* partial slabs that a CPU may keep */
    uint64_t secret;                   /* any number; best one that nobody can guess */
    void (*constructor)(void *object); /* NULL: none. An object is as it left it, or as it was freed */
    const struct page_source *source;  /* must outlive the cache */
    /* Hears of each fault that is found; NULL: nobody. It must not call the cache. The object stays as it is, but for
     * the bytes that were wrong, which are put right so that they are reported once. */
    void (*report)(const struct kmem_report *report);
};

/* Makes a cache without slabs. EINVAL: bad size, alignment, flags, or a constructor with KMEM_EXTERNAL. */
MUST_CHECK int kmem_cache_init(struct kmem_cache *cache, const struct kmem_cache_args *args);

/* The parts of kmem_cache_alloc() and kmem_cache_free() that take the lock; for these alone. */
MUST_CHECK void *kmem_cache_alloc_slow(struct kmem_cache *cache, unsigned cpu) EXCLUDES(cache->lock);
void kmem_cache_free_slow(struct kmem_cache *cache, unsigned cpu, void *object) EXCLUDES(cache->lock);
void kmem_cache_free_twice(struct kmem_cache *cache, void *object) EXCLUDES(cache->lock);

/* A link as it is stored at `place`, and back. */
static inline uint64_t kmem_link_code(const struct kmem_cache *cache, uint64_t link, const void *place)
{
    return link ^ cache->secret ^ __builtin_bswap64((uint64_t)place);
}

static inline void *kmem_link_get(const struct kmem_cache *cache, const void *object)
{
    const char *place = (const char *)object + cache->link;
    uint64_t stored;
    memcpy(&stored, place, sizeof(stored));
    return (void *)kmem_link_code(cache, stored, place);
}

static inline void kmem_link_set(const struct kmem_cache *cache, void *object, const void *next)
{
    char *place = (char *)object + cache->link;
    uint64_t stored = kmem_link_code(cache, (uint64_t)next, place);
    memcpy(place, &stored, sizeof(stored));
}

/* Takes an object: constructed, or else of undefined content. The caller owns it. NULL: the source has no pages. */
MUST_CHECK static inline void *kmem_cache_alloc(struct kmem_cache *cache, unsigned cpu)
{
    struct kmem_cache_cpu *local = &cache->cpus[cpu];
    void *object = __atomic_exchange_n(&local->freelist, NULL, __ATOMIC_ACQUIRE);
    if (__builtin_expect(!object, 0))
        return kmem_cache_alloc_slow(cache, cpu);
    __atomic_store_n(&local->freelist, kmem_link_get(cache, object), __ATOMIC_RELEASE);
    return object;
}

/* The same with the object zeroed; for caches without a constructor. */
MUST_CHECK static inline void *kmem_cache_zalloc(struct kmem_cache *cache, unsigned cpu)
{
    void *object = kmem_cache_alloc(cache, cpu);
    if (__builtin_expect(object != NULL, 1))
        memset(object, 0, cache->object_size);
    return object;
}

/* Gives an object back, from any CPU. What is no object, or free already, is reported where it is noticed (always with
 * KMEM_CONSISTENCY) and otherwise left alone. */
static inline void kmem_cache_free(struct kmem_cache *cache, unsigned cpu, void *object)
{
    struct kmem_cache_cpu *local = &cache->cpus[cpu];
    if (__builtin_expect(((uint64_t)object & cache->slab_mask) != __atomic_load_n(&local->base, __ATOMIC_RELAXED), 0)) {
        kmem_cache_free_slow(cache, cpu, object);
        return;
    }
    void *next = __atomic_exchange_n(&local->freelist, NULL, __ATOMIC_ACQUIRE);
    if (__builtin_expect(next == object, 0))
        kmem_cache_free_twice(cache, object);
    else
        kmem_link_set(cache, object, next);
    __atomic_store_n(&local->freelist, object, __ATOMIC_RELEASE);
}

/* An object of an external cache: place `index` of the page. */
struct kmem_place {
    struct page *page;
    uint32_t index;
};

/* Takes and gives back a place. ENOMEM: the source has no page. A free of what is not taken is reported and ignored. */
MUST_CHECK int kmem_place_alloc(struct kmem_cache *cache, struct kmem_place *place) EXCLUDES(cache->lock);
void kmem_place_free(struct kmem_cache *cache, struct kmem_place place) EXCLUDES(cache->lock);

/*
 * Takes away what CPUs keep and gives all slabs without used objects back to the source; the fullest of the others
 * will be used first. From any thread, while others use the cache. Returns the pages given back.
 */
uint64_t kmem_cache_shrink(struct kmem_cache *cache) EXCLUDES(cache->lock);

/* Gives everything back and ends the cache; nobody may use it meanwhile. EBUSY: objects are in use; the cache goes on.
 */
MUST_CHECK int kmem_cache_destroy(struct kmem_cache *cache) EXCLUDES(cache->lock);

struct kmem_cache_info {
    const char *name;
    uint32_t object_size, size; /* without and with what the cache adds */
    uint32_t objects_per_slab, pages_per_slab;
    uint32_t min_partial, cpu_partial;
    uint64_t used, objects; /* used: those on CPUs' lists count, unless the cache has been shrunk just now */
    uint64_t slabs, slabs_partial, slabs_cpu, pages; /* slabs_cpu: CPUs' active and partial ones */
    uint64_t refills, failures, reports;
};

/* A consistent copy of the figures. */
void kmem_cache_read_info(struct kmem_cache *cache, struct kmem_cache_info *info) EXCLUDES(cache->lock);

/*
 * Gives what is on the CPUs' lists back to its slabs and walks all of these. From any thread, while others use the
 * cache. 0, or EIO (negative) if links, counts or lists are wrong
 * or, with the flags for it, an object's surroundings or a free object were written to, which is reported.
 */
MUST_CHECK int kmem_cache_check(struct kmem_cache *cache) EXCLUDES(cache->lock);

/* Calls the visitor for each object in use, with the cache's lock held; it must not use the cache. Of an external cache
 * there is nothing to visit. From any thread, while others use the cache. */
typedef void kmem_visitor(void *context, const struct kmem_cache *cache, void *object);
void kmem_cache_visit(struct kmem_cache *cache, kmem_visitor *visitor, void *context) EXCLUDES(cache->lock);

/* The cache that the object at an address of `source` is of, NULL if there is none. Any address; needs no lock. */
struct kmem_cache *kmem_cache_of(const struct page_source *source, const void *object);

#endif
