/* SPDX-License-Identifier: MIT */
/*
 * Memory groups: what is charged to whom, limits in one another, reclaim within a group, and who is ended when a group
 * has no more: one of its own, and nobody else. Needs a disk whose partition is called scratch.
 */
#include "scratch_disk.h"
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF        "/tests/memgroups"
#define MIB         (1UL << 20)
#define MIB_PAGES   (MIB / PAGE_SIZE)
#define OUTER_PAGES (12 * MIB_PAGES)
#define INNER_PAGES (6 * MIB_PAGES)
#define FILE_PAGES  (10 * MIB_PAGES) /* more than the inner group may have */
#define OWN_PAGES   (2 * MIB_PAGES)  /* of the disk, that the test itself uses */
#define ALL_PAGES   (FILE_PAGES + OWN_PAGES)
#define NO_LIMIT    UINT64_MAX
#define TURNS       6000u /* a minute */
#define TURN_US     10000u
#define WORDS       (PAGE_SIZE / sizeof(uint64_t))

static uint64_t outer, inner;
static volatile uint64_t *disk;

static struct memsrv_memgroup info(uint64_t group)
{
    struct memsrv_memgroup found = {0};
    uint64_t next;
    size_t count = 0;
    (void)!memsrv_memgroups_info(SLOT_MEMSRV, group, &next, &found, 1, &count);
    return found;
}

