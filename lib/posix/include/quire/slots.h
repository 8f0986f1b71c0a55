/* SPDX-License-Identifier: MIT */
/*
 * The free slots of the program's own capability table. Any thread may call.
 */
#ifndef QUIRE_SLOTS_H
#define QUIRE_SLOTS_H

#include <stdint.h>

/* Takes an empty slot, at least SLOT_FIRST_FREE. Its owner gives it back with slot_free(). SLOT_NONE: all are taken. */
__attribute__((warn_unused_result)) uint64_t slot_allocate(void);

/* Gives back a slot of slot_allocate(), emptying it if it holds a capability. SLOT_NONE is allowed. */
void slot_free(uint64_t slot);

#endif
