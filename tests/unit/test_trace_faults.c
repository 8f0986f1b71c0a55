/* SPDX-License-Identifier: MIT */
/* Where the time of faults went: known timelines, and random ones whose parts must add up. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "trace_faults.h"

#define EVENTS 4096

static struct trace_event events[EVENTS];
static struct fault_time faults[EVENTS];
static size_t count;

static void put(uint64_t time, uint64_t id, enum trace_kind kind, uint64_t a, uint64_t b)
{
    events[count++] = (struct trace_event){.time = time, .id = id, .what = TRACE_WHAT(kind, 7), .a = a, .b = b};
}

static void run_simple(void)
{
    count = 0;
    put(190, 5, TRACE_FAULT_END, 0x1000, 0);
    put(100, 5, TRACE_FAULT, 0x1000, 2);
    put(110, 5, TRACE_HANDLE, 0x1000, 2);
    put(115, 5, TRACE_PAGE_ALLOC, 77, 0);
    put(160, 5, TRACE_HANDLE_END, 0x1000, TRACE_CAUSE_ANONYMOUS);
    EXPECT(trace_find_faults(events, count, faults, EVENTS) == 1);
    EXPECT(faults[0].pid == 7);
    EXPECT(faults[0].address == 0x1000);
    EXPECT(faults[0].cause == TRACE_CAUSE_ANONYMOUS);
    EXPECT(faults[0].times[PHASE_QUEUE] == 10);
    EXPECT(faults[0].times[PHASE_HANDLER] == 50);
    EXPECT(faults[0].times[PHASE_KERNEL] == 30);
    EXPECT(faults[0].total == 90);
    EXPECT(!faults[0].stopped);
    EXPECT(events[0].time == 100);
    EXPECT(events[4].time == 190);
}

static void run_major(void)
{
    count = 0;
    put(0, 9, TRACE_FAULT, 0x2000, 1);
    put(1, 9, TRACE_HANDLE, 0x2000, 1);
    put(3, 9, TRACE_HANDLE_END, 0x2000, TRACE_CAUSE_MAJOR);
    put(7, 9, TRACE_DEMAND, 0, 4);
    put(8, 9, TRACE_RECLAIM, 32, 1);
    put(24, 9, TRACE_RECLAIM_END, 32, 0);
    put(25, 9, TRACE_IO, 1, 8);
    put(27, 9, TRACE_IO, 2, 8);
    put(57, 9, TRACE_IO_END, 1, 0);
    put(89, 9, TRACE_IO_END, 2, 0);
    put(90, 9, TRACE_UNPARK, 0, 0);
    put(91, 9, TRACE_FAULT_END, 0x2000, 0);
    EXPECT(trace_find_faults(events, count, faults, EVENTS) == 1);
    EXPECT(faults[0].cause == TRACE_CAUSE_MAJOR);
    EXPECT(faults[0].times[PHASE_PAGER] == 4 + 1 + 1 + 1);
    EXPECT(faults[0].times[PHASE_RECLAIM] == 16);
    EXPECT(faults[0].times[PHASE_IO] == 64);
    EXPECT(faults[0].times[PHASE_KERNEL] == 1);
}

/* Of what was not seen whole nothing is told. */
static void run_parts(void)
{
    count = 0;
    put(10, 1, TRACE_HANDLE, 0, 0);
    put(20, 1, TRACE_HANDLE_END, 0, TRACE_CAUSE_ZERO);
    put(30, 1, TRACE_FAULT_END, 0, 0);
    put(10, 2, TRACE_FAULT, 0, 0);
    put(20, 2, TRACE_HANDLE, 0, 0);
    put(30, 3, TRACE_FAULT, 0, 0);
    put(40, 3, TRACE_FAULT_END, 0, 1);
    put(50, 0, TRACE_FAULT, 0, 0);
    put(60, 0, TRACE_HANDLE_END, 0, 0);
    put(70, 0, TRACE_FAULT_END, 0, 0);
    EXPECT(trace_find_faults(events, count, faults, EVENTS) == 0);
    EXPECT(trace_find_faults(events, 0, faults, EVENTS) == 0);
}

static void run_percentiles(void)
{
    struct fault_statistics statistics;

    for (unsigned i = 0; i < 200; i++)
        faults[i] = (struct fault_time){.id = i, .total = i % 2 ? 1000 : 1 + i / 2, .cause = (enum trace_cause)(i % 2)};
    trace_sort_faults(faults, 200);
    trace_statistics(faults, 200, (enum trace_cause)0, &statistics);
    EXPECT(statistics.count == 100);
    EXPECT(statistics.max == 100);
    EXPECT(statistics.p50 == 50);
    EXPECT(statistics.p99 == 99);
    EXPECT(statistics.buckets[7] == 37); /* 64 to 100 */
    trace_statistics(faults, 200, (enum trace_cause)1, &statistics);
    EXPECT(statistics.p50 == 1000);
    EXPECT(statistics.buckets[10] == 100);
    trace_statistics(faults, 200, TRACE_CAUSE_MAJOR, &statistics);
    EXPECT(statistics.count + statistics.max + statistics.p50 + statistics.p99 == 0);
}

/* Any events: nothing is read or written that is not theirs, and the phases of what is found add up to its total. */
static void run_random_events(void)
{
    /* Some 300 events a round. */
    for (test_step = 0; test_step < test_steps(); test_step += 300) {
        count = 0;
        const unsigned number = (unsigned)(random_below(600));
        for (unsigned i = 0; i < number; i++)
            put(random_below(500), random_below(20), (enum trace_kind)(random_below((TRACE_KIND_COUNT + 2))),
                random_next(), random_below(3) ? random_below(TRACE_CAUSE_COUNT) : random_next());
        const size_t found = trace_find_faults(events, count, faults, 8);
        for (size_t i = 0; i < found && i < 8; i++) {
            uint64_t sum = 0;
            for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
                sum += faults[i].times[phase];
            EXPECT(sum == faults[i].total);
            EXPECT(faults[i].id > 0 && faults[i].cause < TRACE_CAUSE_COUNT);
        }
        for (size_t i = 1; i < count; i++)
            EXPECT(events[i - 1].time <= events[i].time);
    }
}

static const struct test_row rows[] = {
    {"simple", "a fault's time is cut at what happened, in whatever order the events come", run_simple},
    {"major", "what waits for the pager is told apart: the pager, reclaim and transfers", run_major},
    {"parts", "of a fault that was not seen whole nothing is told", run_parts},
    {"percentiles", "percentiles and histograms are those of the cause alone", run_percentiles},
    {"random", "whatever the events, the phases of a fault add up to its total", run_random_events},
};

TEST_MAIN("trace_faults", rows)
