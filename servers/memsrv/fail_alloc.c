/* SPDX-License-Identifier: MIT */
/* Failing allocations: see fail_alloc.h. */
#include "fail_alloc.h"

#include <errno.h>
#include <proto/memsrv_dispatch.h>
#include <string.h>

#include "log.h"
#include "memory.h"
#include "page_debug.h"
#include "trace.h"

#define KEY       "quire.fail_alloc="
#define KINDS_ALL (MEMSRV_FAIL_USER | MEMSRV_FAIL_TABLES | MEMSRV_FAIL_OBJECTS | MEMSRV_FAIL_RECORDS | MEMSRV_FAIL_HUGE)
#define NUMBERS   3u

uint64_t fail_alloc_kinds;

/* Atomic, each by itself. */
static uint64_t interval = 1, times, skip; /* as they were set; times and skip run down */
static uint64_t requests, failures;

static struct page_list no_pages;

/* Takes one from a counter that is above 0; false if it is not. */
static bool take_one(uint64_t *counter)
{
    uint64_t value = __atomic_load_n(counter, __ATOMIC_RELAXED);

    while (value > 0) {
        if (__atomic_compare_exchange_n(counter, &value, value - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

bool fail_alloc_next(uint64_t kind)
{
    (void)kind;
    if (take_one(&skip))
        return false;
    const uint64_t number = __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED);
    if (number % __atomic_load_n(&interval, __ATOMIC_RELAXED) != 0 || !take_one(&times))
        return false;
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    return true;
}

void fail_alloc_set_source(struct memsrv_context *worker)
{
    /* Who watches pages also wants each to come from page_take_slow(). */
    const bool fails = (__atomic_load_n(&fail_alloc_kinds, __ATOMIC_RELAXED) & MEMSRV_FAIL_USER) ||
                       __atomic_load_n(&trace_on, __ATOMIC_RELAXED) || page_poison_on;
    __atomic_store_n(&worker->user_list, fails ? &no_pages : &worker->pages.movable[preferred_zone], __ATOMIC_RELAXED);
}

static int set(uint64_t kinds, uint64_t new_interval, uint64_t new_times, uint64_t new_skip)
{
    if ((kinds & ~KINDS_ALL) || new_interval == 0)
        return -EINVAL;
    __atomic_store_n(&fail_alloc_kinds, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&interval, new_interval, __ATOMIC_RELAXED);
    __atomic_store_n(&times, new_times, __ATOMIC_RELAXED);
    __atomic_store_n(&skip, new_skip, __ATOMIC_RELAXED);
    __atomic_store_n(&requests, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&fail_alloc_kinds, kinds, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < worker_count; i++)
        fail_alloc_set_source(&workers[i]);
    return 0;
}

/* --- The command line --------------------------------------------------------------------------------------------- */

/* The kind that text[0, length) names, or 0. */
static uint64_t kind_of(const char *text, size_t length)
{
    static const struct {
        const char *name;
        uint64_t kind;
    } known[] = {
        {"user", MEMSRV_FAIL_USER},       {"tables", MEMSRV_FAIL_TABLES}, {"objects", MEMSRV_FAIL_OBJECTS},
        {"records", MEMSRV_FAIL_RECORDS}, {"huge", MEMSRV_FAIL_HUGE},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].name) == length && memcmp(known[i].name, text, length) == 0)
            return known[i].kind;
    return 0;
}

/* Reads the kinds at *text and moves behind them. EINVAL: a kind is unknown. */
static int read_kinds(const char **text, uint64_t *kinds)
{
    *kinds = 0;
    for (;;) {
        const size_t length = strcspn(*text, "+, ");
        const uint64_t kind = kind_of(*text, length);
        if (!kind)
            return -EINVAL;
        *kinds |= kind;
        *text += length;
        if (**text != '+')
            return 0;
        (*text)++;
    }
}

/* Reads up to NUMBERS numbers, a comma before each. EINVAL: something else is there. */
static int read_numbers(const char *text, uint64_t numbers[NUMBERS])
{
    for (unsigned i = 0; i < NUMBERS && *text == ','; i++) {
        numbers[i] = 0;
        for (text++; *text >= '0' && *text <= '9'; text++)
            numbers[i] = numbers[i] * 10 + (uint64_t)(*text - '0');
    }
    return *text == ' ' || *text == '\0' ? 0 : -EINVAL;
}

void fail_alloc_init(const char *arguments)
{
    const char *text = strstr(arguments, KEY);
    uint64_t kinds, numbers[NUMBERS] = {0, UINT64_MAX, 0};

    if (!text || (text != arguments && text[-1] != ' '))
        return;
    text += sizeof(KEY) - 1;
    int error = read_kinds(&text, &kinds);
    if (!error)
        error = read_numbers(text, numbers);
    if (!error)
        error = set(kinds, numbers[0], numbers[1], numbers[2]);
    if (error)
        log_line("%s has wrong kinds or numbers and does not count", KEY);
    else
        log_line("allocations of kinds 0x%lx fail, each %lu.", kinds, numbers[0]);
}

int memsrv_handle_fail_alloc_set(struct memsrv_context *context, const struct message *request, uint64_t kinds,
                                 uint64_t new_interval, uint64_t new_times, uint64_t new_skip,
                                 uint64_t *failures_before)
{
    (void)context, (void)request;
    int error = set(kinds, new_interval, new_times, new_skip);
    if (!error)
        *failures_before = __atomic_exchange_n(&failures, 0, __ATOMIC_RELAXED);
    return error;
}
