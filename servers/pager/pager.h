/* SPDX-License-Identifier: MIT */
/*
 * The pager's state, and what its files offer each other. Nothing here sends a message: that is the backend's. One thread
 * does everything; what takes time is begun, and goes on when transfers end. After the start nothing is allocated.
 */
#ifndef PAGER_PAGER_H
#define PAGER_PAGER_H

#include <base/list.h>
#include <mm/lru.h>
#include <mm/oom.h>
#include <mm/pressure.h>
#include <mm/readahead.h>
#include <mm/swap_map.h>
#include <mm/workingset.h>
#include <mm/writeback.h>
#include <quire/trace.h>

#include "backend.h"

#define BATCHES_MAX   24u
#define TRANSFERS_MAX 48u
#define JOBS_MAX      32u
#define DEMANDS_MAX   64u
#define OBJECTS_MAX   1024u
#define FLUSH_VOLUMES 4u
#define NONE          UINT32_MAX
#define SWAP_OBJECT   UINT64_MAX /* whose shadows those of swapped pages are, by slot; no object has that number */

/* --- Batches: pages on their way, io.c ----------------------------------------------------------------------------- */

enum batch_kind { BATCH_FREE, BATCH_FILL, BATCH_CLEAN, BATCH_SWAP_OUT, BATCH_SWAP_IN };

/* Pages in transit of one kind and volume, sorted by where they go or come from. */
struct batch {
    uint8_t kind; /* enum batch_kind */
    uint32_t job; /* that is told when it has ended; NONE */
    uint32_t count;
    uint64_t serial;       /* counts batches */
    uint32_t begun, ended; /* pages of transfers that were begun, and that have ended */
    int status;            /* the first error */
    uint64_t volume;
    uint64_t origin; /* identifier of the fault that caused it, 0: none */
    uint64_t object; /* FILL, CLEAN: whose pages */
    uint64_t active; /* FILL, SWAP_IN: index of the page that is active at once; UINT64_MAX: none */
    struct writeback_page pages[BATCH_PAGES];
};

struct transfer {
    uint32_t batch; /* NONE: a flush, or free */
    uint32_t job;   /* of a flush; NONE: not one */
    uint32_t first, count;
    uint32_t left; /* pages behind those that follow one by one: one transfer for all has failed */
    uint64_t volume;
    bool used;
    bool given; /* to the disk; otherwise that is still to be done */
};

/* --- Jobs: what takes more than one batch -------------------------------------------------------------------------- */

enum job_kind { JOB_FREE, JOB_SYNC, JOB_SWAP_OFF };

/* What a sync does at its end, and before. */
enum sync_how {
    SYNC_BEGIN = 0, /* nothing: what is on its way already is somebody else's business */
    SYNC_WAIT = 1,  /* whatever was dirty when it began is written then, no matter who writes it */
    SYNC_LAST = 2,  /* and lasts */
};

/* Where a sync that waits is. */
enum job_phase {
    PHASE_OLDER,  /* waits for what was on its way before: it may have been written to meanwhile, or fail */
    PHASE_WRITES, /* takes what is dirty */
    PHASE_OTHERS, /* waits for what others took before it could */
};

struct job {
    uint8_t kind;     /* enum job_kind */
    bool told_memsrv; /* the token is a demand's; otherwise somebody waits for backend.answer, if it is not 0 */
    uint8_t how;      /* enum sync_how */
    uint8_t phase;    /* enum job_phase */
    uint8_t flushing; /* flushes on their way */
    uint8_t volumes;  /* that were written to */
    uint32_t batches; /* on their way */
    int status;
    uint64_t serial; /* of the last batch that a phase waits for */
    uint64_t token;
    uint64_t object, cookie, next, end; /* pages of the object that are left; SWAP_OFF: area, offset of the next slot */
    uint64_t stuck;                     /* SWAP_OFF, us: since when there is no memory; 0: there is */
    uint64_t volume[FLUSH_VOLUMES];
};

/* --- Objects that are known ----------------------------------------------------------------------------------------- */

struct object {
    uint64_t number; /* 0: free */
    uint64_t cookie;
    uint64_t used;   /* pager.clock when it was last wanted */
    uint64_t volume; /* on which it is, if it has been written to */
    bool unflushed;  /* what was written to it may not last yet */
    struct readahead_state readahead;
};

enum demand_kind {
    WANT_FILL,
    WANT_SWAP_IN,
    WANT_RECLAIM,
    WANT_SYNC,
    WANT_CLEANING,
    TOLD_SLOTS_FREE,
    TOLD_ADVICE,
    TOLD_GONE,
    TOLD_COLD,
};

