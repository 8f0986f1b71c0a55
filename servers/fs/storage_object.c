/* SPDX-License-Identifier: MIT */
/*
 * Storage in memory objects of memsrv, one a file, so that programs can map them. The server looks at them through
 * windows of its own: shared mappings of a part of an object, which are kept until the place is needed for another. A
 * page that a window has no translation for is taken by a request that can fail, and not by touching it.
 */
#include "storage_pages.h"

#include <errno.h>
#include <proto/memsrv_client.h>

#include "memory.h"

#define WINDOW_PAGES 64u
#define WINDOW_BYTES (WINDOW_PAGES * PAGE_SIZE)
#define WINDOW_COUNT 128u /* a power of two */

struct window {
    uint64_t object; /* 0: free */
    uint64_t number; /* of the part of the object */
    char *address;
    uint64_t ready; /* a bit for each page that can be touched */
};

/* A part of an object has one place where its window can be. */
static struct window windows[WINDOW_COUNT];

/* Gives up a window. The address stays taken if memsrv refuses, which it does not for a whole area. */
static void window_close(struct window *window)
{
    if (window->object)
        (void)!memsrv_unmap(SLOT_MEMSRV, (uint64_t)window->address, WINDOW_BYTES);
    *window = (struct window){0};
}

/* The window of the page at an index of an object; NULL: there is no memory for it. */
static struct window *window_of(uint64_t object, uint64_t index)
{
    const uint64_t number = index / WINDOW_PAGES;
    struct window *window = &windows[(object * 7 + number) % WINDOW_COUNT];
    uint64_t address;

    if (window->object == object && window->number == number)
        return window;
    window_close(window);
    if (memsrv_map_object(SLOT_MEMSRV, 0, WINDOW_BYTES, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, MEMSRV_MAP_SHARED,
                          object, number * WINDOW_BYTES, &address) < 0)
        return NULL;
    *window = (struct window){.object = object, .number = number, .address = (char *)address};
    return window;
}

/* The pages of an object from index `first` on are gone from all windows. */
static void windows_forget(uint64_t object, uint64_t first)
{
    for (size_t i = 0; i < WINDOW_COUNT; i++) {
        struct window *window = &windows[i];
        const uint64_t start = window->number * WINDOW_PAGES;
        if (window->object != object || first >= start + WINDOW_PAGES)
            continue;
        window->ready &= first > start ? (1UL << (first - start)) - 1 : 0;
    }
}

void storage_init(struct storage *storage)
{
    storage->object = 0;
}

int storage_extend(struct storage *storage, uint64_t size)
{
    int error;

    if (storage->object)
        error = memsrv_object_memory_resize(SLOT_MEMSRV, storage->object, size);
    else
        error = memsrv_object_memory_create(SLOT_MEMSRV, size, &storage->object);
    return error < 0 ? -ENOSPC : 0;
}

/* Has memsrv make a page of a window ready. With `take` it may be one that is not there yet. */
static int make_ready(struct window *window, uint64_t bit, bool take)
{
    const uint64_t address = (uint64_t)window->address + bit * PAGE_SIZE;

    if (take && !fs_is_room(1))
        return -ENOSPC;
    if (memsrv_advise(SLOT_MEMSRV, address, PAGE_SIZE,
                      take ? MEMSRV_ADVICE_POPULATE_WRITE : MEMSRV_ADVICE_POPULATE_READ) < 0)
        return -ENOSPC;
    window->ready |= 1UL << bit;
    return 0;
}

int storage_page_find(struct storage *storage, uint64_t index, char **page)
{
    const uint64_t bit = index % WINDOW_PAGES;
    uint8_t present = 0;
    size_t count = 0;

    *page = NULL;
    if (!storage->object)
        return 0;
    struct window *window = window_of(storage->object, index);
    if (!window)
        return -ENOSPC;
    char *const address = window->address + bit * PAGE_SIZE;
    if (!(window->ready >> bit & 1)) {
        int error = memsrv_residency(SLOT_MEMSRV, (uint64_t)address, PAGE_SIZE, &present, sizeof(present), &count);
        if (error < 0)
            return -ENOSPC;
        if (count != 1 || !(present & 1))
            return 0;
        error = make_ready(window, bit, false);
        if (error < 0)
            return error;
    }
    *page = address;
    return 0;
}

int storage_page_take(struct storage *storage, uint64_t index, char **page)
{
    const uint64_t bit = index % WINDOW_PAGES;
    struct window *window = window_of(storage->object, index);

    if (!window)
        return -ENOSPC;
    if (!(window->ready >> bit & 1)) {
        const int error = make_ready(window, bit, true);
        if (error < 0)
            return error;
    }
    *page = window->address + bit * PAGE_SIZE;
    return 0;
}

int storage_shrink(struct storage *storage, uint64_t size)
{
    if (!storage->object)
        return 0;
    /* memsrv takes the pages out of the windows, too, before it answers. */
    windows_forget(storage->object, (size + PAGE_SIZE - 1) >> PAGE_SHIFT);
    return memsrv_object_memory_resize(SLOT_MEMSRV, storage->object, size) < 0 ? -ENOSPC : 0;
}

void storage_release(struct storage *storage)
{
    if (!storage->object)
        return;
    for (size_t i = 0; i < WINDOW_COUNT; i++)
        if (windows[i].object == storage->object)
            window_close(&windows[i]);
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, storage->object);
    storage->object = 0;
}

uint64_t storage_object(const struct storage *storage)
{
    return storage->object;
}

uint64_t storage_page_count(const struct storage *storage)
{
    uint64_t size, pages = 0;

    if (!storage->object || memsrv_object_memory_info(SLOT_MEMSRV, storage->object, &size, &pages) < 0)
        return 0;
    return pages;
}

bool storage_check(const struct storage *storage)
{
    /* memsrv has its own walker. */
    return true;
}
