/* SPDX-License-Identifier: MIT */
/* The account of all pages of the machine, and the walkers that prove memsrv's structures. */
#ifndef MEMSRV_ACCOUNT_H
#define MEMSRV_ACCOUNT_H

#include <proto/memsrv_protocol.h>

#include "space.h"

/* Fills *memory. Each figure is right at some moment; all together add up when nothing else happens meanwhile. Memory
 * that caches could do without is given back first. Takes and leaves the locks of all spaces, one after the other. */
void account_read(struct memsrv_memory *memory);

/* True if the figures add up to `total`. */
bool account_adds_up(const struct memsrv_memory *memory);

/* Runs every walker, each failure is logged; returns how many failed. Makes system calls, takes and leaves locks. */
uint64_t check_all(struct memsrv_context *worker);

#endif
