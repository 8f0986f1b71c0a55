/* SPDX-License-Identifier: MIT */
/*
 * Instructions per operation, one line "bench NAME VALUE" for each. The machine's counter is calibrated first with a
 * loop of known length, then each operation runs a while unmeasured, so that caches, page lists and tables are filled,
 * and thousands of times measured. The same source runs on Linux: see meson.build.
 *
 * Arguments: the name of a set of rows (see `sets`; without one, the first), or of a single row; "memory=MIB", the
 * machine's memory, of which some rows use a share; and "rate": the counter runs in real time, not by instructions, and
 * operations a second are printed, as NAME_rate.
 */
#include <errno.h>
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
#define MEBIBYTE           (1UL << 20)

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

/* A factor that is 1 modulo 4 and an odd step give the full period. */
#define RANDOM_FACTOR 1664525U
#define RANDOM_STEP   1013904223U

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

/* Each page once, in an order like chance's: a linear congruential sequence, whose period is `count`, a power of two. */
static int anonymous_random_fault(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = port_map(count * PAGE_BYTES);
    if (!memory)
        return -1;
    uint64_t page = 1;
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        page = (page * RANDOM_FACTOR + RANDOM_STEP) & (count - 1);
        memory[page * PAGE_BYTES] = 1;
    }
    *ticks = port_ticks() - start;
    return munmap((void *)memory, count * PAGE_BYTES);
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

const char *bench_path;

static const struct row memory_rows[] = {
    {"null_syscall", null_syscall, .count = 10000},
    {"ipc_round_trip", ipc_round_trip, .count = 10000},
    {"ipc_round_trip_fp", ipc_round_trip_fp, .count = 10000},
    {"anonymous_write_fault", anonymous_write_fault, .count = 4096},
    {"anonymous_random_fault", anonymous_random_fault, .count = 16384},
    {"huge_fault", huge_fault, .count = 8},
    {"anonymous_read_fault", anonymous_read_fault, .count = 4096},
    {"mmap_munmap", mmap_munmap, .count = 4096},
    {"mmap_touch_munmap", mmap_touch_munmap, .count = 4096},
    {"munmap_page", munmap_page, .count = 4096},
    {"mprotect_page", mprotect_page, .count = 16384},
    {"brk_page", brk_page, .count = 4096},
    {"cow_copy", cow_copy, .count = 4096},
    {"cow_reuse", cow_reuse, .count = 4096},
    {"cow_promote", cow_promote, .count = 4096},
    {"fork_16m", fork_16m, .count = 64},
    {"fork_exit_wait", fork_exit_wait, .count = 64},
    {"spawn", spawn, .count = 64},
    {"fault_10_areas", fault_10_areas, .count = 4000},
    {"fault_1000_areas", fault_1000_areas, .count = 4000},
    {"fault_100000_areas", fault_100000_areas, .count = 4000},
    {"mutex_lock_unlock", mutex_lock_unlock, .count = 10000},
    {"futex_ping_pong", futex_ping_pong, .count = 4096},
    {"shared_ping_pong", shared_ping_pong, .count = 4096},
    {"thread_create_join", thread_create_join, .count = 512},
    {"read_4k_cached", read_4k_cached, .count = 4096},
    {"write_4k_cached", write_4k_cached, .count = 4096},
    {"malloc_mix", malloc_mix, .count = 65536},
    {"malloc_small", malloc_small, .count = 65536},
    {"malloc_large", malloc_large, .count = 1024},
    {"realloc_growth", realloc_growth, .count = 1008},
    {"file_fault_page", file_fault_page, .count = 2048},
    {0},
};

static const struct row storm_rows[] = {
    {"fault_storm_1", fault_storm_1, .count = 32768},
    {"fault_storm_2", fault_storm_2, .count = 32768},
    {"fault_storm_4", fault_storm_4, .count = 32768},
    {0},
};

/* How costs grow: with what a program has, and with the machine's memory. */
static const struct row scale_rows[] = {
    {"fault_10_areas", fault_10_areas, .count = 4000},
    {"fault_100_areas", fault_100_areas, .count = 4000},
    {"fault_1000_areas", fault_1000_areas, .count = 4000},
    {"fault_10000_areas", fault_10000_areas, .count = 4000},
    {"fault_100000_areas", fault_100000_areas, .count = 4000},
    {"fork_1m", fork_1m, .count = 64},
    {"fork_4m", fork_4m, .count = 64},
    {"fork_16m", fork_16m, .count = 64},
    {"fork_64m", fork_64m, .count = 16},
    {"fork_256m", fork_256m, .count = 8},
    {0},
};

static const struct row size_rows[] = {
    {"free_memory", free_memory, .count = 1, .once = true, .plain = true},
    {"kernel_memory", kernel_memory, .count = 1, .once = true, .plain = true},
    {"memsrv_memory", memsrv_memory, .count = 1, .once = true, .plain = true},
    {"pager_memory", pager_memory, .count = 1, .once = true, .plain = true},
    {"process_memory", process_memory, .count = 64, .plain = true},
    {"process_kernel_memory", process_kernel_memory, .count = 64, .plain = true},
    {"process_memsrv_memory", process_memsrv_memory, .count = 64, .plain = true},
    {"process_pager_memory", process_pager_memory, .count = 64, .plain = true},
    {"anonymous_write_fault", anonymous_write_fault, .count = 4096},
    {0},
};

