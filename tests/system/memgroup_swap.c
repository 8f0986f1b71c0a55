/* SPDX-License-Identifier: MIT */
/*
 * What a memory group has in swap: slots are charged to the group whose page went there, whoever has it then, until they are
 * free; with a limit of slots a group that needs more has a process ended, and no other. Needs a disk with a partition for
 * swapped pages.
 */
#include "memory_calls.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT      512u /* pages of memory that the group may have */
#define SWAP_LIMIT 512u /* and slots */
#define MUCH       800u /* more than the one, and less than both */
#define TOO_MUCH   2000u
#define NO_LIMIT   UINT64_MAX
#define WORDS      (PAGE / sizeof(uint64_t))
#define PATIENCE   (120 * NS_PER_SECOND) /* for what a machine that stands still may need */

static uint64_t outer, inner;

static struct memsrv_memgroup info(uint64_t group)
{
    struct memsrv_memgroup found = {0};
    uint64_t next;
    size_t count = 0;
    (void)!memsrv_memgroups_info(SLOT_MEMSRV, group, &next, &found, 1, &count);
    return found;
}

static bool sound(void)
{
    uint64_t failures = 1;
    return memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0;
}

static bool set_up(void)
{
    struct pager_swap_area area;
    size_t count = 0;
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (pager_swap_list(SLOT_PAGER, &area, 1, &count) == 0 && count == 0 && clock_now_ns() < end)
        usleep(10000);
    int error = count == 1 ? root_memgroup_create(SLOT_ROOT, 0, &outer) : -ENOENT;
    if (error == 0)
        error = root_memgroup_create(SLOT_ROOT, outer, &inner);
    if (error == 0)
        error = root_memgroup_limit(SLOT_ROOT, inner, LIMIT, NO_LIMIT);
    return tap_equal(error, 0, "there is an area for swapped pages, and a group");
}

/* Slots are told to be free by and by. */
static bool nothing_is_left(void)
{
    const uint64_t end = clock_now_ns() + PATIENCE;
    while (info(outer).swap + info(outer).memory != 0 && clock_now_ns() < end)
        usleep(2000);
    return info(outer).swap == 0 && info(outer).memory == 0 && sound();
}

/* --- Processes of the group ------------------------------------------------------------------------------------------- */

static volatile uint64_t *take(uint64_t pages)
{
    volatile uint64_t *memory = mmap(NULL, pages * PAGE, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        _exit(2);
    for (uint64_t page = 0; page < pages; page++)
        memory[page * WORDS] = page ^ 0x5a5a5a;
    return memory;
}

static bool is_intact(const volatile uint64_t *memory, uint64_t pages)
{
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < pages; page++)
        wrong += memory[page * WORDS] != (page ^ 0x5a5a5a);
    return wrong == 0;
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

/* Takes pages, looks at them, and with a child of its own once more. */
static pid_t start_taker(uint64_t pages, bool forks)
{
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (root_memgroup_move(SLOT_ROOT, 0, inner) < 0)
        _exit(3);
    const volatile uint64_t *memory = take(pages);
    bool good = is_intact(memory, pages);
    if (forks) {
        const pid_t child = fork();
        if (child == 0)
            _exit(is_intact(memory, pages) ? 0 : 1);
        good = is_intact(memory, pages) && good;
        good = status_of(child) == 0 && good;
    }
    _exit(good ? 0 : 1);
}

/* A process that takes pages as one of the group, leaves it, and waits. */
struct holder {
    pid_t pid;
    int go, ready;
};

static struct holder start_holder(uint64_t pages)
{
    int go[2], ready[2];
    char byte = 0;
    struct holder holder = {-1, -1, -1};
    if (pipe(go) < 0 || pipe(ready) < 0)
        return holder;
    holder.pid = fork();
    if (holder.pid == 0) {
        (void)close(go[1]);
        if (root_memgroup_move(SLOT_ROOT, 0, inner) < 0)
            _exit(3);
        const volatile uint64_t *memory = take(pages);
        if (root_memgroup_move(SLOT_ROOT, 0, 0) < 0 || write(ready[1], &byte, 1) != 1)
            _exit(4);
        (void)!read(go[0], &byte, 1);
        _exit(is_intact(memory, pages) ? 0 : 1);
    }
    (void)close(go[0]);
    (void)close(ready[1]);
    (void)!read(ready[0], &byte, 1);
    (void)close(ready[0]);
    holder.go = go[1];
    return holder;
}

/* --- The tests ------------------------------------------------------------------------------------------------------ */

static void charges(void)
{
    struct holder holder = start_holder(MUCH);
    const struct memsrv_memgroup in = info(inner), out = info(outer);
    tap_ok(in.swap >= MUCH - LIMIT && in.memory <= LIMIT, "what a group has above its limit is in swap: %lu slots",
           (unsigned long)in.swap);
    tap_ok(out.swap == in.swap && info(0).swap >= in.swap, "slots count in the groups around");
    tap_ok(sound(), "slots say what the groups say");
    tap_equal((long)in.processes, 0, "a process leaves the group");
    tap_ok(root_memgroup_destroy(SLOT_ROOT, inner) == -EBUSY, "which stays, as it has slots");
    (void)close(holder.go);
    tap_equal(status_of(holder.pid), 0, "the process finds its pages as they were");
    tap_ok(nothing_is_left(), "and leaves nothing: %lu slots", (unsigned long)info(outer).swap);
}

static void forks(void)
{
    tap_equal(status_of(start_taker(MUCH, true)), 0, "a child and its parent have pages in swap");
    tap_ok(nothing_is_left(), "and leave nothing: %lu slots", (unsigned long)info(outer).swap);
}

static void limit(void)
{
    tap_equal(root_memgroup_limit(SLOT_ROOT, inner, LIMIT, SWAP_LIMIT), 0, "the group gets a limit of slots");
    tap_equal(status_of(start_taker(MUCH, false)), 0, "a process gets as much as both limits allow");
    tap_ok(nothing_is_left() && info(inner).kills == 0, "and leaves nothing");
    const pid_t pid = start_taker(TOO_MUCH, false);
    int status = -1;
    uint64_t most = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        const uint64_t now = info(inner).swap;
        most = now > most ? now : most;
        usleep(1000);
    }
    tap_ok(was_ended(status) && most <= SWAP_LIMIT, "who takes more is ended: %x, %lu slots at most", status,
           (unsigned long)most);
    tap_ok(nothing_is_left(), "and leaves nothing");
    tap_equal(root_memgroup_limit(SLOT_ROOT, inner, LIMIT, 0), 0, "the group may have no slot");
    tap_ok(was_ended(status_of(start_taker(MUCH, false))), "and who takes more than memory is ended");
    tap_equal(root_memgroup_limit(SLOT_ROOT, inner, NO_LIMIT, 0), 0, "without a limit of memory");
    tap_equal(status_of(start_taker(MUCH, false)), 0, "nobody is");
    tap_ok(nothing_is_left(), "nothing is left");
}

int main(void)
{
    tap_plan(1 + 7 + 2 + 10 + 2);
    if (set_up()) {
        charges();
        forks();
        limit();
        int error = root_memgroup_destroy(SLOT_ROOT, inner);
        tap_equal(error < 0 ? error : root_memgroup_destroy(SLOT_ROOT, outer), 0, "the groups go");
    }
    tap_ok(sound(), "memsrv's structures are sound");
    return tap_done();
}
