/* SPDX-License-Identifier: MIT */
/*
 * The pager as a server: what turns messages into calls of pager.h, and the backend's calls into messages. One thread
 * serves; a second one only signals that time has passed.
 */
#ifndef PAGER_SERVER_H
#define PAGER_SERVER_H

#include <proto/blk_protocol.h>
#include <proto/memsrv_protocol.h>
#include <proto/pager_dispatch.h>
#include <proto/pager_start.h>

#include "pager.h"

#define WAITERS_MAX 16u
#define WATCHES_MAX 8u

/* Bits of the notification that memsrv gives the pager. */
#define EVENT_DISK (MEMSRV_DEMAND_BIT << 1)
#define EVENT_TICK (MEMSRV_DEMAND_BIT << 2)

/* A caller whose sync is on its way; its token is one more than its place. */
struct waiter {
    uint64_t reply; /* SLOT_NONE: free */
    unsigned parts; /* syncs that have not ended */
    int status;
};

struct watch {
    uint64_t pid; /* 0: free */
    uint64_t notification, bits;
    struct pressure_watch watch;
};

struct pager_context {
    struct pager pager;
    uint64_t reply;        /* holds the caller of the request in hand */
    uint64_t arriving;     /* empty slot for a notification that comes with a message */
    uint64_t notification; /* bound to the endpoint */
    uint64_t generation;
    uint64_t session; /* with the block server; 0: none */
    bool disks;       /* there is a block server */
    bool disks_lost;  /* it is another one, or will be: what was on its way is to be made again */
    bool looks;       /* for volumes to swap to: nobody has yet */
    bool more;        /* memsrv may have demands that there was no room for */
    struct memory_state memory;
    unsigned memory_uses; /* of that state that are left before it is asked for again */
    struct waiter waiters[WAITERS_MAX];
    uint64_t spare_replies[WAITERS_MAX];
    size_t spare_count;
    struct watch watches[WATCHES_MAX];
    const uint8_t *rings; /* a page for each worker of memsrv */
    uint32_t ring_count;
    uint32_t ring_seen[MEMSRV_WORKERS];
};

/* --- start.c --- */

/* Starts the server, or ends the program with a line in the log. */
void server_start(struct pager_context *context);

/* Writes a line into the log. */
void server_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory that stays: zeros, locked. NULL: none. It goes back by server_memory_free(). */
void *server_memory(uint64_t bytes);
void server_memory_free(void *memory, uint64_t bytes);

/* --- backend_memsrv.c, backend_disk.c --- */

/* Fills in what memsrv and root answer. */
void backend_memsrv(struct backend *backend);

/* Fills in what disks and files answer. */
void backend_disk(struct backend *backend);

/* Fills in where trace events go. */
void backend_trace(struct backend *backend);

/* Opens a session with the block server, if there is one, and makes again what was on its way. */
void disks_open(struct pager_context *context);

/* Collects what has ended. */
void disks_collect(struct pager_context *context);

/* Waits, at the start, until no transfer of an earlier pager can be on its way. */
void disks_settle(struct pager_context *context);

/* --- areas.c: volumes for swapped pages --- */

/* Makes the areas of an earlier pager again, and learns which slots are used. */
void areas_recover(struct pager_context *context);

/* Opens areas whose volumes are not known yet; at first, begins to use all partitions that are meant for it. */
void areas_open(struct pager_context *context);

/* Begins to use a volume. Errors of swap_on. */
MUST_CHECK int areas_add(struct pager_context *context, const char *name, int32_t priority);

/* The area with that name; SWAP_AREAS_MAX: there is none. */
uint32_t areas_find(const struct pager_context *context, const void *name, size_t bytes);

/* Gives back the memory of an area. */
void areas_memory_free(struct pager_context *context, void *memory);

/* --- serve.c --- */

/* One of the parts that a caller waits for has ended. */
void waiter_part_ended(struct pager_context *context, uint64_t token, int status);

/* Tells watchers that more was lost than they like. */
void watches_tell(struct pager_context *context);

/* Tells all watchers, whatever they like: somebody is about to be ended. Returns how many there are. */
uint32_t watches_warn(struct pager_context *context);

#endif
