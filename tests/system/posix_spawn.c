/* SPDX-License-Identifier: MIT */
/*
 * posix_spawn(): what the child inherits, what file actions and attributes do, and errors. The program spawns itself with
 * a word that says what to look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define SELF   "/tests/posix_spawn"
#define TEXT   "/tmp/spawned"
#define ROUNDS 20

extern char **environ;

/* --- What the child looks at -------------------------------------------------------------------------------------- */

static int is_open(int file)
{
    return fcntl(file, F_GETFD) >= 0;
}

/* Bits: descriptors 10 to 14 that are open. */
static int descriptors(void)
{
    int open_ones = 0;

    for (int file = 0; file < 5; file++)
        open_ones |= is_open(10 + file) << file;
    return open_ones;
}

static int count_descriptors(void)
{
    int count = 0;

    for (int file = 0; file < 256; file++)
        count += is_open(file);
    return count;
}

/* Bits: SIGUSR1 is blocked; SIGUSR2 is ignored; SIGINT has the default action. */
static int signals(void)
{
    struct sigaction action;
    sigset_t mask;

    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    int found = sigismember(&mask, SIGUSR1);
    (void)sigaction(SIGUSR2, NULL, &action);
    found |= (action.sa_handler == SIG_IGN) << 1;
    (void)sigaction(SIGINT, NULL, &action);
    return found | (action.sa_handler == SIG_DFL) << 2;
}

static int child(int count, char **words)
{
    char path[64];

    if (strcmp(words[0], "descriptors") == 0)
        return descriptors();
    if (strcmp(words[0], "count") == 0)
        return count_descriptors();
    if (strcmp(words[0], "signals") == 0)
        return signals();
    if (strcmp(words[0], "print") == 0)
        return puts("printed") < 0 || fprintf(stderr, "complained\n") < 0;
    if (strcmp(words[0], "group") == 0)
        return getpgrp() == getpid();
    if (strcmp(words[0], "directory") == 0)
        return strcmp(getcwd(path, sizeof(path)), words[1]) == 0 && umask(0) == 027;
    if (strcmp(words[0], "variable") == 0)
        return getenv("SPAWNED") ? atoi(getenv("SPAWNED")) : 1;
    return count > 1 && strcmp(words[0], "status") == 0 ? atoi(words[1]) : 99;
}

/* --- Helpers ------------------------------------------------------------------------------------------------------ */

