/* SPDX-License-Identifier: MIT */
/* Arguments and environment of a program that is to be started, in one block of memory that root reads. */
#ifndef POSIX_IMAGE_H
#define POSIX_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct program_file;

struct program_image {
    uint64_t address, bytes; /* strings with their final zeros: arguments, then environment */
    uint64_t arguments, environment;
    uint64_t flags; /* START_* */
};

/* Copies the strings into memory of their own; if `file` is not NULL, with those of it that stand for the first argument,
 * and with the working directory, if that is not the root, as the last of the environment.
 * E2BIG, EINVAL (no argument), ENOMEM: nothing is left. */
__attribute__((warn_unused_result)) int image_prepare(struct program_image *image, const struct program_file *file,
                                                      char *const arguments[], char *const environment[]);

/* Gives that memory back. */
void image_forget(const struct program_image *image);

/* Becomes the program of a file, whose grant is given back. Comes back only with an error. */
int program_execute(const struct program_file *file, char *const arguments[], char *const environment[]);

/* Becomes the program of a path, or of a name along PATH, which begins with a mask of signals, or the caller's if that is
 * NULL. Comes back only with an error. */
int file_execute(const char *path, char *const arguments[], char *const environment[], const uint64_t *mask);
int path_execute(const char *name, char *const arguments[], char *const environment[], const uint64_t *mask);

#endif
