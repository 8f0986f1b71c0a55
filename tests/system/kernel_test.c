/* SPDX-License-Identifier: MIT */
/* Rows, checks, and what the tests of the kernel need to know of threads and time. */
#include "kernel_test.h"

#include <quire/clock.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_pool.h"

#define CPUS_TRIED      32u
#define REPORTS_PER_ROW 8
#define PATIENCE_NS     NS_PER_SECOND

static atomic_int row_failures;

static bool report(const char *file, int line, const char *text)
{
    const char *slash = strrchr(file, '/');

    if (atomic_fetch_add(&row_failures, 1) >= REPORTS_PER_ROW)
        return false;
    tap_diag("%s:%d: %s", slash ? slash + 1 : file, line, text);
    return true;
}

bool check_true(bool holds, const char *file, int line, const char *text)
{
    if (!holds)
        (void)report(file, line, text);
    return holds;
}

bool check_equal(long found, long wanted, const char *file, int line, const char *text)
{
    if (found != wanted && report(file, line, text))
        tap_diag("  is %ld (0x%lx), should be %ld (0x%lx)", found, (unsigned long)found, wanted, (unsigned long)wanted);
    return found == wanted;
}

_Noreturn void give_up(const char *file, int line, const char *text, long result)
{
    printf("Bail out! %s:%d: %s: %ld\n", file, line, text, result);
    exit(1);
}

static int return_at_once(void *argument)
{
    return argument != NULL;
}

/* The library keeps a notification for each thread that has waited. This thread's is made now, so that it is not taken
 * for a leak of the first row. */
static void wait_once(void)
{
    struct thread *thread;

    if (thread_create(&thread, return_at_once, NULL) < 0 || thread_join(thread, NULL) < 0)
        give_up(__FILE__, __LINE__, "no thread", 0);
}

static void run_row(const struct kernel_test *test)
{
    const unsigned slots = slots_in_use();
    const unsigned frames = pool_free_frames();

    atomic_store(&row_failures, 0);
    test->run();
    CHECK_EQ(slots_in_use(), slots);
    CHECK_EQ(pool_free_frames(), frames);
    tap_ok(atomic_load(&row_failures) == 0, "%s", test->promise);
    fflush(stdout);
}

int kernel_tests_run(const struct kernel_test *tests, size_t count, const char *only)
{
    int selected = 0;

    for (size_t i = 0; i < count; i++)
        selected += !only || strstr(tests[i].promise, only);
    tap_plan(selected);
    wait_once();
    for (size_t i = 0; i < count; i++)
        if (!only || strstr(tests[i].promise, only))
            run_row(&tests[i]);
    return tap_done();
}

uint64_t slot_new(void)
{
    const uint64_t slot = slot_allocate();
    if (slot == SLOT_NONE)
        give_up(__FILE__, __LINE__, "no slot left", 0);
    return slot;
}

uint64_t capability_new(uint64_t from, uint64_t rights, uint64_t badge)
{
    const uint64_t slot = slot_new();
    MUST(sys_cap_copy(SLOT_TABLE, slot, from, rights, badge));
    return slot;
}

long thread_stop(uint64_t slot)
{
    long result;
    while ((result = sys_thread_control(slot, THREAD_STOP, 0, 0, 0, 0, 0)) == -EAGAIN)
        (void)sys_yield();
    return result;
}

struct thread_info thread_look(uint64_t slot)
{
    struct thread_info info;
    MUST(sys_thread_control(slot, THREAD_INFO, 0, 0, 0, 0, 0));
    memcpy(&info, ipc_buffer()->words, sizeof(info));
    return info;
}

bool thread_reaches(uint64_t slot, enum thread_state state)
{
    const uint64_t end = now_ns() + PATIENCE_NS;

    while (thread_look(slot).state != state) {
        if (now_ns() > end)
            return false;
        sleep_ns(NS_PER_MS);
    }
    return true;
}

unsigned cpu_count(void)
{
    static unsigned count;
    const uint64_t probe = SLOT_THREAD;

    if (count)
        return count;
    for (unsigned cpu = 0; cpu < CPUS_TRIED; cpu++)
        count += sys_thread_control(probe, THREAD_AFFINITY, 1UL << cpu, 0, 0, 0, 0) == 0;
    pin(probe, ~0UL);
    return count;
}

void pin(uint64_t thread, uint64_t cpus)
{
    MUST(sys_thread_control(thread, THREAD_AFFINITY, cpus, 0, 0, 0, 0));
}

uint64_t now_ns(void)
{
    return clock_now_ns();
}

void sleep_ns(uint64_t ns)
{
    clock_sleep_until(clock_now_ns() + ns);
}
