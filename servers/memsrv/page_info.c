/* SPDX-License-Identifier: MIT */
/* What is known of a page: see page_info.h. */
#include "page_info.h"

#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "family.h"
#include "huge.h"
#include "memory.h"
#include "object.h"
#include "object_visit.h"
#include "space_pages.h"

/* What a visit of an object's areas looks for, and has found. */
struct search {
    uint64_t pfn;
    struct memsrv_mapping *mappings;
    uint64_t count, capacity;
};

static int note_mapping(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t from,
                        uint64_t to, void *context) NO_THREAD_SAFETY_ANALYSIS
{
    struct search *search = context;

    (void)worker, (void)area;
    for (uint64_t address = from; address < to && search->count < search->capacity; address += PAGE_SIZE) {
        const uint64_t entry = space_entry_locked(space, address);
        if (entry && !(entry & (ENTRY_SOFT | ENTRY_DEVICE)) && (entry & ENTRY_ADDRESS) >> PAGE_SHIFT == search->pfn)
            search->mappings[search->count++] = (struct memsrv_mapping){.pid = space->pid, .address = address};
    }
    return 0;
}

static uint64_t find_in_family(const struct page *page, struct memsrv_mapping *mappings, uint64_t capacity)
{
    struct mapping found[SPACES_MAX];
    struct family *family = family_get(page_in_charge(page));

    if (!family)
        return 0;
    const uint32_t count =
        family_find_mappings(family, page, found, capacity < SPACES_MAX ? (uint32_t)capacity : SPACES_MAX);
    family_put(family);
    for (uint32_t i = 0; i < count; i++)
        mappings[i] = (struct memsrv_mapping){.pid = found[i].pid, .address = found[i].address};
    return count;
}

uint64_t page_find_mappings(struct memsrv_context *worker, uint64_t pfn, struct memsrv_mapping *mappings,
                            uint64_t capacity)
{
    struct search search = {.pfn = pfn, .mappings = mappings, .capacity = capacity};
    const struct page *page = mem_map_find(&memory_map, pfn);
    struct object *object;

    if (!page)
        return 0;
    if (!(__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) & PAGE_OF_OBJECT))
        return find_in_family(page, mappings, capacity);
    /* The descriptor may be old news: only a number is taken from it. */
    const uint64_t index = page->index;
    if (object_find(page->private_data, &object))
        return 0;
    int ignored = object_visit(worker, object, index, index + 1, note_mapping, &search);
    (void)ignored; /* it gives none */
    object_put(worker, object);
    return search.count;
}

int memsrv_handle_page_mappings(struct memsrv_context *context, const struct message *request, uint64_t pfn,
                                struct memsrv_mapping *mappings, size_t mappings_capacity, size_t *mappings_count)
{
    if (!mem_map_present(&memory_map, pfn))
        return -ENOENT;
    *mappings_count = page_find_mappings(context, pfn, mappings, mappings_capacity);
    return 0;
}

/* --- All of it ---------------------------------------------------------------------------------------------------- */

static uint64_t state_of(uint32_t flags)
{
    static const struct {
        uint32_t flag;
        uint32_t told;
    } states[] = {{PAGE_RESERVED, MEMSRV_PAGE_IS_RESERVED},   {PAGE_FREE, MEMSRV_PAGE_IS_FREE},
                  {PAGE_ALLOCATED, MEMSRV_PAGE_IS_ALLOCATED}, {PAGE_LISTED, MEMSRV_PAGE_IS_LISTED},
                  {PAGE_TABLE, MEMSRV_PAGE_IS_TABLE},         {PAGE_OBJECT, MEMSRV_PAGE_IS_OBJECT},
                  {PAGE_CACHE, MEMSRV_PAGE_IS_SLAB},          {PAGE_ZERO, MEMSRV_PAGE_IS_ZERO},
                  {PAGE_HUGE, MEMSRV_PAGE_IS_HUGE},           {PAGE_TRANSIT, MEMSRV_PAGE_IS_TRANSIT},
                  {PAGE_DIRTY, MEMSRV_PAGE_IS_DIRTY},         {PAGE_SWAP_CACHE, MEMSRV_PAGE_IS_SWAP_CACHE},
                  {PAGE_LOCKED, MEMSRV_PAGE_IS_LOCKED}};
    uint64_t state = 0;

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        state |= flags & states[i].flag ? states[i].told : 0;
    return state;
}

/* The first page of the block that holds the page, or the page itself. */
static const struct page *block_of(const struct page *page)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        const struct page *first = page - page_pfn(page) % (1UL << order);
        if ((first->flags & (PAGE_FREE | PAGE_ALLOCATED)) && first->order >= order)
            return first;
    }
    return page;
}

/* Who has an allocated page, as far as it is a program or an object. */
static void describe_owner(const struct page *page, struct memsrv_page_info *info)
{
    const struct page *first = page_in_charge(page);
    const uint32_t flags = __atomic_load_n(&first->flags, __ATOMIC_ACQUIRE);

    if (flags & PAGE_OF_OBJECT) {
        info->kind = flags & PAGE_BACKED ? MEMSRV_PAGE_KIND_BACKED : MEMSRV_PAGE_KIND_MEMORY;
        info->object = first->private_data;
        info->index = page_index(page);
        return;
    }
    struct family *family = family_get(first);
    if (!family)
        return;
    info->kind = MEMSRV_PAGE_KIND_ANONYMOUS;
    info->object = family_number(family);
    info->index = page_index(page);
    family_put(family);
}

int memsrv_handle_page_info(struct memsrv_context *context, const struct message *request, uint64_t pfn,
                            struct memsrv_page_info *info, size_t info_capacity, size_t *info_count)
{
    const struct page *page = mem_map_find(&memory_map, pfn);
    uint64_t references = 0;

    if (info_capacity == 0)
        return -EINVAL;
    const long type = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, pfn, 0, &references);
    if (!page && (type < 0 || type == FRAME_NONE))
        return -ENOENT;
    *info = (struct memsrv_page_info){
        .pfn = pfn, .block = pfn, .frame_type = type < 0 ? FRAME_NONE : (uint64_t)type, .frame_count = references};
    *info_count = 1;
    if (!page)
        return 0;
    const struct page *first = block_of(page);
    info->flags = state_of(__atomic_load_n(&page->flags, __ATOMIC_RELAXED));
    info->block = page_pfn(first);
    info->order = first->order;
    info->migrate = first->migrate;
    info->references = page_refcount(first);
    if (page->zone < ZONE_COUNT)
        strncpy(info->zone, zones[page->zone].name, sizeof(info->zone) - 1);
    describe_owner(page, info);
    return 0;
}
