/* SPDX-License-Identifier: MIT */
/* What is known of a page, for those who ask. */
#ifndef MEMSRV_PAGE_INFO_H
#define MEMSRV_PAGE_INFO_H

#include <proto/memsrv_protocol.h>

#include "worker.h"

/*
 * Finds translations that point to a page of a program or an object: the first `capacity` of them, as they are while it
 * looks. Of others, and of the page of zeros, it finds none. No lock is held: those of the spaces that may map the page
 * are taken one after the other. Returns how many. Makes system calls.
 */
uint64_t page_find_mappings(struct memsrv_context *worker, uint64_t pfn, struct memsrv_mapping *mappings,
                            uint64_t capacity);

#endif
