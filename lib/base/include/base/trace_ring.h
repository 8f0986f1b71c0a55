/* SPDX-License-Identifier: MIT */
/*
 * A ring of trace events. One thread (or whoever holds one lock) writes and never waits; others read at any time and see
 * which events they have missed. The oldest events are overwritten.
 */
#ifndef BASE_TRACE_RING_H
#define BASE_TRACE_RING_H

#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <quire/trace.h>

struct trace_ring {
    struct trace_event *events;
    uint64_t capacity; /* a power of two */
    uint64_t begun;    /* events so far, the one included that is just being written; atomic */
    uint64_t written;  /* events that are whole; atomic */
};

/* Makes an empty ring of `capacity` events, a power of two, which stay the caller's memory. */
static inline void trace_ring_init(struct trace_ring *ring, struct trace_event *events, uint64_t capacity)
{
    *ring = (struct trace_ring){.events = events, .capacity = capacity};
}

/* Writes an event. By the writer alone. */
static inline void trace_ring_write(struct trace_ring *ring, const struct trace_event *event)
{
    const uint64_t place = ring->written;

    /* A reader that sees a part of the new event also sees that the old one is gone. */
    __atomic_store_n(&ring->begun, place + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    struct trace_event *slot = &ring->events[place & (ring->capacity - 1)];
    __atomic_store_n(&slot->time, event->time, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->id, event->id, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->a, event->a, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->b, event->b, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->what, event->what, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->written, place + 1, __ATOMIC_RELEASE);
}

/*
 * Reads events from number `cursor` on, at most `capacity`, into `events`. *next is where to go on. Returns how many were
 * read; those that were overwritten before they could be read are left out, without a gap.
 */
static inline size_t trace_ring_read(const struct trace_ring *ring, uint64_t cursor, struct trace_event *events,
                                     size_t capacity, uint64_t *next)
{
    const uint64_t end = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE);
    size_t count = 0;

    if (end - cursor > ring->capacity)
        cursor = cursor > end ? end : end - ring->capacity;
    for (; cursor < end && count < capacity; cursor++) {
        const struct trace_event *slot = &ring->events[cursor & (ring->capacity - 1)];
        const struct trace_event event = {.what = __atomic_load_n(&slot->what, __ATOMIC_RELAXED),
                                          .time = __atomic_load_n(&slot->time, __ATOMIC_RELAXED),
                                          .id = __atomic_load_n(&slot->id, __ATOMIC_RELAXED),
                                          .a = __atomic_load_n(&slot->a, __ATOMIC_RELAXED),
                                          .b = __atomic_load_n(&slot->b, __ATOMIC_RELAXED)};
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&ring->begun, __ATOMIC_RELAXED) - cursor <= ring->capacity)
            events[count++] = event; /* and it was not overwritten meanwhile */
    }
    *next = cursor;
    return count;
}

#endif
