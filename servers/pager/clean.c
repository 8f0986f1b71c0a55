/* SPDX-License-Identifier: MIT */
/* Writing of dirty pages: for who waits for it, when they are old, and when there are many. */
#include <errno.h>

#include "pager.h"

#define RUNS_MAX 32u

struct job *job_new(struct pager *pager, enum job_kind kind)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (pager->jobs[i].kind == JOB_FREE) {
            pager->jobs[i] = (struct job){.kind = (uint8_t)kind};
            return &pager->jobs[i];
        }
    }
    return NULL;
}

int sync_begin(struct pager *pager, uint64_t object, uint64_t cookie, uint64_t first, uint64_t end, enum sync_how how,
               bool told_memsrv, uint64_t token)
{
    struct job *job = job_new(pager, JOB_SYNC);
    if (!job)
        return -EAGAIN;
    job->object = object;
    job->cookie = cookie;
    job->next = first;
    job->end = end;
    job->how = (uint8_t)how;
    job->serial = pager->batch_serial;
    job->told_memsrv = told_memsrv;
    job->token = token;
    (void)job_step(pager, job);
    return 0;
}

/* The job wrote to that volume: it is flushed at the end. With more volumes than there is room for, the last is. */
static void note_volume(struct job *job, uint64_t volume)
{
    for (unsigned i = 0; i < job->volumes; i++) {
        if (job->volume[i] == volume)
            return;
    }
    if (job->volumes < FLUSH_VOLUMES)
        job->volume[job->volumes++] = volume;
}

/* The job has begun to write to its object, which lies there. */
static void wrote(struct pager *pager, struct job *job, uint64_t volume)
{
    struct object *object = object_know(pager, job->object, job->cookie);
    object->volume = volume;
    object->unflushed = true;
    note_volume(job, volume);
}

static void give_up(struct pager *pager, struct job *job, const struct transit_page *pages, uint32_t count, int status)
{
    uint64_t pfns[BATCH_PAGES];
    for (uint32_t i = 0; i < count; i++)
        pfns[i] = pages[i].pfn;
    pager->backend.clean_end(pager->backend.context, status, pfns, count);
    pager->counters.errors++;
    if (job->status == 0)
        job->status = status;
}

/* Pages that the file server writes itself come to their end at once. */
static void write_served(struct pager *pager, struct job *job, const struct transit_page *pages, uint32_t count)
{
    const struct backend *backend = &pager->backend;
    for (uint32_t i = 0; i < count; i++) {
        int status = backend->served_write(backend->context, job->cookie, pages[i].index, pages[i].pfn);
        if (status < 0) {
            give_up(pager, job, pages + i, 1, status);
            continue;
        }
        backend->clean_end(backend->context, 0, &pages[i].pfn, 1);
        pager->counters.written++;
    }
}

/* Finds room on the disk for pages that follow each other in their object. Returns how many were dealt with. */
static uint32_t locate(struct pager *pager, struct job *job, struct batch *batch, const struct transit_page *pages,
                       uint32_t count)
{
    struct block_run runs[RUNS_MAX];
    uint32_t found = 0, done = 0;
    const struct backend *backend = &pager->backend;
    int error = backend->map_blocks(backend->context, job->cookie, pages[0].index, count, true, &batch->volume, runs,
                                    RUNS_MAX, &found);
    if (error == 0 && found > 0 && runs[0].block == BLOCK_SERVED) {
        write_served(pager, job, pages, count);
        return count;
    }
    for (uint32_t i = 0; error == 0 && i < found && done < count && runs[i].block != BLOCK_HOLE; i++) {
        for (uint64_t j = 0; j < runs[i].count && done < count; j++, done++)
            batch->pages[batch->count++] =
                (struct writeback_page){runs[i].block + j, pages[done].pfn, pages[done].index};
    }
    if (done > 0)
        return done;
    give_up(pager, job, pages, count, error < 0 ? error : -EIO);
    return count;
}

