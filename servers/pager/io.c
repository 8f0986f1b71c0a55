/* SPDX-License-Identifier: MIT */
/* Batches of pages, cut into transfers of what lies together on the disk, as many at a time as there are. */
#include <errno.h>

#include "pager.h"

struct batch *batch_new(struct pager *pager, enum batch_kind kind, uint32_t job)
{
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        struct batch *batch = &pager->batches[i];
        if (batch->kind != BATCH_FREE)
            continue;
        batch->kind = (uint8_t)kind;
        batch->job = job;
        batch->count = batch->begun = batch->ended = 0;
        batch->serial = ++pager->batch_serial;
        batch->status = 0;
        batch->object = 0;
        batch->origin = pager->origin;
        batch->active = UINT64_MAX;
        return batch;
    }
    return NULL;
}

bool batch_is_free(const struct pager *pager)
{
    uint32_t i = 0;
    while (i < BATCHES_MAX && pager->batches[i].kind != BATCH_FREE)
        i++;
    return i < BATCHES_MAX;
}

void batch_drop(struct batch *batch)
{
    batch->kind = BATCH_FREE;
}

uint32_t batch_pfns(const struct batch *batch, uint32_t first, uint32_t count, uint64_t *pfns)
{
    for (uint32_t i = 0; i < count; i++)
        pfns[i] = batch->pages[first + i].pfn;
    return count;
}

void batch_begin(struct pager *pager, struct batch *batch)
{
    writeback_sort(batch->pages, batch->count);
    pager_trace(pager, TRACE_FILL, batch->origin, batch->object, batch->count);
    if (batch->job != NONE)
        pager->jobs[batch->job].batches++;
    batches_pump(pager);
}

static uint32_t transfer_new(struct pager *pager)
{
    for (uint32_t i = 0; i < TRANSFERS_MAX; i++) {
        if (!pager->transfers[i].used)
            return i;
    }
    return NONE;
}

static enum transfer_operation operation_of(const struct batch *batch)
{
    return batch->kind == BATCH_FILL || batch->kind == BATCH_SWAP_IN ? TRANSFER_READ : TRANSFER_WRITE;
}

/* The fault that caused a transfer; 0: none. */
static uint64_t origin_of(const struct pager *pager, const struct transfer *transfer)
{
    return transfer->batch != NONE ? pager->batches[transfer->batch].origin : 0;
}

/* Gives a transfer that is filled in to the disk. */
static int give(struct pager *pager, uint32_t tag)
{
    struct transfer *transfer = &pager->transfers[tag];
    const struct backend *backend = &pager->backend;
    uint64_t pfns[TRANSFER_PAGES], block = 0;
    enum transfer_operation operation = TRANSFER_FLUSH;
    if (transfer->batch != NONE) {
        const struct batch *batch = &pager->batches[transfer->batch];
        batch_pfns(batch, transfer->first, transfer->count, pfns);
        operation = operation_of(batch);
        block = batch->pages[transfer->first].block;
    }
    pager_trace(pager, TRACE_IO, origin_of(pager, transfer), tag, transfer->count);
    int error = backend->transfer(backend->context, tag, operation, transfer->volume, block, pfns, transfer->count);
    transfer->given = error == 0;
    return error;
}

/* Pages that were written so that they can go are the next that go. */
static void cleaned(struct pager *pager, const uint64_t *pfns, uint32_t count, int status)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!(lru_flags(&pager->lru, pfns[i]) & LRU_RECLAIM))
            continue;
        (void)lru_set_reclaim(&pager->lru, pfns[i], false);
        if (status == 0)
            (void)lru_rotate(&pager->lru, pfns[i]);
    }
}

/* Slots that could not be written are not given out again: when memsrv needs them no more they count as bad until the area
 * is given up. An error that passes by itself, EAGAIN, is none of theirs. The pages are still there, and go to other slots
 * when it is their turn again. */
static void slots_failed(struct pager *pager, const struct batch *batch, uint32_t first, uint32_t count, int status)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (status != -EAGAIN)
            (void)!swap_map_set_bad(&pager->swap, batch->pages[i].index);
        page_arrived(pager, batch->pages[i].pfn, 0, 0, 0);
    }
}

/* Memsrv learns that pages of a batch have arrived, or could not. */
static void tell(struct pager *pager, struct batch *batch, uint32_t first, uint32_t count, int status)
{
    const struct backend *backend = &pager->backend;
    uint64_t pfns[BATCH_PAGES];
    batch_pfns(batch, first, count, pfns);
    pager->counters.errors += status < 0;
    switch (batch->kind) {
    case BATCH_FILL:
        backend->fill_end(backend->context, status, pfns, count);
        if (status == 0)
            fill_arrived(pager, batch, first, count);
        break;
    case BATCH_CLEAN:
        backend->clean_end(backend->context, status, pfns, count);
        pager->counters.written += status == 0 ? count : 0;
        cleaned(pager, pfns, count, status);
        break;
    case BATCH_SWAP_OUT:
        backend->evict_end(backend->context, status, pfns, count);
        pager->counters.swapped_out += status == 0 ? count : 0;
        if (status < 0)
            slots_failed(pager, batch, first, count, status);
        break;
    default:
        backend->swap_fill_end(backend->context, status, pfns, count);
        if (status == 0)
            swap_arrived(pager, batch, first, count);
    }
}

