/* SPDX-License-Identifier: MIT */
/*
 * What is there from the start: a few directories, the devices, and the boot archive's files, whose content root gives
 * when it is first asked for.
 */
#include "server.h"

#include <proto/root_client.h>

#include "device.h"

#define FILES_AT_ONCE (PROTO_DATA_MAX / sizeof(struct root_archive_file))

static const struct {
    const char *path;
    uint32_t mode;
} directories[] = {{"/dev", 0755}, {"/dev/shm", 01777}, {"/tmp", 01777}};

static const struct {
    const char *path;
    uint32_t mode;
    uint64_t device;
} devices[] = {
    {"/dev/null", 0666, DEVICE_NULL},       {"/dev/zero", 0666, DEVICE_ZERO},   {"/dev/full", 0666, DEVICE_FULL},
    {"/dev/console", 0600, DEVICE_CONSOLE}, {"/dev/tty", 0666, DEVICE_CONSOLE},
};

int seed_load(uint64_t source, uint64_t offset, void *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const size_t part = bytes - done < PROTO_DATA_MAX ? bytes - done : PROTO_DATA_MAX;
        size_t got = 0;
        const int error = root_archive_read(SLOT_ROOT, source + offset + done, (char *)data + done, part, &got);
        if (error < 0)
            return error;
        if (got == 0)
            return -EIO;
        done += got;
    }
    return 0;
}

/* One entry of the archive; its directories come first. Names that cannot be are left out. */
static int seed_entry(const struct tree *tree, const struct root_archive_file *file)
{
    char path[sizeof(file->name) + 1] = "/";
    const uint32_t mode = (uint32_t)file->mode;

    memcpy(path + 1, file->name, strnlen(file->name, sizeof(file->name) - 1));
    int error = 0;
    if ((mode & MODE_TYPE) == MODE_DIRECTORY)
        error = tree_mkdir(tree, path, mode & MODE_BITS);
    else if ((mode & MODE_TYPE) == MODE_FILE)
        error = tree_seed(tree, path, mode & MODE_BITS, file->offset, file->size);
    return error == -ENOSPC ? error : 0;
}

static int seed_archive(const struct tree *tree)
{
    struct root_archive_file list[FILES_AT_ONCE];
    uint64_t cursor = 0;

    do {
        size_t count = 0;
        int error = root_archive_list(SLOT_ROOT, cursor, &cursor, list, FILES_AT_ONCE, &count);
        for (size_t i = 0; error == 0 && i < count; i++)
            error = seed_entry(tree, &list[i]);
        if (error < 0)
            return error;
    } while (cursor != 0);
    return 0;
}

int seed(const struct tree *tree)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < sizeof(directories) / sizeof(directories[0]); i++)
        error = tree_mkdir(tree, directories[i].path, directories[i].mode);
    for (size_t i = 0; error == 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
        error = tree_device(tree, devices[i].path, devices[i].mode, devices[i].device);
    return error < 0 ? error : seed_archive(tree);
}
