/* SPDX-License-Identifier: MIT */
/*
 * Walks through trees of directories, as POSIX has them. A walk ends when the function returns another value than 0, and
 * gives that, or when something cannot be read, with -1 and errno.
 */
#ifndef QUIRE_FTW_H
#define QUIRE_FTW_H

#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the function is told of: */
enum {
    FTW_F,   /* a file */
    FTW_D,   /* a directory, before what is in it */
    FTW_DNR, /* a directory that cannot be read */
    FTW_NS,  /* nothing that can be known */
    FTW_SL,  /* a symbolic link */
    FTW_DP,  /* a directory, after what is in it */
    FTW_SLN, /* a symbolic link to nothing */
};

/* How nftw() walks: */
enum {
    FTW_PHYS = 1,  /* does not follow symbolic links */
    FTW_MOUNT = 2, /* stays in one file system */
    FTW_CHDIR = 4, /* ENOSYS */
    FTW_DEPTH = 8, /* directories come after what is in them */
};

struct FTW {
    int base;  /* where the last part of the path begins */
    int level; /* 0: the file where the walk began */
};

/* Whatever `descriptors` says, one is open at a time. */
int ftw(const char *path, int (*function)(const char *path, const struct stat *status, int type), int descriptors);
int nftw(const char *path, int (*function)(const char *path, const struct stat *status, int type, struct FTW *place),
         int descriptors, int flags);

#ifdef __cplusplus
}
#endif

#endif
