/* SPDX-License-Identifier: MIT */
/* Finds programs in the boot archive. */
#include "archive.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "machine.h"
#include "memory.h"
#include "stack.h"

static struct cpio_archive archive;

/* Where programs may be linked to: above the fixed pages (boot information and the like), below the stacks. */
static const struct elf_limits limits = {.machine = ELF_MACHINE, .low = 0x200000, .high = 0x400000000000};

static const char *const folders[] = {"", "bin/", "tests/"};

void archive_open(const struct boot_info *info)
{
    if (info->archive_size == 0)
        fatal("there is no boot archive");
    uint64_t first = info->archive_base & PAGE_MASK;
    uint64_t end = info->archive_base + info->archive_size;
    own_map(ARCHIVE_ADDRESS, first, (end - first + PAGE_SIZE - 1) >> PAGE_SHIFT, ENTRY_READ | ENTRY_ACCESSED);
    archive.bytes = (const char *)ARCHIVE_ADDRESS + (info->archive_base - first);
    archive.size = info->archive_size;
}

static int find_file(const char *path, struct cpio_entry *entry)
{
    char name[CPIO_NAME_MAX + 1];
    size_t tries = strchr(path, '/') ? 1 : sizeof(folders) / sizeof(folders[0]);

    for (size_t i = 0; i < tries; i++) {
        size_t length = strlen(folders[i]);
        if (length + strlen(path) > CPIO_NAME_MAX)
            return -ENOENT;
        strcpy(name, folders[i]);
        strcpy(name + length, path);
        int status = cpio_find(&archive, name, entry);
        if (status != -ENOENT)
            return status;
    }
    return -ENOENT;
}

int archive_program(const char *path, struct program *program)
{
    struct cpio_entry entry;

    while (*path == '/')
        path++;
    int status = find_file(path, &entry);
    if (status == -EINVAL)
        log_line("the boot archive is damaged");
    if (status < 0)
        return -ENOENT;
    const char *slash = strrchr(path, '/');
    program->name = slash ? slash + 1 : path;
    program->bytes = entry.data;
    program->object = 0;
    program->masked = false;
    return elf_read(entry.data, entry.size, &limits, &program->image);
}

int archive_read_program(const void *head, size_t head_bytes, uint64_t size, struct program *program)
{
    program->bytes = NULL;
    const int status = elf_read_head(head, head_bytes, size, &limits, &program->image);
    return status == 0 && !elf_is_mappable(&program->image) ? -ENOEXEC : status;
}

const char *archive_file_name(uint64_t index)
{
    struct cpio_entry entry;
    size_t cursor = 0;

    while (cpio_next(&archive, &cursor, &entry) == 0) {
        if ((entry.mode & CPIO_MODE_TYPE) == CPIO_MODE_FILE && index-- == 0)
            return entry.name;
    }
    return NULL;
}

bool archive_entry(uint64_t index, struct cpio_entry *entry)
{
    size_t cursor = 0;

    while (cpio_next(&archive, &cursor, entry) == 0)
        if (index-- == 0)
            return true;
    return false;
}

uint64_t archive_offset(const struct cpio_entry *entry)
{
    return (uint64_t)((const char *)entry->data - (const char *)archive.bytes);
}

size_t archive_read(uint64_t offset, void *data, size_t bytes)
{
    if (offset >= archive.size)
        return 0;
    if (bytes > archive.size - offset)
        bytes = archive.size - offset;
    memcpy(data, (const char *)archive.bytes + offset, bytes);
    return bytes;
}