/* What is known of a group when so many were ended on its account: the pager counts one after it has ended it. */
static struct memsrv_memgroup info_after_kills(uint64_t group, uint64_t count)
{
    struct memsrv_memgroup found = info(group);
    for (unsigned turn = 0; turn < TURNS && found.kills < count; turn++) {
        (void)usleep(TURN_US);
        found = info(group);
    }
    return found;
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

/* --- Processes in a group ------------------------------------------------------------------------------------------- */

static void take(uint64_t pages)
{
    volatile char *memory =
        mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        _exit(2);
    for (uint64_t page = 0; page < pages; page++)
        memory[page * PAGE_SIZE] = 1;
}

/* A process of a group that takes memory, and then waits until it is ended. Returns when it has the memory. */
static pid_t start_holder(uint64_t group, uint64_t pages)
{
    int ready[2];
    char byte = 0;
    if (pipe(ready) < 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0) {
        if (root_memgroup_move(SLOT_ROOT, 0, group) < 0)
            _exit(3);
        take(pages);
        if (write(ready[1], &byte, 1) != 1)
            _exit(4);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    const bool is_there = pid > 0 && read(ready[0], &byte, 1) == 1;
    (void)close(ready[0]);
    return is_there ? pid : -1;
}

static int end_holder(pid_t pid)
{
    return kill(pid, SIGTERM) == 0 ? status_of(pid) : -1;
}

static bool is_alive(pid_t pid)
{
    int status;
    return pid > 0 && waitpid(pid, &status, WNOHANG) == 0;
}

/* Has a process of a group take memory and end. */
static int status_of_taker(uint64_t group, uint64_t pages)
{
    const pid_t pid = fork();
    if (pid == 0) {
        if (root_memgroup_move(SLOT_ROOT, 0, group) < 0)
            _exit(3);
        take(pages);
        _exit(0);
    }
    return status_of(pid);
}

/* --- The tests ------------------------------------------------------------------------------------------------------ */

static void rights(void)
{
    const char *arguments[] = {SELF, "untrusted", NULL};
    tap_equal(status_of((pid_t)process_spawn(arguments)), 0, "who is no operator has nothing to say about groups");
    tap_equal(root_memgroup_move(SLOT_ROOT, 0, 99), -EINVAL, "nobody gets into a group that is none");
    tap_equal(root_memgroup_limit(SLOT_ROOT, 0, 5, 5), -EINVAL, "all processes together have no limit");
}

static int untrusted(void)
{
    uint64_t group;
    if (root_memgroup_create(SLOT_ROOT, 0, &group) != -EPERM || root_memgroup_move(SLOT_ROOT, 0, 0) != -EPERM)
        return 1;
    return root_memgroup_limit(SLOT_ROOT, 1, 5, 5) == -EPERM && root_memgroup_destroy(SLOT_ROOT, 1) == -EPERM ? 0 : 2;
}

static bool make_groups(void)
{
    int error = root_memgroup_create(SLOT_ROOT, 0, &outer);
    if (error == 0)
        error = root_memgroup_create(SLOT_ROOT, outer, &inner);
    if (error == 0)
        error = root_memgroup_limit(SLOT_ROOT, outer, OUTER_PAGES, NO_LIMIT);
    if (error == 0)
        error = root_memgroup_limit(SLOT_ROOT, inner, INNER_PAGES, NO_LIMIT);
    return tap_equal(error, 0, "a group is made, and one in it");
}

static void charges(void)
{
    const uint64_t pages = 3 * MIB_PAGES;
    const pid_t in_inner = start_holder(inner, pages), in_outer = start_holder(outer, pages);
    struct memsrv_memgroup in = info(inner), out = info(outer);
    tap_ok(in.anonymous >= pages && in.memory == in.anonymous + in.file, "pages are charged: %lu",
           (unsigned long)in.memory);
    tap_ok(out.memory >= in.memory + pages && out.memory == in.memory + out.anonymous + out.file,
           "all that is in a group in the group, too, counts there: %lu", (unsigned long)out.memory);
    tap_ok(in.processes == 1 && out.processes == 1, "each has a process");
    tap_ok(memsrv_is_sound(), "pages say what the groups say");
    tap_equal(root_memgroup_destroy(SLOT_ROOT, inner), -EBUSY, "a group with a process stays");
    (void)end_holder(in_inner);
    (void)end_holder(in_outer);
    in = info(inner);
    out = info(outer);
    tap_ok(in.memory == 0 && out.memory == 0 && in.processes == 0 && out.processes == 0,
           "nothing is left of them when they have ended: %lu, %lu", (unsigned long)in.memory,
           (unsigned long)out.memory);
}

static void inherited(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        if (root_memgroup_move(SLOT_ROOT, 0, inner) < 0)
            _exit(3);
        const pid_t child = fork();
        if (child == 0)
            _exit(info(inner).processes == 2 ? 0 : 1);
        const char *arguments[] = {SELF, "member", NULL};
        _exit(status_of(child) == 0 && status_of((pid_t)process_spawn(arguments)) == 0 ? 0 : 1);
    }
    tap_equal(status_of(pid), 0, "what a process starts, and becomes, is in its group");
    tap_equal((long)info(inner).memory, 0, "and leaves nothing");
}

static int member(bool again)
{
    struct memsrv_memgroup groups[8];
    uint64_t next;
    size_t count = 0;
    (void)!memsrv_memgroups_info(SLOT_MEMSRV, 1, &next, groups, 8, &count);
    for (size_t i = 0; i < count; i++) {
        if (groups[i].parent != 0 && (groups[i].processes != 2 || groups[i].memory == 0))
            return 1;
    }
    if (!again)
        (void)execl(SELF, SELF, "executed", NULL);
    return again ? 0 : 2;
}

/* Who takes more than the group has is ended; those in the group around it, and outside, are not. */
static void hog(void)
{
    const uint64_t before = pager_now().oom_kills;
    const pid_t outside = start_holder(0, 20 * MIB_PAGES), beside = start_holder(outer, 3 * MIB_PAGES);
    int status = status_of_taker(inner, 64 * MIB_PAGES);
    tap_ok(was_ended(status), "who takes more than its group has is ended: %x", status);
    const struct memsrv_memgroup in = info_after_kills(inner, 1);
    tap_ok(in.most <= INNER_PAGES && in.refusals > 0 && in.kills == 1, "the group never had more: %lu",
           (unsigned long)in.most);
    status = status_of_taker(inner, 4 * MIB_PAGES);
    tap_equal(status, 0, "the next one gets what the group has");
    tap_ok(is_alive(outside) && is_alive(beside) && pager_now().oom_kills - before == 1, "nobody else was ended");
    (void)end_holder(beside);
    tap_ok(is_alive(outside), "who uses more outside goes on");
    (void)end_holder(outside);
}

/* The limit that is reached is that of the group around. */
static void nested(void)
{
    tap_equal(root_memgroup_limit(SLOT_ROOT, inner, NO_LIMIT, NO_LIMIT), 0, "the inner group has no limit");
    const pid_t small = start_holder(outer, 3 * MIB_PAGES);
    const int status = status_of_taker(inner, 64 * MIB_PAGES);
    const struct memsrv_memgroup out = info_after_kills(outer, 1), in = info(inner);
    tap_ok(was_ended(status) && is_alive(small), "the largest in the outer group is ended, the other one not: %x",
           status);
    tap_ok(out.kills == 1 && in.kills == 1 && out.most <= OUTER_PAGES, "on the outer group's account: %lu pages",
           (unsigned long)out.most);
    (void)end_holder(small);
    tap_ok(info(outer).memory == 0 && info(inner).memory == 0, "nothing is left");
    tap_equal(root_memgroup_limit(SLOT_ROOT, inner, INNER_PAGES, NO_LIMIT), 0, "the inner group has its limit again");
}

/* --- Pages of files --------------------------------------------------------------------------------------------------- */

static bool map_disk(void)
{
    struct scratch_disk scratch = {0};
    const int error = scratch_disk_map(&scratch, ALL_PAGES, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE);
    disk = scratch.memory;
    return tap_equal(error, 0, "a part of the disk is mapped");
}

static uint64_t own_pages_present(void)
{
    static unsigned char present[OWN_PAGES];
    uint64_t count = 0;
    if (mincore((void *)(uintptr_t)(disk + FILE_PAGES * WORDS), OWN_PAGES * PAGE_SIZE, present) < 0)
        return 0;
    for (uint64_t i = 0; i < OWN_PAGES; i++)
        count += present[i] & 1;
    return count;
}

/* Writes more of the disk than the group may have in memory, and reads it again. */
static _Noreturn void use_disk(void)
{
    uint64_t wrong = 0;
    if (root_memgroup_move(SLOT_ROOT, 0, inner) < 0)
        _exit(3);
    for (uint64_t page = 0; page < FILE_PAGES; page++)
        disk[page * WORDS + 1] = page ^ 0x5a5a;
    for (uint64_t page = 0; page < FILE_PAGES; page++)
        wrong += disk[page * WORDS + 1] != (page ^ 0x5a5a);
    _exit(wrong == 0 ? 0 : 1);
}

static void files(void)
{
    if (!map_disk())
        return;
    const uint64_t before = pager_now().oom_kills;
    for (uint64_t page = FILE_PAGES; page < ALL_PAGES; page++)
        (void)disk[page * WORDS];
    const uint64_t present = own_pages_present();
    tap_ok(present > OWN_PAGES / 2, "the test has pages of the disk: %lu", (unsigned long)present);
    const pid_t pid = fork();
    if (pid == 0)
        use_disk();
    tap_equal(status_of(pid), 0, "a process of a group uses more of the disk than the group may have");
    const struct memsrv_memgroup in = info(inner);
    tap_ok(in.file > 0 && in.memory <= INNER_PAGES, "it gives up its own pages: %lu are left",
           (unsigned long)in.memory);
    tap_equal((long)own_pages_present(), (long)present, "those of others stay");
    tap_ok(pager_now().oom_kills == before && memsrv_is_sound(), "nobody is ended");
}

/* Whatever is left in groups goes, and they with it. */
static void end_groups(void)
{
    uint64_t dropped;
    tap_equal(root_memgroup_destroy(SLOT_ROOT, inner), -EBUSY, "a group with pages stays");
    int error = pager_sync_all(SLOT_PAGER);
    if (error == 0)
        error = pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &dropped);
    tap_ok(error == 0 && info(inner).memory == 0, "its pages are dropped: %lu are left",
           (unsigned long)info(inner).memory);
    tap_equal(root_memgroup_destroy(SLOT_ROOT, outer), -EBUSY, "a group with a group in it stays");
    error = root_memgroup_destroy(SLOT_ROOT, inner);
    tap_equal(error < 0 ? error : root_memgroup_destroy(SLOT_ROOT, outer), 0, "both go");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "untrusted") == 0)
        return untrusted();
    if (argc > 1)
        return member(strcmp(argv[1], "executed") == 0);
    tap_plan(3 + 1 + 6 + 2 + 5 + 5 + 6 + 5);
    rights();
    if (make_groups()) {
        charges();
        inherited();
        hog();
        nested();
        files();
        end_groups();
    }
    return tap_done();
}
