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

/* The parts of that: the object has the page no longer, or has it (it is in the index); a page of it is promised to nobody. */
void object_unlink_page(struct object *object, struct page *page);
void object_link_page(struct object *object, uint64_t index, struct page *page);
void object_uncharge_page(const struct object *object);

/*
 * Takes a page, which nothing maps, out of the object and begins to bring it to a slot. ENOMEM; EAGAIN: too much is in
 * transit; EEXIST: the slot is used. A failure changes nothing. In object_swap.c, as what follows.
 */
MUST_CHECK int object_swap_out_locked(struct memsrv_context *worker, struct object *object, struct page *page,
                                      uint64_t slot) REQUIRES(object->lock);

/*
 * If the page at an index is swapped, brings it: *page is the object's then. 0 and *page unchanged: it is not swapped.
 * ENOENT: it is not in memory, and is not to be waited for; EINPROGRESS, EAGAIN: as parking_wait(); ENOMEM.
 */
MUST_CHECK int object_swap_in_locked(struct memsrv_context *worker, struct object *object, uint64_t index, bool wait,
                                     struct page **page) REQUIRES(object->lock);

/* The swapped pages of [first, end) are no more. */
void object_swap_drop_locked(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
    REQUIRES(object->lock);

/* The object ends with byte `size`: what is behind it reads as zeros if the object grows again. */
void object_swap_cut_locked(struct object *object, uint64_t size) REQUIRES(object->lock);

/* For the walker. */
MUST_CHECK bool object_swap_ok_locked(struct object *object) REQUIRES(object->lock);

/* Whole pages of so many bytes. */
static inline uint64_t pages_for(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

#endif
