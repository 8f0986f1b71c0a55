/* SPDX-License-Identifier: MIT */
/*
 * Instructions per operation, one line "bench NAME VALUE" for each. The machine's counter is calibrated first with a
 * loop of known length, then each operation runs a while unmeasured, so that caches, page lists and tables are filled,
 * and thousands of times measured. The same source runs on Linux: see meson.build.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

/* POSIX has withdrawn it, so a C library need not declare it. */
int brk(void *end);

#define CALIBRATION_ROUNDS 5000000UL
#define THOUSANDTHS        1000UL

static int null_syscall(uint64_t count, uint64_t *ticks)
{
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        port_null_syscall();
    *ticks = port_ticks() - start;
    return 0;
}

static int round_trips(uint64_t count, uint64_t *ticks, bool use_fp)
{
    int error = port_partner_start(use_fp);
    if (error < 0)
        return error;
    /* The partner's first instructions are not what is measured. */
    error = port_partner_call();
    port_use_fp();
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count && error == 0; i++) {
        error = port_partner_call();
        if (use_fp)
            port_use_fp();
    }
    *ticks = port_ticks() - start;
    int stopped = port_partner_stop();
    return error < 0 ? error : stopped;
}

/* The caller has floating-point state that must survive; its partner has none. */
static int ipc_round_trip(uint64_t count, uint64_t *ticks)
{
    return round_trips(count, ticks, false);
}

/* Both use floating point between any two messages. */
static int ipc_round_trip_fp(uint64_t count, uint64_t *ticks)
{
    return round_trips(count, ticks, true);
}

static void touch_pages(volatile char *memory, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        memory[i * PAGE_BYTES] = 1;
}

static int anonymous_write_fault(uint64_t count, uint64_t *ticks)
{
    char *memory = port_map(count * PAGE_BYTES);
    if (!memory)
        return -1;
    uint64_t start = port_ticks();
    touch_pages(memory, count);
    *ticks = port_ticks() - start;
    return munmap(memory, count * PAGE_BYTES);
}

static int anonymous_read_fault(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = port_map(count * PAGE_BYTES);
    if (!memory)
        return -1;
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        (void)memory[i * PAGE_BYTES];
    *ticks = port_ticks() - start;
    return munmap((void *)memory, count * PAGE_BYTES);
}

static int map_and_unmap(uint64_t count, uint64_t *ticks, bool touch)
{
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        char *memory = port_map(PAGE_BYTES);
        if (!memory)
            return -1;
        if (touch)
            touch_pages(memory, 1);
        if (munmap(memory, PAGE_BYTES) != 0)
            return -1;
    }
    *ticks = port_ticks() - start;
    return 0;
}

static int mmap_munmap(uint64_t count, uint64_t *ticks)
{
    return map_and_unmap(count, ticks, false);
}

static int mmap_touch_munmap(uint64_t count, uint64_t *ticks)
{
    return map_and_unmap(count, ticks, true);
}

static int munmap_page(uint64_t count, uint64_t *ticks)
{
    char *memory = port_map(count * PAGE_BYTES);
    if (!memory)
        return -1;
    touch_pages(memory, count);
    uint64_t start = port_ticks();
    int error = munmap(memory, count * PAGE_BYTES);
    *ticks = port_ticks() - start;
    return error;
}

/* Pages that one call changes, so that the call itself hardly counts. */
#define PROTECT_PAGES 1024UL

static int mprotect_page(uint64_t count, uint64_t *ticks)
{
    char *memory = port_map(PROTECT_PAGES * PAGE_BYTES);
    int error = 0;

    if (!memory)
        return -1;
    touch_pages(memory, PROTECT_PAGES);
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count / PROTECT_PAGES && error == 0; i++)
        error = mprotect(memory, PROTECT_PAGES * PAGE_BYTES, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ);
    *ticks = port_ticks() - start;
    return error ? error : munmap(memory, PROTECT_PAGES * PAGE_BYTES);
}

/* The heap's end moves up by one page with each call, and back at the end. */
static int brk_page(uint64_t count, uint64_t *ticks)
{
    char *first = sbrk(0);
    int error = 0;

    uint64_t start = port_ticks();
    for (uint64_t i = 1; i <= count && error == 0; i++)
        error = brk(first + i * PAGE_BYTES);
    *ticks = port_ticks() - start;
    return error ? error : brk(first);
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

static int mutex_lock_unlock(uint64_t count, uint64_t *ticks)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    *ticks = port_ticks() - start;
    return 0;
}