/* What is run together, on a machine of its own: see scripts/bench.py. */
static const struct {
    const char *name;
    const struct row *rows;
} sets[] = {
    {"memory", memory_rows}, {"disk", disk_rows},   {"scan", scan_rows}, {"swap", swap_rows},
    {"storm", storm_rows},   {"scale", scale_rows}, {"size", size_rows},
};
#define SETS (sizeof(sets) / sizeof(sets[0]))

/* What the arguments ask for. */
struct request {
    const char *set, *row;
    uint64_t memory_pages;
    bool rate;
};

/* Thousandths of an instruction that fit one tick. */
static uint64_t calibrate(const char *name)
{
    port_spin(CALIBRATION_ROUNDS / 10);
    uint64_t start = port_ticks();
    port_spin(CALIBRATION_ROUNDS);
    uint64_t ticks = port_ticks() - start;
    uint64_t scale = 2 * CALIBRATION_ROUNDS * THOUSANDTHS / (ticks ? ticks : 1);
    printf("# calibration: %lu instructions in %lu ticks of %lu Hz: %lu.%03lu instructions a tick\n",
           2 * CALIBRATION_ROUNDS, (unsigned long)ticks, (unsigned long)port_frequency(),
           (unsigned long)(scale / THOUSANDTHS), (unsigned long)(scale % THOUSANDTHS));
    printf("bench %s %lu.0\n", name,
           (unsigned long)(scale * (port_frequency() / THOUSANDTHS) / (THOUSANDTHS * THOUSANDTHS)));
    return scale;
}

static void print(const struct row *row, uint64_t count, uint64_t ticks, uint64_t scale, bool rate)
{
    if (row->plain) {
        printf("bench %s %lu.0\n", row->name, (unsigned long)(ticks / count));
        return;
    }
    if (rate) {
        printf("bench %s_rate %lu.0\n", row->name, (unsigned long)(count * port_frequency() / (ticks ? ticks : 1)));
        return;
    }
    uint64_t tenths = ticks * scale / (THOUSANDTHS / 10) / count;
    printf("bench %s %lu.%lu\n", row->name, (unsigned long)(tenths / 10), (unsigned long)(tenths % 10));
}

/* Measures one row and prints it; false if the operation failed. */
static bool measure(const struct row *row, const struct request *request, uint64_t scale)
{
    const uint64_t count = row->eighths ? row->eighths * request->memory_pages / 8 : row->count;
    uint64_t ticks = 0;
    int error = count ? row->run(count, &ticks) : -ENOTSUP; /* to warm up */

    if (error == 0 && !row->once)
        error = row->run(count, &ticks);
    if (error == -ENOTSUP) {
        printf("# %s cannot be measured in this run\n", row->name);
        return true;
    }
    if (error != 0) {
        printf("# %s failed: %d\n", row->name, error);
        return false;
    }
    print(row, count, ticks, scale, request->rate);
    return true;
}

/* Measures the rows of the set, or that with the name. */
static bool measure_all(const struct request *request, uint64_t scale)
{
    bool good = true;

    for (size_t i = 0; i < SETS; i++) {
        if (!request->row && strcmp(request->set, sets[i].name) != 0)
            continue;
        for (const struct row *row = sets[i].rows; row->name; row++) {
            if (!request->row || strcmp(request->row, row->name) == 0)
                good &= measure(row, request, scale);
        }
    }
    return good;
}

static struct request read_arguments(int count, char **arguments)
{
    struct request request = {.set = sets[0].name};

    for (int i = 1; i < count; i++) {
        bool is_set = false;
        for (size_t j = 0; j < SETS; j++)
            is_set |= strcmp(arguments[i], sets[j].name) == 0;
        if (is_set)
            request.set = arguments[i];
        else if (strcmp(arguments[i], "rate") == 0)
            request.rate = true;
        else if (strncmp(arguments[i], "memory=", 7) == 0)
            request.memory_pages = strtoul(arguments[i] + 7, NULL, 10) * (MEBIBYTE / PAGE_BYTES);
        else
            request.row = arguments[i];
    }
    return request;
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], SPAWN_ARGUMENT) == 0)
        return EXIT_SUCCESS;
    const uint64_t boot = port_ticks();
    const struct request request = read_arguments(argument_count, arguments);
    bench_path = arguments[0];
    port_prepare();
    setvbuf(stdout, NULL, _IOLBF, 0);
    const uint64_t scale = calibrate("calibration");
    printf("# boot: %lu instructions\n", (unsigned long)(boot * scale / THOUSANDTHS));
    const bool good = measure_all(&request, scale);
    if (!request.row)
        calibrate("calibration_after");
    port_finish(good ? EXIT_SUCCESS : EXIT_FAILURE);
}
