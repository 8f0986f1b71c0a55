/* SPDX-License-Identifier: MIT */
/* Windows of pages to read ahead: readers in order, by jumps, backwards, several at once; and a simulated page cache in
 * which every page that is asked for has to be there, with bounds on what is read in vain and on what is waited for. */
#include <string.h>

#include <mm/readahead.h>

#include "harness.h"

#define FILE_PAGES 4096u
#define MANY       1000000u

static struct readahead_state state;
static bool present[FILE_PAGES], marks[FILE_PAGES];
static uint64_t pages_read, waits, plans; /* waits: a page that was asked for was not there */

static void begin(uint32_t max)
{
    readahead_init(&state, max);
    memset(present, 0, sizeof(present));
    memset(marks, 0, sizeof(marks));
    pages_read = waits = plans = 0;
}

static void carry_out(struct readahead_plan plan, uint64_t limit)
{
    EXPECT(plan.count <= READAHEAD_PAGES_MAX && (plan.count == 0 || plan.start + plan.count <= limit));
    EXPECT(plan.mark == READAHEAD_NO_MARK || (plan.mark >= plan.start && plan.mark - plan.start < plan.count));
    plans += plan.count > 0;
    for (uint64_t i = plan.start; i < plan.start + plan.count; i++) {
        pages_read += !present[i];
        if (i == plan.mark && !present[i])
            marks[i] = true;
        present[i] = true;
    }
}

static uint32_t history_below(uint64_t index)
{
    uint32_t count = 0;
    while (count < index && count < 64 && present[index - count - 1])
        count++;
    return count;
}

static uint32_t absent_from(uint64_t index)
{
    for (uint32_t i = 0; i < READAHEAD_PAGES_MAX && index + i < FILE_PAGES; i++) {
        if (!present[index + i])
            return i;
    }
    return 0;
}

static struct readahead_request request_of(uint64_t index, uint32_t count, uint64_t limit)
{
    struct readahead_request request = {.index = index, .count = count, .limit = limit, .spare = MANY};
    request.history = history_below(index);
    request.marked = present[index];
    request.next_absent = present[index] ? absent_from(index) : 0;
    return request;
}

/* Reads as a file server does. */
static void read_pages(struct readahead_state *of, uint64_t index, uint32_t count, uint64_t limit)
{
    for (uint64_t i = index; i < index + count && i < limit; i++) {
        struct readahead_request request = request_of(i, (uint32_t)(index + count - i), limit);
        if (!present[i])
            waits++;
        else if (!marks[i])
            continue;
        marks[i] = false;
        carry_out(readahead_read(of, &request), limit);
        EXPECT(present[i]);
    }
    of->previous = index + count - 1;
}

static void fault(uint64_t index, uint64_t limit)
{
    struct readahead_request request = request_of(index, 1, limit);
    if (present[index] && !marks[index]) {
        readahead_hit(&state);
        return;
    }
    waits += !present[index];
    marks[index] = false;
    carry_out(readahead_fault(&state, &request), limit);
    EXPECT(present[index]);
}

static void in_order(void)
{
    begin(READAHEAD_PAGES);
    for (uint64_t i = 0; i < FILE_PAGES; i++)
        read_pages(&state, i, 1, FILE_PAGES);
    EXPECT(waits == 1 && pages_read == FILE_PAGES && plans < FILE_PAGES / READAHEAD_PAGES + 8);
    EXPECT(state.size == READAHEAD_PAGES);
}

static void windows_grow(void)
{
    struct readahead_request request = {.index = 0, .count = 1, .limit = FILE_PAGES, .spare = MANY};
    begin(32);
    struct readahead_plan plan = readahead_read(&state, &request);
    EXPECT(plan.start == 0 && plan.count == 4 && plan.mark == 1);
    request = (struct readahead_request){.index = 1, .count = 1, .limit = FILE_PAGES, .spare = MANY, .marked = true};
    plan = readahead_read(&state, &request);
    EXPECT(plan.start == 4 && plan.count == 8 && plan.mark == 4);
    request.index = 4;
    plan = readahead_read(&state, &request);
    EXPECT(plan.start == 12 && plan.count == 16 && plan.mark == 12);
    request.index = 12;
    plan = readahead_read(&state, &request);
    EXPECT(plan.start == 28 && plan.count == 32 && plan.mark == 28);
    request.index = 28;
    plan = readahead_read(&state, &request);
    EXPECT(plan.start == 60 && plan.count == 32);
    request.index = 60;
    request.spare = 5; /* memory is short */
    plan = readahead_read(&state, &request);
    EXPECT(plan.start == 92 && plan.count == 5);
}

