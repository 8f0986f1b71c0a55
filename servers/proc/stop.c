/* SPDX-License-Identifier: MIT */
/* Stopping processes and letting them go on. */
#include "stop.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <quire/syscall.h>

#include "delivery.h"
#include "end.h"
#include "waiters.h"

/* How often other processors are waited for at once: they need as long as an interrupt takes. */
#define PASSES_MAX 1000u

static unsigned stopping_count; /* processes that stop or have stopped */

static void tell_parent(struct process *process, enum process_cause cause, unsigned signal)
{
    process->cause = cause;
    process->value = (int)signal;
    /* False, for it has not ended. */
    if (!signal_child_news(process))
        waiters_tell(process);
}

void process_stop(struct process *process, unsigned signal)
{
    if (process->stopping || (signal != SIGNAL_STOP && process_group_is_orphaned(process->group)))
        return;
    process->stopping = signal;
    stopping_count++;
}

bool process_halt(struct process *process, uint64_t stopped)
{
    uint64_t running = 0, busy = 0;

    for (unsigned passes = 0; passes < PASSES_MAX; passes++) {
        if (memsrv_space_halt(SLOT_MEMSRV, process->pid, stopped, &running, &busy) < 0 || running == 0)
            break;
        (void)sys_yield();
    }
    if (running > 0 || busy > 0)
        return false;
    process->stopped = true;
    process->held = false;
    tell_parent(process, CAUSE_STOPPED, process->stopping);
    return true;
}

void process_continue(struct process *process)
{
    const bool was_stopped = process->stopped;

    if (!process->stopping)
        return;
    process->stopping = 0;
    process->stopped = false;
    process->held |= was_stopped;
    stopping_count--;
    if (was_stopped)
        tell_parent(process, CAUSE_CONTINUED, SIGNAL_CONTINUE);
    if (!process->held)
        process_release(process);
    signals_look_at(process);
}

void process_release(struct process *process)
{
    process->held = false;
    (void)!memsrv_space_continue(SLOT_MEMSRV, process->pid);
    faults_look_at(process);
}

/* Tells all of a group that nobody cares for it any more. */
static void wake_group(uint64_t group)
{
    static const struct signal_source source = {.code = SIGNAL_CODE_KERNEL};

    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        const struct process *process = process_at(i);
        if (process->state != PROCESS_RUNNING || process->group != group)
            continue;
        signal_send(process, NULL, SIGNAL_HANGUP, &source);
        signal_send(process, NULL, SIGNAL_CONTINUE, &source);
    }
}

void process_left(struct process *process)
{
    stopping_count -= process->stopping != 0;
    process->stopping = 0;
    for (size_t i = 0; i < PROCESS_COUNT && stopping_count > 0; i++) {
        const struct process *other = process_at(i);
        if (other->state == PROCESS_RUNNING && other->stopping &&
            (other->parent == process->pid || other->group == process->group) &&
            process_group_is_orphaned(other->group))
            wake_group(other->group);
    }
}
