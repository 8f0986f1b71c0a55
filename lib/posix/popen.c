/* SPDX-License-Identifier: MIT */
/*
 * Commands run by /bin/sh: at the other end of a pipe, or waited for.
 */
#include "internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL              "/bin/sh"
#define STATUS_NOT_STARTED 127

/* newlib declares it for _GNU_SOURCE only. */
int pipe2(int files[2], int flags);
extern char **environ;

/* The commands whose pipes are open, so that pclose() knows whom to wait for. */
struct command {
    struct command *next;
    FILE *stream;
    pid_t pid;
};

static struct command *commands; /* by `lock` */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* In the child: the parent's ends of this pipe close by O_CLOEXEC, those of earlier commands here. */
static _Noreturn void run_command(const char *text, int own_end, int standard)
{
    char *const arguments[] = {"sh", "-c", (char *)text, NULL};

    for (const struct command *other = commands; other; other = other->next)
        (void)close(fileno(other->stream));
    if (own_end == standard ? fcntl(own_end, F_SETFD, 0) == 0 : dup2(own_end, standard) == standard)
        (void)execve(SHELL, arguments, environ);
    _exit(STATUS_NOT_STARTED);
}

/* Starts the command with the end of the pipe that is not the caller's; negative errno on an error. */
static pid_t start(const char *text, const int ends[2], bool is_read)
{
    /* The child reads the list of commands, so no other thread may be half way through a change. */
    pthread_mutex_lock(&lock);
    const pid_t pid = fork();
    if (pid == 0)
        run_command(text, ends[is_read ? 1 : 0], is_read ? STDOUT_FILENO : STDIN_FILENO);
    const int error = pid < 0 ? -errno : 0;
    pthread_mutex_unlock(&lock);
    return error < 0 ? error : pid;
}

/* Makes the stream before the child: when that is there, nothing can fail any more. */
static int open_command(struct command *command, const char *text, bool is_read)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    const int own = ends[is_read ? 0 : 1], other = ends[is_read ? 1 : 0];
    int error = 0;
    command->stream = fdopen(own, is_read ? "r" : "w");
    if (!command->stream)
        error = -errno;
    else if ((command->pid = start(text, ends, is_read)) < 0)
        error = command->pid;
    if (error < 0 && command->stream)
        (void)fclose(command->stream);
    else if (error < 0)
        close(own);
    close(other);
    return error;
}

FILE *popen(const char *text, const char *mode)
{
    if ((mode[0] != 'r' && mode[0] != 'w') || (mode[1] != '\0' && strcmp(mode + 1, "e") != 0)) {
        errno = EINVAL;
        return NULL;
    }
    struct command *command = malloc(sizeof(*command));
    if (!command)
        return NULL;
    const int error = open_command(command, text, mode[0] == 'r');
    if (error < 0) {
        free(command);
        errno = -error;
        return NULL;
    }
    if (mode[1] == '\0') /* and not "e" */
        (void)fcntl(fileno(command->stream), F_SETFD, 0);
    pthread_mutex_lock(&lock);
    command->next = commands;
    commands = command;
    pthread_mutex_unlock(&lock);
    return command->stream;
}

/* Takes a stream's command out of the list; 0: it has none. */
static pid_t forget(const FILE *stream)
{
    struct command *found = NULL;

    pthread_mutex_lock(&lock);
    for (struct command **link = &commands; *link; link = &(*link)->next)
        if ((*link)->stream == stream) {
            found = *link;
            *link = found->next;
            break;
        }
    pthread_mutex_unlock(&lock);
    const pid_t pid = found ? found->pid : 0;
    free(found);
    return pid;
}

int pclose(FILE *stream)
{
    const pid_t pid = forget(stream);
    int status = 0;

    if (pid == 0)
        return (int)posix_result(-ECHILD);
    (void)fclose(stream);
    pid_t ended;
    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended < 0 ? -1 : status;
}

/* --- Waited for --------------------------------------------------------------------------------------------------- */

/* What system() changes for all of the program while it waits. */
struct signal_state {
    struct sigaction interrupt, quit;
    sigset_t mask;
};

static void signals_put_off(struct signal_state *state)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t children;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    (void)sigaction(SIGINT, &ignore, &state->interrupt);
    (void)sigaction(SIGQUIT, &ignore, &state->quit);
    (void)sigprocmask(SIG_BLOCK, &children, &state->mask);
}

static void signals_put_back(const struct signal_state *state)
{
    (void)sigaction(SIGINT, &state->interrupt, NULL);
    (void)sigaction(SIGQUIT, &state->quit, NULL);
    (void)sigprocmask(SIG_SETMASK, &state->mask, NULL);
}

/* The command has the signals that the caller had. A positive errno. */
static int spawn_shell(const char *text, const struct signal_state *state, pid_t *pid)
{
    char *const arguments[] = {"sh", "-c", (char *)text, NULL};
    posix_spawnattr_t attributes;
    sigset_t defaults;

    int error = posix_spawnattr_init(&attributes);
    if (error)
        return error;
    sigemptyset(&defaults);
    if (state->interrupt.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (state->quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setsigmask(&attributes, &state->mask);
    error = posix_spawn(pid, SHELL, NULL, &attributes, arguments, environ);
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

int system(const char *text)
{
    struct signal_state state;
    int status = -1;
    pid_t pid, ended;

    if (!text)
        return access(SHELL, X_OK) == 0;
    signals_put_off(&state);
    int error = spawn_shell(text, &state, &pid);
    if (error == 0) {
        do
            ended = waitpid(pid, &status, 0);
        while (ended < 0 && errno == EINTR);
        error = ended < 0 ? errno : 0;
    } else if (error != EAGAIN && error != ENOMEM) {
        error = 0;
        status = STATUS_NOT_STARTED << 8; /* as if the shell had found nothing */
    }
    signals_put_back(&state);
    return error ? (int)posix_result(-error) : status;
}
