/* SPDX-License-Identifier: MIT */
/*
 * An area for swapped pages that is full, and memory with it: slots that cannot be written are done without; who uses most is
 * ended when nothing can go any more, and nobody else; servers answer meanwhile; afterwards everything works as before. The
 * area is small, and on a partition called scratch; most of memory is held.
 */
#include "memory_calls.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/blk_client.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/pager_start.h>
#include <quire/clock.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH      "label=scratch"
#define LEFT         1200u /* pages of memory */
#define SLOTS        1024u /* pages of the area, the header included */
#define BAD_SLOT     64u   /* this one and those behind it, while they cannot be written */
#define BAD_SLOTS    32u
#define BYSTANDER    200u  /* pages of who has no part in it */
#define LARGE        1100u /* of who has most at first */
#define MOST         100000u
#define HEADER_BYTES 4096u
#define PATIENCE     (120 * NS_PER_SECOND) /* for what a machine that stands still may need */

static struct blk_volume volume;
static volatile uint64_t *taken; /* shared: pages that somebody has taken so far */

static struct memsrv_paging paging(void)
{
    struct memsrv_paging info = {0};
    size_t count = 0;
    (void)!memsrv_paging_info(SLOT_MEMSRV, &info, 1, &count);
    return info;
}

static struct pager_info figures(void)
{
    struct pager_info info = {0};
    size_t count = 0;
    (void)!pager_info(SLOT_PAGER, &info, 1, &count);
    return info;
}

static struct pager_swap_area area(void)
{
    struct pager_swap_area found = {0};
    size_t count = 0;
    (void)!pager_swap_list(SLOT_PAGER, &found, 1, &count);
    return found;
}

static bool sound(void)
{
    uint64_t failures = 1;
    return memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0;
}

/* --- An area that is small ------------------------------------------------------------------------------------------ */

static void put_number(unsigned char *page, size_t offset, uint32_t number)
{
    memcpy(page + offset, &number, sizeof(number));
}

/* What mkswap writes. */
static void make_header(unsigned char *page)
{
    memset(page, 0, HEADER_BYTES);
    put_number(page, 1024, 1);
    put_number(page, 1028, SLOTS - 1);
    memcpy(page + HEADER_BYTES - 10, "SWAPSPACE2", 10);
}

static int write_header(void)
{
    uint64_t object = 0, address = 0;
    size_t count = 0;

    int error = blk_find(SLOT_BLK, SCRATCH, sizeof(SCRATCH) - 1, &volume, 1, &count);
    if (error == 0)
        error = memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_ROLE_FILE_SERVER);
    if (error == 0)
        error = memsrv_object_backed_create(SLOT_MEMSRV, PAGE, PAGER_COOKIE_OF_VOLUME(volume.id), &object);
    if (error == 0)
        error = memsrv_map_object(SLOT_MEMSRV, 0, PAGE, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, MEMSRV_MAP_SHARED,
                                  object, 0, &address);
    if (error < 0)
        return error;
    make_header((unsigned char *)address);
    error = pager_sync(SLOT_PAGER, object, 0, 1, 0);
    (void)munmap((void *)address, PAGE);
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, object);
    return error < 0 ? error : memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), 0);
}

static bool hold_memory(void)
{
    struct memsrv_memory info = {0};
    uint64_t held;
    size_t count;

    int error = memsrv_memory_info(SLOT_MEMSRV, &info, 1, &count);
    const uint64_t now = info.free + info.lists;
    if (error == 0)
        error = memsrv_free_hold(GRANT_SLOT_MEMSRV, now > LEFT ? now - LEFT : 0, &held);
    return tap_equal(error, 0, "of memory %u pages are left", LEFT);
}

static bool set_up(void)
{
    tap_equal(write_header(), 0, "a partition is made an area for swapped pages");
    taken = (volatile uint64_t *)(void *)map_pages(1, READ_WRITE, SHARED);
    return tap_equal(pager_swap_on(SLOT_PAGER, 5, SCRATCH, sizeof(SCRATCH) - 1), 0, "swapon") &&
           tap_ok(taken != NULL, "memory is shared") && hold_memory();
}

/* --- Those who take memory ------------------------------------------------------------------------------------------ */

static uint64_t content(uint64_t page, uint64_t whose)
{
    return (page + 1) * 0x9e3779b97f4a7c15u ^ whose;
}

/* Takes pages, one after the other, and tells how many. */
static volatile uint64_t *take(uint64_t pages, uint64_t whose)
{
    volatile uint64_t *memory = mmap(NULL, pages * PAGE, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || madvise((void *)memory, pages * PAGE, MADV_NOHUGEPAGE) < 0)
        _exit(2);
    for (uint64_t page = 0; page < pages; page++) {
        memory[page * (PAGE / sizeof(*memory))] = content(page, whose);
        taken[whose] = page + 1;
    }
    return memory;
}

static bool is_intact(const volatile uint64_t *memory, uint64_t pages, uint64_t whose)
{
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < pages; page++)
        wrong += memory[page * (PAGE / sizeof(*memory))] != content(page, whose);
    return wrong == 0;
}

/* A process that takes pages, waits until it is told, and looks whether they are what they were. */
struct holder {
    pid_t pid;
    int go;
};

static struct holder start(uint64_t whose, uint64_t pages)
{
    int ends[2];
    char byte;
    struct holder holder = {-1, -1};

