/* SPDX-License-Identifier: MIT */
/*
 * Becoming another program: what stays, what goes, what the new one is told, and errors that leave the caller as it was.
 * The program runs itself again with a word that says what to look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"

#define SELF        "/tests/exec"
#define LARGE       100000u
#define MANY        2000
#define ROUNDS      50
#define STACK_BYTES (256UL << 10)

extern char **environ;

static int result_of(pid_t child)
{
    int status = -1;

    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Forks a child that becomes this program with the words; its exit status. */
static int exec_self(char *const words[], char *const environment[])
{
    const pid_t child = fork();

    if (child == 0) {
        (void)execve(SELF, words, environment);
        _exit(200 + errno % 50);
    }
    return result_of(child);
}

/* --- What the new program sees ------------------------------------------------------------------------------------ */

/* exec same PID PARENT: the numbers are still these. */
static int same(char **words)
{
    if (getpid() != atoi(words[0]))
        return 1;
    return getppid() == atoi(words[1]) ? 0 : 2;
}

static int environment_only(void)
{
    if (!environ[0] || strcmp(environ[0], "ONE=1") != 0 || environ[1] == NULL || strcmp(environ[1], "TWO=") != 0)
        return 1;
    return environ[2] == NULL && !getenv("PATH") ? 0 : 2;
}

/* One argument of LARGE bytes, or many of two. */
static int large(int count, char **words)
{
    if (count == 1)
        return strlen(words[0]) == LARGE && strspn(words[0], "x") == LARGE ? 0 : 1;
    for (int i = 0; i < count; i++)
        if (strlen(words[i]) != 1 || words[i][0] != 'a' + i % 26)
            return 2;
    return count == MANY ? 0 : 3;
}

static int limits(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == STACK_BYTES ? 0 : 1;
}

/* Nothing of the last program is mapped where it had something. */
static int fresh(char **words)
{
    void *address = (void *)strtoull(words[0], NULL, 0);
    unsigned char resident;

    return mincore(address, 4096, &resident) == -1 && errno == ENOMEM ? 0 : 1;
}

static int chain(char **words)
{
    const int left = atoi(words[0]);
    char number[16];

    if (left == 0)
        return 77;
    snprintf(number, sizeof(number), "%d", left - 1);
    (void)execl(SELF, "exec", "chain", number, (char *)NULL);
    return 1;
}

