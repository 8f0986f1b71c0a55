/* SPDX-License-Identifier: MIT */
/*
 * A machine that thrashes: programs write more of a disk than memory holds, and take and give back memory of their own.
 * Meanwhile memsrv and root answer within so many instructions; the clock counts them, one a nanosecond, for the machine
 * runs by its instructions (--icount). Needs a disk whose partition is called scratch.
 */
#include "scratch_disk.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS      (PAGE_SIZE / sizeof(uint64_t))
#define DISK_PAGES 6144UL  /* 24 MiB: not all of it can be in memory */
#define HELD_PAGES 21504UL /* 84 MiB of the machine's 128, taken away to make it small */
#define THRASHERS  2u
#define ROUNDS     50u
#define OWN_PAGES  256u
/* A question is a few messages. While it is answered, servers above the test do a piece of their work: the longest is one
 * look of the pager at all of memory. And others of the test's priority have their turns, of 4 ms each. */
#define MOST_NS   (40 * NS_PER_MS)
#define NS_PER_MS 1000000UL

static volatile uint64_t *disk;

static bool map_disk(void)
{
    struct scratch_disk scratch = {0};
    const int error = scratch_disk_map(&scratch, DISK_PAGES, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE);
    disk = scratch.memory;
    return tap_equal(error, 0, "a part of the disk is mapped");
}

/* Goes round its part of the disk for ever. */
static _Noreturn void thrash(uint64_t number)
{
    const uint64_t part = DISK_PAGES / THRASHERS, first = number * part;
    for (;;) {
        for (uint64_t page = first; page < first + part; page++) {
            disk[page * WORDS] = page;
            if (page % OWN_PAGES == 0) {
                volatile char *own =
                    mmap(NULL, OWN_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                for (uint64_t at = 0; own != MAP_FAILED && at < OWN_PAGES * PAGE_SIZE; at += PAGE_SIZE)
                    own[at] = 1;
                (void)munmap((void *)(uintptr_t)own, OWN_PAGES * PAGE_SIZE);
            }
        }
    }
}

static int ask_memsrv(void)
{
    struct memsrv_memory memory;
    struct memsrv_paging paging;
    size_t count = 0;
    const int error = memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count);
    return error < 0 ? error : memsrv_paging_info(SLOT_MEMSRV, &paging, 1, &count);
}

/* What the shell's ps asks. */
static int ask_root(void)
{
    struct root_process list[16];
    uint64_t cursor = 0;
    size_t count = 0;
    return root_process_list(SLOT_ROOT, cursor, &cursor, list, sizeof(list) / sizeof(list[0]), &count);
}

/* Takes memory of the test's own, as the shell does for a command. */
static int take_memory(void)
{
    volatile char *own = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return own == MAP_FAILED ? -1 : munmap((void *)(uintptr_t)own, PAGE_SIZE);
}

static void measure(const char *what, int (*ask)(void))
{
    uint64_t most = 0, sum = 0;
    int errors = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t start = clock_now_ns();
        errors += ask() < 0;
        const uint64_t passed = clock_now_ns() - start;
        most = passed > most ? passed : most;
        sum += passed;
        clock_sleep_until(clock_now_ns() + NS_PER_MS); /* the others go on */
    }
    tap_ok(errors == 0 && most <= MOST_NS, "%s: at most %lu instructions, %lu as a rule", what, (unsigned long)most,
           (unsigned long)(sum / ROUNDS));
}

int main(void)
{
    pid_t children[THRASHERS];
    uint64_t held = 0;
    tap_plan(1 + 1 + 1 + 3 + 1 + 1);
    if (!map_disk())
        return tap_done();
    tap_ok(memsrv_free_hold(GRANT_SLOT_MEMSRV, HELD_PAGES, &held) == 0 && held == HELD_PAGES, "little memory is left");
    for (uint64_t i = 0; i < THRASHERS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            thrash(i);
    }
    while (pager_now().reclaimed == 0) /* until memory is full */
        clock_sleep_until(clock_now_ns() + 10 * NS_PER_MS);
    const uint64_t before = pager_now().reclaimed;
    tap_ok(before > 0, "programs have more than memory holds");
    measure("memsrv answers", ask_memsrv);
    measure("root answers", ask_root);
    measure("memory can be mapped", take_memory);
    tap_ok(pager_now().reclaimed > before, "pages made way all the while: %lu",
           (unsigned long)(pager_now().reclaimed - before));
    for (unsigned i = 0; i < THRASHERS; i++) {
        int status;
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], &status, 0);
    }
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