#define ADVICE_PAGE_OUT 21u /* detail of TOLD_COLD; otherwise pages are only not to be kept */

struct demand {
    uint32_t kind; /* enum demand_kind */
    uint64_t token, object, cookie, index, count;
    uint64_t detail; /* RECLAIM: 1: somebody waits; ADVICE: which */
    uint64_t origin; /* identifier of the fault that waits for it, 0: none */
};

struct counters {
    uint64_t read, read_ahead, written, swapped_in, swapped_out, scanned, reclaimed, refaults, kills, errors;
};

struct settings {
    uint64_t swappiness;
    uint64_t page_cluster_pages; /* of swap that are read together at most */
    uint64_t readahead_pages;
    struct writeback_policy writeback;
};

struct swap_use {
    uint64_t volume;
    bool open; /* the volume is known */
    char name[64];
    void *memory;
    uint64_t slots;
};

/* Which page of which object a frame holds, as far as it is known. */
struct page_owner {
    uint32_t object; /* 0: not known, or too large a number */
    uint32_t index;
};

#define GROUPS_MAX 128u

/* Groups that are full are served one after the other: see group.c. */
struct group_reclaim {
    bool wanted[GROUPS_MAX];
    uint32_t group;   /* in hand; 0: none */
    uint64_t pfn;     /* where looking through its pages goes on */
    unsigned pass;    /* first: what was used is spared */
    uint64_t freed;   /* since it was taken in hand */
    uint64_t emptied; /* of those, in this pass */
    bool stalled;     /* until pages are written */
    bool warned;      /* as in struct reclaim */
};

/* One attempt to free pages. */
struct reclaim {
    bool active;
    bool urgent;       /* somebody waits: tell memsrv the end */
    bool swept;        /* all of memory was looked at for pages that the lists lack */
    bool stalled;      /* waits for what is on its way, or for a process that is ending */
    bool warned;       /* those who watch for pressure were told that somebody may be ended */
    uint32_t priority; /* as struct lru_scan */
    uint64_t wanted;   /* pages */
    uint64_t origin;   /* of the demand that began it */
    uint64_t freed;    /* since it began, those included that are being written */
    uint64_t round_freed, round_scanned;
    uint64_t counts[4];  /* left to look at in this round */
    uint64_t rest_until; /* us: it was in vain, and until then who does not wait cannot have it begin again */
    uint64_t victim;     /* process that was ended on this account; 0: none */
    uint64_t victim_since;
};

struct pager {
    struct backend backend;
    struct lru lru;
    struct lru_vector vector;
    struct page_owner *owners; /* of the page frames that the lists cover */
    struct shadow_table shadows;
    struct swap_map swap;
    struct swap_use swap_uses[SWAP_AREAS_MAX];
    struct swap_readahead_state swap_readahead;
    struct writeback_set dirty;
    struct pressure pressure;
    struct settings settings;
    struct counters counters;
    struct reclaim reclaim;
    struct oom_record oom;
    struct group_reclaim group;
    struct group_state groups[GROUPS_MAX]; /* as they were when last asked for */
    struct batch batches[BATCHES_MAX];
    struct transfer transfers[TRANSFERS_MAX];
    struct job jobs[JOBS_MAX];
    struct demand demands[DEMANDS_MAX]; /* a ring of what could not be begun yet */
    uint32_t demand_first, demand_count;
    struct object objects[OBJECTS_MAX];
    struct writeback_entry dirty_entries[OBJECTS_MAX];
    uint32_t dirty_buckets[OBJECTS_MAX];
    uint64_t clock; /* counts demands */
    uint64_t batch_serial;
    uint64_t sweep;       /* next page that is looked at for what it is; 0: at the beginning */
    uint64_t sweep_begun; /* when this pass began, ms */
    uint64_t dirty_limit; /* that memsrv was told */
    uint64_t cleaned;     /* us: when dirty pages were last looked for because there are many */
    bool pumping;
    bool tracing;    /* trace events are written */
    uint64_t origin; /* of the demand that is being begun; 0: none is */
};

/* Memory that pager_init() is given: arrays for `pages` page frames from `first` on. */
struct pager_memory {
    uint64_t first, pages;
    struct lru_page *lru_pages;   /* `pages` of them */
    struct page_owner *owners;    /* `pages` of them */
    struct shadow_entry *shadows; /* PAGER_SHADOWS(pages) of them */
};

#define PAGER_SHADOWS(pages) ((pages) / 8 + SHADOW_WAYS)

