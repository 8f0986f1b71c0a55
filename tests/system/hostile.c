/* SPDX-License-Identifier: MIT */
/*
 * A hostile program: system calls and messages by the million, at random and at the edge, from several threads. The
 * kernel, memsrv, root and console go on, and when it has ended all memory is there again.
 *
 * With the grant this is done with the authority over memory, by this program itself; without it, by a child that is
 * an ordinary program. Arguments: seed=N, calls=N.
 */
#include "hostile.h"

#include <proto/console_client.h>
#include <proto/memsrv_client.h>
#include <quire/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostile_end.h"
#include "kernel_test.h"

#define SELF           "/tests/hostile"
#define CALLS          1000000UL
#define WARM_CALLS     20000UL
#define SEED_ARGUMENT  "seed="
#define CALLS_ARGUMENT "calls="
#define NUMBER_BYTES   32
#define STATUS_FELL    9

static uint64_t number_argument(int count, char **arguments, const char *name, uint64_t otherwise)
{
    for (int i = 1; i < count; i++)
        if (strncmp(arguments[i], name, strlen(name)) == 0)
            return strtoul(arguments[i] + strlen(name), NULL, 0);
    return otherwise;
}

static unsigned attack_threads(void)
{
    const unsigned cpus = cpu_count();
    return cpus < 2 ? 2 : cpus;
}

static uint64_t pages_used(void)
{
    struct memsrv_memory memory = {0};
    size_t count = 0;
    if (memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) < 0)
        return 0;
    return memory.total - memory.free - memory.lists;
}

/* Everybody else after the attack. */
static void check_others(uint64_t before)
{
    const char *other[] = {"/tests/hello", "after", NULL};
    uint64_t failures = 1;

    tap_equal((long)pages_used(), (long)before, "memory in use is what it was before");
    tap_ok(memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0, "memsrv's structures are sound");
    tap_equal(process_run(other), 0, "another program runs");
    tap_equal((long)pages_used(), (long)before, "and leaves nothing");
}

static bool attack_and_end(uint64_t calls, uint64_t seed)
{
    const bool good = hostile_run(attack_threads(), calls, seed) && hostile_calls() >= calls;
    return objects_end(HOSTILE_ORIGINALS, HOSTILE_ORIGINAL_COUNT) && objects_end(HOSTILE_COPIES, HOSTILE_COPY_COUNT) &&
           good;
}

static int with_grant(uint64_t calls, uint64_t seed)
{
    tap_plan(9);
    frames_find();
    tap_ok(attack_and_end(WARM_CALLS, seed + 1) && frames_in_use() == 0, "a first attack, after which caches are full");
    const uint64_t before = pages_used();
    tap_ok(attack_and_end(calls, seed), "%lu calls with the authority over memory", (unsigned long)hostile_calls());
    hostile_tell();
    tap_equal(frames_in_use(), 0, "every frame is free: nothing of what was made is left");
    tap_ok(kernel_is_sound(), "the kernel's structures are sound");
    uint64_t badge;
    tap_ok(sys_cap_query(SLOT_PHYSICAL, &badge) == (long)(CAP_PHYSICAL | RIGHT_ALL << 8), "the authority is unharmed");
    check_others(before);
    return tap_done();
}

/* The child's exit status. */
static int child(uint64_t calls, uint64_t seed, bool tell)
{
    const bool good = hostile_run(attack_threads(), calls, seed) && hostile_calls() >= calls;
    if (console_set_mode(SLOT_CONSOLE, CONSOLE_MODE_COOKED) < 0 || !good)
        return STATUS_FELL;
    if (tell) {
        hostile_tell();
        tap_diag("%lu calls", (unsigned long)hostile_calls());
    }
    fflush(stdout);
    return 0;
}

static int run_child(const char *mode, uint64_t calls, uint64_t seed)
{
    char calls_text[NUMBER_BYTES], seed_text[NUMBER_BYTES];
    const char *line[] = {SELF, mode, calls_text, seed_text, NULL};

    snprintf(calls_text, sizeof(calls_text), CALLS_ARGUMENT "%lu", (unsigned long)calls);
    snprintf(seed_text, sizeof(seed_text), SEED_ARGUMENT "%lu", (unsigned long)seed);
    return process_run(line);
}

static int without_grant(uint64_t calls, uint64_t seed)
{
    tap_plan(6);
    tap_equal(run_child("warm", WARM_CALLS, seed + 1), 0, "a first attack, after which caches are full");
    const uint64_t before = pages_used();
    tap_equal(run_child("attack", calls, seed), 0, "%lu calls of an ordinary program", (unsigned long)calls);
    check_others(before);
    return tap_done();
}

int main(int count, char **arguments)
{
    const uint64_t seed = number_argument(count, arguments, SEED_ARGUMENT, clock_ticks());
    const uint64_t calls = number_argument(count, arguments, CALLS_ARGUMENT, CALLS);

    if (count > 1 && strcmp(arguments[1], "nothing") == 0)
        return 0;
    if (count > 1 && strcmp(arguments[1], "attack") == 0)
        return child(calls, seed, true);
    if (count > 1 && strcmp(arguments[1], "warm") == 0)
        return child(calls, seed, false);
    tap_diag("%s%lu", SEED_ARGUMENT, (unsigned long)seed);
    return grant_present() ? with_grant(calls, seed) : without_grant(calls, seed);
}
