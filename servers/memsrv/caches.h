/* SPDX-License-Identifier: MIT */
/*
 * All kmem caches of memsrv: what they have in common, and the list of them. Their memory is seen through the window.
 * Lock order: a cache's lock is taken after those of spaces and objects and before the zones'.
 */
#ifndef MEMSRV_CACHES_H
#define MEMSRV_CACHES_H

#include <mm/kmem_cache.h>

#include "worker.h"

#define CACHES_MAX 48u

/* Pages for memsrv's own records: of the zones, while programs would get them. */
extern const struct page_source record_source;

/* Reads what `arguments`, the kernel's command line, says about debugging: quire.slab_debug[=LETTERS] gives every cache
 * consistency checks (F), red zones (Z), poison (P) and tracks of users (U); without letters all. Builds with checks
 * of level 2 have them all. Before any cache is made. */
void caches_init(const char *arguments);

/* Fills what caches have in common into *args: secret, debugging, reports; and how many slabs are kept. */
void cache_defaults(struct kmem_cache_args *args);

/* Makes a cache of memsrv's records; a machine on which that fails is not started. `name` must stay. Before there is a
 * second thread. */
void cache_create(struct kmem_cache *cache, const char *name, uint32_t size, uint32_t align);

/* Puts a cache on the list. Before there is a second thread. */
void cache_list(struct kmem_cache *cache);

/* The caches one after the other; NULL: no such. */
struct kmem_cache *cache_at(uint64_t index);

/* Pages that record_source has given out, after the caches have given back what they can do without. */
uint64_t record_pages(void);

/* 0, or EIO (negative) if a cache is damaged. */
MUST_CHECK int caches_check(void);

#endif
