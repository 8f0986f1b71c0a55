/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: what shared memory and files are to memsrv. An object has pages by index, is mapped by areas, belongs
 * to the space that made it, and others may map it as far as they were granted. It lives as long as one of these four
 * does: its owner's reference, a grant, an area, a reference of code that works with it.
 *
 * A page of an object has PAGE_OF_OBJECT, `owner` and `index`; unmapping never frees it. Whoever maps one holds the lock
 * of the space from object_page() until the translation is there or `answering` names the space: what takes pages from
 * an object first makes them unfindable, then visits every space that maps the object, and only then frees them.
 */
#ifndef MEMSRV_OBJECT_H
#define MEMSRV_OBJECT_H

#include <base/lock.h>
#include <mm/index.h>
#include <mm/page.h>
#include <mm/vma.h>

#include "worker.h"

#define OBJECT_SIZE_LIMIT (1UL << 56) /* bytes */
#define OBJECT_RIGHTS_ALL VMA_ACCESS

#define OBJECT_DMA_PAGES_MAX (1UL << MAX_ORDER)

struct space;

struct object {
    /* The registry's lock guards these. */
    struct list link; /* among the objects that its owner's space owns, while it has an owner */
    struct list grants;
    uint64_t uses;
    struct space *owner;   /* NULL: none (any more) */
    uint64_t held_for;     /* pid for which devices may use it, which is a use; 0: none */
    struct list held_link; /* among such objects */

    /* Fixed. */
    uint64_t id;
    uint64_t charged; /* pages that were promised at once; 0: each page is a promise when it is taken */
    bool charges_pages;
    bool pinned;                 /* its pages are those of object_create_dma(): none comes or goes */
    uint64_t row_pfn, row_pages; /* which these are; 0, 0 if it is not pinned */

    bool kept;             /* memsrv itself works with its pages: none goes */
    bool backed;           /* its pages have their content elsewhere: see object_backed.h */
    uint64_t cookie;       /* what its maker tells the pager of it */
    uint64_t transit_uses; /* of `uses`: pages in transit; the registry's lock */

    struct spinlock lock;           /* order: after a space's and the registry's */
    uint64_t size GUARDED_BY(lock); /* bytes */
    struct radix_index pages GUARDED_BY(lock);
    struct radix_index swapped GUARDED_BY(lock); /* struct swap_record of pages that have gone: object_swap.c */
    struct list areas GUARDED_BY(lock);          /* struct vma, object_link */
    uint64_t attachments GUARDED_BY(lock);       /* areas that have come so far */
    uint64_t errors GUARDED_BY(lock);            /* pages that could not be written back so far */
    int last_error GUARDED_BY(lock);

    /* Pages that are being taken away: nobody gets one of [leaving_first, leaving_end) meanwhile. */
    uint64_t leaving_first GUARDED_BY(lock);
    uint64_t leaving_end GUARDED_BY(lock);
};

/* What is wanted of a page of an object. */
enum object_want {
    OBJECT_PRESENT, /* nothing if it is not there */
    OBJECT_READ,    /* its content */
    OBJECT_WRITE,   /* to write to it: of a backed object, it is dirty from now on */
};

/* What another space may do with an object. The registry's lock guards all of it. */
struct object_grant {
    struct list link;       /* of the object's grants */
    struct list space_link; /* of the space's */
    struct object *object;
    struct space *space;
    uint64_t rights; /* VMA_ACCESS */
};

/* Before there is a second thread. */
void objects_init(void);

/*
 * Makes an object of `size` bytes with one use, the caller's. `owner` (locked, or NULL) gets another. `reserve`: its
 * pages are promised now instead of one by one. EINVAL: too large; EDQUOT: the owner has too many; ENOMEM.
 */
MUST_CHECK int object_create(struct space *owner, uint64_t size, bool reserve, bool charge, struct object **object);

/*
 * Makes an object of `pages` zeroed pages in one piece below physical address `limit` (0: anywhere), which `owner`
 * (locked) owns, and which is held for devices besides; *pfn is the first page's. The caller has no use of its own.
 * EINVAL: no pages, or more than the largest block; ENOMEM; EDQUOT. A failure leaves nothing behind.
 */
MUST_CHECK int object_create_dma(struct memsrv_context *worker, struct space *owner, uint64_t pages, uint64_t limit,
                                 uint64_t *id, uint64_t *pfn);

/* The lowest number above `pid` of a process that has ended and for which objects are still held; 0: none. */
MUST_CHECK uint64_t objects_held_after(uint64_t pid);

/* Copies `bytes` bytes between pages of objects that are held for devices, or in transit: from the first of each of the
 * pairs of page frame numbers to the second, the last perhaps in part. EFAULT: a page is none of these; those before it
 * were copied. */
