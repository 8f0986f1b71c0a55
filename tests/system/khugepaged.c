/* SPDX-License-Identifier: MIT */
/*
 * Memory that asked for huge pages and has small ones gets huge ones by itself, as often as an operator wants. Two words,
 * if there are any, are what the kernel's command line said about that: ms, places.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SELF       "/tests/khugepaged"
#define PAGE       4096UL
#define HUGE       (2UL << 20)
#define PLACES     4UL
#define PAGES      (PLACES * HUGE / PAGE)
#define SLEEP_MS   20UL
#define WAIT_TURNS 2000 /* of 10 ms */
#define POLICY     MEMSRV_THP_MADVISE

static void wait_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* `PLACES` places for huge pages that have small ones, each with its number, and now may have huge ones. */
static char *make_memory(void)
{
    char *memory = mmap(NULL, (PLACES + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(1);
    memory += -(uintptr_t)memory & (HUGE - 1);
    for (unsigned long i = 0; i < PAGES; i++)
        *(volatile unsigned long *)(void *)(memory + i * PAGE) = i + 1;
    madvise(memory, PLACES * HUGE, MADV_HUGEPAGE);
    return memory;
}

static bool holds(const char *memory)
{
    for (unsigned long i = 0; i < PAGES; i++)
        if (*(const volatile unsigned long *)(const void *)(memory + i * PAGE) != i + 1)
            return false;
    return true;
}

/* Waits until so many huge pages were collapsed; false if that does not happen. */
static bool wait_for_collapses(uint64_t wanted)
{
    for (int turn = 0; turn < WAIT_TURNS && thp_now().collapse_alloc < wanted; turn++)
        wait_ms(10);
    return thp_now().collapse_alloc == wanted;
}

static void test_settings(int count, char **words)
{
    const uint64_t sleep = count > 2 ? strtoull(words[1], NULL, 0) : 0;
    const uint64_t places = count > 2 ? strtoull(words[2], NULL, 0) : 8;

    tap_ok(thp_now().scan_sleep == sleep && thp_now().scan_places == places, "settings are those of the command line");
    tap_equal(root_thp_set(SLOT_ROOT, 3, 0, 8), -EINVAL, "no such policy");
    tap_equal(root_thp_set(SLOT_ROOT, POLICY, 0, 0), -EINVAL, "no places");
    tap_equal(root_thp_set(SLOT_ROOT, POLICY, 0, 4097), -EINVAL, "too many places");
    tap_equal(process_run((const char *const[]){SELF, "ask", NULL}), EPERM, "programs that are no operators may not");
    tap_equal(memsrv_thp_scan_set(SLOT_MEMSRV, 1, 1), -EPERM, "nor do so at memsrv");
    tap_ok(root_thp_set(SLOT_ROOT, POLICY, 0, 64) == 0 && thp_now().scan_sleep == 0 && thp_now().scan_places == 64,
           "an operator may");
}

static void test_scan(void)
{
    const uint64_t before = thp_now().collapse_alloc;
    char *memory = make_memory();

    wait_ms(20 * SLEEP_MS);
    tap_equal((long)(thp_now().collapse_alloc - before), 0, "without a time to sleep nothing is looked at");
    tap_ok(root_thp_set(SLOT_ROOT, MEMSRV_THP_NEVER, SLEEP_MS, 64) == 0, "a time, but the policy is never");
    wait_ms(20 * SLEEP_MS);
    tap_equal((long)(thp_now().collapse_alloc - before), 0, "nothing is looked at");
    tap_ok(root_thp_set(SLOT_ROOT, POLICY, SLEEP_MS, 1) == 0, "one place at a time");
    tap_ok(wait_for_collapses(before + PLACES), "memory becomes huge by itself");
    tap_ok(holds(memory), "and keeps its contents");
    const uint64_t scans = thp_now().full_scans;
    for (int turn = 0; turn < WAIT_TURNS && thp_now().full_scans == scans; turn++)
        wait_ms(10);
    tap_ok(thp_now().collapse_alloc == before + PLACES && thp_now().full_scans > scans,
           "scans go on and find nothing more");
    madvise(memory, HUGE, MADV_DONTNEED);
    tap_equal((long)(thp_now().pages / (HUGE / PAGE)), PLACES - 1, "what goes is gone");
    munmap(memory, PLACES * HUGE);
}

/* While it scans, a program changes the memory all the time: contents stay. */
static void test_changes(void)
{
    bool good = true;
    const uint64_t before = thp_now().collapse_alloc;

    tap_ok(root_thp_set(SLOT_ROOT, POLICY, 1, 4096) == 0, "all the time");
    for (int round = 0; round < 200 && good; round++) {
        char *memory = make_memory();
        if (round % 8 == 0)
            wait_ms(5);
        mprotect(memory + HUGE / 2, HUGE, PROT_READ);
        good = holds(memory);
        munmap(memory, PLACES * HUGE);
    }
    tap_ok(good, "what a program does meanwhile is not disturbed (%lu huge pages made)",
           (unsigned long)(thp_now().collapse_alloc - before));
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

int main(int count, char **words)
{
    if (count > 1 && strcmp(words[1], "ask") == 0)
        return -root_thp_set(SLOT_ROOT, POLICY, 1, 1);
    tap_plan(7 + 8 + 3);
    test_settings(count, words);
    test_scan();
    test_changes();
    return tap_done();
}
