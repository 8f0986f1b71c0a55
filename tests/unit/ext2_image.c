/* SPDX-License-Identifier: MIT */
/*
 * Disks in memory; see ext2_image.h.
 */
#include "ext2_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define LAST_ORPHAN (1024 + 0xe8) /* s_last_orphan */
#define TOOLS       "PATH=$PATH:/sbin:/usr/sbin MKE2FS_SKIP_CHECK_MSG=1 "

static struct image *image_of(struct block_device *device)
{
    return (struct image *)(void *)((char *)device - offsetof(struct image, device));
}

static void check_range(const struct image *image, uint64_t offset, size_t bytes)
{
    EXPECT(offset % BLOCK_DEVICE_SECTOR == 0 && bytes % BLOCK_DEVICE_SECTOR == 0 && bytes > 0 &&
           offset <= image->device.bytes && bytes <= image->device.bytes - offset);
}

static int image_read(struct block_device *device, uint64_t offset, void *data, size_t bytes)
{
    struct image *image = image_of(device);

    check_range(image, offset, bytes);
    if (image->reads++ >= image->fail_read)
        return -EIO;
    memcpy(data, image->bytes + offset, bytes);
    return 0;
}

static int image_write(struct block_device *device, uint64_t offset, const void *data, size_t bytes)
{
    struct image *image = image_of(device);

    check_range(image, offset, bytes);
    EXPECT(!device->read_only);
    if (image->writes++ >= image->fail_write)
        return -EIO;
    if (image->writes <= image->cut_write)
        memcpy(image->bytes + offset, data, bytes);
    return 0;
}

static int image_flush(struct block_device *device)
{
    image_of(device)->flushes++;
    return 0;
}

static void init(struct image *image, uint64_t bytes)
{
    *image = (struct image){
        .device = {.bytes = bytes, .read = image_read, .write = image_write, .flush = image_flush},
        .fail_read = IMAGE_NEVER,
        .fail_write = IMAGE_NEVER,
        .cut_write = IMAGE_NEVER,
    };
    image->bytes = calloc(1, bytes);
    EXPECT(image->bytes);
}

static void run(const char *format, const char *first, const char *second, const char *third)
{
    char command[4096];

    EXPECT((size_t)snprintf(command, sizeof(command), format, first, second, third) < sizeof(command));
    EXPECT(system(command) == 0);
}

static void load(struct image *image, const char *path)
{
    const int file = open(path, O_RDONLY);

    EXPECT(file >= 0 && read(file, image->bytes, image->device.bytes) == (ssize_t)image->device.bytes);
    close(file);
}

static void save(const struct image *image, const char *path)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    EXPECT(file >= 0 && write(file, image->bytes, image->device.bytes) == (ssize_t)image->device.bytes);
    close(file);
}

/* A directory of this process's own, removed by image_leave(). */
static void enter(char folder[64])
{
    snprintf(folder, 64, "/tmp/quire-ext2-XXXXXX");
    EXPECT(mkdtemp(folder));
}

static void leave(const char *folder)
{
    run("rm -rf '%s'", folder, NULL, NULL);
}

void image_make(struct image *image, uint64_t bytes, const char *options, const char *script)
{
    char folder[64], path[80], size[32];

    init(image, bytes);
    enter(folder);
    snprintf(path, sizeof(path), "%s/disk", folder);
    snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
    run("truncate -s %s '%s'", size, path, NULL);
    run("mkdir '%s/tree'", folder, NULL, NULL);
    if (script)
        run("cd '%s/tree' && %s", folder, script, NULL);
    run(TOOLS "mke2fs -q -F %s -d '%s/tree' '%s'", options, folder, path);
    load(image, path);
    leave(folder);
}

void image_copy(struct image *copy, const struct image *image)
{
    init(copy, image->device.bytes);
    memcpy(copy->bytes, image->bytes, image->device.bytes);
}

void image_free(struct image *image)
{
    free(image->bytes);
    image->bytes = NULL;
}

bool image_orphans(const struct image *image)
{
    uint32_t first;

    memcpy(&first, image->bytes + LAST_ORPHAN, sizeof(first));
    return first != 0;
}

int image_fsck(struct image *image, bool repair)
{
    char folder[64], path[80], command[256];

    enter(folder);
    snprintf(path, sizeof(path), "%s/disk", folder);
    save(image, path);
    snprintf(command, sizeof(command), TOOLS "e2fsck -f%c '%s' >'%s/log' 2>&1", repair ? 'y' : 'n', path, folder);
    const int status = system(command);
    if (repair)
        load(image, path);
    if (status != 0 && getenv("QUIRE_FSCK_LOG"))
        run("cat '%s/log' >&2", folder, NULL, NULL);
    leave(folder);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