/* Writes a next part of a sync. False: not now, or that was the last. */
static bool sync_part(struct pager *pager, struct job *job)
{
    struct transit_page pages[BATCH_PAGES];
    uint32_t found = 0, done = 0;
    const struct backend *backend = &pager->backend;
    struct batch *batch = batch_new(pager, BATCH_CLEAN, (uint32_t)(job - pager->jobs));
    if (!batch)
        return false;
    batch->object = job->object;
    int error =
        backend->clean_begin(backend->context, job->object, job->next, job->end - job->next, pages, &found, &job->next);
    if (error == -EAGAIN) {
        batch_drop(batch);
        return false;
    }
    if (error < 0)
        job->next = job->end; /* the object is no more: nothing of it is dirty */
    while (done < found) {
        uint32_t length = 1;
        while (done + length < found && pages[done + length].index == pages[done + length - 1].index + 1)
            length++;
        done += locate(pager, job, batch, pages + done, length);
    }
    if (batch->count > 0) {
        wrote(pager, job, batch->volume);
        batch_begin(pager, batch);
    } else {
        batch_drop(batch);
    }
    return job->next < job->end;
}

void job_end(struct pager *pager, struct job *job)
{
    const struct backend *backend = &pager->backend;
    struct job ended = *job;
    job->kind = JOB_FREE;
    if (ended.told_memsrv)
        backend->demand_end(backend->context, ended.token, ended.status);
    else if (ended.token != 0)
        backend->answer(backend->context, ended.token, ended.status, 0);
}

/* Flushes what was written, if it is to last. True: on its way, or to be begun later. */
static bool flush_volumes(struct pager *pager, struct job *job)
{
    struct object *object = object_find(pager, job->object);
    if (job->how != SYNC_LAST)
        return false;
    if (object && object->unflushed) {
        note_volume(job, object->volume);
        object->unflushed = false;
    }
    while (job->volumes > 0) {
        int error = flush_begin(pager, job->volume[job->volumes - 1], (uint32_t)(job - pager->jobs));
        if (error == -EAGAIN)
            return true;
        job->volumes--;
        if (error == 0)
            job->flushing++;
        else if (job->status == 0)
            job->status = error;
    }
    return job->flushing > 0;
}

/* True if pages of the job's object are on their way that others took, up to the batch that the job waits for. */
static bool others_write(const struct pager *pager, const struct job *job)
{
    const uint32_t number = (uint32_t)(job - pager->jobs);
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        const struct batch *batch = &pager->batches[i];
        if (batch->kind == BATCH_CLEAN && batch->object == job->object && batch->job != number &&
            batch->serial <= job->serial)
            return true;
    }
    return false;
}

/* True if the job has to wait for others, before it writes or when it has. */
static bool waits_for_others(const struct pager *pager, struct job *job, enum job_phase phase)
{
    if (job->how == SYNC_BEGIN || job->phase > phase)
        return false;
    if (phase == PHASE_OTHERS && job->phase < PHASE_OTHERS) {
        job->phase = PHASE_OTHERS;
        job->serial = pager->batch_serial;
    }
    if (others_write(pager, job))
        return true;
    if (phase == PHASE_OLDER)
        job->phase = PHASE_WRITES;
    return false;
}

bool job_step(struct pager *pager, struct job *job)
{
    uint64_t before = job->next;
    if (job->kind == JOB_SWAP_OFF)
        return swap_off_step(pager, job);
    if (waits_for_others(pager, job, PHASE_OLDER))
        return false;
    while (job->next < job->end && sync_part(pager, job))
        ;
    if (job->next < job->end || job->batches > 0)
        return job->next != before;
    if (waits_for_others(pager, job, PHASE_OTHERS) || flush_volumes(pager, job))
        return false;
    job_end(pager, job);
    return true;
}

void job_part_ended(struct pager *pager, uint32_t number, int status)
{
    struct job *job = &pager->jobs[number];
    if (status < 0 && job->status == 0)
        job->status = status;
    /* Who waits for this job's writing learns how it ended. */
    for (uint32_t i = 0; status < 0 && i < JOBS_MAX; i++) {
        struct job *other = &pager->jobs[i];
        if (other->kind == JOB_SYNC && other->phase == PHASE_OTHERS && other->object == job->object &&
            other->status == 0)
            other->status = status;
    }
    if (job->batches > 0)
        job->batches--;
    else
        job->flushing--; /* flushes begin when all batches have ended */
}

void clean_tick(struct pager *pager, bool too_much)
{
    uint64_t now = pager->backend.now_us(pager->backend.context) / 1000, number;
    uint64_t age = too_much ? 0 : pager->settings.writeback.expire_ms;
    while (writeback_next(&pager->dirty, now, age, &number)) {
        const struct object *object = object_meet(pager, number);
        if (object && sync_begin(pager, number, object->cookie, 0, UINT64_MAX, SYNC_BEGIN, false, 0) < 0)
            return;
        writeback_cleaned(&pager->dirty, number, UINT64_MAX, now);
    }
}