/* Writes a trace event of fault `origin`, if tracing is on. */
static inline void pager_trace(const struct pager *pager, enum trace_kind kind, uint64_t origin, uint64_t a, uint64_t b)
{
    if (__builtin_expect(pager->tracing, 0))
        pager->backend.trace(pager->backend.context, kind, origin, a, b);
}

/* --- pager.c: what comes in ----------------------------------------------------------------------------------------- */

/* Makes a pager that has seen nothing yet. EINVAL: memory of no pages. */
MUST_CHECK int pager_init(struct pager *pager, const struct backend *backend, const struct pager_memory *memory);

/* How many demands pager_demand() can take now. */
uint32_t pager_room(const struct pager *pager);

/* memsrv wants something; there is room. It is begun now, or when others have ended. */
void pager_demand(struct pager *pager, const struct demand *demand);

/* A transfer has ended. Tags that are none are ignored. */
void pager_transferred(struct pager *pager, uint32_t tag, int status);

/* The disk server is another one: what was on its way is made again. */
void pager_transfers_lost(struct pager *pager);

/* A program has mapped a page for the first time. */
void pager_mapped(struct pager *pager, uint64_t pfn);

/* Some time has passed: to be called once or more a second. */
void pager_tick(struct pager *pager);

/* Goes on with all that can go on. The calls above do so themselves. */
void pager_pump(struct pager *pager);

/* 0, or EIO (negative) if lists, the swap map, batches or jobs contradict each other. */
MUST_CHECK int pager_check(const struct pager *pager);

/* --- io.c: batches --------------------------------------------------------------------------------------------------- */

/* A free batch; NULL: all are in use. */
struct batch *batch_new(struct pager *pager, enum batch_kind kind, uint32_t job);

MUST_CHECK bool batch_is_free(const struct pager *pager);

/* Begins a batch that has its pages, in any order. */
void batch_begin(struct pager *pager, struct batch *batch);

/* Gives a batch back that was not begun. */
void batch_drop(struct batch *batch);

/* Gives transfers to disks for what waits. */
void batches_pump(struct pager *pager);

/* Begins a flush for a job. EAGAIN: later. */
MUST_CHECK int flush_begin(struct pager *pager, uint64_t volume, uint32_t job);

/* Memory of the pages of a batch, as calls want it. */
uint32_t batch_pfns(const struct batch *batch, uint32_t first, uint32_t count, uint64_t *pfns);

/* --- fill.c: pages of files ------------------------------------------------------------------------------------------ */

/* Begins what a demand wants. EAGAIN: something is exhausted; ask again when something has ended. */
MUST_CHECK int fill(struct pager *pager, const struct demand *demand);
MUST_CHECK int advise(struct pager *pager, const struct demand *demand);

/* The object's record, a new one in place of the oldest if there is none. */
struct object *object_know(struct pager *pager, uint64_t number, uint64_t cookie);

/* The same for an object of which nothing but the number is known: memsrv is asked. NULL: it is no more. */
struct object *object_meet(struct pager *pager, uint64_t number);

/* The same, but NULL if it is not known. */
struct object *object_find(struct pager *pager, uint64_t number);
void object_forget(struct pager *pager, uint64_t number);

/* Puts a page that came from a disk on its list, in place of what the frame was before. */
void page_arrived(struct pager *pager, uint64_t pfn, unsigned flags, uint64_t object, uint64_t index);

/* Pages of a file came: they are on the lists from now on. */
void fill_arrived(struct pager *pager, const struct batch *batch, uint32_t first, uint32_t count);

/* --- clean.c: writing ------------------------------------------------------------------------------------------------ */

/* Begins to write what is dirty in pages [first, end) of an object. `token` is told the end: a demand's, if `told_memsrv`,
 * or somebody's who waits for backend.answer; 0: nobody. EAGAIN: no job is free. */
MUST_CHECK int sync_begin(struct pager *pager, uint64_t object, uint64_t cookie, uint64_t first, uint64_t end,
                          enum sync_how how, bool told_memsrv, uint64_t token);

/* Goes on with a job. True: it has come further. */
bool job_step(struct pager *pager, struct job *job);

/* A job of that kind, the caller's to fill in. NULL: there are JOBS_MAX. Its end: who waits is told. */
struct job *job_new(struct pager *pager, enum job_kind kind);
void job_end(struct pager *pager, struct job *job);

/* A batch or a flush of a job has ended; it goes on with the next pager_pump(). */
void job_part_ended(struct pager *pager, uint32_t job, int status);

