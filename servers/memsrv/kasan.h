/* SPDX-License-Identifier: MIT */
/*
 * A build of memsrv in which the compiler has each access to memory looked at (-fsanitize=kernel-address, MEMSRV_KASAN), as
 * the other servers' in the archive boot-kasan.cpio (../kasan/kasan.h). Records that have come from a cache
 * have a shadow, a byte for each 8 bytes: 0, all may be used; 1 to 7, so many of them; above, none.
 *
 * In the usual build all of this is nothing.
 */
#ifndef MEMSRV_KASAN_H
#define MEMSRV_KASAN_H

#include <stdbool.h>
#include <stdint.h>

#include <mm/kmem_cache.h>

#ifdef MEMSRV_KASAN
static inline bool kasan_is_on(void)
{
    return true;
}

/* A record may be used from now on, what is around it may not; or it may be used no longer. */
void kasan_allocated(const struct kmem_cache *cache, const void *record);
void kasan_freed(const struct kmem_cache *cache, const void *record);

/* Wrong accesses so far. */
uint64_t kasan_reports(void);
#else
static inline bool kasan_is_on(void)
{
    return false;
}

static inline void kasan_allocated(const struct kmem_cache *cache, const void *record)
{
    (void)cache, (void)record;
}

static inline void kasan_freed(const struct kmem_cache *cache, const void *record)
{
    (void)cache, (void)record;
}

static inline uint64_t kasan_reports(void)
{
    return 0;
}
#endif

#endif
