/* SPDX-License-Identifier: MIT */
/*
 * Children: all ways to wait for them, process groups and sessions, and trees of processes that share memory.
 */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"

#define DEPTH    5
#define CHILDREN 6

static pid_t child_with(int status, unsigned ms)
{
    const pid_t child = fork();

    if (child == 0) {
        usleep(ms * 1000);
        _exit(status);
    }
    return child;
}

static pid_t child_for_ever(pid_t group)
{
    const pid_t child = fork();

    if (child == 0) {
        (void)setpgid(0, group);
        for (;;)
            pause();
    }
    (void)setpgid(child, group);
    return child;
}

static bool ended_by(pid_t child, int signal)
{
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static void test_statuses(void)
{
    bool all = true;
    int status;

    for (int i = 0; i < 256; i += 15) {
        const pid_t child = child_with(i, 0);
        all &= wait(&status) == child && WIFEXITED(status) && WEXITSTATUS(status) == i && !WIFSIGNALED(status);
    }
    tap_ok(all, "exit statuses are exact, up to 255");
    const pid_t child = child_for_ever(0);
    (void)kill(child, SIGKILL);
    tap_ok(waitpid(child, &status, 0) == child && !WIFEXITED(status) && WIFSIGNALED(status) &&
               WTERMSIG(status) == SIGKILL,
           "a signal is no exit status");
    tap_ok(waitpid(child, &status, 0) == -1 && errno == ECHILD, "a child is waited for once");
    tap_ok(wait(&status) == -1 && errno == ECHILD, "and none is left");
    tap_ok(waitpid(-1, &status, 0x4000) == -1 && errno == EINVAL, "an unknown option");
    tap_ok(waitpid(getpid(), &status, WNOHANG) == -1 && errno == ECHILD, "nobody is his own child");
}

static void test_options(void)
{
    struct rusage usage;
    siginfo_t news;
    int status, ends[2];
    char byte;

    (void)pipe(ends);
    pid_t child = fork();
    if (child == 0)
        _exit(read(ends[0], &byte, 1) == 1 ? 3 : 4);

    tap_ok(waitpid(child, &status, WNOHANG) == 0 && waitpid(-1, &status, WNOHANG) == 0, "WNOHANG does not wait");
    tap_ok(waitid(P_PID, (id_t)child, &news, WEXITED | WNOHANG) == 0 && news.si_pid == 0, "nor for waitid()");
    (void)write(ends[1], "", 1);
    close(ends[0]);
    close(ends[1]);
    tap_ok(waitid(P_PID, (id_t)child, &news, WEXITED | WNOWAIT) == 0 && news.si_pid == child &&
               news.si_code == CLD_EXITED && news.si_status == 3,
           "waitid() with WNOWAIT");
    tap_ok(wait4(child, &status, WNOHANG, &usage) == child && WEXITSTATUS(status) == 3, "leaves the child to wait4()");
    child = child_with(4, 0);
    tap_ok(waitid(P_ALL, 0, &news, WEXITED) == 0 && news.si_pid == child && news.si_status == 4, "waitid(P_ALL)");
    tap_ok(waitid(P_ALL, 0, &news, 0) == -1 && errno == EINVAL, "waitid() for nothing");
    tap_ok(waitid(P_ALL, 0, &news, WEXITED) == -1 && errno == ECHILD, "waitid() without children");
}

static void test_groups(void)
{
    const pid_t own = getpgrp(), session = getsid(0);
    int status, killed = 0;

    const pid_t leader = child_for_ever(0), second = child_for_ever(leader), apart = child_for_ever(0);
    tap_ok(getpgid(leader) == leader && getpgid(second) == leader && getpgid(apart) == apart, "children in groups");
    tap_ok(getsid(second) == session && getpgid(0) == own, "of the parent's session");
    tap_ok(waitpid(-leader, &status, WNOHANG) == 0 && waitpid(0, &status, WNOHANG) == -1 && errno == ECHILD,
           "waiting for a group, and for the own one");
    tap_ok(killpg(leader, SIGTERM) == 0, "a signal to a group");
    for (int i = 0; i < 2; i++)
        killed += waitpid(-leader, &status, 0) > 0 && WTERMSIG(status) == SIGTERM;
    tap_ok(killed == 2 && waitpid(-leader, &status, 0) == -1 && errno == ECHILD, "ends all of it");
    tap_ok(kill(-leader, 0) == -1 && errno == ESRCH && kill(apart, 0) == 0, "and nobody else");
    (void)kill(apart, SIGKILL);
    tap_ok(ended_by(apart, SIGKILL), "the other one goes by itself");
    tap_ok(setpgid(0, 99999) == -1 && errno == EPERM, "there is no such group");
    tap_ok(setpgid(99999, 0) == -1 && errno == ESRCH && setpgid(-1, 0) == -1 && errno == EINVAL, "nor such a child");
    const pid_t child = fork();
    if (child == 0) {
        const pid_t new = setsid();
        if (new != getpid() || getsid(0) != new || getpgrp() != new || setsid() != -1 || errno != EPERM)
            _exit(1);
        _exit(setpgid(0, 0) == -1 && errno == EPERM ? 0 : 2);
    }
    tap_ok(waitpid(child, &status, 0) == child && status == 0, "setsid()");
    const pid_t doomed = fork();
    if (doomed == 0) {
        (void)setpgid(0, 0);
        (void)child_with(0, 1000);
        (void)kill(0, SIGUSR1);
        _exit(1);
    }
    tap_ok(ended_by(doomed, SIGUSR1), "kill(0) ends the caller's group, the caller included");
}

/* --- Orders and trees --------------------------------------------------------------------------------------------- */

/* Waits for the children, which end in order of their numbers, in the order of a permutation. */
static bool wait_in_order(unsigned order)
{
    pid_t children[3];
    unsigned left[3] = {0, 1, 2};
    bool all = true;

    for (unsigned i = 0; i < 3; i++)
        children[i] = child_with((int)i + 1, i * 3);
    for (unsigned i = 3; i > 0; i--) {
        const unsigned chosen = order % i, index = left[chosen];
        int status;
        order /= i;
        left[chosen] = left[i - 1];
        all &= waitpid(children[index], &status, 0) == children[index] && WEXITSTATUS(status) == (int)index + 1;
    }
    return all;
}

static atomic_int *nodes;

/* Each process of the tree has two children; waits for the one that was started last first at every second level. */
static int grow(int depth)
{
    pid_t children[2];
    int status, sum = 0;

    atomic_fetch_add(nodes, 1);
    if (depth == 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(grow(depth - 1));
    }
    for (int i = 0; i < 2; i++) {
        const pid_t child = children[depth % 2 ? i : 1 - i];
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
            _exit(255);
        sum += WEXITSTATUS(status);
    }
    return sum + 1;
}

static void test_trees(void)
{
    bool all = true;
    int status;

    for (unsigned order = 0; order < 6; order++)
        all &= wait_in_order(order);
    tap_ok(all, "children are waited for in every order");
    nodes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const int tree = (1 << (DEPTH + 1)) - 1;
    tap_equal(grow(DEPTH), tree, "a tree of %d processes", tree);
    tap_equal(atomic_load(nodes), tree, "which count themselves in shared memory");
    const pid_t middle = fork();
    if (middle == 0) {
        const pid_t orphan = fork();
        if (orphan == 0) {
            const pid_t parent = getppid();
            for (int i = 0; i < 60000 && getppid() == parent; i++)
                usleep(1000);
            atomic_store(nodes, getppid() == 1 ? -1 : -2);
            _exit(0);
        }
        usleep(5000);
        _exit(0);
    }
    (void)waitpid(middle, &status, 0);
    for (int i = 0; i < 60000 && atomic_load(nodes) >= 0; i++)
        usleep(1000);
    tap_equal(atomic_load(nodes), -1, "an orphan becomes root's");
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

static void test_many(void)
{
    pid_t children[CHILDREN];
    int sum = 0, status;

    for (int i = 0; i < CHILDREN; i++)
        children[i] = child_with(i + 1, (unsigned)(CHILDREN - i));
    for (int i = 0; i < CHILDREN; i++)
        sum += wait(&status) > 0 ? WEXITSTATUS(status) : 100;
    tap_equal(sum, CHILDREN * (CHILDREN + 1) / 2, "wait() gets each of %d children once", CHILDREN);
    (void)children;
}

int main(void)
{
    tap_plan(30);
    test_statuses();
    test_options();
    test_groups();
    test_many();
    test_trees();
    return tap_done();
}
