/* SPDX-License-Identifier: MIT */
/* Draining the page lists of all workers, and making workers stand still. */
#include "drain.h"

#include <base/lock.h>
#include <quire/syscall.h>
#include <string.h>

/*
 * One asker at a time: between the moment at which a worker was seen waiting and the change to UNDERWAY nobody else may
 * ask it again. Order: below those of spaces and objects, above those of zones.
 */
static struct spinlock drain_lock = SPINLOCK_INITIALIZER(LOCK_DRAIN);

static bool stopping; /* atomic: a worker makes the others stand still */

static bool change(struct memsrv_context *worker, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&worker->drain, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* True if the worker waited in the kernel at some time after this call began. */
static bool waits(const struct memsrv_context *worker)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    long error = sys_thread_control(worker->thread_slot, THREAD_INFO, 0, 0, 0, 0, 0);
    return error == 0 && info->state == THREAD_STATE_RECEIVING;
}

static void drain_other(struct memsrv_context *worker) REQUIRES(drain_lock)
{
    if (!per_cpu_pages_count(&worker->pages))
        return;
    (void)change(worker, WORKER_DRAIN_NONE, WORKER_DRAIN_WANTED);
    if (!waits(worker) || !change(worker, WORKER_DRAIN_WANTED, WORKER_DRAIN_UNDERWAY))
        return;
    per_cpu_pages_drain(&worker->pages);
    __atomic_store_n(&worker->drain, WORKER_DRAIN_NONE, __ATOMIC_RELEASE);
}

void drain_lists(struct memsrv_context *self)
{
    struct thread_info saved;

    per_cpu_pages_drain(&self->pages);
    memcpy(&saved, ipc_buffer()->words, sizeof(saved));
    spinlock_acquire(&drain_lock);
    for (uint32_t i = 0; i < worker_count; i++) {
        if (&workers[i] != self)
            drain_other(&workers[i]);
    }
    spinlock_release(&drain_lock);
    memcpy(ipc_buffer()->words, &saved, sizeof(saved));
}

void drain_wanted(struct memsrv_context *self, bool may_stop)
{
    uint32_t turns = 0, state;

    if (change(self, WORKER_DRAIN_WANTED, WORKER_DRAIN_NONE))
        per_cpu_pages_drain(&self->pages);
    for (;;) {
        if (may_stop)
            (void)change(self, WORKER_STOP_WANTED, WORKER_STOPPED);
        state = __atomic_load_n(&self->drain, __ATOMIC_ACQUIRE);
        if (state != WORKER_DRAIN_UNDERWAY && state != WORKER_STOPPED)
            return;
        spinlock_wait(++turns);
    }
}

/* Waits until `other` stands still. */
static void stop_other(struct memsrv_context *other)
{
    /* Pages that are wanted of it are not forgotten for long: who wants them asks again. */
    while (!change(other, WORKER_DRAIN_NONE, WORKER_STOP_WANTED) &&
           !change(other, WORKER_DRAIN_WANTED, WORKER_STOP_WANTED))
        (void)sys_yield();
    while (__atomic_load_n(&other->drain, __ATOMIC_ACQUIRE) != WORKER_STOPPED && !waits(other))
        (void)sys_yield();
}

void workers_stop(struct memsrv_context *self)
{
    while (__atomic_exchange_n(&stopping, true, __ATOMIC_ACQUIRE)) {
        drain_if_wanted(self);
        (void)sys_yield();
    }
    for (uint32_t i = 0; i < worker_count; i++) {
        if (&workers[i] != self)
            stop_other(&workers[i]);
    }
}

void workers_resume(struct memsrv_context *self)
{
    for (uint32_t i = 0; i < worker_count; i++) {
        if (&workers[i] != self)
            __atomic_store_n(&workers[i].drain, WORKER_DRAIN_NONE, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&stopping, false, __ATOMIC_RELEASE);
}
