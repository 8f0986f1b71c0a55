/* SPDX-License-Identifier: MIT */
/* Threads of root's besides the one that serves. Boot only: their frames are taken then. Failures are fatal. */
#ifndef ROOT_OWN_THREAD_H
#define ROOT_OWN_THREAD_H

#include <quire/abi.h>

struct own_thread {
    uint64_t slot;   /* where its capability goes */
    uint64_t number; /* by which the kernel's messages name it */
    uint64_t buffer; /* address of its IPC buffer in root's space, a free page */
    unsigned priority;
    void (*run)(void); /* does not return */
    char *stack_end;   /* 16-byte aligned */
};

/* Makes the thread. It does not run yet. */
void own_thread_create(const struct own_thread *thread);

/* Lets it run. */
void own_thread_start(const struct own_thread *thread);

#endif