/* Writes what is too old, or too much. */
void clean_tick(struct pager *pager, bool too_much);

/* --- swap.c ---------------------------------------------------------------------------------------------------------- */

/* Begins to use a volume. Its memory has SWAP_MAP_BYTES(slots) bytes and is the pager's until backend.swap_note() gives it
 * back. Errors as swap_map_add(). Returns the area. */
MUST_CHECK int swap_on(struct pager *pager, uint64_t volume, const char *name, uint64_t slots, int32_t priority,
                       void *memory);

/* An area that an earlier pager used, of which the volume is not known yet: its slots in use are told by swap_recovered(),
 * and swap_opened() tells the volume. Errors as swap_map_add_at(). */
MUST_CHECK int swap_recover(struct pager *pager, uint32_t area, const char *name, uint64_t slots, int32_t priority,
                            void *memory);
void swap_recovered(struct pager *pager, uint64_t slot);
void swap_opened(struct pager *pager, uint32_t area, uint64_t volume);

/* A page that an earlier pager was writing to its slot: it is written again. `batches` has SWAP_AREAS_MAX places, NULL at
 * first; those that are there in the end are to be begun. EAGAIN: it cannot be. */
MUST_CHECK int swap_out_again(struct pager *pager, struct batch *batches[], uint64_t slot, uint64_t pfn);

/* Begins to bring everything back from an area, and then to end its use. `token` is told by backend.answer. ENOENT; EBUSY:
 * that has begun already; EAGAIN: no job is free. */
MUST_CHECK int swap_off(struct pager *pager, uint32_t area, uint64_t token);
bool swap_off_step(struct pager *pager, struct job *job); /* for job_step() */

MUST_CHECK int swap_in(struct pager *pager, const struct demand *demand);
void swap_arrived(struct pager *pager, const struct batch *batch, uint32_t first, uint32_t count);
void swap_slots_free(struct pager *pager, uint64_t slot, uint64_t count);

/* --- reclaim.c ------------------------------------------------------------------------------------------------------- */

/* True if anonymous pages can go: there are slots, or pages whose slots hold them. */
MUST_CHECK bool reclaim_can_swap(const struct pager *pager, const struct memory_state *memory);

/* Asks for the state of memory, and notes for how long somebody has waited for some. */
void memory_look(struct pager *pager, struct memory_state *memory);

/* Pages are wanted. */
void reclaim_want(struct pager *pager, uint64_t pages, bool urgent);

/* Goes on as far as possible without waiting. */
void reclaim_step(struct pager *pager);

/* Gives up clean pages of files, all that can go. Returns how many went. */
uint64_t reclaim_drop_clean(struct pager *pager);

/* Has pages evicted that were isolated, all of files or all not: with `spare` those are kept that were used lately. What
 * is dirty is written and kept. Returns how many went, those included that go when they are written to swap. */
uint32_t reclaim_pages(struct pager *pager, const uint64_t *pfns, uint32_t count, bool file, bool spare);

/* True if pages are being written, files' or to swap. */
bool reclaim_is_writing(const struct pager *pager);

/* Puts a page on the list that it belongs on, if it is on none. */
void reclaim_learn(struct pager *pager, const struct page_use *use);

/* Learns of some pages what they are; returns true at the end of a pass over all memory. */
bool sweep_some(struct pager *pager, unsigned calls);

/* --- cold.c ---------------------------------------------------------------------------------------------------------- */

/* A program will not use pages [index, index + count) of its memory; `object` is its number. EAGAIN: there is more on its way
 * than disks can take; what is left then is in *demand. */
MUST_CHECK int cold(struct pager *pager, struct demand *demand);

/* --- choose.c: out of memory ---------------------------------------------------------------------------------------- */

/* Collects what processes use into pager->oom, and decides: for a memory group, of which pager->groups tells, or
 * (OOM_NOBODY) for the machine. */
enum oom_decision oom_look(struct pager *pager, uint32_t group, uint32_t *victim);

/* Ends somebody, with a report: 1. 0: somebody is ending already; ESRCH: there is nobody. */
MUST_CHECK int oom_end_one(struct pager *pager, uint32_t group);

/* --- group.c: memory groups that are full --------------------------------------------------------------------------- */

/* Somebody waits because the group is full. */
void group_want(struct pager *pager, uint32_t group);

/* Goes on as far as possible without waiting. */
void group_step(struct pager *pager);

/* True if `group` is `outer` or in it, as pager->groups tells. */
bool group_is_in(const struct pager *pager, uint32_t group, uint32_t outer);

#endif
