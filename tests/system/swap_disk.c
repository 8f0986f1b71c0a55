/* SPDX-License-Identifier: MIT */
/*
 * Swapping to a partition: threads use twice the memory that is left, read back what they wrote, also while pagers are killed,
 * and fork meanwhile; swapoff brings everything back.
 * Needs a disk with a partition for swapped pages, which the pager finds by itself.
 */
#include "find_process.h"
#include "memory_calls.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS    4u
#define LEFT       2000u /* pages */
#define PAGER_NAME "pager"
#define KILLS      3u
#define AT_WORK    300u /* pages that a pager has moved each way before it is killed */
#define WORDS      (PAGE / sizeof(uint64_t))
#define PATIENCE   (120 * NS_PER_SECOND) /* for what a machine that stands still may need */

static volatile uint64_t *memory;
static uint64_t pages;

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

/* Locks memory until so many pages are left, so that twice as many are soon gone through. */
static bool leave(uint64_t left)
{
    int error = memsrv_space_limit_set(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_RESOURCE_LOCKED_MEMORY, UINT64_MAX,
                                       UINT64_MAX);
    const uint64_t now = free_pages(), bytes = now > left ? (now - left) * PAGE : PAGE;
    void *rest = mmap(NULL, bytes, READ_WRITE, PRIVATE, -1, 0);
    return error == 0 && rest != MAP_FAILED && mlock(rest, bytes) == 0;
}

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
    if (!tap_ok(leave(LEFT), "most memory is locked"))
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
    const struct memsrv_paging info = paging_now();
    tap_ok(info.swapped_out > pages / 2 && info.swapped_in > pages / 4, "most of which has gone and come: %lu, %lu",
           (unsigned long)info.swapped_out, (unsigned long)info.swapped_in);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

/* --- Pagers that end ---------------------------------------------------------------------------------------------- */

struct killer {
    unsigned killed;
    bool done; /* atomic */
};

/* Each pager is ended when it has brought and taken away so much that it is at it. */
static void *kill_pagers(void *argument)
{
    struct killer *killer = argument;
    uint64_t pid = 0, last = 0;
    for (unsigned i = 0; i < KILLS; i++, last = pid) {
        const struct memsrv_paging before = paging_now();
        struct memsrv_paging now;
        do {
            usleep(5000);
            pid = find_process(PAGER_NAME);
            now = paging_now();
        } while (pid == 0 || pid == last || now.swapped_out - before.swapped_out < AT_WORK ||
                 now.swapped_in - before.swapped_in < AT_WORK);
        killer->killed += root_kill(SLOT_ROOT, pid) == 0;
    }
    __atomic_store_n(&killer->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void killed(void)
{
    struct killer killer = {0};
    pthread_t thread;
    uint64_t wrong = 0, pass = 1;

    if (!tap_ok(pthread_create(&thread, NULL, kill_pagers, &killer) == 0, "pagers are killed meanwhile"))
        return;
    while (!__atomic_load_n(&killer.done, __ATOMIC_ACQUIRE)) {
        wrong += run(pass, true);
        wrong += run(++pass, false);
    }
    (void)pthread_join(thread, NULL);
    wrong += run(pass, true);
    tap_ok(wrong == 0 && killer.killed == KILLS, "%u were, in %lu passes, and no page is lost: %lu wrong",
           killer.killed, (unsigned long)pass, (unsigned long)wrong);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    wrong = run(1, false);
    tap_equal((long)wrong, 0, "the last of them goes on");
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
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

/* --- Turning it off ----------------------------------------------------------------------------------------------- */

static void off(void)
{
    struct pager_swap_area area = {0};
    size_t count = 0;
    uint64_t wrong = 0;

    (void)munmap((void *)(memory + LEFT / 2 * WORDS), (pages - LEFT / 2) * PAGE); /* the rest has room in memory */
    pages = LEFT / 2;
    (void)!pager_swap_list(SLOT_PAGER, &area, 1, &count);
    const uint64_t used = area.used;
    int error = pager_swap_off(SLOT_PAGER, area.name, strlen(area.name));
    tap_equal(error, 0, "swapoff brings everything back: %lu pages", (unsigned long)used);
    tap_ok(paging_now().swap_slots == 0 && paging_now().swap_cache == 0, "no slot is used");
    for (uint64_t page = 0; page < pages; page++)
        wrong += !page_is(page, 1);
    tap_equal((long)wrong, 0, "and the pages hold what was written");
    tap_equal(pager_swap_on(SLOT_PAGER, 3, area.name, strlen(area.name)), 0, "swapon");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

int main(void)
{
    tap_plan(18);
    if (set_up()) {
        twice_the_memory();
        killed();
        give_up_half();
        forked();
        off();
    }
    return tap_done();
}
