/* SPDX-License-Identifier: MIT */
/* Taking pages away from those who have them, and asking whether they use them, through the reverse mapping. */
#ifndef MEMSRV_EVICT_H
#define MEMSRV_EVICT_H

#include <proto/memsrv_protocol.h>

#include "object.h"

/* evict of the protocol: results[i] is what became of victims[i], at most BATCH_PAGES. No space's lock is held. Makes
 * system calls. */
void evict(struct memsrv_context *worker, const struct memsrv_victim *victims, uint64_t count, uint8_t *results);

/* harvest of the protocol for one page. No space's lock is held. Makes system calls. */
struct memsrv_touched harvest_page(struct memsrv_context *worker, uint64_t pfn);

/* Pages evicted so far. */
uint64_t evicted_pages(void);

/* For evict(): a run of pages of an object that follow each other. Results as above. */
void evict_object_run(struct memsrv_context *worker, struct object *object, const struct memsrv_victim *victims,
                      uint64_t count, uint8_t *results);

#endif
