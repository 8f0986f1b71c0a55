/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure to be looked at: while one child reads through a mapping of a disk that is larger than memory, and one
 * takes private memory and gives it back, the parent prints a line of JSON a tenth of a second. For `./quire report`.
 * Arguments: tenths of a second. Needs a disk whose partition is called scratch, and quire.grant=physical.
 */
#include "scratch_disk.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/statistics.h>
#include <quire/clock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLE_US    100000u
#define SAMPLES      100
#define KIB          1024u
#define ANONYMOUS    40u /* percent of memory that the second child takes */
#define PERCENT      100u
#define STEP_PAGES   64u
#define STEP_US      2000u
#define REST_US      1500000u
#define KIB_PER_PAGE (PAGE_SIZE / KIB)

/* --- The children ------------------------------------------------------------------------------------------------- */

static const volatile unsigned char *map_disk(uint64_t *pages)
{
    struct scratch_disk scratch = {0};
    const int error = scratch_disk_map(&scratch, UINT64_MAX, MEMSRV_PROTECT_READ);
    *pages = scratch.pages;
    return error ? NULL : scratch.memory;
}

static _Noreturn void read_disk(const volatile unsigned char *memory, uint64_t pages)
{
    for (uint64_t page = 0;; page = (page + 1) % pages)
        (void)memory[page * PAGE_SIZE];
}

/* Takes memory little by little, then gives all of it back, again and again. */
static _Noreturn void take_memory(uint64_t pages)
{
    for (;;) {
        unsigned char *const memory =
            mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (uint64_t page = 0; memory != MAP_FAILED && page < pages; page++) {
            memory[page * PAGE_SIZE] = 1;
            if (page % STEP_PAGES == 0)
                usleep(STEP_US);
        }
        usleep(REST_US);
        if (memory != MAP_FAILED)
            (void)munmap(memory, pages * PAGE_SIZE);
        usleep(REST_US);
    }
}

/* --- Samples ------------------------------------------------------------------------------------------------------ */

static void print_list(const struct statistic *figures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf(", \"%s\": %lu", figures[i].name, (unsigned long)figures[i].value);
}

static int print_sample(uint64_t began)
{
    struct statistic figures[STATISTICS_MAX];
    struct memsrv_zone zone;
    size_t count;

    printf("sample {\"ms\": %lu", (unsigned long)((clock_now_ns() - began) / 1000000));
    int error = statistics_meminfo(figures, STATISTICS_MAX, &count);
    if (error < 0)
        return error;
    print_list(figures, count);
    error = statistics_vmstat(figures, STATISTICS_MAX, &count);
    if (error < 0)
        return error;
    print_list(figures, count);
    printf(", \"zones\": {");
    for (uint64_t index = 0, shown = 0; statistics_zone(index, &zone) == 0; index++) {
        if (zone.managed == 0)
            continue;
        printf("%s\"%s\": {\"free\": %lu, \"min\": %lu, \"low\": %lu, \"high\": %lu}", shown++ ? ", " : "", zone.name,
               (unsigned long)(zone.free * KIB_PER_PAGE), (unsigned long)(zone.min * KIB_PER_PAGE),
               (unsigned long)(zone.low * KIB_PER_PAGE), (unsigned long)(zone.high * KIB_PER_PAGE));
    }
    printf("}}\n");
    fflush(stdout);
    return 0;
}

static uint64_t memory_pages(void)
{
    uint64_t total = 0, free = 0;
    return memsrv_memory_room(SLOT_MEMSRV, &total, &free) < 0 ? 0 : total;
}

int main(int argument_count, char **arguments)
{
    static char buffer[PROTO_DATA_MAX]; /* a line is one message to the console: nobody's text comes between */
    const int samples = argument_count > 1 ? atoi(arguments[1]) : SAMPLES;
    const uint64_t began = clock_now_ns();
    uint64_t pages = 0;
    const volatile unsigned char *const disk = map_disk(&pages);
    pid_t children[2] = {-1, -1};
    int error = 0;

    (void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    if (!disk)
        printf("report_load: there is no disk to read\n");
    for (int i = 0; i < samples && error == 0; i++) {
        if (i == samples / 10 && disk && (children[0] = fork()) == 0)
            read_disk(disk, pages);
        if (i == samples / 5 && (children[1] = fork()) == 0)
            take_memory(memory_pages() * ANONYMOUS / PERCENT);
        error = print_sample(began);
        usleep(SAMPLE_US);
    }
    for (int i = 0; i < 2; i++) {
        if (children[i] > 0) {
            (void)kill(children[i], SIGKILL);
            (void)waitpid(children[i], NULL, 0);
        }
    }
    if (error == 0)
        error = print_sample(began);
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
