/* SPDX-License-Identifier: MIT */
/* Arguments and environment of a program that is to be started, in one block of memory that root reads. */
#ifndef POSIX_IMAGE_H
#define POSIX_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct program_image {
    uint64_t address, bytes; /* strings with their final zeros: arguments, then environment */
    uint64_t arguments, environment;
};

/* Copies the strings into memory of their own. E2BIG, EINVAL (no argument), ENOMEM: nothing is left. */
__attribute__((warn_unused_result)) int image_prepare(struct program_image *image, char *const arguments[],
                                                      char *const environment[]);

/* Gives that memory back. */
void image_forget(const struct program_image *image);

/* Starts the program of a path. The child's number, or root's error. */
__attribute__((warn_unused_result)) int64_t image_spawn(const char *path, const struct program_image *image);

/* Puts the next path at which the folders of PATH have `name` into path[0, bytes) and steps over that folder. NULL: that
 * was all; folders whose path would be too long are passed over. */
const char *path_next(const char **folders, const char *name, char *path, size_t bytes);

/* PATH, or what it is without one. */
const char *path_of_environment(void);

#endif
