/* SPDX-License-Identifier: MIT */
/*
 * An address space and what belongs to it: areas, pages, threads, objects. The structures are never freed, only used
 * again, so that a worker may look at one while another ends it: it takes the lock, then looks whose it is now.
 *
 * Locks and their order: docs/locking.md. One worker holds at most one space's lock (but for space_fork()) and one
 * memory object's. The IPC buffer of the calling worker is overwritten by everything here that is said to make system
 * calls.
 */
#ifndef MEMSRV_SPACE_H
#define MEMSRV_SPACE_H

#include <base/lock.h>
#include <mm/resource.h>
#include <mm/vma.h>
#include <proto/memsrv_protocol.h>

#include "family.h"
#include "kernel_objects.h"
#include "worker.h"

#define SPACES_MAX  256u
#define SPACE_INDEX 1024u

/* Process numbers are below this, so that a badge has room for BADGE_RIGHTS. */
#define PID_END (1UL << 32)

/*
 * IPC buffers are apart from everything else, in as many bytes as one last-level table shows: they are not inherited, so
 * a table that has some could not be shared with a child.
 */
#define BUFFERS_LOW  0x7fffc0000000UL
#define BUFFERS_HIGH (BUFFERS_LOW + HUGE_PAGE_SIZE)
_Static_assert(MEMSRV_THREAD_QUOTA *PAGE_SIZE <= BUFFERS_HIGH - BUFFERS_LOW, "each thread has one");

/* Where memsrv puts what it chooses the address of; the highest address that fits. */
#define MAPPINGS_LOW  0x100000000000UL
#define MAPPINGS_HIGH 0x7fff00000000UL
#define AREAS_LOW     PAGE_SIZE

/* What stays free between a stack that grows and something accessible below it. */
#define STACK_GUARD_BYTES (256 * PAGE_SIZE)

/* Our flags of areas, beyond those of lib/mm. */
#define AREA_BUFFER 0x10000UL /* IPC buffer of a thread */
/* Areas of which every page is there from the start; nothing is taken for a fault in them. */
#define AREA_FILLED (VMA_DEVICE | AREA_BUFFER)

/* A thread or another kernel object of a space. */
struct member {
    struct list link;
    struct kernel_object object;
    uint64_t name;           /* thread: its number; otherwise: the identifier that the program knows */
    uint64_t buffer_address; /* thread: of its IPC buffer */
    bool halting, halted;    /* thread: another processor was told to stop it; space_halt has stopped it */
    bool fault_refused;
    uint32_t fault_kind;        /* MEMSRV_FAULT_KIND_* */
    struct fault_message fault; /* thread: that was refused and that nobody has asked for yet */
};

/* How a space stands when memory is short. It begins as its parent's. */
struct space_standing {
    int32_t oom_adj;       /* OOM_ADJ_MIN to OOM_ADJ_MAX, in thousandths of all memory */
    int32_t oom_adj_least; /* the lowest that it can be given without trust */
    uint32_t group;        /* memory group, which counts it among its members */
};

struct space {
    struct spinlock lock;
    uint64_t pid; /* 0: nobody's. Changes with the lock held; may be read without it as a hint */
    struct vma_tree areas GUARDED_BY(lock);
    struct kernel_object aspace, table; /* SLOT_NONE: root's own record, which has objects only */
    struct page *top;                   /* the first-level translation table */
    uint64_t resident GUARDED_BY(lock); /* pages mapped, the zero page and those of objects included */
    uint64_t faults GUARDED_BY(lock);   /* so far; those that waited for the pager among them */
    uint64_t major_faults GUARDED_BY(lock);
    uint64_t ended_time GUARDED_BY(lock);   /* ns that threads that have ended had a processor */
    uint64_t tables GUARDED_BY(lock);       /* about how many tables it has: see space_tables.h */
    bool shares_tables GUARDED_BY(lock);    /* it was forked, or is a fork: others may use some of them, too */
    uint64_t huge_entries GUARDED_BY(lock); /* huge pages mapped by one entry, at most: those that were split count */
    uint64_t parent GUARDED_BY(lock);       /* number of the space that this one was copied from; 0: none */
    struct family *family;
    struct list family_link; /* the family's lock */
    struct list threads GUARDED_BY(lock);
    struct list objects GUARDED_BY(lock);
    uint32_t thread_count GUARDED_BY(lock);
    uint32_t object_count GUARDED_BY(lock);
    uint64_t next_identifier GUARDED_BY(lock);
    uint64_t slot_frames GUARDED_BY(lock); /* that its capability table has */
    uint64_t image_end GUARDED_BY(lock);   /* end of what was mapped at exact addresses below MAPPINGS_LOW */
    uint64_t heap_start GUARDED_BY(lock);  /* 0: nobody asked for a heap yet */
    uint64_t heap_end GUARDED_BY(lock);
    uint64_t mappings_high GUARDED_BY(lock); /* below this memsrv puts what it chooses the address of */
    struct resource_table limits GUARDED_BY(lock);
    struct space_standing standing GUARDED_BY(lock);
    uint64_t data_pages GUARDED_BY(lock); /* in areas: see area_is_data(); with VMA_LOCKED; with VMA_CHARGED */
    uint64_t locked_pages GUARDED_BY(lock);
    uint64_t charged_pages GUARDED_BY(lock);
    uint64_t roles GUARDED_BY(lock);       /* MEMSRV_ROLE_*, in paging */
    uint64_t future_lock GUARDED_BY(lock); /* VMA_LOCKED, VMA_LOCK_ON_FAULT: flags of areas to come */
    struct list memory_objects;            /* that it owns; the registry's lock, in object.c */
    struct list grants;                    /* of others' objects; the registry's lock */
    uint64_t memory_object_count;          /* that it owns; the registry's lock */
};

