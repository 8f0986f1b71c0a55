/* SPDX-License-Identifier: MIT */
/*
 * Freeing pages. A round looks at a part of each list, by its priority; a round that frees nothing makes the next one
 * look at more. When all was looked at in vain, memory is swept for pages that the lists do not know; then a process
 * must end. What is written to be freed counts as freed, and nothing waits for it unless there is nothing else to do.
 */
#include <errno.h>

#include "pager.h"

#define REST_US        100000u
#define PAGES_TO_GO_ON 8u  /* above the reserve, so that who waits gets some */
#define CLEAN_AROUND   16u /* pages that are written with a dirty one that is to go */

bool reclaim_is_writing(const struct pager *pager)
{
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        if (pager->batches[i].kind == BATCH_SWAP_OUT || pager->batches[i].kind == BATCH_CLEAN)
            return true;
    }
    return false;
}

bool reclaim_can_swap(const struct pager *pager, const struct memory_state *memory)
{
    return memory->swap_cached > 0 || swap_map_info(&pager->swap).available > 0;
}

/* Pages that are being written to slots, and will be free. */
static uint64_t pages_leaving(const struct pager *pager)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        const struct batch *batch = &pager->batches[i];
        pages += batch->kind == BATCH_SWAP_OUT ? batch->count - batch->ended : 0;
    }
    return pages;
}

/* --- Pages of an inactive list that are to go ----------------------------------------------------------------------- */

struct shrink {
    struct evict_page pages[LRU_BATCH];
    uint8_t results[LRU_BATCH];
    uint32_t count;
    struct batch *batch; /* for those that go to swap */
    uint32_t freed, looked_in_vain;
};

/* Leaves a shadow of a page that goes. */
static void leave_shadow(struct pager *pager, uint64_t pfn, uint64_t slot)
{
    const struct page_owner owner = pager->owners[pfn - pager->lru.first];
    const workingset_shadow shadow = workingset_evict(&pager->lru, 0, lru_flags(&pager->lru, pfn));
    if (slot != 0)
        shadow_table_put(&pager->shadows, SWAP_OBJECT, slot, shadow);
    else if (owner.object != 0)
        shadow_table_put(&pager->shadows, owner.object, owner.index, shadow);
}

/* A dirty page of a file: begins to write it and its neighbours, and keeps it until that has ended. */
static void write_first(struct pager *pager, uint64_t pfn)
{
    const struct page_owner owner = pager->owners[pfn - pager->lru.first];
    const struct object *object = owner.object ? object_meet(pager, owner.object) : NULL;
    lru_put_back(&pager->lru, pfn, LRU_KEEP);
    pager_trace(pager, TRACE_WRITE, 0, pfn, 0);
    if (!object)
        return;
    uint64_t first = (uint64_t)(owner.index / CLEAN_AROUND) * CLEAN_AROUND;
    if (sync_begin(pager, object->number, object->cookie, first, first + CLEAN_AROUND, SYNC_BEGIN, false, 0) == 0)
        (void)lru_set_reclaim(&pager->lru, pfn, true);
}

/* A page that cannot go without a slot: there are none, or it is anonymous and was on a list of file pages. */
static void needs_slot(struct pager *pager, struct shrink *shrink, uint64_t pfn)
{
    if (lru_flags(&pager->lru, pfn) & LRU_FILE) {
        (void)lru_remove(&pager->lru, pfn);
        (void)!lru_add(&pager->lru, pfn, 0, 0, true);
        return;
    }
    lru_put_back(&pager->lru, pfn, swap_map_info(&pager->swap).available > 0 ? LRU_EVICT : LRU_KEEP);
    shrink->looked_in_vain++;
}

