/* SPDX-License-Identifier: MIT */
/* Stall figures: sums, averages against the same in floating point, watches. */
#include <errno.h>

#include <mm/pressure.h>

#include "harness.h"

#define SECOND 1000000u
#define START  5000u

static struct pressure pressure;
static uint64_t now;

static void begin(void)
{
    now = START;
    pressure_init(&pressure, now);
}

static void pass(uint64_t time)
{
    now += time;
    pressure_update(&pressure, now);
    EXPECT(pressure_check(&pressure, START) == 0);
}

static void sums(void)
{
    begin();
    pass(10);
    EXPECT(pressure.total[0] == 0);
    pressure_change(&pressure, now, 1, 1);
    pass(5);
    pressure_change(&pressure, now, 2, 0);
    pass(7);
    pressure_change(&pressure, now, 0, 0);
    pass(100);
    EXPECT(pressure.total[PRESSURE_OF_SOME] == 12 && pressure.total[PRESSURE_OF_FULL] == 7);
    pressure_change(&pressure, now - 50, 1, 0); /* a time before the last one */
    pass(1);
    EXPECT(pressure.total[PRESSURE_OF_SOME] == 13);
}

static void all_and_nothing(void)
{
    begin();
    pressure_change(&pressure, now, 3, 0);
    for (unsigned i = 0; i < 4000; i++)
        pass(2 * SECOND);
    for (unsigned i = 0; i < PRESSURE_AVERAGES; i++)
        EXPECT(pressure_average(&pressure, PRESSURE_OF_SOME, i) == 10000 &&
               pressure_average(&pressure, PRESSURE_OF_FULL, i) == 10000);
    pressure_change(&pressure, now, 0, 3);
    pass(10 * SECOND);
    EXPECT(pressure_average(&pressure, PRESSURE_OF_SOME, 0) < 4000);
    EXPECT(pressure_average(&pressure, PRESSURE_OF_SOME, 2) > 9500);
    pass(10000UL * SECOND);
    for (unsigned i = 0; i < PRESSURE_AVERAGES; i++)
        EXPECT(pressure_average(&pressure, PRESSURE_OF_SOME, i) == 0);
}

/* Random loads; the averages are within a percent of what real numbers give. */
static void averages(void)
{
    static const double keeps[] = {0.8187307531, 0.9672161005, 0.9933555063}; /* e^(-2/10), e^(-2/60), e^(-2/300) */
    double expected[2][3] = {{0}};
    begin();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        uint64_t before[2] = {pressure.total[0], pressure.total[1]};
        uint64_t parts = 1 + random_below(4), base = 2 * SECOND / parts;
        for (uint64_t i = 0; i < parts; i++) {
            uint32_t waiting = random_chance(50) ? 0 : (uint32_t)random_below(3);
            pressure_change(&pressure, now, waiting, (uint32_t)random_below(2));
            pass(i + 1 < parts ? base : 2 * SECOND - base * (parts - 1));
        }
        for (unsigned kind = 0; kind < 2; kind++) {
            double percent = (double)(pressure.total[kind] - before[kind]) / (2 * SECOND) * 100;
            for (unsigned i = 0; i < 3; i++) {
                expected[kind][i] = expected[kind][i] * keeps[i] + percent * (1 - keeps[i]);
                double found = pressure_average(&pressure, (enum pressure_kind)kind, i) / 100.0;
                EXPECT(found > expected[kind][i] - 1 && found < expected[kind][i] + 1);
            }
        }
    }
}

/* Who looks seldom sees about the same. */
static void seldom(void)
{
    struct pressure often;
    begin();
    pressure_init(&often, now);
    pressure_change(&pressure, now, 1, 0);
    pressure_change(&often, now, 1, 0);
    for (unsigned i = 1; i <= 15; i++)
        pressure_update(&often, now + i * 2UL * SECOND);
    pass(30UL * SECOND);
    for (unsigned i = 0; i < PRESSURE_AVERAGES; i++) {
        int difference =
            (int)pressure_average(&pressure, PRESSURE_OF_FULL, i) - (int)pressure_average(&often, PRESSURE_OF_FULL, i);
        EXPECT(difference > -100 && difference < 100 && pressure_average(&often, PRESSURE_OF_FULL, i) > 700);
    }
}

static void watches(void)
{
    struct pressure_watch watch;
    begin();
    EXPECT(pressure_watch_init(&watch, &pressure, PRESSURE_OF_SOME, 0, SECOND, now) == -EINVAL);
    EXPECT(pressure_watch_init(&watch, &pressure, PRESSURE_OF_SOME, 2 * SECOND, SECOND, now) == -EINVAL);
    EXPECT(pressure_watch_init(&watch, &pressure, PRESSURE_OF_SOME, 1, PRESSURE_WINDOW_MIN_US - 1, now) == -EINVAL);
    EXPECT(pressure_watch_init(&watch, &pressure, PRESSURE_KINDS, 1, SECOND, now) == -EINVAL);
    EXPECT(pressure_watch_init(&watch, &pressure, PRESSURE_OF_SOME, SECOND / 10, SECOND, now) == 0);
    unsigned told = 0;
    for (unsigned i = 0; i < 100; i++) { /* 5 % lost: never told */
        pressure_change(&pressure, now, 1, 1);
        pass(SECOND / 200);
        pressure_change(&pressure, now, 0, 1);
        pass(SECOND / 10 - SECOND / 200);
        told += pressure_watch_update(&watch, &pressure, now);
    }
    EXPECT(told == 0);
    for (unsigned i = 0; i < 100; i++) { /* 20 % in ten seconds: told once a second */
        pressure_change(&pressure, now, 1, 1);
        pass(SECOND / 50);
        pressure_change(&pressure, now, 0, 1);
        pass(SECOND / 10 - SECOND / 50);
        told += pressure_watch_update(&watch, &pressure, now);
    }
    EXPECT(told >= 9 && told <= 11 && !pressure_watch_update(&watch, &pressure, 0));
}

static const struct test_row rows[] = {
    {"sums", "some is lost while one waits, full while nobody else could run", sums},
    {"all_and_nothing", "averages reach 100 and 0", all_and_nothing},
    {"averages", "integer averages follow real ones", averages},
    {"seldom", "averages do not depend on how often somebody looks", seldom},
    {"watches", "a watcher is told above his threshold, once in a window", watches},
};

TEST_MAIN("pressure", rows)
