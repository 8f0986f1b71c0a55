/* SPDX-License-Identifier: MIT */
/*
 * How much time is lost because memory is short. *Some* time is lost while at least one task waits for memory; *full*
 * while all that could run do. Each is a sum in microseconds and three averages, over the last 10, 60 and 300 s, in which
 * older time counts exponentially less. All in integers.
 *
 * In every call: the lock of whoever owns the structure is held. Times are microseconds of one clock that never goes back;
 * a time before the last one counts as that.
 */
#ifndef MM_PRESSURE_H
#define MM_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>

#define PRESSURE_PERIOD_US     2000000u /* between two steps of the averages */
#define PRESSURE_FIXED_SHIFT   11
#define PRESSURE_FIXED         (1u << PRESSURE_FIXED_SHIFT) /* averages: percent in these parts */
#define PRESSURE_WINDOW_MIN_US 500000u
#define PRESSURE_WINDOW_MAX_US 10000000u
#define PRESSURE_AVERAGES      3u /* 10, 60, 300 s */

enum pressure_kind { PRESSURE_OF_SOME, PRESSURE_OF_FULL, PRESSURE_KINDS };

struct pressure {
    uint64_t since;                                       /* sums are right up to then */
    uint64_t total[PRESSURE_KINDS];                       /* microseconds lost so far */
    uint64_t counted[PRESSURE_KINDS];                     /* of those, that the averages have */
    uint64_t period_start;                                /* of the averages' next step */
    uint32_t averages[PRESSURE_KINDS][PRESSURE_AVERAGES]; /* in percent / PRESSURE_FIXED */
    uint32_t waiting;                                     /* tasks that wait for memory now */
    uint32_t running;                                     /* others that could run */
};

/* Nobody waits, nothing was lost. */
void pressure_init(struct pressure *pressure, uint64_t now);

/* From now on `waiting` tasks wait for memory and `running` others could run. */
void pressure_change(struct pressure *pressure, uint64_t now, uint32_t waiting, uint32_t running);

/* Brings sums and averages up to now. To be called every now and then, at least before they are read. */
void pressure_update(struct pressure *pressure, uint64_t now);

/* An average in hundredths of a percent; `average` below PRESSURE_AVERAGES. As of the last update. */
uint32_t pressure_average(const struct pressure *pressure, enum pressure_kind kind, unsigned average);

/* Somebody who wants to know when more than `stall` of any `window` is lost. */
struct pressure_watch {
    enum pressure_kind kind;
    uint64_t stall, window;
    uint64_t window_start;
    uint64_t window_total;    /* the sum at its start */
    uint64_t previous_growth; /* what the window before lost */
    uint64_t last_told;       /* when; a window is told once */
    bool told;
};

/* Begins a watch. EINVAL: a window out of bounds, a stall of 0 or more than the window. */
MUST_CHECK int pressure_watch_init(struct pressure_watch *watch, const struct pressure *pressure,
                                   enum pressure_kind kind, uint64_t stall, uint64_t window, uint64_t now);

/* To be called after each update: true if the watcher is to be told now. At most once in a window. */
bool pressure_watch_update(struct pressure_watch *watch, const struct pressure *pressure, uint64_t now);

/* 0, or EIO (negative) if more was lost than could be, or full more than some. */
MUST_CHECK int pressure_check(const struct pressure *pressure, uint64_t start);

#endif