static sem_t ping, pong;

static void *answer_pings(void *argument)
{
    const uint64_t *count = argument;

    for (uint64_t i = 0; i < *count; i++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

/* Two threads of a program wake each other in turn; neither ever finds its semaphore free. */
static int futex_ping_pong(uint64_t count, uint64_t *ticks)
{
    pthread_t partner;

    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    int error = pthread_create(&partner, NULL, answer_pings, &count);
    if (error)
        return -error;
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    *ticks = port_ticks() - start;
    return -pthread_join(partner, NULL);
}

static void *do_nothing(void *argument)
{
    return argument;
}

static int thread_create_join(uint64_t count, uint64_t *ticks)
{
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, do_nothing, NULL);
        if (!error)
            error = pthread_join(thread, NULL);
        if (error)
            return -error;
    }
    *ticks = port_ticks() - start;
    return 0;
}

const char *bench_path;

static const struct row rows[] = {
    {"null_syscall", null_syscall, 10000},
    {"ipc_round_trip", ipc_round_trip, 10000},
    {"ipc_round_trip_fp", ipc_round_trip_fp, 10000},
    {"anonymous_write_fault", anonymous_write_fault, 4096},
    {"huge_fault", huge_fault, 8},
    {"anonymous_read_fault", anonymous_read_fault, 4096},
    {"mmap_munmap", mmap_munmap, 4096},
    {"mmap_touch_munmap", mmap_touch_munmap, 4096},
    {"munmap_page", munmap_page, 4096},
    {"mprotect_page", mprotect_page, 16384},
    {"brk_page", brk_page, 4096},
    {"cow_copy", cow_copy, 4096},
    {"cow_reuse", cow_reuse, 4096},
    {"cow_promote", cow_promote, 4096},
    {"fork_16m", fork_16m, 64},
    {"fork_exit_wait", fork_exit_wait, 64},
    {"spawn", spawn, 64},
    {"fault_10_areas", fault_10_areas, 4000},
    {"fault_1000_areas", fault_1000_areas, 4000},
    {"fault_100000_areas", fault_100000_areas, 4000},
    {"mutex_lock_unlock", mutex_lock_unlock, 10000},
    {"futex_ping_pong", futex_ping_pong, 4096},
    {"thread_create_join", thread_create_join, 512},
    {"read_4k_cached", read_4k_cached, 4096},
    {"write_4k_cached", write_4k_cached, 4096},
    {"malloc_mix", malloc_mix, 65536},
    {"file_fault_page", file_fault_page, 2048},
};

/* Thousandths of an instruction that fit one tick. */
static uint64_t calibrate(void)
{
    port_spin(CALIBRATION_ROUNDS / 10);
    uint64_t start = port_ticks();
    port_spin(CALIBRATION_ROUNDS);
    uint64_t ticks = port_ticks() - start;
    uint64_t scale = 2 * CALIBRATION_ROUNDS * THOUSANDTHS / (ticks ? ticks : 1);
    printf("# calibration: %lu instructions in %lu ticks of %lu Hz: %lu.%03lu instructions a tick\n",
           2 * CALIBRATION_ROUNDS, (unsigned long)ticks, (unsigned long)port_frequency(),
           (unsigned long)(scale / THOUSANDTHS), (unsigned long)(scale % THOUSANDTHS));
    return scale;
}

/* Measures one row and prints it; false if the operation failed. */
static bool measure(const struct row *row, uint64_t scale)
{
    uint64_t ticks = 0;
    int error = row->run(row->count, &ticks); /* to warm up */
    if (error == 0)
        error = row->run(row->count, &ticks);
    if (error == -ENOTSUP) {
        printf("# %s cannot be measured in this run\n", row->name);
        return true;
    }
    if (error != 0) {
        printf("# %s failed: %d\n", row->name, error);
        return false;
    }
    uint64_t tenths = ticks * scale / (THOUSANDTHS / 10) / row->count;
    printf("bench %s %lu.%lu\n", row->name, (unsigned long)(tenths / 10), (unsigned long)(tenths % 10));
    return true;
}

int main(int argument_count, char **arguments)
{
    const char *only = argument_count > 1 ? arguments[1] : NULL;
    bool good = true;

    if (only && strcmp(only, SPAWN_ARGUMENT) == 0)
        return EXIT_SUCCESS;
    bench_path = arguments[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint64_t scale = calibrate();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!only || strcmp(only, rows[i].name) == 0)
            good &= measure(&rows[i], scale);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
