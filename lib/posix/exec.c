/* SPDX-License-Identifier: MIT */
/*
 * Programs out of programs: exec, and spawning with arguments and environment of any size. Root reads the strings out of
 * this program's memory, and maps what the file server granted. Nothing here allocates with malloc(), so that it can be
 * called after a fork.
 */
#include "image.h"
#include "program.h"
#include "start.h"
#include "thread_record.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES_MAX 1024u
#define ARGUMENTS_MAX  256u /* of execl() and its kin */
#define SHELL          "/bin/sh"

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

/* What a program keeps of this library's: the umask, and the working directory if it is not the root. */
static void add_state(struct program_image *image, char directory[FS_PATH_BYTES])
{
    image->flags = START_HAS_MASK | (uint64_t)start_mask << START_MASK_SHIFT;
    path_of_working_directory(directory);
    if (strcmp(directory, "/") == 0)
        return;
    image->flags |= START_HAS_DIRECTORY;
    image->environment++;
    image->bytes += strlen(directory) + 1;
}

int image_prepare(struct program_image *image, const struct program_file *file, char *const arguments[],
                  char *const environment[])
{
    char *const *front = file ? (char *const *)file->front + file->front_start : NULL;
    const uint64_t front_count = file ? PROGRAM_FRONT_MAX - file->front_start : 0;
    char directory[FS_PATH_BYTES] = "/";
    char *const last[] = {directory};

    /* A program must have a name, though not a script. */
    if (!arguments || !arguments[0])
        return -EINVAL;
    if (front_count > 0)
        arguments++;
    *image = (struct program_image){0};
    for (uint64_t i = 0; i < front_count; i++)
        image->bytes += strlen(front[i]) + 1;
    image->arguments = front_count + measure(arguments, &image->bytes);
    image->environment = measure(environment, &image->bytes);
    if (file)
        add_state(image, directory);
    if (image->bytes > ROOT_STRING_BYTES_MAX || image->arguments + image->environment > ROOT_STRINGS_MAX)
        return -E2BIG;
    const int error =
        memsrv_map(SLOT_MEMSRV, 0, image->bytes, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, 0, &image->address);
    if (error < 0)
        return error;
    char *place = copy_strings((char *)image->address, front, front_count);
    place = copy_strings(place, arguments, image->arguments - front_count);
    if (image->flags & START_HAS_DIRECTORY) {
        place = copy_strings(place, environment, image->environment - 1);
        (void)copy_strings(place, last, 1);
    } else {
        (void)copy_strings(place, environment, image->environment);
    }
    return 0;
}

void image_forget(const struct program_image *image)
{
    (void)!memsrv_unmap(SLOT_MEMSRV, image->address, image->bytes);
}

/* What root is told of a program and its strings. */
static struct root_program_image describe(const struct program_file *file, const struct program_image *image)
{
    const char *slash = strrchr(file->path, '/');
    struct root_program_image record = {
        .strings = image->address,
        .bytes = image->bytes,
        .arguments = image->arguments,
        .environment = image->environment,
        .head = (uint64_t)file->head,
        .head_bytes = file->head_bytes,
        .object = file->object,
        .size = file->size,
        .masked = file->mask != NULL,
        .mask = file->mask ? *file->mask : 0,
        .flags = image->flags | (file->closing ? START_CLOSES_FILES : 0),
    };

    strncpy(record.name, slash ? slash + 1 : file->path, sizeof(record.name) - 1);
    return record;
}

int program_execute(const struct program_file *file, char *const arguments[], char *const environment[])
{
    struct program_image image;
    int error = image_prepare(&image, file, arguments, environment);

    if (error == 0) {
        const struct root_program_image record = describe(file, &image);
        error = root_exec_object(SLOT_ROOT, thread_number_of_caller(), &record, 1);
        image_forget(&image);
    }
    program_forget(file);
    return error;
}

int file_execute(const char *path, char *const arguments[], char *const environment[], const uint64_t *mask)
{
    struct program_file file;
    const int error = program_find(path, &file);

    file.mask = mask;
    return error < 0 ? error : program_execute(&file, arguments, environment);
}

int _execve(const char *path, char *const arguments[], char *const environment[])
{
    return (int)posix_result(file_execute(path, arguments, environment, NULL));
}

int fexecve(int descriptor, char *const arguments[], char *const environment[])
{
    struct program_file file;
    const int error = program_find_open(descriptor, &file);

    return (int)posix_result(error < 0 ? error : program_execute(&file, arguments, environment));
}

