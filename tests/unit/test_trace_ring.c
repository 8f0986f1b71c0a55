/* SPDX-License-Identifier: MIT */
/* Rings of trace events: against a model, and with a reader beside the writer. */
#include "harness.h"

#include <base/trace_ring.h>
#include <pthread.h>
#include <string.h>

#define CAPACITY 16u

static struct trace_event slots[CAPACITY], read_events[CAPACITY * 2];
static struct trace_ring ring;

/* Event number n: each word says so. */
static struct trace_event event_of(uint64_t n)
{
    return (struct trace_event){.time = n, .id = n * 3, .what = TRACE_WHAT(1 + n % 40, n), .a = ~n, .b = n << 7};
}

static bool is_event(const struct trace_event *event, uint64_t n)
{
    const struct trace_event expected = event_of(n);
    return memcmp(event, &expected, sizeof(expected)) == 0;
}

static void write_next(uint64_t *written)
{
    const struct trace_event event = event_of(*written);
    trace_ring_write(&ring, &event);
    ++*written;
}

static void run_model(void)
{
    uint64_t written = 0, cursor = 0;

    trace_ring_init(&ring, slots, CAPACITY);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (random_chance(70)) {
            write_next(&written);
            continue;
        }
        const size_t capacity = random_below(2 * CAPACITY + 1);
        const uint64_t first = written - cursor > CAPACITY ? written - CAPACITY : cursor;
        uint64_t next = 0;
        const size_t count = trace_ring_read(&ring, cursor, read_events, capacity, &next);
        EXPECT(count == (written - first < capacity ? written - first : capacity));
        for (size_t i = 0; i < count; i++)
            EXPECT(is_event(&read_events[i], first + i));
        EXPECT(next == first + count);
        cursor = next;
    }
}

/* A cursor may be anything. */
static void run_cursors(void)
{
    uint64_t written = 0, next;

    trace_ring_init(&ring, slots, CAPACITY);
    for (unsigned i = 0; i < 5; i++)
        write_next(&written);
    EXPECT(trace_ring_read(&ring, 5, read_events, CAPACITY, &next) == 0 && next == 5);
    EXPECT(trace_ring_read(&ring, 1000, read_events, CAPACITY, &next) == 0 && next == 5);
    EXPECT(trace_ring_read(&ring, UINT64_MAX, read_events, CAPACITY, &next) == 0);
    EXPECT(trace_ring_read(&ring, 3, read_events, CAPACITY, &next) == 2 && next == 5);
}

static void *write_many(void *argument)
{
    uint64_t written = 0;

    while (written < *(const uint64_t *)argument)
        write_next(&written);
    return NULL;
}

/* What a reader gets while events are written are whole events, in order. */
static void run_beside(void)
{
    uint64_t wanted = test_steps(), cursor = 0;
    pthread_t writer;

    trace_ring_init(&ring, slots, CAPACITY);
    EXPECT(pthread_create(&writer, NULL, write_many, &wanted) == 0);
    for (uint64_t last = 0; cursor < wanted;) {
        uint64_t next = cursor;
        const size_t count = trace_ring_read(&ring, cursor, read_events, CAPACITY, &next);
        for (size_t i = 0; i < count; i++) {
            EXPECT(is_event(&read_events[i], read_events[i].time));
            EXPECT(read_events[i].time >= last);
            last = read_events[i].time;
        }
        EXPECT(next >= cursor);
        cursor = next;
    }
    EXPECT(pthread_join(writer, NULL) == 0);
}

static const struct test_row rows[] = {
    {"model", "a reader gets the events that are left, in order, and where to go on", run_model},
    {"cursors", "any cursor can be asked for", run_cursors},
    {"beside", "events that are read while others are written are whole", run_beside},
};

TEST_MAIN("trace_ring", rows)
