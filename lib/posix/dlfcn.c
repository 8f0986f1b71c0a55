/* SPDX-License-Identifier: MIT */
/*
 * The face of shared libraries in a system of static programs.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

static _Thread_local bool failed;

void *dlopen(const char *path, int flags)
{
    (void)path;
    (void)flags;
    failed = true;
    return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
    (void)handle;
    (void)name;
    failed = true;
    return NULL;
}

int dlclose(void *handle)
{
    (void)handle;
    failed = true;
    return -1;
}

char *dlerror(void)
{
    static char reason[] = "programs are static, there are no shared libraries";

    if (!failed)
        return NULL;
    failed = false;
    return reason;
}
