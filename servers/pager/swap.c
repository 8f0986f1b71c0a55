/* SPDX-License-Identifier: MIT */
/* Areas for swapped pages, and bringing pages back. */
#include <errno.h>
#include <string.h>

#include "pager.h"

static void use(struct pager *pager, uint32_t area, const char *name, uint64_t slots, void *memory)
{
    struct swap_use *use = &pager->swap_uses[area];
    *use = (struct swap_use){.memory = memory, .slots = slots};
    strncpy(use->name, name, sizeof(use->name) - 1);
}

int swap_on(struct pager *pager, uint64_t volume, const char *name, uint64_t slots, int32_t priority, void *memory)
{
    int area = swap_map_add(&pager->swap, memory, slots, priority);
    if (area < 0)
        return area;
    use(pager, (uint32_t)area, name, slots, memory);
    swap_opened(pager, (uint32_t)area, volume);
    pager->backend.swap_note(pager->backend.context, (uint32_t)area, slots, priority, name, memory);
    return area;
}

int swap_recover(struct pager *pager, uint32_t area, const char *name, uint64_t slots, int32_t priority, void *memory)
{
    int error = swap_map_add_at(&pager->swap, area, memory, slots, priority);
    if (error < 0)
        return error;
    use(pager, area, name, slots, memory);
    return swap_map_enable(&pager->swap, area, false);
}

void swap_recovered(struct pager *pager, uint64_t slot)
{
    (void)!swap_map_take(&pager->swap, slot); /* an area that could not be recovered has none */
}

void swap_opened(struct pager *pager, uint32_t area, uint64_t volume)
{
    pager->swap_uses[area].volume = volume;
    pager->swap_uses[area].open = true;
    (void)!swap_map_enable(&pager->swap, area, true);
}

static bool is_open(const struct pager *pager, uint32_t area)
{
    return area < SWAP_AREAS_MAX && pager->swap_uses[area].open;
}

int swap_out_again(struct pager *pager, struct batch *batches[], uint64_t slot, uint64_t pfn)
{
    const uint32_t area = swap_slot_area(slot);
    if (!is_open(pager, area))
        return -EAGAIN;
    if (batches[area] && batches[area]->count == BATCH_PAGES) {
        batch_begin(pager, batches[area]);
        batches[area] = NULL;
    }
    if (!batches[area])
        batches[area] = batch_new(pager, BATCH_SWAP_OUT, NONE);
    struct batch *batch = batches[area];
    if (!batch)
        return -EAGAIN;
    batch->volume = pager->swap_uses[area].volume;
    batch->pages[batch->count++] = (struct writeback_page){swap_slot_offset(slot), pfn, slot};
    return 0;
}

/* The slots to read with one: neighbours that are in use and follow each other without a gap. */
static uint64_t window_of(struct pager *pager, uint64_t slot, uint64_t *count)
{
    swap_slot found[SWAP_READAHEAD_PAGES];
    uint32_t pages = swap_readahead_window(&pager->swap_readahead, slot), place = 0;
    if (pages > pager->settings.page_cluster_pages)
        pages = (uint32_t)pager->settings.page_cluster_pages;
    uint32_t number = swap_map_neighbours(&pager->swap, slot, pages, found);
    while (place < number && found[place] != slot)
        place++;
    uint32_t first = place, last = place;
    while (first > 0 && found[first - 1] + 1 == found[first])
        first--;
    while (last + 1 < number && found[last + 1] == found[last] + 1)
        last++;
    *count = number == 0 ? 1 : last - first + 1;
    return number == 0 ? slot : found[first];
}

/* A swapped page is wanted again: is it to stay now? */
static bool stays(struct pager *pager, uint64_t slot)
{
    struct workingset_refault refault;
    workingset_shadow shadow = shadow_table_take(&pager->shadows, SWAP_OBJECT, slot);
    if (shadow == WORKINGSET_NO_SHADOW || workingset_judge(&pager->lru, shadow, false, true, &refault) < 0)
        return false;
    pager->counters.refaults += refault.activate;
    if (refault.activate)
        lru_note_cost(&pager->vector, false, 1, 0);
    return refault.activate;
}

int swap_in(struct pager *pager, const struct demand *demand)
{
    struct transit_page pages[BATCH_PAGES];
    const struct backend *backend = &pager->backend;
    uint64_t slot = demand->index, count;
    uint32_t found = 0, area = swap_slot_area(slot);
    if (area < SWAP_AREAS_MAX && pager->swap_uses[area].memory && !pager->swap_uses[area].open)
        return -EAGAIN; /* the volume will be found */
    struct batch *batch = batch_new(pager, BATCH_SWAP_IN, NONE);
    if (!batch)
        return -EAGAIN;
    uint64_t first = window_of(pager, slot, &count);
    int error = backend->swap_fill_begin(backend->context, first, count, pages, &found);
    if (error == -ENOMEM && count > 1)
        error = backend->swap_fill_begin(backend->context, slot, 1, pages, &found);
    if (error == -ENOMEM)
        reclaim_want(pager, LRU_BATCH, true); /* what is left is needed to free pages: somebody must make room */
    if (error < 0 || found == 0) {
        batch_drop(batch);
        return error == -EAGAIN || error == -ENOMEM ? -EAGAIN : 0;
    }
    batch->active = stays(pager, slot) ? slot : UINT64_MAX;
    batch->volume = area < SWAP_AREAS_MAX ? pager->swap_uses[area].volume : 0;
    for (uint32_t i = 0; i < found; i++)
        batch->pages[batch->count++] =
            (struct writeback_page){swap_slot_offset(pages[i].index), pages[i].pfn, pages[i].index};
    batch_begin(pager, batch);
    return 0;
}

void swap_arrived(struct pager *pager, const struct batch *batch, uint32_t first, uint32_t count)
{
    pager->counters.swapped_in += count;
    for (uint32_t i = first; i < first + count; i++) {
        const struct writeback_page *page = &batch->pages[i];
        page_arrived(pager, page->pfn, page->index == batch->active ? LRU_ACTIVE | LRU_WORKINGSET : 0, 0, 0);
    }
}

void swap_slots_free(struct pager *pager, uint64_t slot, uint64_t count)
{
    for (uint64_t i = 0; i < count && i < SWAP_SLOTS_MAX; i++) {
        if (swap_map_put(&pager->swap, slot + i) == 1)
            (void)shadow_table_take(&pager->shadows, SWAP_OBJECT, slot + i);
    }
}
