/* SPDX-License-Identifier: MIT */
/* Programs in files, and the scripts that lead to them. */
#ifndef POSIX_PROGRAM_H
#define POSIX_PROGRAM_H

#include "files.h"

#define PROGRAM_HEAD_BYTES 1024u
/* Bytes of a script's first line that count. */
#define PROGRAM_LINE_BYTES 256u
/* So many scripts may have scripts as their interpreters. */
#define PROGRAM_SCRIPTS_MAX 5u
#define PROGRAM_FRONT_MAX   (2 * PROGRAM_SCRIPTS_MAX + 1)

/* A program that is about to be executed: what the file server told of it. */
struct program_file {
    const char *path; /* of the program itself, for its name */
    uint64_t object;  /* memsrv's number of its content, granted */
    uint64_t size;
    uint64_t closing; /* descriptors that an execution closes */
    size_t head_bytes;
    char head[PROGRAM_HEAD_BYTES];
    /* Of scripts: what takes the place of the first argument, if anything: interpreter, its argument, the script's path. */
    const char *front[PROGRAM_FRONT_MAX];
    unsigned front_start;
    char lines[PROGRAM_SCRIPTS_MAX][PROGRAM_LINE_BYTES];
    char name[32];        /* of a program that is given by a descriptor */
    const uint64_t *mask; /* of signals, with which it begins; NULL: the caller's */
};

/*
 * Finds the program of a path, through scripts. The grant of its content is the caller's to give back; on an error there
 * is none. What the file server says of the path; EACCES: it cannot be executed; ENOEXEC: it is empty, or a script
 * without interpreter; ELOOP: too many scripts.
 */
FILES_MUST_CHECK int program_find(const char *path, struct program_file *file);

/* The same for an open file. EBADF: it is not open. */
FILES_MUST_CHECK int program_find_open(int descriptor, struct program_file *file);

/* Gives the grant back. */
void program_forget(const struct program_file *file);

#endif
