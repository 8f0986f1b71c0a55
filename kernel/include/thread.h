/* SPDX-License-Identifier: MIT */
/*
 * Threads and the CPUs that run them. A thread is in exactly one place: running on a CPU, in a CPU's run queue, in an
 * endpoint's or notification's queue, held by a reply object, or stopped. Lock: the kernel lock, everywhere.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <arch/context.h>

#include "cap.h"
#include "platform.h"

struct aspace;
struct endpoint;
struct reply;
struct thread;

/* Threads of one priority in order of arrival, all priorities in one list, highest first: wait_queue.c. */
struct wait_queue {
    struct thread *head, *tail;
};

struct wait_links {
    struct thread *next, *previous;             /* every waiting thread */
    struct thread *level_next, *level_previous; /* the first of each priority; NULL in the others */
};

struct thread {
    struct object header;
    struct context context; /* at THREAD_CONTEXT */

    struct aspace *aspace;
    struct cap_table *table;
    struct ipc_buffer *buffer; /* in the direct map; its frame counts this as a mapping */
    uint64_t buffer_address;   /* where the thread sees it */
    uint64_t tls;
    uint64_t number;

    uint8_t state;      /* enum thread_state */
    uint8_t priority;   /* its own */
    uint8_t effective;  /* at least its own: lent by callers */
    uint8_t cpu;        /* where it runs, ran last, or is queued */
    uint8_t in_fault;   /* SENDING or CALLING for a fault, not a call */
    uint8_t stop_asked; /* runs on another CPU and is to stop there */
    uint8_t sleeping;   /* in the timeout wheel */
    uint8_t fp_cpu;     /* the CPU whose registers still hold fp, if that CPU agrees */
    uint8_t fp_eager;   /* so many times its fp is loaded at switch-in, not by a trap: it used it lately */
    uint32_t affinity;  /* mask of CPUs */

    struct wait_links links; /* in a run queue: next and previous alone */
    void *waiting_on;        /* endpoint or notification of a queued thread */
    struct reply *reply;     /* CALLING: the reply object that holds it; RECEIVING: the one to receive into */
    struct endpoint *member; /* endpoint it received from last: whose queue lends it priority */
    struct thread *member_next, **member_link;
    struct reply *serving; /* the caller it works for now */
    uint64_t origin;       /* fault on whose behalf it works */
    uint64_t badge;        /* SENDING: of the capability it sends through */
    uint8_t may_grant;     /* SENDING: that capability has RIGHT_GRANT */

    uint64_t deadline; /* ns */
    struct thread *sleep_next, **sleep_link;

    struct fault_message fault; /* the last, or the one being delivered */
    uint64_t fault_id;
    uint64_t run_time; /* counter ticks that it has had a CPU, as of the CPU's last charge */
    struct cap event;  /* notification told of a stop by fault */
    uint64_t event_bits;

    struct fp_state fp;
};
_Static_assert(__builtin_offsetof(struct thread, context) == THREAD_CONTEXT, "vectors.S");
#define THREAD_STRIDE 1344u
_Static_assert(sizeof(struct thread) <= THREAD_STRIDE, "OBJECTS_PER_FRAME_THREAD threads fit a frame");
_Static_assert(THREAD_STRIDE <= PAGE_SIZE / OBJECTS_PER_FRAME_THREAD, "threads fit a frame");

struct run_queue {
    uint64_t ready; /* bit p: heads[p] is not empty */
    struct thread *heads[PRIORITY_COUNT];
    struct thread *tails[PRIORITY_COUNT];
};

struct cpu {
    uint8_t *stack_top;       /* at CPU_STACK_TOP */
    struct thread *current;   /* at CPU_CURRENT; NULL: idle */
    struct aspace *aspace;    /* whose tables the CPU uses now; NULL: none */
    struct thread *fp_loaded; /* whose fp the registers hold */
    uint8_t fp_enabled;       /* current may use them without a trap */
    uint8_t timer_armed;
    uint8_t slice_used; /* the tick has come once already since the slice began */
    uint8_t tracing;
    uint32_t index;
    uint64_t fault_count;
    uint64_t charged_at;        /* counter ticks: what has passed since is in no run_time yet */
    struct thread *slice_owner; /* who got the CPU from the queue last; only compared: it may be gone */
    struct run_queue queue;
};
_Static_assert(__builtin_offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "vectors.S");
_Static_assert(__builtin_offsetof(struct cpu, current) == CPU_CURRENT, "vectors.S");

extern struct cpu cpus[CPUS_MAX];
extern uint32_t idle_cpus;    /* mask */
extern uint32_t started_cpus; /* mask; constant once root runs */

/* wait_queue.c: insert by effective priority, behind its equals; at most PRIORITY_COUNT steps. */
void wait_queue_insert(struct wait_queue *queue, struct thread *thread);
void wait_queue_remove(struct wait_queue *queue, struct thread *thread);

/* True if order, links and levels of the queue hold; walks all of it. */
bool wait_queue_check(const struct wait_queue *queue);

#endif
