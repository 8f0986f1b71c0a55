/* SPDX-License-Identifier: MIT */
/*
 * posix_spawn(): a fork that does what the file actions and the attributes say, then exec. A pipe that exec closes tells
 * the parent of errors.
 */
#include "image.h"
#include "internal.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_NO_LAUNCH 127

enum action_kind {
    ACTION_OPEN,
    ACTION_DUPLICATE,
    ACTION_CLOSE,
};

struct action {
    struct action *next;
    enum action_kind kind;
    int file, other, flags;
    mode_t mode;
    char path[]; /* ACTION_OPEN */
};

/* newlib declares it for _GNU_SOURCE only. */
int pipe2(int files[2], int flags);

/* What a child is to become, and how. */
struct spawn_wish {
    const char *path;
    bool searches;                                    /* along PATH */
    const struct __posix_spawn_file_actions *actions; /* or NULL */
    const struct __posix_spawnattr *attributes;       /* or NULL */
    char *const *arguments, *const *environment;
    sigset_t mask; /* the caller's */
    int ends[2];   /* of the pipe: the parent reads, the child writes its error */
};

struct __posix_spawn_file_actions {
    struct action *first, **end;
};

struct __posix_spawnattr {
    short flags;
    pid_t group;
    sigset_t mask, defaults;
};

/* --- File actions ------------------------------------------------------------------------------------------------- */

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
    *actions = malloc(sizeof(**actions));
    if (!*actions)
        return ENOMEM;
    (*actions)->first = NULL;
    (*actions)->end = &(*actions)->first;
    return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    struct action *action = (*actions)->first;

    while (action) {
        struct action *next = action->next;
        free(action);
        action = next;
    }
    free(*actions);
    return 0;
}

static int add(posix_spawn_file_actions_t *actions, const struct action *model, const char *path)
{
    const size_t bytes = path ? strlen(path) + 1 : 0;

    if (model->file < 0 || model->other < 0)
        return EBADF;
    struct action *action = malloc(sizeof(*action) + bytes);
    if (!action)
        return ENOMEM;
    *action = *model;
    action->next = NULL;
    if (path)
        memcpy(action->path, path, bytes);
    *(*actions)->end = action;
    (*actions)->end = &action->next;
    return 0;
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict actions, int file, const char *restrict path,
                                     int flags, mode_t mode)
{
    return add(actions, &(struct action){.kind = ACTION_OPEN, .file = file, .flags = flags, .mode = mode}, path);
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int file, int wanted)
{
    return add(actions, &(struct action){.kind = ACTION_DUPLICATE, .file = file, .other = wanted}, NULL);
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int file)
{
    return add(actions, &(struct action){.kind = ACTION_CLOSE, .file = file}, NULL);
}

static int open_as(const struct action *action)
{
    const int file = open(action->path, action->flags, action->mode);

    if (file < 0 || file == action->file)
        return file < 0 ? -errno : 0;
    const int error = dup2(file, action->file) < 0 ? -errno : 0;
    (void)close(file);
    return error;
}

static int do_action(const struct action *action)
{
    switch (action->kind) {
    case ACTION_OPEN:
        return open_as(action);
    case ACTION_DUPLICATE:
        /* A descriptor that is its own copy stays open. */
        if (action->file == action->other)
            return fcntl(action->file, F_SETFD, 0) < 0 ? -errno : 0;
        return dup2(action->file, action->other) < 0 ? -errno : 0;
    default:
        (void)close(action->file);
        return 0;
    }
}

/* Moves the pipe out of an action's way; the program does not know of it. */
static int keep_report(struct spawn_wish *wish, const struct action *action)
{
    const int target = action->kind == ACTION_DUPLICATE ? action->other : action->file;

    if (action->kind == ACTION_DUPLICATE && action->file == wish->ends[1])
        return -EBADF;
    if (target != wish->ends[1])
        return 0;
    const int moved = fcntl(wish->ends[1], F_DUPFD_CLOEXEC, wish->ends[1] + 1);
    if (moved < 0)
        return -errno;
    (void)close(wish->ends[1]);
    wish->ends[1] = moved;
    return 0;
}

static int do_actions(struct spawn_wish *wish)
{
    int error = 0;

    for (const struct action *action = wish->actions ? wish->actions->first : NULL; action && error == 0;
         action = action->next) {
        error = keep_report(wish, action);
        if (error == 0)
            error = do_action(action);
    }
    return error;
}

/* --- Attributes --------------------------------------------------------------------------------------------------- */

int posix_spawnattr_init(posix_spawnattr_t *attributes)
{
    *attributes = calloc(1, sizeof(**attributes));
    return *attributes ? 0 : ENOMEM;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attributes)
{
    free(*attributes);
    return 0;
}

