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
#include <unistd.h>

#include "hostile_end.h"
#include "kernel_test.h"
#include "server_state.h"

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

/*
 * What is in use: pages, but for those that memsrv's caches cut up, and the objects in these; and apart from them the
 * servers' own. Which page an object is in is chance, so the pages of the caches may be one more or less when all objects
 * are the same. A server may come to touch a page of its variables or of its stack that it has not needed before.
 */
struct in_use {
    uint64_t pages, objects, servers;
};
#define SERVER_PAGES 16u /* that they may still come to touch */

static struct in_use in_use_now(void)
{
    struct memsrv_memory memory = {0};
    struct memsrv_slab slab;
    struct in_use use = {0};
    uint64_t tables, objects, areas;
    size_t count = 0;

    for (uint64_t index = 0; memsrv_slab_info(SLOT_MEMSRV, index, &slab, 1, &count) == 0 && count == 1; index++) {
        use.objects += slab.used;
        use.pages -= slab.pages;
    }
    if (memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) == 0 && count == 1)
        use.pages += memory.total - memory.free - memory.lists;
    for (uint64_t pid = PID_MEMSRV + 1; pid < (uint64_t)getpid(); pid++) {
        uint64_t resident = 0;
        if (memsrv_space_info(SLOT_MEMSRV, pid, &resident, &tables, &objects, &areas) == 0)
            use.servers += resident;
    }
    use.pages -= use.servers;
    return use;
}

static void check_in_use(const struct in_use *before, const char *what)
{
    const struct in_use now = in_use_now();

    if (!tap_ok(now.pages == before->pages && now.objects == before->objects &&
                    now.servers <= before->servers + SERVER_PAGES,
                "%s", what))
        tap_diag("%lu pages, %lu objects, %lu pages of servers; before %lu, %lu, %lu", (unsigned long)now.pages,
                 (unsigned long)now.objects, (unsigned long)now.servers, (unsigned long)before->pages,
                 (unsigned long)before->objects, (unsigned long)before->servers);
}

/* Runs an ordinary program. The first time the file server gets its content, which it keeps. */
static int run_other(const char *when)
{
    const char *other[] = {"/tests/hello", when, NULL};
    return process_run(other);
}

/* Everybody else after the attack. */
static void check_others(const struct in_use *before)
{
    check_in_use(before, "memory in use is what it was before");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    tap_equal(run_other("after"), 0, "another program runs");
    check_in_use(before, "and leaves nothing");
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
    tap_ok(run_other("before") == 0 && attack_and_end(WARM_CALLS, seed + 1) && frames_in_use() == 0,
           "a first attack, after which caches are full");
    const struct in_use before = in_use_now();
    tap_ok(attack_and_end(calls, seed), "%lu calls with the authority over memory", (unsigned long)hostile_calls());
    hostile_tell();
    tap_equal(frames_in_use(), 0, "every frame is free: nothing of what was made is left");
    tap_ok(kernel_is_sound(), "the kernel's structures are sound");
    uint64_t badge;
    tap_ok(sys_cap_query(SLOT_PHYSICAL, &badge) == (long)(CAP_PHYSICAL | RIGHT_ALL << 8), "the authority is unharmed");
    check_others(&before);
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
    tap_ok(run_other("before") == 0 && run_child("warm", WARM_CALLS, seed + 1) == 0,
           "a first attack, after which caches are full");
    const struct in_use before = in_use_now();
    tap_equal(run_child("attack", calls, seed), 0, "%lu calls of an ordinary program", (unsigned long)calls);
    check_others(&before);
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