int execv(const char *path, char *const arguments[])
{
    return _execve(path, arguments, environ);
}

/* --- Along PATH --------------------------------------------------------------------------------------------------- */

/* Puts the next path at which the folders of PATH have `name` into path[0, bytes) and steps over that folder. NULL: that
 * was all; folders whose path would be too long are passed over. */
static const char *path_next(const char **folders, const char *name, char *path, size_t bytes)
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

/* PATH, or what it is without one. */
static const char *path_of_environment(void)
{
    for (char **string = environ; string && *string; string++)
        if (strncmp(*string, "PATH=", 5) == 0)
            return *string + 5;
    return "/bin";
}

/* What a file is that is no program and has no interpreter: a script for the shell. */
static int execute_by_shell(const char *path, char *const arguments[], char *const environment[])
{
    struct program_file file;
    const int error = program_find(SHELL, &file);

    if (error < 0)
        return error;
    /* As if the script had begun with "#!/bin/sh". */
    file.front_start = PROGRAM_FRONT_MAX - 2;
    file.front[file.front_start] = SHELL;
    file.front[file.front_start + 1] = path;
    return program_execute(&file, arguments, environment);
}

static int execute_or_shell(const char *path, char *const arguments[], char *const environment[], const uint64_t *mask)
{
    const int error = file_execute(path, arguments, environment, mask);
    return error == -ENOEXEC ? execute_by_shell(path, arguments, environment) : error;
}

typedef int (*execute_function)(const char *path, char *const arguments[], char *const environment[],
                                const uint64_t *mask);

/* Executes what the name is along PATH. EACCES, if nothing worse happens, where something was found at all. */
static int search(const char *name, char *const arguments[], char *const environment[], const uint64_t *mask,
                  execute_function execute)
{
    const char *folders = path_of_environment();
    char path[PATH_BYTES_MAX];
    int error = -ENOENT;

    if (*name == '\0' || strchr(name, '/'))
        return execute(name, arguments, environment, mask);
    while (path_next(&folders, name, path, sizeof(path))) {
        const int result = execute(path, arguments, environment, mask);
        if (result == -EACCES)
            error = result;
        else if (result != -ENOENT && result != -ENOTDIR)
            return result;
    }
    return error;
}

int path_execute(const char *name, char *const arguments[], char *const environment[], const uint64_t *mask)
{
    return search(name, arguments, environment, mask, file_execute);
}

int execvpe(const char *name, char *const arguments[], char *const environment[])
{
    return (int)posix_result(search(name, arguments, environment, NULL, execute_or_shell));
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

/* The child's number, or root's error. */
static int64_t spawn_file(const struct program_file *file, char *const arguments[])
{
    struct program_image image;
    uint64_t pid = 0;
    int error = image_prepare(&image, file, arguments, environ);

    if (error == 0) {
        struct root_program_image record = describe(file, &image);
        record.flags &= ~(uint64_t)START_CLOSES_FILES; /* it has none of this program's descriptors */
        error = root_spawn_object(SLOT_ROOT, &record, 1, &pid);
        image_forget(&image);
    }
    program_forget(file);
    return error < 0 ? error : (int64_t)pid;
}

/* The same for a program of the boot archive. */
static int64_t spawn_from_archive(const char *path, char *const arguments[])
{
    struct program_image image;
    uint64_t pid = 0;
    int error = strlen(path) < PATH_BYTES_MAX ? image_prepare(&image, NULL, arguments, environ) : -ENAMETOOLONG;

    if (error == 0) {
        error = root_spawn_image(SLOT_ROOT, image.address, image.bytes, image.arguments, image.environment, path,
                                 strlen(path) + 1, &pid);
        image_forget(&image);
    }
    return error < 0 ? error : (int64_t)pid;
}

int64_t process_spawn(const char *const *arguments)
{
    struct program_file file;
    const char *path = arguments[0];

    if (!strchr(path, '/'))
        return spawn_from_archive(path, (char *const *)arguments);
    const int error = program_find(path, &file);
    if (error == 0)
        return spawn_file(&file, (char *const *)arguments);
    /* Without a file server, or from another directory, the archive's paths go on to work. */
    return error == -EACCES || error == -ENOEXEC || error == -ELOOP
               ? error
               : spawn_from_archive(path, (char *const *)arguments);
}

int process_run(const char *const *arguments)
{
    const int64_t pid = process_spawn(arguments);
    return pid < 0 ? (int)pid : process_wait((uint64_t)pid);
}