int posix_spawnattr_getflags(const posix_spawnattr_t *restrict attributes, short *restrict flags)
{
    *flags = (*attributes)->flags;
    return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags)
{
    if (flags & (POSIX_SPAWN_SETSCHEDPARAM | POSIX_SPAWN_SETSCHEDULER))
        return ENOTSUP;
    (*attributes)->flags = flags;
    return 0;
}

int posix_spawnattr_getpgroup(const posix_spawnattr_t *restrict attributes, pid_t *restrict group)
{
    *group = (*attributes)->group;
    return 0;
}

int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group)
{
    (*attributes)->group = group;
    return 0;
}

int posix_spawnattr_getsigmask(const posix_spawnattr_t *restrict attributes, sigset_t *restrict mask)
{
    *mask = (*attributes)->mask;
    return 0;
}

int posix_spawnattr_setsigmask(posix_spawnattr_t *restrict attributes, const sigset_t *restrict mask)
{
    (*attributes)->mask = *mask;
    return 0;
}

int posix_spawnattr_getsigdefault(const posix_spawnattr_t *restrict attributes, sigset_t *restrict defaults)
{
    *defaults = (*attributes)->defaults;
    return 0;
}

int posix_spawnattr_setsigdefault(posix_spawnattr_t *restrict attributes, const sigset_t *restrict defaults)
{
    (*attributes)->defaults = *defaults;
    return 0;
}

static int take_attributes(const struct spawn_wish *wish)
{
    const struct __posix_spawnattr *attributes = wish->attributes;
    const short flags = attributes ? attributes->flags : 0;

    if ((flags & POSIX_SPAWN_SETPGROUP) && setpgid(0, attributes->group) < 0)
        return -errno;
    for (int number = 1; (flags & POSIX_SPAWN_SETSIGDEF) && number < NSIG; number++)
        if (sigismember(&attributes->defaults, number))
            (void)signal(number, SIG_DFL);
    return 0;
}

/* --- Spawning ----------------------------------------------------------------------------------------------------- */

static _Noreturn void begin(struct spawn_wish *wish)
{
    const bool has_mask = wish->attributes && (wish->attributes->flags & POSIX_SPAWN_SETSIGMASK);
    int error = take_attributes(wish);

    (void)close(wish->ends[0]);
    if (error == 0)
        error = do_actions(wish);
    /* Everything stays blocked until the program begins: no handler of the parent's runs here. */
    const uint64_t mask = has_mask ? wish->attributes->mask : wish->mask;
    if (error == 0)
        error = wish->searches ? path_execute(wish->path, wish->arguments, wish->environment, &mask)
                               : file_execute(wish->path, wish->arguments, wish->environment, &mask);
    (void)!write(wish->ends[1], &error, sizeof(error));
    _exit(STATUS_NO_LAUNCH);
}

/* Forks, and hears how it went with the child. A positive errno. */
static int launch(struct spawn_wish *wish, pid_t *pid)
{
    sigset_t all;
    int error = 0;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &wish->mask);
    const pid_t child = fork();
    if (child == 0)
        begin(wish);
    const int failure = child < 0 ? errno : 0;
    (void)close(wish->ends[1]);
    /* Nothing comes if the pipe was closed by exec. */
    if (child > 0 && read(wish->ends[0], &error, sizeof(error)) == sizeof(error))
        (void)waitpid(child, NULL, 0);
    (void)close(wish->ends[0]);
    (void)sigprocmask(SIG_SETMASK, &wish->mask, NULL);
    if (failure == 0 && error == 0)
        *pid = child;
    return failure ? failure : -error;
}

static int spawn(struct spawn_wish *wish, pid_t *pid)
{
    const int saved = errno;
    pid_t child = 0;
    const int failure = pipe2(wish->ends, O_CLOEXEC) < 0 ? errno : launch(wish, &child);

    errno = saved;
    if (failure == 0 && pid)
        *pid = child;
    return failure;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const arguments[], char *const environment[])
{
    struct spawn_wish wish = {.path = path,
                              .actions = actions ? *actions : NULL,
                              .attributes = attributes ? *attributes : NULL,
                              .arguments = arguments,
                              .environment = environment};

    return spawn(&wish, pid);
}

int posix_spawnp(pid_t *restrict pid, const char *restrict name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const arguments[], char *const environment[])
{
    struct spawn_wish wish = {.path = name,
                              .searches = true,
                              .actions = actions ? *actions : NULL,
                              .attributes = attributes ? *attributes : NULL,
                              .arguments = arguments,
                              .environment = environment};

    return spawn(&wish, pid);
}
