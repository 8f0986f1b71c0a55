/* SPDX-License-Identifier: MIT */
/* What the files of memory objects share. */
#ifndef MEMSRV_OBJECT_INTERNAL_H
#define MEMSRV_OBJECT_INTERNAL_H

#include "memory.h"
#include "object.h"

/* Guards who may use which object, and uses. Order: after a space's lock, before an object's. */
extern struct spinlock registry_lock;

/* Ends a use with the registry locked. True: it was the last, and object_destroy() must follow. */
MUST_CHECK bool object_end_use_locked(struct object *object) REQUIRES(registry_lock);

/* Frees an object that nothing uses and that is out of the registry. */
void object_destroy(struct memsrv_context *worker, struct object *object);

/* If the object is held for devices: it is no longer. There is another use. */
void object_end_hold_locked(struct object *object) REQUIRES(registry_lock);

/* Before there is a second thread. */
void objects_dma_init(void);

/* Counts pages that an object got. */
void object_count_pages(uint64_t pages);

#define OBJECT_MARK_DIRTY INDEX_MARK_0

/* True if all can use the page as it is. */
static inline bool object_page_is_usable(const struct page *page)
{
    return !(page->flags & (PAGE_FRESH | PAGE_BUSY));
}

/* Puts a page, whose content is not there yet, at an index where none is. ENOMEM: it stays the caller's. */
MUST_CHECK int object_insert_page_locked(struct object *object, uint64_t index, struct page *page)
    REQUIRES(object->lock);

/* Notes that a page of a backed object is written to. */
void object_dirty_page_locked(struct object *object, struct page *page) REQUIRES(object->lock);

/* Waits for the pager to bring the page, as parking_wait(). `flags` of the area: how it is read. */
MUST_CHECK int object_wait_locked(struct memsrv_context *worker, struct object *object, uint64_t index,
                                  enum object_want want) REQUIRES(object->lock);

/* A page that is out of the object's index and that nothing maps is the object's no longer; the caller frees it. */
void object_forget_page(struct object *object, struct page *page);

/* Whole pages of so many bytes. */
static inline uint64_t pages_for(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

#endif
