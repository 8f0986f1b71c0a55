/* SPDX-License-Identifier: MIT */
/*
 * The timer functions of platform.h by the time-stamp counter and the local interrupt controller's timer. How fast these
 * are is measured against the PC's interval timer (8254), whose frequency is the one that is known.
 */
#include <arch/ipi.h>

#include "arch.h"
#include "panic.h"
#include "pc.h"

#define PIT_FREQUENCY    1193182UL
#define PIT_DATA         0x40u
#define PIT_COMMAND      0x43u
#define PIT_ONE_SHOT     0x30u /* channel 0, both bytes, mode 0 */
#define PIT_READ_BACK    0xc2u /* of channel 0: its status, then its count */
#define PIT_STATUS_ENDED 0x80u
#define PIT_START        0xffffu
#define MEASURED_TICKS   30000u /* of the interval timer: 25 ms */
#define READINGS         16u
#define TRIES            64u
#define FREQUENCY_MAX    10000000000UL
#define KHZ              1000UL
#define DEADLINE_SECONDS 30u /* a product of two counters fits */

static uint64_t lapic_frequency;

struct reading {
    uint64_t counter, pit, lapic;
    uint64_t width; /* how long the reading took */
};

/* What is left of the interval timer's count. 0: it ended. */
static uint64_t pit_read(void)
{
    port_write8(PIT_COMMAND, PIT_READ_BACK);
    const uint8_t status = port_read8(PIT_DATA);
    const uint64_t low = port_read8(PIT_DATA);
    const uint64_t count = low | (uint64_t)port_read8(PIT_DATA) << 8;
    return status & PIT_STATUS_ENDED ? 0 : count;
}

/* The three counters at one time: the quickest of several readings, as the processor may stand still in any of them. */
static struct reading read_counters(void)
{
    struct reading best = {.width = UINT64_MAX};
    for (unsigned i = 0; i < READINGS; i++) {
        struct reading reading;
        const uint64_t before = tsc_read();
        reading.pit = pit_read();
        reading.lapic = lapic_timer_left();
        const uint64_t after = tsc_read();
        reading.width = after - before;
        reading.counter = before + reading.width / 2;
        if (reading.width < best.width)
            best = reading;
    }
    return best;
}

/* Measures once. False: the interval timer ended meanwhile. */
static bool measure(uint64_t *counter_frequency)
{
    port_write8(PIT_COMMAND, PIT_ONE_SHOT);
    port_write8(PIT_DATA, PIT_START & 0xff);
    port_write8(PIT_DATA, PIT_START >> 8);
    lapic_timer_start(UINT32_MAX);
    const struct reading first = read_counters();
    /* A processor that stood still before the first reading may find the interval timer too far on for the rest. */
    for (uint64_t left = first.pit; left && first.pit - left < MEASURED_TICKS; left = pit_read())
        cpu_relax();
    const struct reading last = read_counters();
    lapic_timer_start(0);
    if (!first.pit || !last.pit || first.pit <= last.pit)
        return false;
    const uint64_t ticks = first.pit - last.pit;
    *counter_frequency = (last.counter - first.counter) * PIT_FREQUENCY / ticks;
    lapic_frequency = (first.lapic - last.lapic) * PIT_FREQUENCY / ticks;
    return true;
}

void clock_discover(void)
{
    uint64_t frequency = 0;

    lapic_init_cpu();
    for (unsigned i = 0; i < TRIES && !frequency; i++) {
        if (!measure(&frequency))
            frequency = 0;
    }
    /* User programs know it in kHz: see arch_cpu_init(). */
    frequency = (frequency + KHZ / 2) / KHZ * KHZ;
    if (!frequency || frequency > FREQUENCY_MAX || !lapic_frequency)
        panic("clock: the counter's frequency could not be measured");
    machine.timer_frequency = frequency;
}

void clock_wait_us(uint64_t microseconds)
{
    const uint64_t end = timer_now() + machine.timer_frequency / 1000000 * microseconds;
    while (timer_now() < end)
        cpu_relax();
}

void timer_init_cpu(void)
{
    timer_disarm();
}

uint64_t timer_now(void)
{
    return tsc_read();
}

void timer_arm(uint64_t deadline)
{
    const uint64_t now = timer_now();
    const uint64_t ticks = deadline > now ? deadline - now : 0;
    uint64_t count = UINT32_MAX;

    /* A little late, never early. */
    if (ticks / machine.timer_frequency < DEADLINE_SECONDS)
        count = ticks * lapic_frequency / machine.timer_frequency + 1;
    lapic_timer_start((uint32_t)(count > UINT32_MAX ? UINT32_MAX : count));
}

void timer_disarm(void)
{
    lapic_timer_start(0);
}