static void large_reads(void)
{
    begin(READAHEAD_PAGES);
    read_pages(&state, 0, 100, FILE_PAGES);
    EXPECT(pages_read >= 100 && pages_read <= 100 + 2 * READAHEAD_PAGES);
    uint64_t before = waits;
    for (uint64_t i = 100; i < 2000; i += 100)
        read_pages(&state, i, 100, FILE_PAGES);
    EXPECT(waits == before && pages_read <= 2000 + 2 * READAHEAD_PAGES);
}

static void by_jumps(void)
{
    begin(READAHEAD_PAGES);
    for (uint64_t i = 1; i < 1000; i++)
        read_pages(&state, i * 1237 % FILE_PAGES, 1, FILE_PAGES);
    EXPECT(pages_read < 1100); /* by chance a jump ends beside pages that are there */
}

static void backwards(void)
{
    begin(READAHEAD_PAGES);
    for (uint64_t i = FILE_PAGES - 1; i > FILE_PAGES - 500; i--)
        read_pages(&state, i, 1, FILE_PAGES);
    EXPECT(pages_read == 499);
}

static void two_readers(void)
{
    struct readahead_state other;
    begin(READAHEAD_PAGES);
    readahead_init(&other, READAHEAD_PAGES);
    for (uint64_t i = 0; i < 1000; i++) {
        read_pages(&state, i, 1, FILE_PAGES);
        read_pages(&other, 2000 + i, 1, FILE_PAGES);
    }
    EXPECT(waits <= 3 && pages_read <= 2000 + 4 * READAHEAD_PAGES);
    /* One state for two streams: marks and pages below tell them apart. */
    begin(READAHEAD_PAGES);
    for (uint64_t i = 0; i < 1000; i++) {
        read_pages(&state, i, 1, FILE_PAGES);
        read_pages(&state, 2000 + i, 1, FILE_PAGES);
    }
    EXPECT(waits < 200 && pages_read <= 2000 + 4 * READAHEAD_PAGES);
}

static void advice(void)
{
    begin(READAHEAD_PAGES);
    readahead_advise(&state, READAHEAD_RANDOM);
    for (uint64_t i = 0; i < 100; i++)
        read_pages(&state, i, 1, FILE_PAGES);
    EXPECT(pages_read == 100 && waits == 100);
    readahead_advise(&state, READAHEAD_SEQUENTIAL);
    for (uint64_t i = 100; i < 1000; i++)
        read_pages(&state, i, 1, FILE_PAGES);
    EXPECT(state.size == 2 * READAHEAD_PAGES && waits <= 102);
    readahead_advise(&state, READAHEAD_NORMAL);
    begin(0);
    for (uint64_t i = 0; i < 50; i++)
        read_pages(&state, i, 1, FILE_PAGES);
    EXPECT(pages_read == 50);
    begin(MANY);
    EXPECT(state.max == READAHEAD_PAGES_MAX);
}

static void ends_of_files(void)
{
    struct readahead_request request = {.index = 10, .count = 1, .limit = 10, .spare = MANY};
    begin(READAHEAD_PAGES);
    EXPECT(readahead_read(&state, &request).count == 0 && readahead_fault(&state, &request).count == 0);
    request.index = 9;
    EXPECT(readahead_fault(&state, &request).start == 0 && state.size == 32);
    begin(READAHEAD_PAGES);
    for (uint64_t i = 0; i < 10; i++)
        read_pages(&state, i, 1, 10);
    EXPECT(pages_read == 10 && waits == 1);
}

static void mappings(void)
{
    struct readahead_request request = {.index = 100, .count = 1, .limit = FILE_PAGES, .spare = MANY};
    begin(32);
    struct readahead_plan plan = readahead_fault(&state, &request);
    EXPECT(plan.start == 84 && plan.count == 32 && plan.mark == 108);
    begin(32);
    for (uint64_t i = 0; i < FILE_PAGES; i++)
        fault(i, FILE_PAGES);
    EXPECT(waits <= 1 && pages_read == FILE_PAGES);
    begin(32); /* at random: after a hundred misses no more than is asked for */
    for (unsigned i = 0; i < 3000; i++)
        fault(random_below(FILE_PAGES / 64) * 64 + 32, FILE_PAGES);
    begin(1);
    for (uint64_t i = 0; i < 200; i++)
        fault(i * 20, FILE_PAGES);
    EXPECT(state.misses == 200 && pages_read == 200);
    begin(32);
    state.misses = 500;
    fault(1000, FILE_PAGES);
    EXPECT(pages_read == 1);
    for (unsigned i = 0; i < 450; i++)
        readahead_hit(&state);
    fault(2000, FILE_PAGES);
    EXPECT(pages_read == 33 && state.misses == 52);
}

