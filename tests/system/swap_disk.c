/* SPDX-License-Identifier: MIT */
/*
 * Swapping to a partition: threads use twice the memory there is, read back what they wrote, fork meanwhile, and lose
 * nothing when pagers are killed; swap that is full ends a program and nothing else; swapoff brings everything back.
 * Needs a disk with a partition for swapped pages, which the pager finds by itself.
 */
#include "memory_calls.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS    4u
#define WORDS      (PAGE / sizeof(uint64_t))
#define KILLS      1u
#define PAGER_NAME "pager"
#define PATIENCE   (120 * NS_PER_SECOND) /* for what a machine that stands still may need */

static volatile uint64_t *memory;
static uint64_t pages;
static volatile bool killing; /* pagers are killed while it is true */

static struct memsrv_paging paging(void)
{
    struct memsrv_paging info = {0};
    size_t count;
    if (memsrv_paging_info(SLOT_MEMSRV, &info, 1, &count) < 0)
        tap_diag("no paging_info");
    return info;
}

static bool sound(void)
{
    uint64_t failures = 1;
    return memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0;
}

static uint64_t free_pages(void)
{
    struct memsrv_memory info = {0};
    size_t count;
    return memsrv_memory_info(SLOT_MEMSRV, &info, 1, &count) < 0 ? 0 : info.free + info.lists;
}

static uint64_t content(uint64_t page, uint64_t pass)
{
    return (page * 0x9e3779b97f4a7c15u) ^ (pass << 56) ^ 0xa5a5;
}

static bool page_is(uint64_t page, uint64_t pass)
{
    return memory[page * WORDS] == content(page, pass) && memory[page * WORDS + WORDS - 1] == ~content(page, pass);
}

static void write_page(uint64_t page, uint64_t pass)
{
    memory[page * WORDS] = content(page, pass);
    memory[page * WORDS + WORDS - 1] = ~content(page, pass);
}

/* What a thread does with its part: every fourth run of 64 pages. */
struct part {
    uint64_t number, pass, wrong;
    bool reads;
};

static void *work(void *argument)
{
    struct part *part = argument;
    for (uint64_t page = 0; page < pages; page++) {
        if (page / 64 % THREADS != part->number)
            continue;
        if (part->reads)
            part->wrong += !page_is(page, part->pass);
        else
            write_page(page, part->pass);
    }
    return NULL;
}

/* All threads write or read everything. Returns the pages that were wrong. */
static uint64_t run(uint64_t pass, bool reads)
{
    struct part parts[THREADS];
    pthread_t threads[THREADS];
    uint64_t wrong = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        parts[i] = (struct part){.number = i, .pass = pass, .reads = reads};
        if (pthread_create(&threads[i], NULL, work, &parts[i]) != 0)
            return UINT64_MAX;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        wrong += parts[i].wrong;
    }
    return wrong;
}

/* --- More than memory --------------------------------------------------------------------------------------------- */

static bool set_up(void)
{
    struct pager_swap_area areas[4];
    size_t count = 0;

    int error = pager_swap_list(SLOT_PAGER, areas, 4, &count);
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (error == 0 && count == 0 && clock_now_ns() < end) {
        usleep(10000);
        error = pager_swap_list(SLOT_PAGER, areas, 4, &count);
    }
    if (!tap_ok(error == 0 && count == 1, "the pager has found a partition to swap to: %d", error))
        return false;
    pages = 2 * free_pages();
    if (pages > areas[0].pages + free_pages() / 2)
        pages = areas[0].pages + free_pages() / 2;
    memory = mmap(NULL, pages * PAGE, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0);
    tap_diag("%lu pages, %lu of them free, %lu of swap", (unsigned long)pages, (unsigned long)free_pages(),
             (unsigned long)areas[0].pages);
    return tap_ok(memory != MAP_FAILED, "twice the memory that is free is mapped");
}

static void twice_the_memory(void)
{
    tap_equal((long)run(1, false), 0, "threads write to all of it");
    tap_equal((long)run(1, true), 0, "and read it back");
    const struct memsrv_paging info = paging();
    tap_ok(info.swapped_out > pages / 2 && info.swapped_in > pages / 4, "most of which has gone and come: %lu, %lu",
           (unsigned long)info.swapped_out, (unsigned long)info.swapped_in);
    tap_ok(sound(), "memsrv's structures are sound");
}

/* A child that reads all its parent has, and writes to some of it. */
static int child_body(void)
{
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < pages; page += 7)
        wrong += !page_is(page, 1);
    for (uint64_t page = 0; page < pages; page += 70)
        write_page(page, 9);
    for (uint64_t page = 0; page < pages; page += 70)
        wrong += !page_is(page, 9);
    return wrong == 0 ? 0 : 1;
}