/* What memsrv made of one page. */
static void settle(struct pager *pager, struct shrink *shrink, uint32_t place)
{
    const struct evict_page *page = &shrink->pages[place];
    struct batch *batch = shrink->batch;
    enum evict_result result = (enum evict_result)shrink->results[place];
    if (result != EVICT_IS_WRITTEN && page->slot != 0)
        (void)!swap_map_put(&pager->swap, page->slot);
    switch (result) {
    case EVICT_IS_FREE:
        leave_shadow(pager, page->pfn, 0);
        (void)lru_remove(&pager->lru, page->pfn);
        shrink->freed++;
        break;
    case EVICT_IS_WRITTEN:
        leave_shadow(pager, page->pfn, page->slot);
        (void)lru_remove(&pager->lru, page->pfn);
        batch->pages[batch->count++] = (struct writeback_page){swap_slot_offset(page->slot), page->pfn, page->slot};
        shrink->freed++;
        break;
    case EVICT_IS_DIRTY:
        write_first(pager, page->pfn);
        break;
    case EVICT_IS_LOCKED:
        lru_put_back_unevictable(&pager->lru, page->pfn);
        break;
    case EVICT_IS_GONE:
        (void)lru_remove(&pager->lru, page->pfn);
        break;
    case EVICT_NEEDS_SLOT:
        needs_slot(pager, shrink, page->pfn);
        break;
    default:
        lru_put_back(&pager->lru, page->pfn, LRU_KEEP);
        shrink->looked_in_vain++;
    }
}

/* Gives the pages slots, as far as there are any: what its slot holds already can go without. All slots are of one area, and
 * so of one volume. */
static void give_slots(struct pager *pager, struct shrink *shrink)
{
    swap_slot slots[LRU_BATCH];
    uint32_t got = 0;
    if (shrink->count > 0 && (shrink->batch = batch_new(pager, BATCH_SWAP_OUT, NONE)))
        got = swap_map_alloc(&pager->swap, slots, shrink->count);
    for (uint32_t i = 0; i < got; i++)
        shrink->pages[i].slot = slots[i];
    if (got > 0)
        shrink->batch->volume = pager->swap_uses[swap_slot_area(slots[0])].volume;
}

/* Has the pages evicted. */
static void evict_all(struct pager *pager, struct shrink *shrink)
{
    const struct backend *backend = &pager->backend;
    int error =
        shrink->count == 0 ? 0 : backend->evict(backend->context, shrink->pages, shrink->count, shrink->results);
    for (uint32_t i = 0; i < shrink->count; i++) {
        if (error < 0)
            shrink->results[i] = EVICT_NO_MEMORY;
        settle(pager, shrink, i);
    }
    if (!shrink->batch)
        return;
    if (shrink->batch->count > 0)
        batch_begin(pager, shrink->batch);
    else
        batch_drop(shrink->batch);
}

