/* SPDX-License-Identifier: MIT */
/*
 * root's promises: processes start, end and are waited for; who may end whom; services come back. Without an argument
 * this is the parent, an operator; it starts itself as the children, which are none.
 */
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SELF            "/tests/processes"
#define CONSOLE         "console"
#define PROCESSES_MAX   128
#define WAITING_THREADS 5
#define WAITING_MAX     4
#define NOBODY          1000000UL
#define POLL_US         1000

static int64_t start(const char *role, const char *argument)
{
    const char *line[] = {SELF, role, argument, NULL};
    return process_spawn(line);
}

/* The first process at or after *pid; false if there is none. */
static bool next_process(uint64_t *pid, struct root_process *process)
{
    size_t count;
    uint64_t next;

    if (root_process_list(SLOT_ROOT, *pid, &next, process, 1, &count) < 0 || count == 0)
        return false;
    *pid = process->pid + 1;
    return true;
}

/* The number of the process with that name, 0 if there is none. */
static uint64_t find(const char *name)
{
    struct root_process process;
    uint64_t pid = 0;

    while (next_process(&pid, &process))
        if (strcmp(process.name, name) == 0)
            return process.pid;
    return 0;
}

static int count_processes(void)
{
    struct root_process process;
    uint64_t pid = 0;
    int count = 0;

    while (next_process(&pid, &process))
        count++;
    return count;
}

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        sleep(1000);
}

/* What one who is no operator may not do; the exit status is the number of the first thing that went wrong. */
static int child_without_rights(const char *parent)
{
    if (root_kill(SLOT_ROOT, strtoull(parent, NULL, 10)) != -EPERM)
        return 1;
    if (root_kill(SLOT_ROOT, find(CONSOLE)) != -EPERM)
        return 2;
    if (root_power_off(SLOT_ROOT, 0) != -EPERM)
        return 3;
    const int64_t own = start("sleep", NULL);
    if (own < 0 || root_kill(SLOT_ROOT, (uint64_t)own) != 0)
        return 4;
    return process_wait((uint64_t)own) == (int)ROOT_STATUS_KILLED ? 0 : 5;
}

static int child(char **arguments)
{
    if (strcmp(arguments[1], "exit") == 0)
        return atoi(arguments[2]);
    if (strcmp(arguments[1], "rights") == 0)
        return child_without_rights(arguments[2]);
    if (strcmp(arguments[1], "orphan") == 0)
        return start("sleep", NULL) > 0 ? 0 : 1;
    if (strcmp(arguments[1], "suicide") == 0)
        (void)!root_kill(SLOT_ROOT, strtoull(arguments[2], NULL, 10));
    sleep_for_ever();
}

static int wait_raw(int64_t target, uint64_t *pid, uint64_t *status)
{
    uint64_t cause;

    return root_wait(SLOT_ROOT, target, 0, 0, pid, &cause, status);
}

static void test_wait(void)
{
    uint64_t pid, status;

    tap_equal(process_wait((uint64_t)start("exit", "7")), 7, "a child's exit status");
    const int64_t one = start("exit", "1"), two = start("exit", "2");
    tap_equal(wait_raw(-1, &pid, &status), 0, "wait for any child");
    const uint64_t first = pid;
    tap_ok(pid == (uint64_t)(status == 1 ? one : two), "which says who it was");
    tap_equal(wait_raw(-1, &pid, &status), 0, "wait for any child again");
    tap_ok(pid != first && pid == (uint64_t)(status == 1 ? one : two), "which was the other");
    tap_equal(wait_raw(-1, &pid, &status), -ECHILD, "no child is left");
    tap_equal(wait_raw(one, &pid, &status), -ECHILD, "a child can be waited for once");
    tap_equal(wait_raw((int64_t)find(CONSOLE), &pid, &status), -ECHILD, "another's child cannot");
    tap_equal(wait_raw(NOBODY, &pid, &status), -ECHILD, "nobody's neither");
}

static _Atomic int refused, told, too_late;

static int wait_in_thread(void *argument)
{
    const int status = process_wait((uint64_t)argument);

    if (status == -EAGAIN)
        refused++;
    else if (status == -ECHILD)
        too_late++;
    else if (status == (int)ROOT_STATUS_KILLED)
        told++;
    return 0;
}

static void test_many_waits(void)
{
    struct thread *threads[WAITING_THREADS];
    const uint64_t pid = (uint64_t)start("sleep", NULL);
    int created = 0;

    while (created < WAITING_THREADS && thread_create(&threads[created], wait_in_thread, (void *)pid) == 0)
        created++;
    tap_equal(created, WAITING_THREADS, "%d threads wait for one child", WAITING_THREADS);
    while (refused == 0)
        usleep(POLL_US);
    (void)!root_kill(SLOT_ROOT, pid);
    for (int index = 0; index < created; index++)
        (void)!thread_join(threads[index], NULL);
    tap_equal(refused, WAITING_THREADS - WAITING_MAX, "one too many is refused");
    tap_equal(told, 1, "one is told the status");
    tap_equal(too_late, WAITING_MAX - 1, "the others that they wait in vain");
}

