/* SPDX-License-Identifier: MIT */
/* Windows on pages of files: see ext2_windows.h. */
#include "ext2_windows.h"

#include <proto/memsrv_client.h>

#include "memory.h"

#define WINDOW_PAGES 64u
#define WINDOW_BYTES (WINDOW_PAGES * PAGE_SIZE)
#define WINDOWS_MAX  64u
/* All windows together show at most one in so many of the pages that files may take. */
#define WINDOWS_PART 32u
/* Pages that are read one after the other before a window pays. */
#define IN_ORDER 4u

struct window {
    uint64_t object; /* 0: free */
    uint64_t number; /* of the part of the object */
    uint64_t used;   /* the clock when it was last of use */
    uint64_t ready;  /* a bit for each page that was found in memory */
    char *address;
};

static struct {
    struct window windows[WINDOWS_MAX];
    size_t count; /* that may be used; 0: not known yet */
    uint64_t clock;
    uint64_t object, next; /* the page behind the one that was read last */
    unsigned run;          /* pages read in order up to there */
} all;

static struct window *find(uint64_t object, uint64_t number)
{
    for (size_t i = 0; i < all.count; i++) {
        struct window *window = &all.windows[i];
        if (window->object == object && window->number == number)
            return window;
    }
    return NULL;
}

bool ext2_windows_read(uint64_t object, uint64_t offset, void *data, size_t bytes)
{
    static struct window *last = &all.windows[0];
    const uint64_t index = offset / PAGE_SIZE, number = index / WINDOW_PAGES;
    struct window *window = last->object == object && last->number == number ? last : find(object, number);

    if (!window || !(window->ready >> index % WINDOW_PAGES & 1))
        return false;
    last = window;
    window->used = ++all.clock;
    fs_copy(data, window->address + offset % WINDOW_BYTES, bytes);
    return true;
}

/* Gives up a window. The address stays taken if memsrv refuses, which it does not for a whole area. */
static void window_close(struct window *window)
{
    if (window->object)
        (void)!memsrv_unmap(SLOT_MEMSRV, (uint64_t)window->address, WINDOW_BYTES);
    *window = (struct window){0};
}

/* A free window, or the one that was of no use for longest. */
static struct window *take(void)
{
    struct window *oldest = &all.windows[0];

    if (all.count == 0) {
        all.count = fs_page_count().limit / WINDOWS_PART / WINDOW_PAGES;
        all.count = all.count == 0 ? 1 : all.count < WINDOWS_MAX ? all.count : WINDOWS_MAX;
    }
    for (size_t i = 0; i < all.count; i++) {
        if (all.windows[i].used < oldest->used)
            oldest = &all.windows[i];
    }
    window_close(oldest);
    return oldest;
}

/* A window with a page of an object that was in memory just now; NULL: it cannot be had. */
static struct window *open_window(uint64_t object, uint64_t index)
{
    const uint64_t number = index / WINDOW_PAGES;
    struct window *window = take();
    uint64_t address;

    if (memsrv_map_object(SLOT_MEMSRV, 0, WINDOW_BYTES, MEMSRV_PROTECT_READ, MEMSRV_MAP_SHARED, object,
                          number * WINDOW_BYTES, &address) < 0)
        return NULL;
    *window = (struct window){.object = object, .number = number, .used = ++all.clock, .address = (char *)address};
    /* Only from the first touch on memsrv spares what the area shows. */
    if (memsrv_advise(SLOT_MEMSRV, address + index % WINDOW_PAGES * PAGE_SIZE, PAGE_SIZE,
                      MEMSRV_ADVICE_POPULATE_READ) == 0)
        return window;
    window_close(window);
    return NULL;
}

/* Finds out which pages of a window are in memory. Those can be touched from then on: they stay as long as it is there. */
static void look(struct window *window)
{
    uint8_t present[WINDOW_PAGES];
    size_t count = 0;

    if (memsrv_residency(SLOT_MEMSRV, (uint64_t)window->address, WINDOW_BYTES, present, sizeof(present), &count) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        window->ready |= (uint64_t)(present[i] & 1) << i;
}

void ext2_windows_learn(uint64_t object, uint64_t index)
{
    const uint64_t number = index / WINDOW_PAGES;
    struct window *window = find(object, number);

    all.run = object == all.object && index == all.next ? all.run + 1 : 1;
    all.object = object;
    all.next = index + 1;
    if (!window && all.run >= IN_ORDER)
        window = open_window(object, index);
    if (window)
        look(window);
}

void ext2_windows_forget(uint64_t object, uint64_t first, uint64_t end)
{
    for (size_t i = 0; i < all.count; i++) {
        struct window *window = &all.windows[i];
        const uint64_t start = window->number * WINDOW_PAGES;
        if (window->object != object || end <= start || first >= start + WINDOW_PAGES)
            continue;
        const uint64_t low = first > start ? first - start : 0;
        const uint64_t high = end - start < WINDOW_PAGES ? end - start : WINDOW_PAGES;
        window->ready &= ~((~0UL >> (WINDOW_PAGES - (high - low))) << low);
    }
}

void ext2_windows_close(uint64_t object)
{
    for (size_t i = 0; i < all.count; i++)
        if (all.windows[i].object == object)
            window_close(&all.windows[i]);
}

uint64_t ext2_windows_count(uint64_t object)
{
    uint64_t count = 0;

    for (size_t i = 0; i < all.count; i++)
        count += all.windows[i].object == object;
    return count;
}
