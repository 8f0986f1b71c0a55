/* SPDX-License-Identifier: MIT */
/*
 * The free slots of the program's own capability table. Any thread may call.
 */
#ifndef QUIRE_SLOTS_H
#define QUIRE_SLOTS_H

#include <stdint.h>

/* Takes an empty slot, at least SLOT_FIRST_FREE; the table grows if it must. Its owner gives it back with slot_free().
 * SLOT_NONE: all are taken and the table cannot grow any more. */
__attribute__((warn_unused_result)) uint64_t slot_allocate(void);

/* Gives back a slot of slot_allocate(), emptying it if it holds a capability. SLOT_NONE is allowed. */
void slot_free(uint64_t slot);

/* How many slots are taken just now: for tests that look whether all were given back. */
unsigned slots_in_use(void);

#endif
