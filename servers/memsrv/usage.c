/* SPDX-License-Identifier: MIT */
/* What is at the addresses of a space, and how much of it is whose. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "areas.h"
#include "cow.h"
#include "huge.h"
#include "memory.h"
#include "page_info.h"
#include "space_pages.h"

#define RESULTS_MAX (MSG_BUFFER_WORDS / 2)

/* A part of an area, and the translations in it, as they were while its space was locked. */
struct part {
    struct memsrv_usage usage;
    struct map_result results[RESULTS_MAX];
    uint64_t count;
};

/* Reads the translations of [start, end) from the start on: as many as one call tells. *next is where to go on. Returns how
 * many, or a negative errno. */
static long read_entries(struct space *space, uint64_t start, uint64_t end, struct map_result results[RESULTS_MAX],
                         uint64_t *next) REQUIRES(space->lock)
{
    *next = start;
    const long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, pages_of(end - start), 0, next);
    if (count < 0)
        return count;
    if (*next <= start)
        return -EIO;
    memcpy(results, ipc_buffer()->words, (size_t)count * sizeof(*results));
    return count;
}

/* Reads the next part of the space from `cursor` on. 1: there is one; 0: there is none; ESRCH, or what the kernel says. */
static int next_part(uint64_t pid, uint64_t cursor, struct part *part)
{
    struct space *space = space_find(pid);
    uint64_t next;

    if (!space_enter(space, pid))
        return -ESRCH;
    const struct vma *area = space_has_memory(space) ? vma_find(&space->areas, cursor) : NULL;
    if (!area) {
        space_leave(space);
        return 0;
    }
    const uint64_t start = cursor > area->start ? cursor : area->start;
    const struct memsrv_area description = area_describe(area);
    const long count = read_entries(space, start, area->end, part->results, &next);
    part->usage = (struct memsrv_usage){
        .area = area->start, .start = start, .protection = description.protection, .flags = description.flags};
    space_leave(space);
    if (count < 0)
        return (int)count;
    part->count = (uint64_t)count;
    part->usage.end = next;
    return 1;
}

/* How many share a page that something else maps, or reaches, too: at least 2. */
static uint64_t sharers(struct memsrv_context *worker, const struct page *page)
{
    struct memsrv_mapping mappings[SPACES_MAX];
    uint64_t count = 0;

    if (!(page->flags & PAGE_ZERO))
        count = page_find_mappings(worker, page_pfn(page), mappings, SPACES_MAX);
    else if (sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &count) < 0)
        count = 0;
    return count < 2 ? 2 : count;
}

/* Adds what one translation shows. */
static void add_entry(struct memsrv_context *worker, struct memsrv_usage *usage, const struct map_result *result)
{
    const uint64_t entry = entry_at(result->entry, result->address);
    const struct page *page = mem_map_find(&memory_map, (entry & ENTRY_ADDRESS) >> PAGE_SHIFT);

    if (entry & ENTRY_SOFT) {
        usage->swap++;
        return;
    }
    if ((entry & ENTRY_DEVICE) || !page)
        return;
    const uint64_t pages = entry_pages(entry, result->address, usage->end);
    const uint32_t flags = __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
    const bool shared = entry & ENTRY_SHARED;
    const bool dirty = (entry & ENTRY_DIRTY) || (flags & PAGE_DIRTY);
    uint64_t *kinds[2][2] = {{&usage->private_clean, &usage->private_dirty},
                             {&usage->shared_clean, &usage->shared_dirty}};
    usage->rss += pages;
    usage->pss += (pages << PAGE_SHIFT) / (shared ? sharers(worker, page) : 1);
    *kinds[shared][dirty] += pages;
    usage->referenced += entry & ENTRY_ACCESSED ? pages : 0;
    usage->anonymous += flags & (PAGE_OF_OBJECT | PAGE_ZERO) ? 0 : pages;
    usage->huge += entry & ENTRY_HUGE ? pages : 0;
}

int memsrv_handle_space_usage(struct memsrv_context *context, const struct message *request, uint64_t pid,
                              uint64_t cursor, uint64_t *next, struct memsrv_usage *parts, size_t parts_capacity,
                              size_t *parts_count)
{
    struct part part;
    uint64_t looked = 0;
    size_t count = 0;
    int found = 0;

    while (count < parts_capacity && looked < MEMSRV_USAGE_PAGES && (found = next_part(pid, cursor, &part)) > 0) {
        for (uint64_t i = 0; i < part.count; i++)
            add_entry(context, &part.usage, &part.results[i]);
        cursor = part.usage.end;
        looked += part.count;
        parts[count++] = part.usage;
    }
    /* A space that ends meanwhile ends the list; one that is not there has none. */
    if (found < 0 && count == 0)
        return found;
    *next = found > 0 ? cursor : 0;
    *parts_count = count;
    return 0;
}

int memsrv_handle_space_pages(struct memsrv_context *context, const struct message *request, uint64_t pid,
                              uint64_t address, uint64_t end, uint64_t *next, struct memsrv_page_entry *entries,
                              size_t entries_capacity, size_t *entries_count)
{
    struct map_result results[RESULTS_MAX];
    struct space *space = space_find(pid);
    long count = 0;

    if (((address | end) & ~PAGE_MASK) || address > end || end > USER_VA_END)
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    *next = end;
    if (space_has_memory(space) && address < end)
        count = read_entries(space, address, end, results, next);
    space_leave(space);
    if (count < 0)
        return (int)count;
    if ((size_t)count > entries_capacity) {
        *next = results[entries_capacity].address;
        count = (long)entries_capacity;
    }
    for (long i = 0; i < count; i++) {
        const uint64_t entry = entry_at(results[i].entry, results[i].address);
        entries[i] = (struct memsrv_page_entry){.address = results[i].address,
                                                .pages = entry_pages(entry, results[i].address, end),
                                                .pfn = (entry & ENTRY_ADDRESS) >> PAGE_SHIFT,
                                                .flags = entry & ENTRY_FLAGS};
    }
    *entries_count = (size_t)count;
    return 0;
}