/* Pages of a batch have come to their end; with its last ones, it has. */
static void pages_ended(struct pager *pager, struct batch *batch, uint32_t first, uint32_t count, int status)
{
    pager_trace(pager, TRACE_FILL_END, batch->origin, batch->pages[first].pfn, count);
    tell(pager, batch, first, count, status);
    batch->ended += count;
    if (status < 0 && batch->status == 0)
        batch->status = status;
    if (batch->ended < batch->count)
        return;
    uint32_t job = batch->job;
    batch_drop(batch);
    if (job != NONE)
        job_part_ended(pager, job, batch->status);
}

/* Begins the next transfer of a batch. False: not now. */
static bool begin_next(struct pager *pager, uint32_t number)
{
    struct batch *batch = &pager->batches[number];
    struct writeback_run run;
    uint32_t tag = transfer_new(pager);
    if (tag == NONE)
        return false;
    if (writeback_runs(batch->pages + batch->begun, batch->count - batch->begun, TRANSFER_PAGES, &run, 1) == 0)
        return false;
    pager->transfers[tag] = (struct transfer){
        .batch = number, .job = NONE, .first = batch->begun, .count = run.count, .volume = batch->volume, .used = true};
    int error = give(pager, tag);
    if (error == 0) {
        batch->begun += run.count;
        return true;
    }
    pager->transfers[tag].used = false;
    if (error == -EAGAIN)
        return false;
    batch->begun += run.count;
    pages_ended(pager, batch, batch->begun - run.count, run.count, error);
    return true;
}

int flush_begin(struct pager *pager, uint64_t volume, uint32_t job)
{
    uint32_t tag = transfer_new(pager);
    if (tag == NONE)
        return -EAGAIN;
    pager->transfers[tag] = (struct transfer){.batch = NONE, .job = job, .volume = volume, .used = true};
    int error = give(pager, tag);
    if (error < 0)
        pager->transfers[tag].used = false;
    return error;
}

/* A transfer has ended; who waits for it goes on later. Of one that failed the pages are tried one by one, so that each page
 * has the error that is its own. */
static void transfer_ended(struct pager *pager, uint32_t tag, int status)
{
    struct transfer *slot = &pager->transfers[tag];
    const struct transfer transfer = *slot;
    pager_trace(pager, TRACE_IO_END, origin_of(pager, &transfer), tag, (uint64_t)(int64_t)status);
    if (transfer.batch == NONE) {
        slot->used = false;
        job_part_ended(pager, transfer.job, status);
        return;
    }
    if (status < 0 && transfer.count > 1) {
        slot->left = transfer.count - 1;
        slot->count = 1;
        slot->given = false;
        return;
    }
    slot->used = transfer.left > 0;
    if (slot->used) {
        slot->first = transfer.first + 1;
        slot->left = transfer.left - 1;
        slot->given = false;
    }
    pages_ended(pager, &pager->batches[transfer.batch], transfer.first, transfer.count, status);
}

/* Gives disks again what an earlier disk server had. False: not all, now. */
static bool give_again(struct pager *pager)
{
    for (uint32_t tag = 0; tag < TRANSFERS_MAX; tag++) {
        if (!pager->transfers[tag].used || pager->transfers[tag].given)
            continue;
        int error = give(pager, tag);
        if (error == -EAGAIN)
            return false;
        if (error < 0)
            transfer_ended(pager, tag, error);
    }
    return true;
}

void batches_pump(struct pager *pager)
{
    /* Who waits for a page goes before who only writes. */
    static const uint8_t order[] = {BATCH_FILL, BATCH_SWAP_IN, BATCH_SWAP_OUT, BATCH_CLEAN};
    if (!give_again(pager))
        return;
    for (unsigned turn = 0; turn < sizeof(order); turn++) {
        for (uint32_t i = 0; i < BATCHES_MAX; i++) {
            struct batch *batch = &pager->batches[i];
            while (batch->kind == order[turn] && batch->begun < batch->count) {
                if (!begin_next(pager, i))
                    return;
            }
        }
    }
}

void pager_transferred(struct pager *pager, uint32_t tag, int status)
{
    if (tag >= TRANSFERS_MAX || !pager->transfers[tag].used || !pager->transfers[tag].given)
        return;
    transfer_ended(pager, tag, status);
    pager->reclaim.stalled = pager->group.stalled = false;
    pager_pump(pager);
}

void pager_transfers_lost(struct pager *pager)
{
    for (uint32_t tag = 0; tag < TRANSFERS_MAX; tag++)
        pager->transfers[tag].given = false;
    pager_pump(pager);
}