/* Asks which of the pages were used. Without an answer all count as used, so none goes. */
static void harvest(struct pager *pager, const uint64_t *pfns, uint32_t count, struct page_touch *touched)
{
    const struct backend *backend = &pager->backend;
    if (backend->harvest(backend->context, pfns, count, touched) == 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        touched[i] = (struct page_touch){.pfn = pfns[i], .accessed = 1};
}

/* Has what is in shrink->pages evicted, and notes what that cost. */
static void shrink_all(struct pager *pager, struct shrink *shrink, bool file)
{
    if (!file)
        give_slots(pager, shrink);
    evict_all(pager, shrink);
    lru_note_cost(&pager->vector, file, 0, shrink->looked_in_vain);
    pager->counters.reclaimed += shrink->freed;
}

/* Looks at up to `count` pages of an inactive list. Returns how many. */
static uint32_t shrink_inactive(struct pager *pager, enum lru_list list, uint32_t count)
{
    uint64_t pfns[LRU_BATCH];
    struct page_touch touched[LRU_BATCH];
    struct shrink shrink = {0};
    bool file = list == LRU_INACTIVE_FILE;
    if (!file && !batch_is_free(pager)) {
        pager->reclaim.stalled = true; /* until a transfer has ended: there is more on its way than disks can take */
        return 0;
    }
    uint32_t taken = lru_isolate(&pager->lru, 0, list, pfns, count < LRU_BATCH ? count : LRU_BATCH);
    if (taken == 0)
        return 0;
    harvest(pager, pfns, taken, touched);
    for (uint32_t i = 0; i < taken; i++) {
        enum lru_verdict verdict = lru_judge_inactive(&pager->lru, pfns[i], (unsigned)touched[i].accessed);
        if (verdict == LRU_EVICT) {
            shrink.pages[shrink.count++] = (struct evict_page){.pfn = pfns[i]};
            continue;
        }
        lru_put_back(&pager->lru, pfns[i], verdict);
        shrink.looked_in_vain++;
    }
    shrink_all(pager, &shrink, file);
    pager->reclaim.freed += shrink.freed;
    pager->reclaim.round_freed += shrink.freed;
    pager_trace(pager, TRACE_SHRINK_INACTIVE, pager->reclaim.origin, taken, shrink.freed);
    return taken;
}

uint32_t reclaim_pages(struct pager *pager, const uint64_t *pfns, uint32_t count, bool file, bool spare)
{
    struct page_touch touched[LRU_BATCH];
    struct shrink shrink = {0};
    ASSERT(count <= LRU_BATCH);
    if (spare)
        harvest(pager, pfns, count, touched);
    for (uint32_t i = 0; i < count; i++) {
        if (spare && touched[i].accessed)
            lru_put_back(&pager->lru, pfns[i], LRU_KEEP);
        else
            shrink.pages[shrink.count++] = (struct evict_page){.pfn = pfns[i]};
    }
    shrink_all(pager, &shrink, file);
    return shrink.freed;
}

static uint32_t shrink_active(struct pager *pager, enum lru_list list, uint32_t count)
{
    uint64_t pfns[LRU_BATCH];
    struct page_touch touched[LRU_BATCH];
    uint32_t taken = lru_isolate(&pager->lru, 0, list, pfns, count < LRU_BATCH ? count : LRU_BATCH);
    if (taken == 0)
        return 0;
    harvest(pager, pfns, taken, touched);
    for (uint32_t i = 0; i < taken; i++)
        lru_put_back(&pager->lru, pfns[i], lru_judge_active(&pager->lru, pfns[i], (unsigned)touched[i].accessed));
    lru_note_cost(&pager->vector, list == LRU_ACTIVE_FILE, 0, taken);
    pager_trace(pager, TRACE_SHRINK_ACTIVE, pager->reclaim.origin, taken, 0);
    return taken;
}

/* --- Rounds --------------------------------------------------------------------------------------------------------- */

/* Asks for the state of memory. Time is lost as long as somebody waits for some. */
void memory_look(struct pager *pager, struct memory_state *memory)
{
    const bool waits = pager->reclaim.urgent || pager->group.group != 0;
    pager->backend.memory(pager->backend.context, memory);
    if (waits || pager->pressure.waiting > 0)
        pressure_change(&pager->pressure, pager->backend.now_us(pager->backend.context), waits,
                        (uint32_t)memory->running);
}

/* Somebody waits for memory from now on, or nobody does any more. */
static void set_urgent(struct pager *pager, bool urgent)
{
    struct memory_state memory;
    if (pager->reclaim.urgent == urgent)
        return;
    pager->reclaim.urgent = urgent;
    memory_look(pager, &memory);
}

void reclaim_want(struct pager *pager, uint64_t pages, bool urgent)
{
    struct reclaim *reclaim = &pager->reclaim;
    if (!reclaim->active && !urgent && pager->backend.now_us(pager->backend.context) < reclaim->rest_until)
        return;
    if (!reclaim->active || (urgent && !reclaim->urgent))
        reclaim->stalled = false;
    if (!reclaim->active) {
        pager_trace(pager, TRACE_RECLAIM, pager->origin, pages, urgent);
        *reclaim = (struct reclaim){.active = true,
                                    .origin = pager->origin,
                                    .priority = LRU_PRIORITY_DEFAULT,
                                    .victim = reclaim->victim,
                                    .victim_since = reclaim->victim_since};
    }
    if (reclaim->wanted < reclaim->freed + pages)
        reclaim->wanted = reclaim->freed + pages;
    if (urgent)
        set_urgent(pager, true);
}

static void finish(struct pager *pager, int status)
{
    const bool told = pager->reclaim.urgent;
    pager_trace(pager, TRACE_RECLAIM_END, pager->reclaim.origin, pager->reclaim.freed, (uint64_t)(int64_t)status);
    if (pager->reclaim.freed == 0)
        pager->reclaim.rest_until = pager->backend.now_us(pager->backend.context) + REST_US;
    set_urgent(pager, false);
    pager->reclaim.active = pager->reclaim.stalled = false;
    if (told)
        pager->backend.reclaim_end(pager->backend.context, status);
}

static bool is_enough(struct pager *pager)
{
    struct reclaim *reclaim = &pager->reclaim;
    struct memory_state memory;
    memory_look(pager, &memory);
    const bool plenty = memory.free >= memory.high;
    /* Who waits is let go as soon as there is what he wants; what is in the background goes on to the high watermark. */
    if (reclaim->urgent && memory.free > memory.reserve + PAGES_TO_GO_ON &&
        (plenty || reclaim->freed >= reclaim->wanted)) {
        set_urgent(pager, false);
        pager->backend.reclaim_end(pager->backend.context, 0);
    }
    return plenty;
}

/* True if what is being written will be enough. */
static bool is_on_its_way(struct pager *pager)
{
    struct memory_state memory;
    const uint64_t leaving = pages_leaving(pager);
    pager->backend.memory(pager->backend.context, &memory);
    return leaving > 0 && memory.free + leaving >= memory.high + LRU_BATCH;
}

static void begin_round(struct pager *pager)
{
    struct reclaim *reclaim = &pager->reclaim;
    const struct lru_vector *vector = &pager->vector;
    struct memory_state memory;
    memory_look(pager, &memory);
    uint64_t file = lru_size(vector, LRU_ACTIVE_FILE) + lru_size(vector, LRU_INACTIVE_FILE);
    const struct lru_scan scan = {.priority = reclaim->priority,
                                  .swappiness = (unsigned)pager->settings.swappiness,
                                  .can_swap = reclaim_can_swap(pager, &memory),
                                  .file_is_tiny = file + memory.free <= memory.high &&
                                                  lru_size(vector, LRU_INACTIVE_ANON) >> reclaim->priority > 0};
    lru_scan_counts(vector, &scan, reclaim->counts);
    for (unsigned list = 0; list < LRU_UNEVICTABLE; list++) {
        /* What goes to a disk goes in batches. */
        const uint64_t size = lru_size(vector, (enum lru_list)list);
        if (reclaim->counts[list] > 0 && reclaim->counts[list] < LRU_BATCH)
            reclaim->counts[list] = size < LRU_BATCH ? size : LRU_BATCH;
    }
    for (unsigned kind = 0; kind < 2; kind++) {
        /* An active list is looked at only while its inactive one is short. */
        if (!lru_inactive_is_low(vector, kind == 1))
            reclaim->counts[2 * kind + 1] = 0;
    }
    reclaim->round_freed = reclaim->round_scanned = 0;
}

/* The list of which most is left to look at; LRU_LISTS: none. */
static unsigned next_list(const struct reclaim *reclaim)
{
    unsigned best = LRU_LISTS;
    for (unsigned list = 0; list < LRU_UNEVICTABLE; list++) {
        if (reclaim->counts[list] > 0 && (best == LRU_LISTS || reclaim->counts[list] > reclaim->counts[best]))
            best = list;
    }
    return best;
}

/* Looks at a next part of a list. */
static void scan_part(struct pager *pager, unsigned list)
{
    struct reclaim *reclaim = &pager->reclaim;
    uint32_t count = reclaim->counts[list] < LRU_BATCH ? (uint32_t)reclaim->counts[list] : LRU_BATCH;
    bool active = list == LRU_ACTIVE_ANON || list == LRU_ACTIVE_FILE;
    uint32_t taken =
        active ? shrink_active(pager, (enum lru_list)list, count) : shrink_inactive(pager, (enum lru_list)list, count);
    reclaim->counts[list] = taken == 0 ? 0 : reclaim->counts[list] - taken;
    reclaim->round_scanned += taken;
    pager->counters.scanned += taken;
}

/* All was looked at and nothing could go. */
static void stuck(struct pager *pager)
{
    struct reclaim *reclaim = &pager->reclaim;
    if (reclaim_is_writing(pager)) {
        reclaim->stalled = true; /* until one of them has ended */
        return;
    }
    if (!reclaim->swept) {
        reclaim->swept = true;
        pager->sweep = 0;
        while (!sweep_some(pager, 64))
            ;
        reclaim->priority = LRU_PRIORITY_DEFAULT;
        return;
    }
    if (!reclaim->urgent) {
        finish(pager, 0);
        return;
    }
    if (!reclaim->warned && pager->backend.warn(pager->backend.context) > 0) {
        reclaim->warned = reclaim->stalled = true; /* those who were told may help until pager_tick() */
        reclaim->swept = false;
        return;
    }
    const int ended = oom_end_one(pager, OOM_NOBODY);
    if (ended < 0) {
        finish(pager, -ENOMEM);
        return;
    }
    reclaim->stalled = ended == 0; /* until that process is gone: pager_tick() looks */
    reclaim->swept = false;
    reclaim->priority = LRU_PRIORITY_DEFAULT;
}

/* A round is over. */
static void next_round(struct pager *pager)
{
    struct reclaim *reclaim = &pager->reclaim;
    if (reclaim->round_freed > 0) {
        reclaim->swept = false;
    } else if (reclaim->priority > 0) {
        reclaim->priority--;
    } else {
        stuck(pager);
    }
}

void reclaim_step(struct pager *pager)
{
    struct reclaim *reclaim = &pager->reclaim;
    while (reclaim->active && !reclaim->stalled) {
        if (is_enough(pager)) {
            finish(pager, 0);
            return;
        }
        if (is_on_its_way(pager)) {
            reclaim->stalled = true;
            return;
        }
        unsigned list = next_list(reclaim);
        if (list != LRU_LISTS) {
            scan_part(pager, list);
            continue;
        }
        if (reclaim->round_scanned > 0 || reclaim->priority < LRU_PRIORITY_DEFAULT)
            next_round(pager);
        if (reclaim->active && !reclaim->stalled)
            begin_round(pager);
        if (reclaim->priority > 0 && next_list(reclaim) == LRU_LISTS)
            reclaim->priority--;
    }
}

uint64_t reclaim_drop_clean(struct pager *pager)
{
    const uint64_t before = pager->counters.reclaimed;
    for (unsigned list = LRU_INACTIVE_FILE; list <= LRU_ACTIVE_FILE; list++) {
        uint64_t left = lru_size(&pager->vector, (enum lru_list)list);
        while (left > 0) {
            uint64_t pfns[LRU_BATCH];
            struct shrink shrink = {0};
            uint32_t taken =
                lru_isolate(&pager->lru, 0, (enum lru_list)list, pfns, left < LRU_BATCH ? (uint32_t)left : LRU_BATCH);
            for (uint32_t i = 0; i < taken; i++)
                shrink.pages[shrink.count++] = (struct evict_page){.pfn = pfns[i]};
            evict_all(pager, &shrink);
            pager->counters.reclaimed += shrink.freed;
            left = taken == 0 ? 0 : left - taken;
        }
    }
    return pager->counters.reclaimed - before;
}

void reclaim_learn(struct pager *pager, const struct page_use *use)
{
    enum lru_list list = lru_where(&pager->lru, use->pfn);
    bool backed = use->kind == PAGE_IS_BACKED, file = lru_flags(&pager->lru, use->pfn) & LRU_FILE;
    if (use->kind == PAGE_IS_OTHER) {
        if (list != LRU_ISOLATED)
            (void)lru_remove(&pager->lru, use->pfn);
        return;
    }
    if (list == LRU_ABSENT || (list != LRU_ISOLATED && file != backed))
        page_arrived(pager, use->pfn, backed ? LRU_FILE : 0, backed ? use->object : 0, use->index);
    if (backed)
        (void)object_meet(pager, use->object);
    if (backed && use->dirty && writeback_dirty(&pager->dirty, use->object) == 0)
        (void)!writeback_dirtied(&pager->dirty, use->object, 1, pager->backend.now_us(pager->backend.context) / 1000);
}

bool sweep_some(struct pager *pager, unsigned calls)
{
    const struct backend *backend = &pager->backend;
    for (; calls > 0; calls--) {
        struct page_use uses[BATCH_PAGES];
        uint32_t found = 0;
        uint64_t next = 0, from = pager->sweep ? pager->sweep : pager->lru.first;
        int error = backend->page_uses(backend->context, from, uses, BATCH_PAGES, &found, &next);
        for (uint32_t i = 0; error == 0 && i < found; i++)
            reclaim_learn(pager, &uses[i]);
        pager->sweep = error < 0 ? 0 : next;
        if (pager->sweep == 0)
            return true;
    }
    return false;
}
