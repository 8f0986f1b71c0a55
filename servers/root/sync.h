/* SPDX-License-Identifier: MIT */
/*
 * What lets threads of different programs wait for each other: futexes and named semaphores. Nobody is kept waiting in
 * a call: a thread that has to wait leaves a notification here and sleeps at it by itself, so it can have a deadline,
 * and this takes no reply object. Serving thread only.
 */
#ifndef ROOT_SYNC_H
#define ROOT_SYNC_H

#include <base/check.h>
#include <stdint.h>

/* Gives every place in the table its slot. Before anything else here. */
void sync_open(void);

/* The empty slot in which root takes the next capability that comes with a request. */
uint64_t sync_arrival_slot(void);

/* A process has ended: forgets its waits, closes its semaphores. */
void sync_forget(uint64_t pid);

/* A process was made as a copy of another: it has the same semaphores open. EMFILE. */
MUST_CHECK int sync_inherit(uint64_t parent, uint64_t child);

#endif