/* What follows needs less than that. */
static void give_up_half(void)
{
    const uint64_t kept = pages * 5 / 8;
    (void)munmap((void *)(memory + kept * WORDS), (pages - kept) * PAGE);
    pages = kept;
}

static void forked(void)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(child_body());
    uint64_t wrong = 0;
    for (uint64_t page = 3; page < pages; page += 5)
        wrong += !page_is(page, 1);
    (void)waitpid(pid, &status, 0);
    tap_ok(pid > 0 && status == 0 && wrong == 0, "a child and its parent see what is theirs: status %d, %lu wrong",
           status, (unsigned long)wrong);
    tap_ok(sound(), "memsrv's structures are sound");
}

/* --- The pager's end ---------------------------------------------------------------------------------------------- */

static uint64_t find_pager(void)
{
    struct root_process list[32];
    uint64_t cursor = 0;
    do {
        size_t count = 0;
        if (root_process_list(SLOT_ROOT, cursor, &cursor, list, sizeof(list) / sizeof(list[0]), &count) < 0)
            return 0;
        for (size_t i = 0; i < count; i++) {
            const char *slash = strrchr(list[i].name, '/');
            if (strcmp(slash ? slash + 1 : list[i].name, PAGER_NAME) == 0 && list[i].state != ROOT_STATE_ENDED)
                return list[i].pid;
        }
    } while (cursor != 0);
    return 0;
}

/* Kills pagers that have written something and lived long enough to be started again. */
static void *kill_pagers(void *argument)
{
    unsigned *killed = argument;
    while (killing && *killed < KILLS) {
        const uint64_t before = paging().swapped_out, start = clock_now_ns();
        while (killing && (paging().swapped_out < before + 100 || clock_now_ns() < start + 3 * NS_PER_SECOND / 2))
            usleep(10000);
        const uint64_t pid = killing ? find_pager() : 0;
        *killed += pid != 0 && root_kill(SLOT_ROOT, pid) == 0;
    }
    return NULL;
}

static void killed(void)
{
    unsigned count = 0;
    uint64_t wrong = 0, pass = 2;
    pthread_t killer;

    killing = true;
    if (!tap_equal(pthread_create(&killer, NULL, kill_pagers, &count), 0, "somebody kills pagers"))
        return;
    for (; count < KILLS && wrong == 0 && pass < 40; pass++) {
        (void)run(pass, false);
        wrong = run(pass, true);
    }
    killing = false;
    (void)pthread_join(killer, NULL);
    wrong += run(pass - 1, true);
    tap_ok(wrong == 0 && count == KILLS, "nothing is lost with %u pagers: %lu wrong", count, (unsigned long)wrong);
    tap_ok(sound(), "memsrv's structures are sound");
}

/* --- The end of swap ---------------------------------------------------------------------------------------------- */

/* Takes memory until it is ended. */
static _Noreturn void take_all(void)
{
    for (;;) {
        volatile char *more = mmap(NULL, 1 << 20, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0);
        if (more == MAP_FAILED)
            _exit(2);
        for (uint64_t at = 0; at < 1 << 20; at += PAGE)
            more[at] = 1;
    }
}

static void full(void)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        (void)munmap((void *)memory, pages * PAGE);
        take_all();
    }
    (void)munmap((void *)memory, pages * PAGE);
    (void)waitpid(pid, &status, 0);
    tap_ok(pid > 0 && WIFSIGNALED(status), "who wants more than memory and swap have is ended: status %d", status);
    tap_ok(sound(), "memsrv's structures are sound");
}

/* --- Turning it off ----------------------------------------------------------------------------------------------- */

static void off(void)
{
    struct pager_swap_area area = {0};
    size_t count = 0;
    uint64_t wrong = 0;

    pages = free_pages() / 2;
    memory = mmap(NULL, pages * PAGE, READ_WRITE, PRIVATE, -1, 0);
    (void)run(1, false);
    (void)madvise((void *)memory, pages * PAGE, MADV_PAGEOUT);
    (void)!pager_swap_list(SLOT_PAGER, &area, 1, &count);
    const uint64_t used = area.used;
    int error = pager_swap_off(SLOT_PAGER, area.name, strlen(area.name));
    tap_equal(error, 0, "swapoff brings everything back: %lu pages", (unsigned long)used);
    tap_ok(paging().swap_slots == 0 && paging().swap_cache == 0, "no slot is used");
    for (uint64_t page = 0; page < pages; page++)
        wrong += !page_is(page, 1);
    tap_equal((long)wrong, 0, "and the pages hold what was written");
    tap_equal(pager_swap_on(SLOT_PAGER, 3, area.name, strlen(area.name)), 0, "swapon");
    tap_ok(sound(), "memsrv's structures are sound");
}

int main(void)
{
    tap_plan(18);
    if (set_up()) {
        twice_the_memory();
        give_up_half();
        forked();
        killed();
        full();
        off();
    }
    return tap_done();
}
