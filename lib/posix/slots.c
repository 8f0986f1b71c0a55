/* SPDX-License-Identifier: MIT */
/*
 * A bit for each slot of the program's first slot frame.
 */
#include "internal.h"

#include <quire/slots.h>
#include <quire/syscall.h>
#include <stdatomic.h>

#define WORD_BITS  64u
#define SLOT_WORDS (SLOTS_PER_FRAME / WORD_BITS)

static _Atomic uint64_t slots_taken[SLOT_WORDS];

uint64_t slot_allocate(void)
{
    for (uint64_t slot = SLOT_FIRST_FREE; slot < SLOTS_PER_FRAME; slot++) {
        const uint64_t bit = 1UL << slot % WORD_BITS;
        if (!(atomic_fetch_or(&slots_taken[slot / WORD_BITS], bit) & bit))
            return slot;
    }
    return SLOT_NONE;
}

void slots_child_of_fork(void)
{
    for (unsigned i = 0; i < SLOT_WORDS; i++)
        atomic_store(&slots_taken[i], 0);
}

void slot_free(uint64_t slot)
{
    if (slot < SLOT_FIRST_FREE || slot >= SLOTS_PER_FRAME)
        return;
    /* An empty slot is an error of the deletion, and as good as done. */
    (void)!sys_cap_delete(SLOT_TABLE, slot);
    atomic_fetch_and(&slots_taken[slot / WORD_BITS], ~(1UL << slot % WORD_BITS));
}