extern struct space spaces[SPACES_MAX];
extern struct space *space_index[SPACE_INDEX];

/* Makes all spaces nobody's, and root's record. Before there is a second thread. */
void spaces_init(void);

/* space_find() when the index does not know. */
struct space *space_find_slow(uint64_t pid);

/* The space that seemed to be that of `pid` just now, or NULL: for space_enter() alone. */
static inline struct space *space_find(uint64_t pid)
{
    struct space *space = __atomic_load_n(&space_index[pid % SPACE_INDEX], __ATOMIC_ACQUIRE);
    if (__builtin_expect(space && __atomic_load_n(&space->pid, __ATOMIC_RELAXED) == pid, 1))
        return space;
    return space_find_slow(pid);
}

/* Locks the space if it (still) is that of `pid`; false if not, or if it is NULL. */
MUST_CHECK static inline bool space_enter(struct space *space, uint64_t pid)
    TRY_ACQUIRE(true, space->lock) NO_THREAD_SAFETY_ANALYSIS
{
    if (__builtin_expect(!space, 0))
        return false;
    spinlock_acquire(&space->lock);
    if (__builtin_expect(space->pid == pid, 1))
        return true;
    spinlock_release(&space->lock);
    return false;
}

static inline void space_leave(struct space *space) RELEASE(space->lock)
{
    spinlock_release(&space->lock);
}

/* True if the space has memory: all but root's record. */
static inline bool space_has_memory(const struct space *space)
{
    return space->aspace.slot != SLOT_NONE;
}

/*
 * Makes a space with an empty table of one frame of slots and the limits of space `model`; its faults come to memsrv's
 * endpoint. EINVAL: bad number; ESRCH: no such model; EEXIST: the number has a space; ENOMEM: no memory, or SPACES_MAX
 * spaces. Makes system calls.
 */
MUST_CHECK int space_create(uint64_t pid, uint64_t model, uint64_t *table_slot);

/*
 * Makes space `pid` a copy of `parent_pid`, which costs in proportion to its areas and to the tables that it uses, not to
 * its pages: both use the tables until one changes something. The page at `stack`, which both will write to at once, is
 * copied now, if there is memory and it is the parent's alone. It has no thread and an empty capability table. ESRCH: no
 * such parent; otherwise as space_create(). Makes system calls.
 */
MUST_CHECK int space_fork(struct memsrv_context *worker, uint64_t parent_pid, uint64_t pid, uint64_t stack,
                          uint64_t *table_slot);

/*
 * Ends all of it. EAGAIN: a thread is still running; part is done, the rest goes on at the next call. Other errors
 * come from the kernel and mean the same. Otherwise the space is nobody's. Makes system calls.
 */
MUST_CHECK int space_destroy_locked(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock);

/*
 * Ends what space `pid` holds; space `replacement` then has its number, parent and limits, and its own number is nobody's. ESRCH,
 * EINVAL (they are one): nothing has changed; EAGAIN: a thread is still running, the rest goes on at the next call. Makes
 * system calls.
 */
MUST_CHECK int space_replace(struct memsrv_context *worker, uint64_t pid, uint64_t replacement);

/* The thread of a number, or NULL. */
struct member *space_thread_find_locked(struct space *space, uint64_t number) REQUIRES(space->lock);

/*
 * Creates a stopped thread with an IPC buffer. *slot is in memsrv's table and stays memsrv's. EEXIST, EDQUOT, ENOMEM,
 * ENODEV (root's record). A failure leaves nothing behind. Makes system calls.
 */
MUST_CHECK int space_thread_create_locked(struct memsrv_context *worker, struct space *space, uint64_t number,
                                          uint64_t *buffer, uint64_t *slot) REQUIRES(space->lock);

/* Destroys a thread and its buffer. ENOENT: no such thread; EAGAIN: it is still running. Makes system calls. */
MUST_CHECK int space_thread_destroy_locked(struct memsrv_context *worker, struct space *space, uint64_t number)
    REQUIRES(space->lock);

/* The time in ns that its threads have had a processor. A system call for each. */
uint64_t space_run_time_locked(const struct space *space) REQUIRES(space->lock);

/* Creates an object; `extra` as in sys_object_create(). *slot is in memsrv's table and stays memsrv's. EDQUOT, ENOMEM,
 * or the kernel's error; a failure leaves nothing behind. Makes system calls. */
MUST_CHECK int space_object_create_locked(struct space *space, enum cap_type type, uint64_t extra, uint64_t *identifier,
                                          uint64_t *slot) REQUIRES(space->lock);

/* Destroys an object. ENOENT: no such object; EAGAIN: the kernel needs more time. Makes system calls. */
MUST_CHECK int space_object_destroy_locked(struct space *space, uint64_t identifier) REQUIRES(space->lock);

/* Destroys all threads, then all objects. As space_destroy_locked(). */
MUST_CHECK int space_members_destroy_locked(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock);

#endif
