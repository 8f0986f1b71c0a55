/* SPDX-License-Identifier: MIT */
/*
 * Adds to newlib's list of features those that Quire has; newlib's headers declare functions by them.
 */
#ifndef QUIRE_SYS_FEATURES_H
#define QUIRE_SYS_FEATURES_H

#include_next <sys/features.h>

#define _POSIX_TIMERS            1
#define _POSIX_MONOTONIC_CLOCK   200112L
#define _POSIX_MAPPED_FILES      1
#define _POSIX_MEMORY_PROTECTION 1

#endif
