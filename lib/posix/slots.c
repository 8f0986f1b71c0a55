/* SPDX-License-Identifier: MIT */
/*
 * A bit for each slot that the program's table has. When all are taken memsrv makes the table longer.
 */
#include "internal.h"

#include <proto/memsrv_client.h>
#include <quire/slots.h>
#include <quire/syscall.h>
#include <unistd.h>

#define WORD_BITS 64u
#define SLOTS_MAX (SLOTS_PER_FRAME * MEMSRV_SLOT_FRAME_QUOTA)

static uint64_t slots_taken[SLOTS_MAX / WORD_BITS]; /* atomic */
static uint64_t slots_end = SLOTS_PER_FRAME;        /* atomic: the table may be longer, never shorter */

/* The process whose slots these are; 0: nobody has asked yet; in the child of a fork: another's number. Atomic. */
static pid_t slots_owner;

/* The capability table of a child of a fork has one frame of slots and nothing in it but what every program has. */
static void slots_forget(void)
{
    for (unsigned word = 0; word < SLOTS_MAX / WORD_BITS; word++)
        __atomic_store_n(&slots_taken[word], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&slots_end, SLOTS_PER_FRAME, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) void slots_find(void)
{
    const pid_t self = getpid();
    const pid_t owner = __atomic_load_n(&slots_owner, __ATOMIC_ACQUIRE);

    /* A child has one thread until it calls slots_prepare(). */
    if (owner != self && owner != 0)
        slots_forget();
    if (owner != self)
        __atomic_store_n(&slots_owner, self, __ATOMIC_RELEASE);
}

void slots_prepare(void)
{
    if (!ipc_buffer()) {
        slots_find();
    } else if (!ipc_buffer()->user[THREAD_WORD_SLOTS]) {
        slots_find();
        ipc_buffer()->user[THREAD_WORD_SLOTS] = 1;
    }
}

/* Takes a free slot in [first, end); SLOT_NONE if there is none. */
static uint64_t take_slot(uint64_t first, uint64_t end)
{
    for (uint64_t slot = first; slot < end; slot++) {
        const uint64_t bit = 1UL << slot % WORD_BITS;
        if (__atomic_load_n(&slots_taken[slot / WORD_BITS], __ATOMIC_RELAXED) & bit)
            continue;
        if (!(__atomic_fetch_or(&slots_taken[slot / WORD_BITS], bit, __ATOMIC_ACQUIRE) & bit))
            return slot;
    }
    return SLOT_NONE;
}

/* Has the table made longer, unless another thread has just done it. False: it cannot be. */
static bool grow(uint64_t seen_end)
{
    uint64_t end;

    if (__atomic_load_n(&slots_end, __ATOMIC_ACQUIRE) > seen_end)
        return true;
    if (seen_end >= SLOTS_MAX || memsrv_slots_add(SLOT_MEMSRV, &end) < 0)
        return false;
    /* Threads that did so at the same time have each added a frame; the last answer counts them all. */
    while (end > seen_end &&
           !__atomic_compare_exchange_n(&slots_end, &seen_end, end, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        continue;
    return true;
}

uint64_t slot_allocate(void)
{
    uint64_t first = SLOT_FIRST_FREE;

    slots_prepare();
    for (;;) {
        const uint64_t end = __atomic_load_n(&slots_end, __ATOMIC_ACQUIRE);
        const uint64_t slot = take_slot(first, end);
        if (slot != SLOT_NONE || !grow(end))
            return slot;
        first = end;
    }
}

void slot_free(uint64_t slot)
{
    if (slot < SLOT_FIRST_FREE || slot >= SLOTS_MAX)
        return;
    slots_prepare();
    /* An empty slot is an error of the deletion, and as good as done. */
    (void)!sys_cap_delete(SLOT_TABLE, slot);
    __atomic_fetch_and(&slots_taken[slot / WORD_BITS], ~(1UL << slot % WORD_BITS), __ATOMIC_RELEASE);
}

unsigned slots_in_use(void)
{
    unsigned count = 0;

    slots_prepare();
    for (unsigned word = 0; word < SLOTS_MAX / WORD_BITS; word++)
        count += (unsigned)__builtin_popcountll(__atomic_load_n(&slots_taken[word], __ATOMIC_RELAXED));
    return count;
}
