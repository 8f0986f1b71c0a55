/* SPDX-License-Identifier: MIT */
/* What a program is told besides arguments and environment, by the library of the program that it was before. */
#ifndef POSIX_START_H
#define POSIX_START_H

#include <stdint.h>
#include <sys/types.h>

/* AT_FLAGS of the auxiliary vector. */
#define START_CLOSES_FILES  1u /* some descriptors have FD_CLOEXEC, and are to be closed now */
#define START_HAS_DIRECTORY 2u /* the environment's last string is none of its, but the working directory */
#define START_HAS_MASK      4u /* the next bits are the umask */
#define START_MASK_SHIFT    16

/* The working directory, which the program has not changed yet; NULL: the root. */
extern const char *start_directory;

/* The umask. */
extern mode_t start_mask;

#endif
