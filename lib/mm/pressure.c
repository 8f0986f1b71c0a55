/* SPDX-License-Identifier: MIT */
/* Time that is lost for want of memory. */
#include <errno.h>

#include <mm/pressure.h>

/* What stays of an average after one period: e^(-2/10), e^(-2/60), e^(-2/300), in parts of PRESSURE_FIXED. */
static const uint32_t decay[PRESSURE_AVERAGES] = {1677, 1981, 2034};

void pressure_init(struct pressure *pressure, uint64_t now)
{
    *pressure = (struct pressure){.since = now, .period_start = now};
}

/* Adds what was lost since the sums were right. */
static void add_up(struct pressure *pressure, uint64_t now)
{
    if (now <= pressure->since)
        return;
    uint64_t passed = now - pressure->since;
    if (pressure->waiting > 0) {
        pressure->total[PRESSURE_OF_SOME] += passed;
        if (pressure->running == 0)
            pressure->total[PRESSURE_OF_FULL] += passed;
    }
    pressure->since = now;
}

void pressure_change(struct pressure *pressure, uint64_t now, uint32_t waiting, uint32_t running)
{
    add_up(pressure, now);
    pressure->waiting = waiting;
    pressure->running = running;
}

/* One step of an average to `percent`, which is in parts of PRESSURE_FIXED, too. A rising one is rounded up, so that it
 * gets to 100. */
static uint32_t step(uint32_t average, uint32_t keep, uint32_t percent)
{
    uint64_t sum = (uint64_t)average * keep + (uint64_t)percent * (PRESSURE_FIXED - keep);
    if (percent >= average)
        sum += PRESSURE_FIXED - 1;
    return (uint32_t)(sum >> PRESSURE_FIXED_SHIFT);
}

/* value * keep^times, by squaring. */
static uint32_t fade(uint32_t value, uint32_t keep, uint64_t times)
{
    uint64_t power = keep, result = PRESSURE_FIXED;
    for (; times > 0 && result > 0; times /= 2) {
        if (times & 1)
            result = result * power >> PRESSURE_FIXED_SHIFT;
        power = power * power >> PRESSURE_FIXED_SHIFT;
    }
    return (uint32_t)(value * result >> PRESSURE_FIXED_SHIFT);
}

/* The part of `passed` that was lost, in percent; what is more than all of it, by rounding of times, is all. */
static uint32_t percent_of(uint64_t lost, uint64_t passed)
{
    if (lost > passed)
        lost = passed;
    return (uint32_t)(lost * 100 * PRESSURE_FIXED / passed);
}

void pressure_update(struct pressure *pressure, uint64_t now)
{
    add_up(pressure, now);
    if (now < pressure->period_start + PRESSURE_PERIOD_US)
        return;
    uint64_t passed = now - pressure->period_start, missed = passed / PRESSURE_PERIOD_US - 1;
    for (unsigned kind = 0; kind < PRESSURE_KINDS; kind++) {
        /* Nobody looked for several periods: what was lost in them is spread over all, the last of which is a step. */
        uint32_t percent = percent_of(pressure->total[kind] - pressure->counted[kind], passed);
        for (unsigned i = 0; i < PRESSURE_AVERAGES; i++) {
            uint32_t *average = &pressure->averages[kind][i];
            if (missed > 0 && percent >= *average)
                *average = percent - fade(percent - *average, decay[i], missed);
            else if (missed > 0)
                *average = percent + fade(*average - percent, decay[i], missed);
            *average = step(*average, decay[i], percent);
        }
        pressure->counted[kind] = pressure->total[kind];
    }
    pressure->period_start = now;
}

uint32_t pressure_average(const struct pressure *pressure, enum pressure_kind kind, unsigned average)
{
    return (uint32_t)((uint64_t)pressure->averages[kind][average] * 100 >> PRESSURE_FIXED_SHIFT);
}

int pressure_watch_init(struct pressure_watch *watch, const struct pressure *pressure, enum pressure_kind kind,
                        uint64_t stall, uint64_t window, uint64_t now)
{
    if (kind >= PRESSURE_KINDS || window < PRESSURE_WINDOW_MIN_US || window > PRESSURE_WINDOW_MAX_US || stall == 0 ||
        stall > window)
        return -EINVAL;
    *watch = (struct pressure_watch){
        .kind = kind, .stall = stall, .window = window, .window_start = now, .window_total = pressure->total[kind]};
    return 0;
}

/* What the last `window` lost: all of the one that has begun, and the part of the one before that reaches into it. */
static uint64_t growth_of(struct pressure_watch *watch, uint64_t total, uint64_t now)
{
    uint64_t passed = now - watch->window_start, growth = total - watch->window_total;
    if (passed > watch->window) {
        watch->window_start = now;
        watch->window_total = total;
        watch->previous_growth = growth;
        return growth;
    }
    return growth + watch->previous_growth * (watch->window - passed) / watch->window;
}

bool pressure_watch_update(struct pressure_watch *watch, const struct pressure *pressure, uint64_t now)
{
    if (now < watch->window_start)
        return false;
    uint64_t growth = growth_of(watch, pressure->total[watch->kind], now);
    if (growth < watch->stall || (watch->told && now < watch->last_told + watch->window))
        return false;
    watch->told = true;
    watch->last_told = now;
    return true;
}

int pressure_check(const struct pressure *pressure, uint64_t start)
{
    const uint32_t whole = 100 * PRESSURE_FIXED;
    uint64_t passed = pressure->since - start;
    for (unsigned kind = 0; kind < PRESSURE_KINDS; kind++) {
        if (pressure->total[kind] > passed || pressure->counted[kind] > pressure->total[kind])
            return -EIO;
        for (unsigned i = 0; i < PRESSURE_AVERAGES; i++) {
            if (pressure->averages[kind][i] > whole)
                return -EIO;
        }
    }
    return pressure->total[PRESSURE_OF_FULL] <= pressure->total[PRESSURE_OF_SOME] ? 0 : -EIO;
}
