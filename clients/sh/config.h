/* SPDX-License-Identifier: MIT */
/* What dash's configure would find out about Quire, which is not there to be asked when dash is built for it. */
#ifndef SH_CONFIG_H
#define SH_CONFIG_H

#define HAVE_ALIAS_ATTRIBUTE 1
#define HAVE_ALLOCA_H        1
#define HAVE_BSEARCH         1
#define HAVE_DECL_ISBLANK    1
#define HAVE_DECL_PRIDMAX    1
#define HAVE_DECL_STAT64     0
#define HAVE_FACCESSAT       1
#define HAVE_GETPWNAM        1
#define HAVE_GETRLIMIT       1
#define HAVE_ISALPHA         1
#define HAVE_KILLPG          1
#define HAVE_MEMPCPY         1
#define HAVE_PATHS_H         1
#define HAVE_STPCPY          1
#define HAVE_STRCHRNUL       1
#define HAVE_STRSIGNAL       1
#define HAVE_STRTOD          1
#define HAVE_STRTOIMAX       1
#define HAVE_STRTOUMAX       1
#define HAVE_ST_MTIM         1
#define HAVE_SYSCONF         1
#define SIZEOF_INTMAX_T      8
#define SIZEOF_LONG_LONG_INT 8
#define WITH_LINENO          1

/* Without a line editor and a history. */
#define SMALL 1

#define _PATH_TTY "/dev/tty"

/* There is one size of files. */
#define dirent64   dirent
#define fstat64    fstat
#define glob64     glob
#define glob64_t   glob_t
#define globfree64 globfree
#define lstat64    lstat
#define open64     open
#define readdir64  readdir
#define stat64     stat

/* The standard's; newlib declares these for it alone. */
#define _GNU_SOURCE 1

#endif
