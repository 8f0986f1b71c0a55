/* SPDX-License-Identifier: MIT */
/*
 * A command run by /bin/sh at the other end of a pipe.
 */
#include "internal.h"

#include <fcntl.h>
#include <pthread.h>
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
