/* SPDX-License-Identifier: MIT */
/* Looking through all spaces for pages that could be huge pages, a bounded part at a call. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>
#include <string.h>

#include "areas.h"
#include "huge.h"
#include "log.h"
#include "space_pages.h"

#define PLACES_MAX  4096u
#define INDEX_SHIFT 48u /* of the cursor: above all user addresses */

/* What Linux begins with: 10 s, and 4096 pages. */
#define SLEEP_MS_FIRST 10000u
#define PLACES_FIRST   8u
#define SCAN_KEY       "quire.thp_scan="

struct huge_scan_state huge_scan_state = {.sleep_ms = SLEEP_MS_FIRST, .places = PLACES_FIRST};

/* Where the next call goes on: address | index of the space << INDEX_SHIFT. Atomic; two callers at once do some work
 * twice. */
static uint64_t cursor;

/* Reads a decimal number at *text and moves behind it. What has no end fits nothing. */
static uint64_t read_number(const char **text)
{
    uint64_t number = 0;

    for (; **text >= '0' && **text <= '9' && number < PLACES_MAX * 1000000UL; (*text)++)
        number = number * 10 + (uint64_t)(**text - '0');
    return number;
}

static int set_scan(uint64_t sleep_ms, uint64_t places)
{
    if (places == 0 || places > PLACES_MAX)
        return -EINVAL;
    __atomic_store_n(&huge_scan_state.sleep_ms, sleep_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&huge_scan_state.places, places, __ATOMIC_RELAXED);
    return 0;
}

void huge_scan_init(const char *arguments)
{
    const char *key = strstr(arguments, SCAN_KEY);
    uint64_t places = PLACES_FIRST;

    if (!key || (key != arguments && key[-1] != ' '))
        return;
    key += sizeof(SCAN_KEY) - 1;
    uint64_t sleep_ms = read_number(&key);
    if (*key == ',') {
        key++;
        places = read_number(&key);
    }
    if ((*key != ' ' && *key != '\0') || set_scan(sleep_ms, places) < 0)
        log_line("%sMS[,PLACES] has wrong numbers and does not count", SCAN_KEY);
}

struct scan {
    struct memsrv_context *worker;
    uint64_t places;    /* still to look at */
    uint64_t collapsed; /* huge pages made */
};

/* Looks at the places of an area from *address on; moves *address behind what was looked at. False: enough. */
static bool scan_area(struct scan *scan, struct space *space, struct vma *area, uint64_t *address) REQUIRES(space->lock)
{
    uint64_t base = align_up(*address > area->start ? *address : area->start, HUGE_PAGE_SIZE);

    while (area->touched && huge_is_wanted(area, base)) {
        *address = base;
        if (scan->places == 0)
            return false;
        scan->places--;
        base += HUGE_PAGE_SIZE;
        *address = base;
        int result = huge_collapse_if_worth_locked(scan->worker, space, area, base - HUGE_PAGE_SIZE);
        if (result != 0) {
            scan->collapsed = result > 0;
            return false; /* one was made, or there is no block */
        }
    }
    *address = area->end;
    return true;
}

/* Looks at a space from `address` on. Returns where it ended; USER_VA_END: at its end. */
static uint64_t scan_space(struct scan *scan, struct space *space, uint64_t address) REQUIRES(space->lock)
{
    struct vma *area = space->pid && space_has_memory(space) ? vma_find(&space->areas, address) : NULL;

    for (; area; area = vma_next(&space->areas, area)) {
        if (!scan_area(scan, space, area, &address))
            return address;
    }
    return USER_VA_END;
}

int memsrv_handle_thp_scan(struct memsrv_context *context, const struct message *request, uint64_t places,
                           uint64_t *scanned, uint64_t *collapsed)
{
    struct scan scan = {.worker = context, .places = places};
    uint64_t place = __atomic_load_n(&cursor, __ATOMIC_RELAXED);
    uint64_t index = place >> INDEX_SHIFT, address = place & ((1UL << INDEX_SHIFT) - 1);

    (void)request;
    if (places > PLACES_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i <= SPACES_MAX; i++) {
        struct space *space = &spaces[index];
        spinlock_acquire(&space->lock);
        address = scan_space(&scan, space, address);
        spinlock_release(&space->lock);
        if (address < USER_VA_END)
            break;
        index = (index + 1) % SPACES_MAX;
        address = 0;
        if (index == 0)
            __atomic_fetch_add(&huge_scan_state.full_scans, 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&cursor, address | index << INDEX_SHIFT, __ATOMIC_RELAXED);
    *scanned = places - scan.places;
    __atomic_fetch_add(&huge_scan_state.scanned, *scanned, __ATOMIC_RELAXED);
    *collapsed = scan.collapsed;
    return 0;
}

int memsrv_handle_thp_scan_set(struct memsrv_context *context, const struct message *request, uint64_t sleep,
                               uint64_t places)
{
    (void)context, (void)request;
    return set_scan(sleep, places);
}
