/* SPDX-License-Identifier: MIT */
/*
 * Who is rather ended for want of memory, and who never: what a process begins with, who may change it, and that the
 * decision goes by it. Who is ended waits for something that never comes; its memory comes back all the same. Needs a
 * disk, for without one there is no pager.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF       "/tests/oom_adj"
#define INHERITED  300
#define MEMSRV_PID 2
#define MIB        (1UL << 20)
#define SMALL      (40 * MIB)
#define LARGE      (80 * MIB) /* both together are more than the machine has */

static int64_t adj_of(pid_t pid)
{
    int64_t adj = INT64_MIN;
    const int error = root_oom_adj_get(SLOT_ROOT, (uint64_t)pid, &adj);
    return error < 0 ? error : adj;
}

static int set(pid_t pid, int64_t adj)
{
    return root_oom_adj_set(SLOT_ROOT, (uint64_t)pid, adj);
}

/* --- What a program begins with, and who may change it ------------------------------------------------------------- */

/* What one who is no operator may do; the exit status is the number of the first thing that went wrong. */
static int untrusted(void)
{
    const pid_t parent = getppid();
    const struct {
        int found, wanted;
    } cases[] = {
        {(int)adj_of(0), INHERITED},      {set(0, INHERITED - 1), -EACCES},
        {set(0, INHERITED + 100), 0},     {(int)adj_of(getpid()), INHERITED + 100},
        {set(getpid(), INHERITED), 0},    {set(0, 1001), -EINVAL},
        {set(0, -1001), -EINVAL},         {set(parent, 400), -EPERM},
        {(int)adj_of(parent), INHERITED}, {set(1, 0), -ESRCH},
        {set(MEMSRV_PID, 0), -ESRCH},     {set(99999, 0), -ESRCH},
    };
    for (int i = 0; i < (int)(sizeof(cases) / sizeof(cases[0])); i++) {
        if (cases[i].found != cases[i].wanted)
            return i + 1;
    }
    (void)execl(SELF, SELF, "executed", NULL);
    return 100;
}

static int executed(void)
{
    if (adj_of(0) != INHERITED)
        return 101;
    return set(0, INHERITED - 1) == -EACCES ? 0 : 102;
}

static int status_of(pid_t pid)
{
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void inheritance(void)
{
    tap_equal((long)adj_of(0), 0, "a program begins without a correction");
    tap_equal(set(0, INHERITED), 0, "an operator sets its own");
    const pid_t child = fork();
    if (child == 0)
        _exit(adj_of(0) == INHERITED && set(0, -5) == 0 && adj_of(0) == -5 ? 0 : 1);
    tap_equal(status_of(child), 0, "a copy has it, and may lower it, being an operator, too");
    const char *arguments[] = {SELF, "untrusted", NULL};
    tap_equal(status_of((pid_t)process_spawn(arguments)), 0, "a program that it starts has it, and may only raise it");
    tap_equal(set(0, 0), 0, "it is taken back");
}

/* --- The decision --------------------------------------------------------------------------------------------------- */

static void take(uint64_t bytes)
{
    volatile char *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        _exit(2);
    for (uint64_t at = 0; at < bytes; at += PAGE_SIZE)
        memory[at] = 1;
}

/* A process with memory and a correction that waits for ever, for a message or (`for_signal`) for a signal. */
static pid_t start_waiting(int64_t adj, bool for_signal)
{
    int ready[2], never[2];
    char byte = 0;
    if (pipe(ready) < 0 || pipe(never) < 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0) {
        take(SMALL);
        if (set(0, adj) < 0 || write(ready[1], &byte, 1) != 1)
            _exit(3);
        while (for_signal)
            (void)pause();
        _exit(read(never[0], &byte, 1) == 1 ? 4 : 5);
    }
    (void)close(ready[1]);
    const bool is_there = pid > 0 && read(ready[0], &byte, 1) == 1;
    (void)close(ready[0]);
    (void)close(never[0]);
    (void)close(never[1]);
    return is_there ? pid : -1;
}

static int status_of_taker(int64_t adj)
{
    const pid_t pid = fork();
    if (pid == 0) {
        if (set(0, adj) < 0)
            _exit(3);
        take(LARGE);
        _exit(0);
    }
    return status_of(pid);
}

/* Who waits is ended rather than the larger one that takes memory, for the correction of the one or of the other. */
static void decision(int64_t waiting, int64_t taking, bool for_signal)
{
    uint64_t chosen = 0, score = 0;
    const uint64_t before = pager_now().oom_kills;
    const pid_t pid = start_waiting(waiting, for_signal);
    int error = pager_oom_explain(SLOT_PAGER, &chosen, &score);
    tap_ok(error == 0 && chosen == (uint64_t)pid && score > 0, "the one that waits would be ended: %lu, score %lu",
           (unsigned long)chosen, (unsigned long)score);
    tap_equal(status_of_taker(taking), 0, "%ld: a larger one gets the memory", (long)taking);
    const int status = status_of(pid);
    tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%ld: who waits is ended: %x", (long)waiting, status);
    tap_equal((long)(pager_now().oom_kills - before), 1, "nobody else is");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "untrusted") == 0)
        return untrusted();
    if (argc > 1 && strcmp(argv[1], "executed") == 0)
        return executed();
    tap_plan(5 + 3 * 4);
    inheritance();
    decision(1000, 0, false);
    decision(600, 0, true);
    decision(0, -1000, true);
    return tap_done();
}