    taken[whose] = 0;
    if (pipe(ends) < 0)
        return holder;
    holder.pid = fork();
    if (holder.pid == 0) {
        (void)close(ends[1]);
        const volatile uint64_t *memory = take(pages, whose);
        (void)!read(ends[0], &byte, 1);
        _exit(is_intact(memory, pages, whose) ? 0 : 1);
    }
    (void)close(ends[0]);
    holder.go = ends[1];
    return holder;
}

static void let_go(struct holder *holder)
{
    (void)close(holder->go);
}

static bool has_taken(uint64_t whose, uint64_t pages)
{
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (taken[whose] < pages && clock_now_ns() < end)
        usleep(2000);
    return taken[whose] == pages;
}

static int status_of(pid_t pid)
{
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static bool was_ended(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* --- The tests ------------------------------------------------------------------------------------------------------ */

/* More than fits into memory, on an area of which a part cannot be written. */
static void bad_slots(void)
{
    int error = blk_inject(SLOT_BLK, volume.id, BLK_FAULT_ERROR, 1UL << BLK_WRITE, BAD_SLOT * BLK_PAGE_SECTORS,
                           BAD_SLOTS * BLK_PAGE_SECTORS);
    tap_equal(error, 0, "a part of the area cannot be written");
    const uint64_t before = area().pages;
    struct holder holder = start(0, LARGE);
    tap_ok(has_taken(0, LARGE), "a process takes more than memory has");
    let_go(&holder);
    tap_equal(status_of(holder.pid), 0, "and finds it as it was");
    tap_ok(area().pages < before && before - area().pages <= BAD_SLOTS, "slots are lost: %lu",
           (unsigned long)(before - area().pages));
    (void)!blk_inject(SLOT_BLK, volume.id, BLK_FAULT_NONE, 0, 0, 0);
    tap_ok(sound(), "memsrv's structures are sound");
}

/* Servers answer while memory is gone: a call of each that comes back. */
static void ask_servers(void)
{
    struct stat status;

    (void)area();
    (void)paging();
    (void)stat("/tests/hello", &status);
    (void)getppid();
}

static void is_full(void)
{
    const uint64_t kills = figures().oom_kills, written = paging().swapped_out;
    int status[2] = {-1, -1};
    uint64_t rounds = 0;

    struct holder bystander = start(0, BYSTANDER), large = start(1, LARGE);
    tap_ok(has_taken(0, BYSTANDER) && has_taken(1, LARGE), "a process has much memory, another has little");
    struct holder hungry = start(2, MOST);
    struct holder *both[2] = {&large, &hungry};
    for (unsigned ended = 0; ended < 2; rounds++) {
        for (unsigned i = 0; i < 2; i++) {
            if (status[i] == -1 && waitpid(both[i]->pid, &status[i], WNOHANG) == both[i]->pid)
                ended++;
        }
        ask_servers();
        usleep(1000);
    }
    tap_diag("servers were asked %lu times", (unsigned long)rounds);
    tap_ok(was_ended(status[0]), "who has most is ended when all is full: %x", status[0]);
    tap_ok(was_ended(status[1]) && taken[2] > LARGE && taken[2] < MOST,
           "who wants all there is has more then, and is ended: %x, %lu pages", status[1], (unsigned long)taken[2]);
    tap_equal((long)(figures().oom_kills - kills), 2, "nobody else is");
    tap_ok(paging().swapped_out - written >= SLOTS / 2, "the area was used: %lu pages were written",
           (unsigned long)(paging().swapped_out - written));
    let_go(&large);
    let_go(&hungry);
    let_go(&bystander);
    tap_equal(status_of(bystander.pid), 0, "who has little finds it as it was");
    tap_ok(sound(), "memsrv's structures are sound");
}

/* Memory that is to be locked needs room in memory, which swapped pages of others do not make for ever. */
static void locks_too_much(void)
{
    int status = -1;
    struct holder bystander = start(0, BYSTANDER);
    bool is_there = has_taken(0, BYSTANDER);
    const pid_t pid = fork();
    if (pid == 0) {
        void *memory = mmap(NULL, 2 * LEFT * PAGE, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0);
        (void)!memsrv_space_limit_set(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_RESOURCE_LOCKED_MEMORY, UINT64_MAX,
                                      UINT64_MAX);
        _exit(memory == MAP_FAILED || mlock(memory, 2 * LEFT * PAGE) == 0 ? 1 : 0);
    }
    is_there = is_there && pid > 0 && waitpid(pid, &status, 0) == pid;
    tap_ok(is_there && (status == 0 || was_ended(status)), "who locks more than there is fails, or is ended: %x",
           status);
    let_go(&bystander);
    tap_equal(status_of(bystander.pid), 0, "nobody else");
}

/* Everything works as before. */
static void afterwards(void)
{
    struct holder holder = start(0, LARGE);
    tap_ok(has_taken(0, LARGE), "a process takes more than memory has");
    let_go(&holder);
    tap_equal(status_of(holder.pid), 0, "and finds it as it was");
    uint64_t held;
    const int error = pager_swap_off(SLOT_PAGER, SCRATCH, sizeof(SCRATCH) - 1);
    tap_equal(error, 0, "swapoff");
    tap_ok(paging().swap_slots == 0 && paging().swap_cache == 0, "no slot is used");
    tap_equal(memsrv_free_hold(GRANT_SLOT_MEMSRV, 0, &held), 0, "memory is given back");
    tap_ok(sound(), "memsrv's structures are sound");
}

int main(void)
{
    tap_plan(4 + 5 + 7 + 2 + 6);
    if (set_up()) {
        bad_slots();
        is_full();
        locks_too_much();
        afterwards();
    }
    return tap_done();
}
