/* SPDX-License-Identifier: MIT */
/* The host tests' runner, random source; and what lib/base asks every program for. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <base/check.h>
#include <base/lock.h>

#include "harness.h"

#define DEFAULT_STEPS       100000u
#define ROW_TIMEOUT_SECONDS 240

uint64_t test_seed;
uint64_t test_step;

static uint64_t random_state;
static const struct test_row *all_rows;

void (*check_failed_hook)(const char *expression);

void check_failed(const char *file, int line, const char *expression)
{
    if (check_failed_hook)
        check_failed_hook(expression);
    ck_abort_msg("check failed at %s:%d: %s (seed %llu, step %llu)", file, line, expression,
                 (unsigned long long)test_seed, (unsigned long long)test_step);
    abort();
}

void spinlock_wait(uint32_t turns)
{
    if (turns % 64 == 0)
        sched_yield();
}

struct lock_stack *lock_stack(void)
{
    static _Thread_local struct lock_stack stack;
    return &stack;
}

/* splitmix64 */
uint64_t random_next(void)
{
    uint64_t value = random_state += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

uint64_t random_below(uint64_t bound)
{
    return random_next() % bound;
}

bool random_chance(unsigned percent)
{
    return random_below(100) < percent;
}

uint64_t test_steps(void)
{
    const char *text = getenv("QUIRE_STEPS");
    return text ? strtoull(text, NULL, 0) : DEFAULT_STEPS;
}

START_TEST(run_row)
{
    random_state = test_seed;
    for (const char *letter = all_rows[_i].name; *letter; letter++)
        random_state = random_state * 31 + (unsigned char)*letter;
    all_rows[_i].run();
}
END_TEST

int test_main(const char *suite_name, const struct test_row *rows, size_t count)
{
    const char *seed_text = getenv("QUIRE_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    test_seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    all_rows = rows;

    Suite *suite = suite_create(suite_name);
    for (size_t i = 0; i < count; i++) {
        TCase *row = tcase_create(rows[i].name);
        tcase_set_timeout(row, ROW_TIMEOUT_SECONDS);
        tcase_add_loop_test(row, run_row, (int)i, (int)i + 1);
        suite_add_tcase(suite, row);
    }
    SRunner *runner = srunner_create(suite);
    if (!getenv("CK_TAP_LOG_FILE_NAME"))
        srunner_set_tap(runner, "-");
    printf("# %s: QUIRE_SEED=%llu\n", suite_name, (unsigned long long)test_seed);
    fflush(stdout);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
