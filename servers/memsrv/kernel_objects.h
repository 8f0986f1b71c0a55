/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: the frames that they live in, several objects of one type a frame, and the slots of memsrv's own
 * capability table that name them.
 *
 * Lock: objects_lock, taken inside these calls; order: space -> objects -> caches -> zone. No lock but that of the space that the
 * object is for may be held. The caller's IPC buffer is not touched.
 */
#ifndef MEMSRV_KERNEL_OBJECTS_H
#define MEMSRV_KERNEL_OBJECTS_H

#include <base/check.h>
#include <mm/page.h>
#include <quire/abi.h>

struct kernel_object {
    uint64_t slot;      /* in memsrv's table; SLOT_NONE: there is no object */
    struct page *frame; /* that it lives in */
    uint32_t index;     /* its place in the frame */
    uint32_t type;      /* enum cap_type */
};

/* `first_free_slot` and `slot_count` describe memsrv's table as root left it. Grows the table to what usual loads
 * need, so that growth later is rare. Before there is a second thread. */
void kernel_objects_init(uint64_t first_free_slot, uint64_t slot_count);

/*
 * Creates an object of any type but CAP_SLOTS; `extra` as in sys_object_create(). *object is then the caller's until
 * kernel_object_destroy(). ENOMEM: no page, or no slot; otherwise the kernel's error. A failure leaves nothing behind.
 */
MUST_CHECK int kernel_object_create(enum cap_type type, uint64_t extra, struct kernel_object *object);

/*
 * Destroys the object, and every capability to it, and gives its frame back if it was the last there. An object that
 * does not exist is fine. EAGAIN: a thread is still running on another processor, or the kernel had too much to do;
 * the object is still there and may be destroyed later. Otherwise the kernel's error (EBUSY: something uses it).
 */
MUST_CHECK int kernel_object_destroy(struct kernel_object *object);

/* Makes the capability table in *table longer by one frame of slots. ENOMEM, or the kernel's error. */
MUST_CHECK int kernel_table_grow(const struct kernel_object *table);

/* Pages that hold objects and slots. */
uint64_t kernel_object_pages(void);

#endif
