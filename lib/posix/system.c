/* SPDX-License-Identifier: MIT */
/*
 * The system's name, the process's parent, and random numbers.
 */
#include "internal.h"

#include <arch/machine_name.h>
#include <proto/root_client.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ENTROPY_BYTES_MAX 256u

int uname(struct utsname *name)
{
    *name = (struct utsname){
        .sysname = "Quire",
        .nodename = "quire",
        .release = QUIRE_VERSION,
        .version = "microkernel",
        .machine = MACHINE_NAME,
    };
    return 0;
}

int gethostname(char *name, size_t bytes)
{
    struct utsname system;

    (void)uname(&system);
    if (strlen(system.nodename) >= bytes)
        return (int)posix_result(-ENAMETOOLONG);
    strcpy(name, system.nodename);
    return 0;
}

pid_t getppid(void)
{
    uint64_t parent;

    return root_parent(SLOT_ROOT, &parent) < 0 ? 0 : (pid_t)parent;
}

int getentropy(void *data, size_t bytes)
{
    size_t got = 0;

    if (bytes > ENTROPY_BYTES_MAX)
        return (int)posix_result(-EIO);
    if (bytes == 0)
        return 0;
    if (root_entropy(SLOT_ROOT, data, bytes, &got) < 0 || got != bytes)
        return (int)posix_result(-EIO);
    return 0;
}
