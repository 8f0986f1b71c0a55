/* SPDX-License-Identifier: MIT */
/*
 * Content of files for host tests: what memsrv and the pager do together, in one thread. A page is read when it is wanted,
 * and written by a sync. There is always memory, as the pager makes some.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../servers/fs/ext2_internal.h"
#include "harness.h"

#define PAGE_BYTES 4096u
#define BUCKETS    64u

struct page {
    struct page *next;
    uint64_t index;
    bool dirty;
    char *data;
};

struct object {
    struct ext2 *ext2;
    uint64_t cookie, size, errors;
    int last_error;
    struct page *buckets[BUCKETS];
};

/* On the host the number is an address. */
static struct object *object_of(const struct ext2_pages *pages)
{
    return (struct object *)(uintptr_t)pages->object;
}

int ext2_pages_open(struct ext2_pages *pages, struct ext2 *ext2, uint64_t cookie, uint64_t size)
{
    struct object *object = calloc(1, sizeof(*object));

    *object = (struct object){.ext2 = ext2, .cookie = cookie, .size = size};
    pages->object = (uintptr_t)object;
    return 0;
}

/* Frees the pages of [first, end). */
static void cut(struct object *object, uint64_t first, uint64_t end)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct page **place = &object->buckets[i]; *place;) {
            struct page *page = *place;
            if (page->index < first || page->index >= end) {
                place = &page->next;
                continue;
            }
            *place = page->next;
            free(page->data);
            free(page);
        }
    }
}

void ext2_pages_close(struct ext2_pages *pages)
{
    if (!pages->object)
        return;
    cut(object_of(pages), 0, UINT64_MAX);
    free(object_of(pages));
    pages->object = 0;
}

static struct page *find(const struct object *object, uint64_t index)
{
    struct page *page = object->buckets[index % BUCKETS];

    while (page && page->index != index)
        page = page->next;
    return page;
}

/* What is behind the last byte is zero, whatever the disk has there. */
static void clear_rest(const struct object *object, const struct page *page)
{
    if (object->size % PAGE_BYTES && page->index == object->size / PAGE_BYTES)
        memset(page->data + object->size % PAGE_BYTES, 0, PAGE_BYTES - object->size % PAGE_BYTES);
}

static int fill(const struct object *object, struct page *page)
{
    struct ext2 *ext2 = object->ext2;
    struct ext2_run run;
    size_t found;

    int error = ext2_blocks_map(ext2, object->cookie, page->index, 1, false, &run, 1, &found);
    if (error == 0)
        EXPECT(found == 1 && run.count == 1);
    if (error < 0 || run.block == EXT2_RUN_HOLE)
        return error;
    error = run.block == EXT2_RUN_SERVED
                ? ext2_blocks_read(ext2, object->cookie, page->index * PAGE_BYTES, page->data, PAGE_BYTES)
                : ext2->device->read(ext2->device, run.block * PAGE_BYTES, page->data, PAGE_BYTES);
    clear_rest(object, page);
    return error;
}

/* The page at an index; `whole`: it is overwritten, so it need not be read. */
static int take(struct object *object, uint64_t index, bool whole, struct page **result)
{
    *result = find(object, index);
    if (*result)
        return 0;
    char *data = calloc(1, PAGE_BYTES);
    struct page *page = calloc(1, sizeof(*page));
    *page = (struct page){.next = object->buckets[index % BUCKETS], .index = index, .data = data};
    const int error = whole ? 0 : fill(object, page);
    if (error < 0) {
        free(data);
        free(page);
        return error == -ENOSPC ? error : -EIO;
    }
    object->buckets[index % BUCKETS] = page;
    *result = page;
    return 0;
}

static size_t part_of(uint64_t offset, size_t bytes)
{
    const size_t room = PAGE_BYTES - offset % PAGE_BYTES;
    return bytes < room ? bytes : room;
}

long ext2_pages_read(struct ext2_pages *pages, uint64_t offset, void *data, size_t bytes)
{
    EXPECT(bytes > 0 && offset + bytes <= object_of(pages)->size);
    size_t done = 0;
    while (done < bytes) {
        struct page *page;
        const size_t part = part_of(offset + done, bytes - done);
        const int error = take(object_of(pages), (offset + done) / PAGE_BYTES, false, &page);
        if (error < 0)
            return done > 0 ? (long)done : error;
        memcpy((char *)data + done, page->data + (offset + done) % PAGE_BYTES, part);
        done += part;
    }
    return (long)done;
}

long ext2_pages_write(struct ext2_pages *pages, uint64_t offset, const void *data, size_t bytes)
{
    EXPECT(bytes > 0 && offset + bytes <= object_of(pages)->size);
    size_t done = 0;
    while (done < bytes) {
        struct page *page;
        const size_t part = part_of(offset + done, bytes - done);
        const int error = take(object_of(pages), (offset + done) / PAGE_BYTES, part == PAGE_BYTES, &page);
        if (error < 0)
            return done > 0 ? (long)done : error;
        char *place = page->data + (offset + done) % PAGE_BYTES;
        if (data)
            memcpy(place, (const char *)data + done, part);
        else
            memset(place, 0, part);
        page->dirty = true;
        done += part;
    }
    return (long)done;
}

int ext2_pages_resize(struct ext2_pages *pages, uint64_t size)
{
    struct object *object = object_of(pages);
    struct page *last;

    cut(object, (size + PAGE_BYTES - 1) / PAGE_BYTES, UINT64_MAX);
    const bool shorter = size < object->size;
    object->size = size;
    last = shorter && size % PAGE_BYTES ? find(object, size / PAGE_BYTES) : NULL;
    if (last) {
        clear_rest(object, last);
        last->dirty = true;
    }
    return 0;
}

int ext2_pages_discard(struct ext2_pages *pages, uint64_t first, uint64_t end)
{
    cut(object_of(pages), first, end);
    return 0;
}

static int write_page(struct object *object, const struct page *page)
{
    struct ext2 *ext2 = object->ext2;
    struct ext2_run run;
    size_t found;

    const int error = ext2_blocks_map(ext2, object->cookie, page->index, 1, true, &run, 1, &found);
    if (error < 0)
        return error;
    EXPECT(found == 1 && run.count == 1 && run.block != EXT2_RUN_HOLE);
    if (run.block == EXT2_RUN_SERVED)
        return ext2_blocks_write(ext2, object->cookie, page->index * PAGE_BYTES, page->data, PAGE_BYTES);
    return ext2->device->write(ext2->device, run.block * PAGE_BYTES, page->data, PAGE_BYTES);
}

int ext2_pages_sync(struct ext2_pages *pages)
{
    struct object *object = object_of(pages);
    int first = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct page *page = object->buckets[i]; page; page = page->next) {
            const int error = page->dirty ? write_page(object, page) : 0;
            page->dirty = error < 0;
            if (error < 0) {
                object->errors++;
                object->last_error = error;
                first = first < 0 ? first : error;
            }
        }
    }
    return first == 0 || first == -ENOSPC ? first : -EIO;
}

void ext2_pages_advise(struct ext2_pages *pages, uint64_t first, uint64_t end, unsigned advice)
{
}

struct ext2_pages_use ext2_pages_use(const struct ext2_pages *pages)
{
    return (struct ext2_pages_use){0};
}

void ext2_pages_errors(const struct ext2_pages *pages, uint64_t *sequence, int *last)
{
    *sequence = pages->object ? object_of(pages)->errors : 0;
    *last = pages->object ? object_of(pages)->last_error : 0;
}