static void will_need(void)
{
    uint64_t index = 5, total = 0;
    begin(32);
    for (;;) {
        struct readahead_plan plan = readahead_will_need(&state, &index, 200, 150);
        if (plan.count == 0)
            break;
        EXPECT(plan.count <= 32 && plan.mark == READAHEAD_NO_MARK);
        carry_out(plan, 150);
        total += plan.count;
    }
    EXPECT(total == 145 && index == 150 && present[5] && present[149] && !present[4] && !present[150]);
}

static void swap_windows(void)
{
    struct swap_readahead_state swap = {.previous = 1000};
    EXPECT(swap_readahead_window(&swap, 5) == 1 && swap_readahead_window(&swap, 6) == 2);
    swap.hits = 1;
    EXPECT(swap_readahead_window(&swap, 100) == 4);
    swap.hits = 3;
    EXPECT(swap_readahead_window(&swap, 200) == 8);
    swap.hits = 100;
    EXPECT(swap_readahead_window(&swap, 300) == SWAP_READAHEAD_PAGES);
    EXPECT(swap_readahead_window(&swap, 900) == 4 && swap_readahead_window(&swap, 100) == 2);
    EXPECT(swap_readahead_window(&swap, 900) == 1);
}

/* --- The random run ----------------------------------------------------------------------------------------------- */

/* What holds whatever is asked: the page that is wanted is read; nothing outside the file; no more than a window. */
static void random_step(void)
{
    uint64_t limit = 1 + random_below(FILE_PAGES);
    uint64_t index = random_chance(60) ? state.previous + 1 : random_below(limit);
    if (index >= limit)
        index = random_below(limit);
    struct readahead_request request = request_of(index, 1 + (uint32_t)random_below(80), limit);
    request.spare = random_chance(20) ? (uint32_t)random_below(20) : MANY;
    uint32_t most = 2 * state.max > request.count ? 2 * state.max : request.count;
    bool mapping = random_chance(30);
    struct readahead_plan plan;
    if (mapping) {
        request.count = 1;
        plan = readahead_fault(&state, &request);
    } else {
        plan = readahead_read(&state, &request);
    }
    EXPECT(plan.count <= most && plan.count <= READAHEAD_PAGES_MAX);
    EXPECT(request.marked || (index >= plan.start && index - plan.start < plan.count));
    EXPECT(plan.count <= (request.spare > request.count ? request.spare : request.count) || plan.count <= 1);
    carry_out(plan, limit);
    if (random_chance(20))
        memset(present + random_below(FILE_PAGES - 300), 0, 300); /* they were evicted */
    if (random_chance(2))
        readahead_advise(&state, (enum readahead_advice)random_below(3));
    if (random_chance(1))
        readahead_init(&state, (uint32_t)random_below(600));
}

static void random_run(void)
{
    begin(READAHEAD_PAGES);
    for (test_step = 0; test_step < test_steps(); test_step++)
        random_step();
}

static const struct test_row rows[] = {
    {"in_order", "who reads in order waits once and reads nothing in vain", in_order},
    {"windows_grow", "windows grow to the largest, and are small while memory is short", windows_grow},
    {"large_reads", "reads larger than a window go on without waiting", large_reads},
    {"by_jumps", "who jumps about gets what he asked for", by_jumps},
    {"backwards", "who reads backwards gets what he asked for", backwards},
    {"two_readers", "two readers of a file each have a window", two_readers},
    {"advice", "advice ends, doubles and restores reading ahead", advice},
    {"ends_of_files", "nothing is read behind the end", ends_of_files},
    {"mappings", "faults read around a page until that is in vain", mappings},
    {"will_need", "a range that will be needed is read in windows", will_need},
    {"swap_windows", "windows of swap grow with hits and shrink by halves", swap_windows},
    {"random_run", "what is asked for is read, nothing outside the file, no more than a window", random_run},
};

TEST_MAIN("readahead", rows)
