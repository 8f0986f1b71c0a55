/* SPDX-License-Identifier: MIT */
/*
 * Shared libraries, of which Quire has none: programs that would load some can be compiled, and are told so when they
 * try.
 */
#ifndef QUIRE_POSIX_DLFCN_H
#define QUIRE_POSIX_DLFCN_H

#ifdef __cplusplus
extern "C" {
#endif

#define RTLD_LAZY   1
#define RTLD_NOW    2
#define RTLD_GLOBAL 0x100
#define RTLD_LOCAL  0

/* Always null. */
void *dlopen(const char *path, int flags);

/* Always null: there is no handle to ask. */
void *dlsym(void *__restrict handle, const char *__restrict name);

/* Always -1. */
int dlclose(void *handle);

/* Why the calling thread's last call failed; null if there was none since it asked. Belongs to the library. */
char *dlerror(void);

#ifdef __cplusplus
}
#endif

#endif
