/* SPDX-License-Identifier: MIT */
/*
 * Programs out of programs: exec, and spawning with arguments and environment of any size. Root reads the strings out of
 * this program's memory. Nothing here allocates with malloc(), so that it can be called after a fork.
 */
#include "files.h"
#include "image.h"
#include "internal.h"
#include "thread_record.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES_MAX 1024u
#define ARGUMENTS_MAX  256u /* of execl() and its kin */

extern char **environ;

int _execve(const char *path, char *const arguments[], char *const environment[]);
int execvpe(const char *name, char *const arguments[], char *const environment[]);

/* Counts strings and their bytes. */
static uint64_t measure(char *const strings[], uint64_t *bytes)
{
    uint64_t count = 0;

    for (; strings && strings[count]; count++)
        *bytes += strlen(strings[count]) + 1;
    return count;
}

static char *copy_strings(char *place, char *const strings[], uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        place = stpcpy(place, strings[i]) + 1;
    return place;
}

int image_prepare(struct program_image *image, char *const arguments[], char *const environment[])
{
    *image = (struct program_image){0};
    image->arguments = measure(arguments, &image->bytes);
    image->environment = measure(environment, &image->bytes);
    if (image->bytes > ROOT_STRING_BYTES_MAX || image->arguments + image->environment > ROOT_STRINGS_MAX)
        return -E2BIG;
    if (image->arguments == 0)
        return -EINVAL;
    const int error =
        memsrv_map(SLOT_MEMSRV, 0, image->bytes, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, 0, &image->address);
    if (error < 0)
        return error;
    char *place = copy_strings((char *)image->address, arguments, image->arguments);
    (void)copy_strings(place, environment, image->environment);
    return 0;
}

void image_forget(const struct program_image *image)
{
    (void)!memsrv_unmap(SLOT_MEMSRV, image->address, image->bytes);
}

/* exec in root; comes back only with an error. */
static int execute(const char *path, const struct program_image *image)
{
    const size_t bytes = strlen(path) + 1;

    if (bytes < 2)
        return -ENOENT;
    /* The child of a fork gets its descriptors when it first looks at one. */
    (void)!file_kind(STDIN_FILENO);
    return root_exec(SLOT_ROOT, image->address, image->bytes, image->arguments, image->environment,
                     thread_number_of_caller(), path, bytes);
}

int _execve(const char *path, char *const arguments[], char *const environment[])
{
    struct program_image image;

    if (strlen(path) >= PATH_BYTES_MAX)
        return (int)posix_result(-ENAMETOOLONG);
    int error = image_prepare(&image, arguments, environment);
    if (error < 0)
        return (int)posix_result(error);
    error = execute(path, &image);
    image_forget(&image);
    return (int)posix_result(error);
}

int execv(const char *path, char *const arguments[])
{
    return _execve(path, arguments, environ);
}

/* --- Along PATH --------------------------------------------------------------------------------------------------- */

const char *path_next(const char **folders, const char *name, char *path, size_t bytes)
{
    while (*folders) {
        const char *folder = *folders;
        const size_t length = strcspn(folder, ":");
        *folders = folder[length] ? folder + length + 1 : NULL;
        if (length + strlen(name) + 2 > bytes)
            continue;
        memcpy(path, folder, length);
        path[length] = '/';
        strcpy(path + length + (length > 0), name);
        return path;
    }
    return NULL;
}

const char *path_of_environment(void)
{
    for (char **string = environ; string && *string; string++)
        if (strncmp(*string, "PATH=", 5) == 0)
            return *string + 5;
    return "/bin";
}

int execvpe(const char *name, char *const arguments[], char *const environment[])
{
    const char *folders = path_of_environment();
    char path[PATH_BYTES_MAX];
    int error = ENOENT;

    if (*name == '\0' || strchr(name, '/'))
        return _execve(name, arguments, environment);
    while (path_next(&folders, name, path, sizeof(path))) {
        (void)_execve(path, arguments, environment);
        if (errno == EACCES)
            error = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            return -1;
    }
    return (int)posix_result(-error);
}

int execvp(const char *name, char *const arguments[])
{
    return execvpe(name, arguments, environ);
}

/* --- With arguments one by one ------------------------------------------------------------------------------------ */

/* Collects arguments up to the null. False: too many. */
static bool collect(char *arguments[ARGUMENTS_MAX + 1], const char *first, va_list *rest)
{
    unsigned count = 0;

    arguments[0] = (char *)first;
    while (arguments[count]) {
        if (++count > ARGUMENTS_MAX)
            return false;
        arguments[count] = va_arg(*rest, char *);
    }
    return true;
}

int execl(const char *path, const char *first, ...)
{
    char *arguments[ARGUMENTS_MAX + 1];
    va_list rest;

    va_start(rest, first);
    const bool fits = collect(arguments, first, &rest);
    va_end(rest);
    return fits ? execv(path, arguments) : (int)posix_result(-E2BIG);
}

int execlp(const char *name, const char *first, ...)
{
    char *arguments[ARGUMENTS_MAX + 1];
    va_list rest;

    va_start(rest, first);
    const bool fits = collect(arguments, first, &rest);
    va_end(rest);
    return fits ? execvp(name, arguments) : (int)posix_result(-E2BIG);
}

int execle(const char *path, const char *first, ...)
{
    char *arguments[ARGUMENTS_MAX + 1];
    char *const *environment = NULL;
    va_list rest;

    va_start(rest, first);
    const bool fits = collect(arguments, first, &rest);
    if (fits)
        environment = va_arg(rest, char *const *);
    va_end(rest);
    return fits ? _execve(path, arguments, environment) : (int)posix_result(-E2BIG);
}

/* --- Spawning ----------------------------------------------------------------------------------------------------- */

int64_t image_spawn(const char *path, const struct program_image *image)
{
    uint64_t pid;
    const int error = root_spawn_image(SLOT_ROOT, image->address, image->bytes, image->arguments, image->environment,
                                       path, strlen(path) + 1, &pid);
    return error < 0 ? error : (int64_t)pid;
}

int64_t process_spawn(const char *const *arguments)
{
    struct program_image image;
    const int error = image_prepare(&image, (char *const *)arguments, environ);

    if (error < 0)
        return error;
    const int64_t result = strlen(arguments[0]) < PATH_BYTES_MAX ? image_spawn(arguments[0], &image) : -ENAMETOOLONG;
    image_forget(&image);
    return result;
}

int process_run(const char *const *arguments)
{
    const int64_t pid = process_spawn(arguments);
    return pid < 0 ? (int)pid : process_wait((uint64_t)pid);
}
