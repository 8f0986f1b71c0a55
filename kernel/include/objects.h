/* SPDX-License-Identifier: MIT */
/*
 * The small kernel objects and the address space. Lock: the kernel lock, for every field.
 */
#ifndef KERNEL_OBJECTS_H
#define KERNEL_OBJECTS_H

#include "thread.h"

struct notification;

#define SMALL_STRIDE  128u
#define ASPACE_STRIDE 256u

struct endpoint {
    struct object header;
    struct wait_queue senders; /* by priority */
    struct thread *receivers;  /* last come, first served: its caches are warm */
    struct thread *members;    /* threads that received here last, waiting or working */
    struct notification *bound;
};
_Static_assert(sizeof(struct endpoint) <= SMALL_STRIDE, "small object");

struct notification {
    struct object header;
    uint64_t bits;
    struct wait_queue waiters;
    struct endpoint *bound;
};
_Static_assert(sizeof(struct notification) <= SMALL_STRIDE, "small object");

/* Holds the caller that a server has received from until it replies; any holder of the capability may reply. */
struct reply {
    struct object header;
    struct thread *caller;   /* held, CALLING */
    struct thread *receiver; /* waits to receive into this */
    struct thread *server;   /* works for `caller`; NULL once it has gone on to something else */
};
_Static_assert(sizeof(struct reply) <= SMALL_STRIDE, "small object");

struct irq {
    struct object header;
    uint32_t number;
    uint32_t reserved;
    uint64_t bits;
    struct cap target; /* the notification */
};
_Static_assert(sizeof(struct irq) <= SMALL_STRIDE, "small object");

struct aspace {
    struct object header;
    uint64_t *top; /* first-level table, in the direct map */
    uint64_t root; /* what the machine's table register takes: address and identifier */
    uint64_t identifier;
    struct cap handler; /* endpoint that gets the faults, with the badge they carry */
    uint64_t *spare;    /* donated tables not in use, linked through their first word */
    uint32_t spare_count;
    uint32_t table_count; /* in use, without the top one */
    uint64_t leaf_number; /* address / HUGE_PAGE_SIZE of the table in `leaf`; LEAF_NONE: none */
    uint64_t *leaf;       /* the last-level table that was used last, which no other space uses */
    uint32_t users;       /* threads */
    bool window;          /* shows the window: see SYSTEM_WINDOW */
};
_Static_assert(sizeof(struct aspace) <= ASPACE_STRIDE, "OBJECTS_PER_FRAME_ASPACE address spaces fit a frame");

#endif
