/* SPDX-License-Identifier: MIT */
/* What the files of memory objects share. */
#ifndef MEMSRV_OBJECT_INTERNAL_H
#define MEMSRV_OBJECT_INTERNAL_H

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

/* A page that is out of the object's index and that nothing maps is the object's no longer; the caller frees it. */
void object_forget_page(struct object *object, struct page *page);

#endif
