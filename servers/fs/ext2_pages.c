/* SPDX-License-Identifier: MIT */
/* Content of files as memsrv's backed objects: see ext2_pages.h. */
#include "ext2_pages.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <quire/clock.h>

#define ATTEMPTS        500u
#define ATTEMPT_WAIT_NS 10000000u

/* What memsrv and the pager say, as file systems say it: ENOSPC is the disk's alone. */
static int pages_error(int error)
{
    return error == -EDQUOT ? -ENOMEM : error == -ENOMEM || error == -ENOSPC ? error : -EIO;
}

/* True if the pager is to be asked again: it was started again, or has too much to do. */
static bool is_passing(int error, unsigned attempt)
{
    if ((error != -EPIPE && error != -EAGAIN) || attempt == ATTEMPTS)
        return false;
    clock_sleep_until(clock_now_ns() + ATTEMPT_WAIT_NS);
    return true;
}

int ext2_pages_open(struct ext2_pages *pages, struct ext2 *ext2, uint64_t cookie, uint64_t size)
{
    return memsrv_object_backed_create(SLOT_MEMSRV, size, cookie, &pages->object) < 0 ? -ENOMEM : 0;
}

void ext2_pages_close(struct ext2_pages *pages)
{
    if (!pages->object)
        return;
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, pages->object);
    pages->object = 0;
}

long ext2_pages_read(struct ext2_pages *pages, uint64_t offset, void *data, size_t bytes)
{
    size_t done = 0;
    int error = 0;

    while (error == 0 && done < bytes) {
        uint64_t part = 0;
        error =
            memsrv_object_load(SLOT_MEMSRV, pages->object, offset + done, bytes - done, (uint64_t)data + done, &part);
        done += part;
    }
    return done > 0 ? (long)done : pages_error(error);
}

long ext2_pages_write(struct ext2_pages *pages, uint64_t offset, const void *data, size_t bytes)
{
    size_t done = 0;
    int error = 0;

    while (error == 0 && done < bytes) {
        uint64_t part = 0;
        error = memsrv_object_store(SLOT_MEMSRV, pages->object, offset + done, bytes - done,
                                    data ? (uint64_t)data + done : 0, &part);
        done += part;
    }
    return done > 0 ? (long)done : pages_error(error);
}

int ext2_pages_resize(struct ext2_pages *pages, uint64_t size)
{
    return memsrv_object_memory_resize(SLOT_MEMSRV, pages->object, size) < 0 ? -ENOMEM : 0;
}

int ext2_pages_discard(struct ext2_pages *pages, uint64_t first, uint64_t end)
{
    const int error =
        memsrv_object_memory_discard(SLOT_MEMSRV, pages->object, first * PAGE_SIZE, (end - first) * PAGE_SIZE);
    return error < 0 ? pages_error(error) : 0;
}

int ext2_pages_sync(struct ext2_pages *pages)
{
    int error = -EPIPE;

    for (unsigned attempt = 0; is_passing(error, attempt); attempt++)
        error = pager_sync(SLOT_PAGER, pages->object, 0, UINT64_MAX, PAGER_SYNC_NO_FLUSH);
    return error < 0 ? pages_error(error) : 0;
}

void ext2_pages_advise(struct ext2_pages *pages, uint64_t first, uint64_t end, unsigned advice)
{
    (void)!pager_advise(SLOT_PAGER, pages->object, first, end, advice);
}

struct ext2_pages_use ext2_pages_use(const struct ext2_pages *pages)
{
    struct ext2_pages_use use;

    /* Without an answer it is taken for used. */
    if (memsrv_object_use(SLOT_MEMSRV, pages->object, &use.others, &use.transit) < 0)
        use = (struct ext2_pages_use){.others = 1, .transit = 1};
    return use;
}

void ext2_pages_errors(const struct ext2_pages *pages, uint64_t *sequence, int *last)
{
    int64_t error = 0;

    *sequence = 0;
    if (pages->object)
        (void)!memsrv_object_error(SLOT_MEMSRV, pages->object, sequence, &error);
    *last = (int)error;
}
