/* SPDX-License-Identifier: MIT */
/*
 * A worker: one of memsrv's threads, of which there is one a processor. All wait at the same endpoint and do the same.
 * What is in the structure belongs to its thread alone, but for the two members that say otherwise.
 */
#ifndef MEMSRV_WORKER_H
#define MEMSRV_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <mm/page_alloc.h>
#include <quire/syscall.h>

#define WORKERS_MAX 8u

/* The word of struct ipc_buffer.user in which a worker finds its own index; 0 in a buffer that nobody prepared. */
#define WORKER_WORD_INDEX 8u

/* A first-touch fault takes at most this many translation tables. */
#define FAULT_TABLES      3u
#define FAULT_TABLES_LACK 0x80000000u
#define FAULT_TABLES_VAIN 0x40000000u /* and reclaim would not help */

/* A worker writes trace events (trace.h); fills pages that are given back (page_debug.h). */
#define WATCH_TRACE  0x1u
#define WATCH_POISON 0x2u

struct parked;
struct pager_ring;
struct space;
struct vm_events;

/* Called a context by the generated dispatcher. */
struct memsrv_context {
    struct per_cpu_pages pages; /* counts are read by other workers, for statistics */

    /* Where it takes pages for programs: the list of the preferred zone, or an empty one (fail_alloc.h). Atomic. */
    struct page_list *user_list;

    /* Looked at before each message, both at once. */
    union {
        struct {
            /* enum worker_drain, atomic: another worker wants the pages back, or this one to stand still. */
            uint32_t drain;
            uint32_t watch; /* WATCH_*: what is to be done besides. Atomic */
        };
        uint64_t attention; /* not 0: one of them is not */
    };

    /* The space whose fault this worker is answering: set with the space's lock held, cleared without it after the
     * answer was given. Read by who is about to remove pages; see faults_wait(). */
    struct space *answering;

    /* The space whose figures this worker will put right because an answer could not be given: set before `answering`
     * is cleared, cleared when it is done. See worker_is_done_with(). */
    struct space *settling;

    /* What the answer to a fault carries, to be taken back if it cannot be given: the address where a page is to be
     * mapped (0: the answer carries nothing), the page or huge page if it was taken for that, how many pages of it count
     * as resident. */
    uint64_t fault_address;
    struct page *fault_page;
    uint32_t fault_adds;
    struct page *fault_tables[FAULT_TABLES];
    uint32_t fault_table_count; /* with FAULT_TABLES_* if it would have carried more, had there been any */

    /* There is no memory for the answer; how often it was tried again although there seemed to be some. */
    bool fault_starves;
    uint8_t fault_tries;

    /* With FAULT_TABLES_LACK: the fault. */
    struct fault_message fault_lacking;

    /* Pages of anonymous memory that this worker has taken, less those that it has given back; the sum of all workers'
     * is what there is. Read by others, for statistics. */
    int64_t user_pages;

    struct vm_events *events; /* event.h */

    uint32_t index;
    uint64_t thread_slot, reply_slot;

    struct parked *record; /* of the reply object in reply_slot: see parking.h */
    bool reserve;          /* pages are taken from the reserve if there are no others: for this message */

    uint64_t group_stock;  /* atomic: pages that are charged to a memory group in advance, see memgroups.c */
    uint32_t group_taking; /* for whom pages of objects are taken: charged to this memory group; 0: to none */
    bool starved;          /* there was no page for the request in hand, or for a fault since */
    uint32_t group_full;   /* the last page that was refused was so for the limit of this memory group; 0: for none */

    /* What the pager is told of pages that were mapped: see struct pager_ring. */
    struct pager_ring *ring;
};

/* A worker looks here each time that it has received something, before it touches its lists. */
enum worker_drain {
    WORKER_DRAIN_NONE = 0,
    WORKER_DRAIN_WANTED = 1,   /* the worker gives its pages back itself, when it next gets something to do */
    WORKER_DRAIN_UNDERWAY = 2, /* it waits in the kernel, and another worker is doing it */
    WORKER_STOP_WANTED = 3,    /* the worker does nothing with what it next gets before it is let go */
    WORKER_STOPPED = 4
};

extern struct memsrv_context workers[WORKERS_MAX];
extern uint32_t worker_count;

/* The index of the calling worker. */
static inline unsigned worker_index(void)
{
    return (unsigned)ipc_buffer()->user[WORKER_WORD_INDEX];
}

/* The calling worker. */
static inline struct memsrv_context *worker_current(void)
{
    return &workers[worker_index()];
}

/* Creates the workers besides the calling thread, one for each of the machine's `cpu_count` processors, at most
 * WORKERS_MAX in all. A worker that cannot be had is logged and done without. Once, at start. */
void workers_start(uint64_t cpu_count);

/* Serves for ever. */
_Noreturn void worker_serve(struct memsrv_context *worker);

#endif
