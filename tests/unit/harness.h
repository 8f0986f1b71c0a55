/* SPDX-License-Identifier: MIT */
/*
 * What the host tests share: rows of named cases, and a reproducible random source. Each row runs in a process of its own; CK_RUN_CASE=name runs one alone. QUIRE_SEED and QUIRE_STEPS set the
 * seed, and the length, of the randomized rows.
 */
#ifndef UNIT_HARNESS_H
#define UNIT_HARNESS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_row {
    const char *name;
    const char *sentence; /* what holds if the row passes */
    void (*run)(void);
};

/* Runs the rows, prints TAP on standard output and returns the exit status. */
int test_main(const char *suite, const struct test_row *rows, size_t count);

#define TEST_MAIN(suite, rows)                                                                                         \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        return test_main(suite, rows, sizeof(rows) / sizeof((rows)[0]));                                               \
    }

/* Ends the row as failed unless `condition` holds. Cheaper than Check's own, which notes every call it passes. */
#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("line %d: %s (seed %llu, step %llu)", __LINE__, #condition, (unsigned long long)test_seed,    \
                         (unsigned long long)test_step);                                                               \
    } while (0)

extern uint64_t test_seed; /* printed at the start */
extern uint64_t test_step; /* a randomized row counts here, for the message of a failure */

/* Called first when a check fails, for a row in which one is to fail. It does not return. */
extern void (*check_failed_hook)(const char *expression);

/* The number of steps of a randomized row: at least 100,000 unless QUIRE_STEPS says otherwise. */
uint64_t test_steps(void);

/* The random source. Each row starts with a state that depends on the seed and the row alone. */
uint64_t random_next(void);
uint64_t random_below(uint64_t bound);
bool random_chance(unsigned percent);

#endif