static int child(int count, char **words)
{
    if (strcmp(words[0], "same") == 0)
        return same(words + 1);
    if (strcmp(words[0], "environment") == 0)
        return environment_only();
    if (strcmp(words[0], "large") == 0)
        return large(count - 1, words + 1);
    if (strcmp(words[0], "limits") == 0)
        return limits();
    if (strcmp(words[0], "fresh") == 0)
        return fresh(words + 1);
    if (strcmp(words[0], "chain") == 0)
        return chain(words + 1);
    return strcmp(words[0], "status") == 0 ? atoi(words[1]) : 99;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void test_identity(void)
{
    char parent[16], pid[16];
    pid_t child;

    snprintf(parent, sizeof(parent), "%d", getpid());
    child = fork();
    if (child == 0) {
        snprintf(pid, sizeof(pid), "%d", getpid());
        (void)execl(SELF, "exec", "same", pid, parent, (char *)NULL);
        _exit(99);
    }
    tap_equal(result_of(child), 0, "process and parent stay the same");
    child = fork();
    if (child == 0) {
        (void)execlp("exec", "exec", "status", "42", (char *)NULL);
        _exit(99);
    }
    tap_equal(result_of(child), 42, "execlp finds a program along PATH");
    child = fork();
    if (child == 0) {
        (void)execle(SELF, "exec", "environment", (char *)NULL, (char *[]){"ONE=1", "TWO=", NULL});
        _exit(99);
    }
    tap_equal(result_of(child), 0, "the environment is the one that was given");
    tap_equal(exec_self((char *[]){"exec", "chain", "20", NULL}, environ), 77, "programs become programs 20 times");
}

static void test_sizes(void)
{
    static char text[LARGE + 1];
    static char letters[MANY][2];
    static char *words[MANY + 3] = {"exec", "large"};

    memset(text, 'x', LARGE);
    tap_equal(exec_self((char *[]){"exec", "large", text, NULL}, environ), 0, "an argument of %u bytes", LARGE);
    for (int i = 0; i < MANY; i++) {
        letters[i][0] = (char)('a' + i % 26);
        words[2 + i] = letters[i];
    }
    tap_equal(exec_self(words, environ), 0, "%d arguments", MANY);
    tap_equal(exec_self((char *[]){"exec", text, text, NULL}, environ), 200 + E2BIG % 50, "too many bytes");
}

static void test_state(void)
{
    char address[32];
    pid_t child = fork();

    if (child == 0) {
        const struct rlimit limit = {STACK_BYTES, STACK_BYTES};
        if (setrlimit(RLIMIT_STACK, &limit) == 0)
            (void)execl(SELF, "exec", "limits", (char *)NULL);
        _exit(99);
    }
    tap_equal(result_of(child), 0, "limits stay");
    child = fork();
    if (child == 0) {
        char *memory = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
        memset(memory, 1, 64 << 10);
        snprintf(address, sizeof(address), "%p", (void *)(memory + 4096));
        (void)execl(SELF, "exec", "fresh", address, (char *)NULL);
        _exit(99);
    }
    tap_equal(result_of(child), 0, "memory of the last program is gone");
}

static void *wait_for_ever(void *argument)
{
    for (;;)
        sleep(1000);
    return argument;
}

static void *become(void *argument)
{
    (void)execl(SELF, "exec", "status", "7", (char *)NULL);
    return argument;
}

static void test_threads(void)
{
    pid_t child = fork();
    pthread_t thread;

    if (child == 0) {
        for (int i = 0; i < 5; i++)
            if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
                _exit(98);
        (void)execl(SELF, "exec", "status", "6", (char *)NULL);
        _exit(99);
    }
    tap_equal(result_of(child), 6, "other threads end");
    child = fork();
    if (child == 0) {
        if (pthread_create(&thread, NULL, become, NULL) == 0)
            pthread_join(thread, NULL);
        _exit(99);
    }
    tap_equal(result_of(child), 7, "any thread may call it");
}

static void test_errors(void)
{
    char *words[] = {"exec", NULL}, *none[] = {NULL};

    tap_ok(execv("/tests/nothing", words) == -1 && errno == ENOENT, "no such program");
    tap_ok(execv("", words) == -1 && errno == ENOENT, "an empty path");
    tap_ok(execv(SELF, none) == -1 && errno == EINVAL, "no argument");
    tap_ok(execvp("nothing", words) == -1 && errno == ENOENT, "no such program along PATH");
    tap_equal(root_exec(SLOT_ROOT, 8, 16, 1, 0, 0, SELF, sizeof(SELF)), -EFAULT, "strings that are not there");
    tap_equal(root_exec(SLOT_ROOT, UINT64_MAX - 7, 16, 1, 0, 0, SELF, sizeof(SELF)), -EFAULT, "strings that wrap");
    tap_equal(root_exec(SLOT_ROOT, (uint64_t)SELF, sizeof(SELF), 2, 0, 0, SELF, sizeof(SELF)), -EINVAL,
              "fewer strings than were said");
    tap_equal(root_exec(SLOT_ROOT, (uint64_t)SELF, UINT64_MAX, 1, 0, 0, SELF, sizeof(SELF)), -E2BIG,
              "more bytes than there can be");
    tap_equal(root_exec(SLOT_ROOT, (uint64_t)SELF, sizeof(SELF), 1, 0, 0, SELF, sizeof(SELF) - 1), -EINVAL,
              "a path without an end");
}

static void test_leaks(void)
{
    uint64_t before = 0;
    bool ended = true;

    for (int i = 0; i < ROUNDS; i++) {
        if (i == 5)
            before = free_pages();
        ended &= exec_self((char *[]){"exec", "status", "3", NULL}, environ) == 3;
    }
    tap_ok(ended, "%d programs", ROUNDS);
    tap_ok(free_pages() + 8 >= before, "no memory is lost");
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

int main(int count, char **words)
{
    if (count > 1)
        return child(count - 1, words + 1);
    tap_plan(23);
    test_identity();
    test_sizes();
    test_state();
    test_threads();
    test_errors();
    test_leaks();
    return tap_done();
}
