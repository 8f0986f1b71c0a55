/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing by pages; see storage.h.
 */
#include "storage.h"

#include <errno.h>
#include <quire/abi.h>
#include <string.h>

#include "memory.h"
#include "storage_pages.h"

static size_t part_of_page(uint64_t offset, size_t bytes)
{
    const size_t room = PAGE_SIZE - offset % PAGE_SIZE;
    return bytes < room ? bytes : room;
}

long storage_write(struct storage *storage, uint64_t offset, const void *data, size_t bytes)
{
    size_t done = 0;
    char *page;

    while (done < bytes) {
        const int error = storage_page_take(storage, (offset + done) >> PAGE_SHIFT, &page);
        if (error < 0)
            return done > 0 ? (long)done : error;
        const size_t part = part_of_page(offset + done, bytes - done);
        fs_copy(page + (offset + done) % PAGE_SIZE, (const char *)data + done, part);
        done += part;
    }
    return (long)done;
}

int storage_read(struct storage *storage, uint64_t offset, void *data, size_t bytes)
{
    char *page;

    for (size_t done = 0; done < bytes;) {
        const int error = storage_page_find(storage, (offset + done) >> PAGE_SHIFT, &page);
        if (error < 0)
            return error;
        const size_t part = part_of_page(offset + done, bytes - done);
        if (page)
            fs_copy((char *)data + done, page + (offset + done) % PAGE_SIZE, part);
        else
            memset((char *)data + done, 0, part);
        done += part;
    }
    return 0;
}

int storage_cut(struct storage *storage, uint64_t size)
{
    char *last;

    const int error = storage_shrink(storage, size);
    if (error < 0)
        return error;
    /* A page that cannot be looked at is not present, or was not for long. */
    if (size % PAGE_SIZE && storage_page_find(storage, size >> PAGE_SHIFT, &last) == 0 && last)
        memset(last + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    return 0;
}