static void test_kill(void)
{
    const int64_t sleeper = start("sleep", NULL);
    char own[24];

    tap_equal(root_kill(SLOT_ROOT, (uint64_t)sleeper), 0, "kill a child");
    tap_equal(root_kill(SLOT_ROOT, (uint64_t)sleeper), -ESRCH, "it is gone");
    tap_equal(process_wait((uint64_t)sleeper), (long)ROOT_STATUS_KILLED, "its status says so");
    tap_equal(root_kill(SLOT_ROOT, PID_ROOT), -EPERM, "root cannot be killed");
    tap_equal(root_kill(SLOT_ROOT, PID_MEMSRV), -EPERM, "memsrv cannot be killed");
    tap_equal(root_kill(SLOT_ROOT, NOBODY), -ESRCH, "nobody cannot be killed");
    snprintf(own, sizeof(own), "%lu", (unsigned long)find("processes"));
    tap_equal(process_wait((uint64_t)start("rights", own)), 0, "a child may end its own children and no other");
    /* Numbers count up: two more were used above. */
    snprintf(own, sizeof(own), "%lu", (unsigned long)sleeper + 3);
    tap_equal(process_wait((uint64_t)start("suicide", own)), (long)ROOT_STATUS_KILLED, "a program may end itself");
}

static void test_orphan(void)
{
    struct root_process process;
    const int64_t parent = start("orphan", NULL);
    uint64_t pid = (uint64_t)parent + 1;

    tap_equal(process_wait((uint64_t)parent), 0, "a child ends before its own child");
    tap_ok(next_process(&pid, &process) && process.parent == PID_ROOT, "which becomes root's");
    tap_equal(root_kill(SLOT_ROOT, process.pid), 0, "and can be ended");
    pid = process.pid;
    tap_ok(!next_process(&pid, &process), "and is forgotten at once");
}

static void test_spawn_errors(void)
{
    static char text[PROTO_DATA_MAX];
    uint64_t pid;
    struct message message = {.tag = MSG_TAG(ROOT_OP_SPAWN, 1, 0), .words = {64}};
    struct message unknown = {.tag = MSG_TAG(9999, 0, 0)};

    tap_equal(root_spawn(SLOT_ROOT, "", 0, &pid), -EINVAL, "no argument");
    tap_equal(root_spawn(SLOT_ROOT, "\0", 1, &pid), -EINVAL, "an empty name");
    tap_equal(root_spawn(SLOT_ROOT, "hello", 5, &pid), -EINVAL, "a name without an end");
    tap_equal(root_spawn(SLOT_ROOT, "bin", 4, &pid), -ENOENT, "a folder");
    memset(text, 'a', sizeof(text) - 1);
    tap_equal(root_spawn(SLOT_ROOT, text, sizeof(text), &pid), -E2BIG, "a name that is too long");
    memset(text, 0, sizeof(text));
    text[0] = 'a';
    tap_equal(root_spawn(SLOT_ROOT, text, 100, &pid), -E2BIG, "too many arguments");
    (void)!sys_call(SLOT_ROOT, &message);
    tap_equal(MSG_LABEL(message.tag), -EINVAL, "a message shorter than it says");
    (void)!sys_call(SLOT_ROOT, &unknown);
    tap_equal(MSG_LABEL(unknown.tag), -ENOSYS, "an unknown operation");
}

static void test_table_full(void)
{
    static int64_t pids[PROCESSES_MAX];
    const int before = count_processes();
    int started = 0, ended = 0;

    while (started < PROCESSES_MAX && (pids[started] = start("sleep", NULL)) > 0)
        started++;
    tap_equal(started < PROCESSES_MAX ? (long)pids[started] : 0, -EAGAIN, "the process table fills up");
    tap_equal(started + before, PROCESSES_MAX, "with %d processes", PROCESSES_MAX);
    for (int index = 0; index < started; index++)
        ended += root_kill(SLOT_ROOT, (uint64_t)pids[index]) == 0 &&
                 process_wait((uint64_t)pids[index]) == (int)ROOT_STATUS_KILLED;
    tap_equal(ended, started, "all of them end");
    tap_equal(count_processes(), before, "and are forgotten");
}

static void test_console(void)
{
    const uint64_t old = find(CONSOLE);
    uint64_t failures;

    tap_equal(root_kill(SLOT_ROOT, old), 0, "the console server is killed");
    const uint64_t new = find(CONSOLE);
    tap_ok(new != 0 && new != old, "another takes its place");
    tap_equal(memsrv_check(SLOT_MEMSRV, &failures), 0, "memsrv's structures are sound");
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1)
        return child(arguments);
    tap_plan(9 + 4 + 8 + 4 + 8 + 4 + 3);
    test_wait();
    test_many_waits();
    test_kill();
    test_orphan();
    test_spawn_errors();
    test_table_full();
    test_console();
    return tap_done();
}
