/* SPDX-License-Identifier: MIT */
/*
 * Emptying an area: slot by slot in their order, a run of them is read, and memsrv maps each page wherever something
 * refers to its slot. The area gives out no slots meanwhile, so one pass finds all; that slots are free is told by demands.
 */
#include <errno.h>

#include "pager.h"

#define STUCK_US 5000000u /* without memory for so long, it is given up */

int swap_off(struct pager *pager, uint32_t area, uint64_t token)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (pager->jobs[i].kind == JOB_SWAP_OFF && pager->jobs[i].object == area)
            return -EBUSY;
    }
    struct job *job = area < SWAP_AREAS_MAX && pager->swap_uses[area].memory ? job_new(pager, JOB_SWAP_OFF) : NULL;
    if (!job)
        return area < SWAP_AREAS_MAX && pager->swap_uses[area].memory ? -EAGAIN : -ENOENT;
    job->object = area;
    job->token = token;
    return swap_map_enable(&pager->swap, area, false);
}

/* The area is empty, or cannot be emptied and is used as before. */
static bool end(struct pager *pager, struct job *job, int status)
{
    const uint32_t area = (uint32_t)job->object;
    struct swap_use *use = &pager->swap_uses[area];
    job->status = status < 0 ? status : swap_map_remove(&pager->swap, area);
    if (job->status < 0) {
        (void)!swap_map_enable(&pager->swap, area, use->open);
    } else {
        shadow_table_forget(&pager->shadows, SWAP_OBJECT);
        pager->backend.swap_note(pager->backend.context, area, 0, 0, use->name, use->memory);
        *use = (struct swap_use){0};
    }
    job_end(pager, job);
    return true;
}

/* There is no memory: reclaim is to bring some. False: it is waited for. */
static bool starve(struct pager *pager, struct job *job)
{
    const uint64_t now = pager->backend.now_us(pager->backend.context);
    if (job->stuck == 0)
        job->stuck = now;
    if (now - job->stuck > STUCK_US)
        return end(pager, job, -ENOMEM);
    reclaim_want(pager, LRU_BATCH, false);
    return false;
}

/* Begins to read a run of slots. False: not now. */
static bool read_run(struct pager *pager, struct job *job, uint64_t slot)
{
    struct transit_page pages[BATCH_PAGES];
    const struct backend *backend = &pager->backend;
    uint32_t found = 0, count = 1;
    struct batch *batch = batch_new(pager, BATCH_SWAP_IN, (uint32_t)(job - pager->jobs));
    if (!batch)
        return false;
    while (count < TRANSFER_PAGES && swap_map_count(&pager->swap, slot + count) > 0)
        count++;
    int error = backend->swap_fill_begin(backend->context, slot, count, pages, &found);
    if (error < 0 || found == 0) {
        batch_drop(batch);
        return error == -ENOMEM ? starve(pager, job) : false;
    }
    batch->volume = pager->swap_uses[job->object].volume;
    for (uint32_t i = 0; i < found; i++)
        batch->pages[batch->count++] =
            (struct writeback_page){swap_slot_offset(pages[i].index), pages[i].pfn, pages[i].index};
    batch_begin(pager, batch);
    return true;
}

bool swap_off_step(struct pager *pager, struct job *job)
{
    const struct backend *backend = &pager->backend;
    if (job->batches > 0)
        return false;
    if (job->status < 0)
        return end(pager, job, job->status);
    if (pager->swap.areas[job->object].used == 0)
        return end(pager, job, 0);
    const uint64_t slot = swap_map_next_used(&pager->swap, (uint32_t)job->object, job->next);
    if (slot == 0) {
        job->next = 0; /* those that are left are free, as will be told; or were in transit */
        return false;
    }
    if (!pager->swap_uses[job->object].open)
        return false;
    int error = backend->swap_restore(backend->context, slot);
    if (error == -ENOMEM)
        return starve(pager, job);
    if (error == -EAGAIN)
        return read_run(pager, job, slot);
    job->stuck = 0;
    job->next = swap_slot_offset(slot) + 1;
    return true;
}
