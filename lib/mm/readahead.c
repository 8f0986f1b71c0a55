/* SPDX-License-Identifier: MIT */
/* Windows of pages to read ahead. */
#include <mm/readahead.h>

#define MISSES_MAX    1000u /* more are not counted, so that hits can make up for them */
#define MISSES_RANDOM 100u  /* from there on a mapping is taken to be used at random */

void readahead_init(struct readahead_state *state, uint32_t max)
{
    *state = (struct readahead_state){.previous = UINT64_MAX, .advice = READAHEAD_NORMAL};
    state->max = max < READAHEAD_PAGES_MAX ? max : READAHEAD_PAGES_MAX;
}

void readahead_advise(struct readahead_state *state, enum readahead_advice advice)
{
    state->advice = (uint8_t)advice;
    state->misses = 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The largest window now. */
static uint32_t window_max(const struct readahead_state *state, const struct readahead_request *request)
{
    uint64_t max = state->max;
    if (state->advice == READAHEAD_SEQUENTIAL)
        max = smaller(2 * max, READAHEAD_PAGES_MAX);
    return (uint32_t)smaller(max, request->spare);
}

static uint32_t power_of_two_from(uint32_t value)
{
    uint32_t power = 1;
    while (power < value)
        power *= 2;
    return power;
}

/* The first window of who asks for `count` pages. */
static uint32_t first_size(uint32_t count, uint32_t max)
{
    uint32_t size = power_of_two_from(count);
    if (size <= max / 32)
        return size * 4;
    return size <= max / 4 ? size * 2 : max;
}

/* The window after one of `size`. */
static uint32_t next_size(uint32_t size, uint32_t max)
{
    if (size < max / 16)
        return larger(4UL * size, 1) <= max ? (uint32_t)larger(4UL * size, 1) : max;
    return size <= max / 2 ? 2 * size : max;
}

/* Reads [start, start + count) as far as the file goes, and nothing else; the state stays. */
static struct readahead_plan plain(uint64_t start, uint64_t count, uint64_t limit)
{
    if (start >= limit)
        return (struct readahead_plan){.start = start, .count = 0, .mark = READAHEAD_NO_MARK};
    return (struct readahead_plan){
        .start = start, .count = (uint32_t)smaller(count, limit - start), .mark = READAHEAD_NO_MARK};
}

/* Reads the window of the state. Its mark is where the asynchronous part begins, if that is in the file. */
static struct readahead_plan window(const struct readahead_state *state, uint64_t limit)
{
    struct readahead_plan plan = plain(state->start, state->size, limit);
    if (state->async > 0 && state->size - state->async < plan.count)
        plan.mark = state->start + state->size - state->async;
    return plan;
}

static void set_window(struct readahead_state *state, uint64_t start, uint32_t size, uint32_t async)
{
    state->start = start;
    state->size = size;
    state->async = async;
}

/* A window that is marked where its reader stands would only have him ask at once for the next: that is joined to it. */
static void join_next(struct readahead_state *state, uint32_t max)
{
    uint32_t more = next_size(state->size, max);
    if (state->async != state->size)
        return;
    if (state->size + more <= max)
        set_window(state, state->start, state->size + more, more);
    else
        set_window(state, state->start, max, max / 2);
}

static struct readahead_plan first_window(struct readahead_state *state, const struct readahead_request *request,
                                          uint32_t max)
{
    uint32_t size = first_size(request->count, max);
    set_window(state, request->index, size, size > request->count ? size - request->count : size);
    join_next(state, max);
    return window(state, request->limit);
}

/* Goes on behind the last window. */
static struct readahead_plan next_window(struct readahead_state *state, uint64_t start, uint64_t limit, uint32_t max)
{
    uint32_t size = next_size(state->size, max);
    set_window(state, start, size, size);
    return window(state, limit);
}

/* A marked page: what comes behind is to be read, though nobody waits for it. */
static struct readahead_plan marked_page(struct readahead_state *state, const struct readahead_request *request,
                                         uint32_t max)
{
    uint64_t end = state->start + state->size;
    if (state->size > 0 && request->index == end - state->async)
        return next_window(state, end, request->limit, max);
    /* Of another reader's window: go on where that ends. */
    if (request->next_absent == 0 || request->next_absent > max)
        return plain(request->limit, 0, request->limit);
    state->size = request->next_absent;
    return next_window(state, request->index + request->next_absent, request->limit, max);
}

/* Pages below are there as if somebody had read up to here: take them for a window of his. */
static struct readahead_plan after_history(struct readahead_state *state, const struct readahead_request *request,
                                           uint32_t max)
{
    uint64_t size = request->history >= request->index ? 2UL * request->history : request->history;
    size = smaller(size + request->count, max);
    set_window(state, request->index, (uint32_t)size, 1);
    return window(state, request->limit);
}

/* A page that is not there, and nobody marked: whose step is it? */
static struct readahead_plan missing_page(struct readahead_state *state, const struct readahead_request *request,
                                          uint32_t max)
{
    uint64_t end = state->start + state->size;
    if (request->index == 0)
        return first_window(state, request, max);
    if (state->size > 0 && request->index == end && request->count <= max) {
        set_window(state, end, next_size(state->size, max), next_size(state->size, max));
        join_next(state, max);
        return window(state, request->limit);
    }
    if (request->count > max || request->index == state->previous || request->index == state->previous + 1)
        return first_window(state, request, max);
    if (request->history > request->count)
        return after_history(state, request, max);
    return plain(request->index, request->count, request->limit);
}

struct readahead_plan readahead_read(struct readahead_state *state, const struct readahead_request *request)
{
    struct readahead_plan plan;
    uint32_t max = window_max(state, request);
    ASSERT(request->count > 0);
    if (request->index >= request->limit)
        return plain(request->index, 0, request->limit);
    if (max == 0 || state->advice == READAHEAD_RANDOM)
        plan =
            plain(request->index, request->marked ? 0 : smaller(request->count, READAHEAD_PAGES_MAX), request->limit);
    else if (request->marked)
        plan = marked_page(state, request, max);
    else
        plan = missing_page(state, request, max);
    state->previous = request->index + request->count - 1;
    return plan;
}

/* Reads around a page: half of the window lies before it, and a quarter of it, at the end, is marked. */
static struct readahead_plan around(struct readahead_state *state, const struct readahead_request *request,
                                    uint32_t max)
{
    uint64_t start = request->index - smaller(request->index, max / 2);
    set_window(state, start, max, max / 4);
    return window(state, request->limit);
}

struct readahead_plan readahead_fault(struct readahead_state *state, const struct readahead_request *request)
{
    uint32_t max = window_max(state, request);
    if (request->index >= request->limit)
        return plain(request->index, 0, request->limit);
    if (max == 0 || state->advice == READAHEAD_RANDOM)
        return plain(request->index, request->marked ? 0 : 1, request->limit);
    bool next = state->size > 0 && request->index == state->start + state->size;
    if (request->marked || next || state->advice == READAHEAD_SEQUENTIAL)
        return readahead_read(state, request);
    if (state->misses < MISSES_MAX)
        state->misses++;
    state->previous = request->index;
    if (state->misses > MISSES_RANDOM)
        return plain(request->index, 1, request->limit);
    return around(state, request, max);
}

void readahead_hit(struct readahead_state *state)
{
    if (state->misses > 0)
        state->misses--;
}

struct readahead_plan readahead_will_need(const struct readahead_state *state, uint64_t *index, uint64_t end,
                                          uint64_t limit)
{
    uint64_t stop = smaller(end, limit);
    uint64_t count = *index < stop ? smaller(stop - *index, larger(state->max, 1)) : 0;
    struct readahead_plan plan = plain(*index, count, limit);
    *index += count;
    return plan;
}

uint32_t swap_readahead_window(struct swap_readahead_state *state, uint64_t slot)
{
    uint32_t pages = power_of_two_from(state->hits + 2);
    bool neighbour = slot == state->previous + 1 || slot + 1 == state->previous;
    if (state->hits == 0)
        pages = neighbour ? 2 : 1;
    if (pages > SWAP_READAHEAD_PAGES)
        pages = SWAP_READAHEAD_PAGES;
    if (pages < state->last / 2)
        pages = state->last / 2;
    state->previous = slot;
    state->hits = 0;
    state->last = pages;
    return pages;
}
