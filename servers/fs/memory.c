/* SPDX-License-Identifier: MIT */
/*
 * The server's memory. A page that is touched when there is none left would end the server, so it asks how many there
 * are before it takes any, or the first of a few, and leaves the last ones alone. (Content has no other limit.)
 */
#include "memory.h"

#include <proto/memsrv_client.h>
#include <quire/copy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Pages left to others, and to what they take between the question and the touch: so many, and a part of all. */
#define RESERVE_PAGES 256u
#define RESERVE_PART  16u

/* How many of what an answer promises may be taken before the question is asked again: of each part one. */
#define TRUST_PART 16u
#define TRUST_MAX  64u

/* From so many bytes on floating-point registers are worth being saved and loaded at the switches to others. */
#define COPY_AT_ONCE 1024u

static uint64_t trusted;  /* pages that may be taken unasked */
static void **free_pages; /* could not be unmapped: each holds the address of the next */

/* What fs_page_count() tells; zeros if memsrv does not answer. */
static struct fs_page_count pages_now(void)
{
    uint64_t total, all_free;

    if (memsrv_memory_room(SLOT_MEMSRV, &total, &all_free) < 0)
        return (struct fs_page_count){0};
    const uint64_t reserve = RESERVE_PAGES + total / RESERVE_PART;
    const uint64_t limit = total > reserve ? total - reserve : 0;
    const uint64_t takeable = all_free > reserve ? all_free - reserve : 0;
    return (struct fs_page_count){.used = limit - takeable, .limit = limit};
}

bool fs_is_room(uint64_t pages)
{
    if (pages <= trusted) {
        trusted -= pages;
        return true;
    }
    const struct fs_page_count count = pages_now();
    const uint64_t room = count.limit - count.used;
    trusted = room / TRUST_PART < TRUST_MAX ? room / TRUST_PART : TRUST_MAX;
    return room >= pages;
}

void *fs_allocate(size_t bytes)
{
    return fs_is_room(bytes / PAGE_SIZE + 2) ? calloc(1, bytes) : NULL;
}

void fs_free(void *block)
{
    free(block);
}

void *fs_page_get(void)
{
    void *page = free_pages;

    if (page) {
        free_pages = *free_pages;
        memset(page, 0, PAGE_SIZE);
    } else {
        if (!fs_is_room(1))
            return NULL;
        page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return NULL;
    }
    return page;
}

void fs_page_put(void *page)
{
    /* Unmapping a page amid others needs a record more, for which there can be no memory. */
    if (munmap(page, PAGE_SIZE) < 0) {
        *(void **)page = free_pages;
        free_pages = page;
    }
}

void fs_copy(void *restrict to, const void *restrict from, size_t bytes)
{
    if (bytes >= COPY_AT_ONCE)
        copy_bytes(to, from, bytes);
    else
        memcpy(to, from, bytes);
}

struct fs_page_count fs_page_count(void)
{
    return pages_now();
}
