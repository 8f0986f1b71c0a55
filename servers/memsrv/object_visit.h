/* SPDX-License-Identifier: MIT */
/*
 * Visiting every place where pages of an object may be mapped. A space that is forked meanwhile may give its child
 * translations that a visit has missed, so who needs to be sure looks whether areas have come, and visits again.
 */
#ifndef MEMSRV_OBJECT_VISIT_H
#define MEMSRV_OBJECT_VISIT_H

#include "object.h"
#include "space.h"

/* Called for [from, to) of an area that shows a part of the object, with no answer to a fault on its way. An error,
 * negative, ends the visit. */
typedef int object_visitor(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t from,
                           uint64_t to, void *context);

/* Visits what areas show of [first, end) of the object, in all spaces that map it now and have touched it. No space's
 * lock is held; the visitor runs with that of the area's. Its error. Makes system calls. */
MUST_CHECK int object_visit(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end,
                            object_visitor *visitor, void *context);

/* Areas that have come to the object so far. */
uint64_t object_attachments(struct object *object);

/* Takes the right to write away from all translations to [first, end) of the object. False: there was no memory for a
 * table, so some may have it still. As object_visit(). */
MUST_CHECK bool object_protect_range(struct memsrv_context *worker, struct object *object, uint64_t first,
                                     uint64_t end);

#endif
