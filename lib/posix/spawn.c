/* SPDX-License-Identifier: MIT */
/*
 * posix_spawn(): a fork that does what the file actions and the attributes say, then exec. Whether there is such a
 * program is asked first; what fails after the fork ends the child with status 127.
 */
#include "image.h"
#include "internal.h"

#include <fcntl.h>
#include <proto/root_client.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES_MAX   1024u
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

static bool open_as(const struct action *action)
{
    const int file = open(action->path, action->flags, action->mode);

    if (file < 0 || file == action->file)
        return file >= 0;
    const bool moved = dup2(file, action->file) >= 0;
    (void)close(file);
    return moved;
}

static bool do_action(const struct action *action)
{
    switch (action->kind) {
    case ACTION_OPEN:
        return open_as(action);
    case ACTION_DUPLICATE:
        /* A descriptor that is its own copy stays open. */
        if (action->file == action->other)
            return fcntl(action->file, F_SETFD, 0) >= 0;
        return dup2(action->file, action->other) >= 0;
    default:
        (void)close(action->file);
        return true;
    }
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

static bool take_attributes(const struct __posix_spawnattr *attributes)
{
    if ((attributes->flags & POSIX_SPAWN_SETPGROUP) && setpgid(0, attributes->group) < 0)
        return false;
    for (int number = 1; (attributes->flags & POSIX_SPAWN_SETSIGDEF) && number < NSIG; number++)
        if (sigismember(&attributes->defaults, number))
            (void)signal(number, SIG_DFL);
    return !(attributes->flags & POSIX_SPAWN_SETSIGMASK) || sigprocmask(SIG_SETMASK, &attributes->mask, NULL) == 0;
}

/* --- Spawning ----------------------------------------------------------------------------------------------------- */

static int check_program(const char *path)
{
    const size_t bytes = strlen(path) + 1;

    if (bytes < 2)
        return -ENOENT;
    return bytes > PATH_BYTES_MAX ? -ENAMETOOLONG : root_program_check(SLOT_ROOT, path, bytes);
}

static _Noreturn void begin(const char *path, const struct __posix_spawn_file_actions *actions,
                            const struct __posix_spawnattr *attributes, char *const arguments[],
                            char *const environment[])
{
    bool ready = !attributes || take_attributes(attributes);

    for (const struct action *action = actions ? actions->first : NULL; action && ready; action = action->next)
        ready = do_action(action);
    if (ready)
        (void)execve(path, arguments, environment);
    _exit(STATUS_NO_LAUNCH);
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const arguments[], char *const environment[])
{
    const int saved = errno;
    const int error = check_program(path);

    if (error < 0)
        return -error;
    const pid_t child = fork();
    if (child == 0)
        begin(path, actions ? *actions : NULL, attributes ? *attributes : NULL, arguments, environment);
    const int failure = child < 0 ? errno : 0;
    errno = saved;
    if (child > 0 && pid)
        *pid = child;
    return failure;
}

int posix_spawnp(pid_t *restrict pid, const char *restrict name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const arguments[], char *const environment[])
{
    const char *folders = path_of_environment();
    char path[PATH_BYTES_MAX];

    if (strchr(name, '/') || *name == '\0')
        return posix_spawn(pid, name, actions, attributes, arguments, environment);
    while (path_next(&folders, name, path, sizeof(path)))
        if (check_program(path) == 0)
            return posix_spawn(pid, path, actions, attributes, arguments, environment);
    return ENOENT;
}