MUST_CHECK int objects_dma_copy(struct memsrv_context *worker, const uint64_t *pairs, uint64_t bytes);

/* Objects of a process that has ended are no longer held for devices. */
void objects_settle(struct memsrv_context *worker, uint64_t pid);

/* The object of a number that `space` (which may be ending) owns or was granted, with a use more, and what the space may
 * do with it. ENOENT. `own`: owners only. */
MUST_CHECK int object_get(const struct space *space, uint64_t id, bool own, struct object **object, uint64_t *rights);

/* Adds a use, for who knows the object by an area whose space is locked. */
void object_hold(struct object *object);

/* True if another space owns the object, and counts on the pages that it has. */
MUST_CHECK bool object_is_others(const struct object *object, const struct space *space);

/* Ends a use; the last frees the object and its pages, for which the worker is needed. */
void object_put(struct memsrv_context *worker, struct object *object);

/*
 * The page at an index. It stays the object's. But for OBJECT_PRESENT, a zeroed one is taken if there is none; of a
 * backed object, and if it is swapped, the caller waits for the pager. Lock: that of the space for which it is wanted. EFAULT: past the page of
 * the object's last byte; ENOENT: none there and none to be taken; EBUSY: it is being taken away, so that this has to be
 * asked again; ENOMEM; EINPROGRESS, EAGAIN: as parking_wait().
 */
MUST_CHECK int object_page(struct memsrv_context *worker, struct object *object, uint64_t index, enum object_want want,
                           struct page **page);

/* The pages at [first, first + count) as object_page() with OBJECT_PRESENT has them, but for swapped ones; NULL for others. */
void object_find_present(struct object *object, uint64_t first, uint64_t count, struct page *pages[]);

/* The object of a number, with a use more, whoever asks. ENOENT. */
MUST_CHECK int object_find(uint64_t id, struct object **object);

/* Uses by pages in transit: so many more, or less. The last of all frees the object. */
void object_hold_pages(struct object *object, uint64_t count);
void object_put_pages(struct memsrv_context *worker, struct object *object, uint64_t count);

/* Size in bytes, and pages that it has, swapped ones included. */
void object_read_info(struct object *object, uint64_t *size, uint64_t *pages);

/* Areas that map it, and grants; its pages in transit. */
void object_read_use(struct object *object, uint64_t *others, uint64_t *transit);

/* Makes an object that has just been made a backed one, before anybody else knows its number. */
void object_set_backed(struct object *object, uint64_t cookie);

/* Lets `space` (locked) map an object with `rights`; 0: no longer. ENOMEM. */
MUST_CHECK int object_grant(struct object *object, struct space *space, uint64_t rights);

/* The space gives up ownership and grant. ENOENT: it has neither. */
MUST_CHECK int object_release(struct memsrv_context *worker, struct space *space, uint64_t id);

/* Gives `child` (locked, fresh) the grants of `parent` (locked or unchanging), and one for each object that the parent
 * owns. ENOMEM: what it got so far stays until objects_leave_locked(). */
MUST_CHECK int objects_inherit(const struct space *parent, struct space *child);

/* Ends all that a space (locked, without areas) owns and was granted. */
void objects_leave_locked(struct memsrv_context *worker, struct space *space);

/* Notes that an area, whose object, owner and object_link are its own, maps its object; or that it does no longer. The
 * last use frees the object: `worker` may be NULL only if there is another. Lock: the space's. */
void object_attach(struct vma *area);
void object_detach(struct memsrv_context *worker, struct vma *area);

/* True if the area is entered with its object. */
MUST_CHECK bool object_knows(const struct vma *area);

/* Changes the size; what is cut off is unmapped everywhere and freed. EINVAL: too large; ENOMEM: there is no table for who
 * has to part from one that it shares. Nothing has changed then, but some pages have to be touched again. No space's lock
 * is held. Makes system calls. */
MUST_CHECK int object_resize(struct memsrv_context *worker, struct object *object, uint64_t size);

/* Makes the pages with indexes in [first, end) read as zeros: unmaps and frees them, or, where there is no table for who
 * has to part from one that it shares, zeroes them where they are. Copies that private mappings have stay. No space's
 * lock is held. Makes system calls. */
void object_discard(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end);

/* Pages of all objects; of backed ones. */
uint64_t objects_pages(void);
uint64_t object_backed_pages(void);

/* How many pages could not be written back so far, and the last error, 0 or negative. */
void object_read_errors(struct object *object, uint64_t *sequence, int64_t *last);

/* Walks all objects. Failures found. */
uint64_t objects_check(void);

/* Charges the page of a backed object at an index to a memory group, if there is one and it is charged to none: the pager
 * fills pages in nobody's name. ENOMEM, as memgroups_charge_page(). */
MUST_CHECK int object_charge_page(struct memsrv_context *worker, struct object *object, uint64_t index, uint32_t group);

#endif