static int result_of(pid_t pid)
{
    int status = -1;

    if (waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Spawns this program; the child's status, or minus the error. */
static int spawn(const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, const char *word,
                 const char *second)
{
    char *words[] = {"posix_spawn", (char *)word, (char *)second, NULL};
    pid_t pid = 0;
    const int error = posix_spawn(&pid, SELF, actions, attributes, words, environ);

    return error ? -error : result_of(pid);
}

static bool file_is(const char *path, const char *content)
{
    char text[64] = "";
    const int file = open(path, O_RDONLY);
    const ssize_t got = read(file, text, sizeof(text) - 1);

    close(file);
    if (got >= 0 && strcmp(text, content) != 0)
        tap_diag("it is '%s'", text);
    return got == (ssize_t)strlen(content) && strcmp(text, content) == 0;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void test_plain(void)
{
    char *words[] = {"posix_spawn", "status", "5", NULL}, *variable[] = {"posix_spawn", "variable", NULL};
    pid_t pid = 0;

    tap_ok(posix_spawn(&pid, SELF, NULL, NULL, words, environ) == 0 && pid > 0, "a program is spawned");
    tap_equal(result_of(pid), 5, "and waited for");
    tap_ok(posix_spawnp(&pid, "posix_spawn", NULL, NULL, words, environ) == 0, "it is found along PATH");
    tap_equal(result_of(pid), 5, "and runs");
    tap_ok(posix_spawn(NULL, SELF, NULL, NULL, words, environ) == 0 && waitpid(-1, NULL, 0) > 0,
           "nobody need ask for its number");
    tap_ok(posix_spawn(&pid, SELF, NULL, NULL, variable, (char *[]){"SPAWNED=77", NULL}) == 0, "another environment");
    tap_equal(result_of(pid), 77, "arrives");
    pid = vfork();
    if (pid == 0) {
        (void)execv(SELF, words);
        _exit(127);
    }
    tap_equal(result_of(pid), 5, "vfork and exec do the same");
}

static void test_inherited(void)
{
    char directory[] = "/tmp/spawn_directory";

    (void)dup2(1, 10);
    (void)dup2(1, 11);
    (void)fcntl(11, F_SETFD, FD_CLOEXEC);
    tap_equal(spawn(NULL, NULL, "descriptors", NULL), 1, "descriptors are inherited but those with FD_CLOEXEC");
    (void)mkdir(directory, 0755);
    const mode_t mask = umask(027);
    tap_ok(chdir(directory) == 0, "another directory");
    tap_equal(spawn(NULL, NULL, "directory", directory), 1, "is the child's, and so is the umask");
    (void)umask(mask);
    (void)chdir("/");
    close(10);
    close(11);
}

static void test_actions(void)
{
    posix_spawn_file_actions_t actions;

    (void)dup2(1, 10);
    (void)dup2(1, 11);
    (void)fcntl(11, F_SETFD, FD_CLOEXEC);
    tap_ok(posix_spawn_file_actions_init(&actions) == 0 &&
               posix_spawn_file_actions_addopen(&actions, 1, TEXT, O_WRONLY | O_CREAT | O_TRUNC, 0644) == 0 &&
               posix_spawn_file_actions_adddup2(&actions, 1, 2) == 0,
           "actions");
    tap_equal(spawn(&actions, NULL, "print", NULL), 0, "a child that prints");
    tap_ok(file_is(TEXT, "complained\nprinted\n"), "output and errors are in the file that was opened");
    posix_spawn_file_actions_destroy(&actions);

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addclose(&actions, 10);
    (void)posix_spawn_file_actions_adddup2(&actions, 11, 11);
    (void)posix_spawn_file_actions_adddup2(&actions, 1, 12);
    (void)posix_spawn_file_actions_addopen(&actions, 13, TEXT, O_RDONLY, 0);
    (void)posix_spawn_file_actions_addclose(&actions, 14);
    tap_equal(spawn(&actions, NULL, "descriptors", NULL), 2 + 4 + 8, "closed, kept, copied, opened");
    posix_spawn_file_actions_destroy(&actions);
    close(10);
    close(11);

    /* Whatever descriptor the library keeps for itself, an action may want it. */
    (void)posix_spawn_file_actions_init(&actions);
    for (int file = 3; file < 250; file++)
        (void)posix_spawn_file_actions_adddup2(&actions, 0, file);
    tap_equal(spawn(&actions, NULL, "count", NULL), 250, "all descriptors");
    tap_equal(spawn(&actions, NULL, "status", "4"), 4, "are the child's alone");
    posix_spawn_file_actions_destroy(&actions);
    tap_equal(count_descriptors(), 3, "the parent has what it had");
}

static void test_action_errors(void)
{
    posix_spawn_file_actions_t actions;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, 99, 1);
    tap_equal(spawn(&actions, NULL, "status", "0"), -EBADF, "a copy of what is not open");
    posix_spawn_file_actions_destroy(&actions);
    for (int file = 3; file < 6; file++) {
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_adddup2(&actions, file, 1);
        tap_equal(spawn(&actions, NULL, "status", "0"), -EBADF, "a copy of %d, which is not open either", file);
        posix_spawn_file_actions_destroy(&actions);
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 5, "/tmp/none", O_RDONLY, 0);
    tap_equal(spawn(&actions, NULL, "status", "0"), -ENOENT, "a file that is not there");
    posix_spawn_file_actions_destroy(&actions);
}

static void handler(int signal)
{
    (void)signal;
}

static void test_attributes(void)
{
    posix_spawnattr_t attributes;
    sigset_t set;

    (void)signal(SIGUSR2, SIG_IGN);
    (void)signal(SIGINT, handler);
    tap_equal(spawn(NULL, NULL, "signals", NULL), 2 + 4,
              "ignored signals stay ignored, caught ones do not stay caught");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    tap_equal(spawn(NULL, NULL, "signals", NULL), 1 + 2 + 4, "the mask is inherited");
    (void)posix_spawnattr_init(&attributes);
    sigemptyset(&set);
    (void)posix_spawnattr_setsigmask(&attributes, &set);
    sigaddset(&set, SIGUSR2);
    (void)posix_spawnattr_setsigdefault(&attributes, &set);
    tap_equal(spawn(NULL, &attributes, "signals", NULL), 1 + 2 + 4, "attributes count only if a flag says so");
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    tap_equal(spawn(NULL, &attributes, "signals", NULL), 4, "another mask, default actions");
    (void)sigprocmask(SIG_BLOCK, NULL, &set);
    tap_ok(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGINT), "the parent's mask is what it was");
    sigemptyset(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    tap_equal(spawn(NULL, NULL, "group", NULL), 0, "the parent's process group");
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    tap_equal(spawn(NULL, &attributes, "group", NULL), 1, "or one of its own");
    (void)posix_spawnattr_setpgroup(&attributes, 99999);
    tap_equal(spawn(NULL, &attributes, "group", NULL), -EPERM, "a group that is not there");
    tap_equal(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSCHEDULER), ENOTSUP, "there are no schedulers");
    posix_spawnattr_destroy(&attributes);
}

static void test_errors(void)
{
    char *words[] = {"x", NULL}, *large[] = {"x", NULL, NULL};
    const int file = open(TEXT, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t pid = 4711;

    close(file);
    errno = 0;
    tap_equal(posix_spawn(&pid, "/tests/none", NULL, NULL, words, environ), ENOENT, "no such program");
    tap_equal(posix_spawnp(&pid, "none", NULL, NULL, words, environ), ENOENT, "nor along PATH");
    tap_equal(posix_spawn(&pid, TEXT, NULL, NULL, words, environ), EACCES, "a file that may not be executed");
    (void)chmod(TEXT, 0755);
    tap_equal(posix_spawn(&pid, TEXT, NULL, NULL, words, environ), ENOEXEC, "an empty file");
    large[1] = calloc(1, 200000);
    memset(large[1], 'x', 199999);
    tap_equal(posix_spawn(&pid, SELF, NULL, NULL, large, environ), E2BIG, "arguments that are too long");
    free(large[1]);
    tap_ok(pid == 4711 && errno == 0, "neither the number nor errno is touched");
    tap_ok(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "no child is left");
}

static void test_many(void)
{
    bool good = true;

    for (int i = 0; i < ROUNDS; i++)
        good &= spawn(NULL, NULL, "status", "9") == 9;
    tap_ok(good, "%d programs", ROUNDS);
    tap_equal(count_descriptors(), 3, "and no descriptor is left");
}

int main(int count, char **words)
{
    if (count > 1)
        return child(count - 1, words + 1);
    tap_plan(41);
    test_plain();
    test_inherited();
    test_actions();
    test_action_errors();
    test_attributes();
    test_errors();
    test_many();
    return tap_done();
}
