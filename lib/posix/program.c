/* SPDX-License-Identifier: MIT */
/*
 * From a path to a program: the file server grants the file's content and tells how it begins. A script is followed to
 * its interpreter. Nothing here allocates with malloc(), so that it can be called after a fork.
 */
#include "program.h"

#include <fcntl.h>
#include <proto/fs_client.h>
#include <proto/memsrv_client.h>
#include <proto/root_protocol.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(PROGRAM_HEAD_BYTES == ROOT_PROGRAM_HEAD_MAX, "what root looks at");

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first line of a script: the interpreter and what follows it, or NULL, in line[0, PROGRAM_LINE_BYTES). */
static int parse_line(const struct program_file *file, char *line, char **interpreter, char **argument)
{
    size_t length = file->head_bytes < PROGRAM_LINE_BYTES ? file->head_bytes : PROGRAM_LINE_BYTES;
    const char *end = memchr(file->head, '\n', length);

    length = end ? (size_t)(end - file->head) : length;
    if (length == PROGRAM_LINE_BYTES)
        return -ENOEXEC; /* cut off somewhere */
    memcpy(line, file->head, length);
    line[length] = '\0';
    while (length > 2 && is_blank(line[length - 1]))
        line[--length] = '\0';
    *interpreter = line + 2;
    while (is_blank(**interpreter))
        (*interpreter)++;
    *argument = *interpreter + strcspn(*interpreter, " \t");
    if (**argument != '\0')
        *(*argument)++ = '\0';
    while (is_blank(**argument))
        (*argument)++;
    if (**argument == '\0')
        *argument = NULL;
    return **interpreter ? 0 : -ENOEXEC;
}

/* Asks the file server for the program of a path, or of a descriptor if `path` is NULL. */
static int look(const char *path, int descriptor, struct program_file *file)
{
    char absolute[FS_PATH_BYTES];
    long error = path ? path_absolute(AT_FDCWD, path, absolute) : 0;

    if (error == 0)
        error =
            files_error(path ? fs_program(SLOT_FS, absolute, strlen(absolute) + 1, &file->object, &file->size,
                                          &file->closing, file->head, sizeof(file->head), &file->head_bytes)
                             : fs_opened_program(SLOT_FS, (uint64_t)descriptor, &file->object, &file->size,
                                                 &file->closing, file->head, sizeof(file->head), &file->head_bytes));
    return (int)error;
}

static bool is_script(const struct program_file *file)
{
    return file->head_bytes >= 2 && file->head[0] == '#' && file->head[1] == '!';
}

/* Puts another string before those that take the place of the first argument. */
static void put_before(struct program_file *file, const char *string)
{
    file->front[--file->front_start] = string;
}

/* Follows scripts from `file`, which was looked at, to a program. */
static int follow(const char *path, struct program_file *file)
{
    char *interpreter, *argument;

    for (unsigned level = 0; is_script(file); level++) {
        if (level == PROGRAM_SCRIPTS_MAX) {
            program_forget(file);
            return -ELOOP;
        }
        int error = parse_line(file, file->lines[level], &interpreter, &argument);
        program_forget(file);
        if (error < 0)
            return error;
        /* The script's path stands for the name that it was called by, which is there already if it is an interpreter. */
        if (level == 0)
            put_before(file, path);
        if (argument)
            put_before(file, argument);
        put_before(file, interpreter);
        path = interpreter;
        error = look(path, -1, file);
        if (error < 0)
            return error;
    }
    file->path = path;
    return file->object ? 0 : -ENOEXEC; /* an empty file has none */
}

int program_find(const char *path, struct program_file *file)
{
    /* The child of a fork gets its descriptors when it first looks at one, and needs them to be known by. */
    (void)!file_kind(STDIN_FILENO);
    file->front_start = PROGRAM_FRONT_MAX;
    file->mask = NULL;
    const int error = look(path, -1, file);
    return error < 0 ? error : follow(path, file);
}

int program_find_open(int descriptor, struct program_file *file)
{
    const int kind = file_kind(descriptor);

    if (kind < 0)
        return kind;
    if (kind != FILE_STORED)
        return -EACCES;
    file->front_start = PROGRAM_FRONT_MAX;
    file->mask = NULL;
    (void)snprintf(file->name, sizeof(file->name), "/dev/fd/%d", descriptor);
    const int error = look(NULL, descriptor, file);
    return error < 0 ? error : follow(file->name, file);
}

void program_forget(const struct program_file *file)
{
    if (file->object)
        (void)!memsrv_object_memory_release(SLOT_MEMSRV, file->object);
}
