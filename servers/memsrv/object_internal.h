/* SPDX-License-Identifier: MIT */
/* What the files of memory objects share. */
#ifndef MEMSRV_OBJECT_INTERNAL_H
#define MEMSRV_OBJECT_INTERNAL_H

#include "object.h"

/* A page that is out of the object's index and that nothing maps is the object's no longer; the caller frees it. */
void object_forget_page(struct object *object, struct page *page);

#endif
