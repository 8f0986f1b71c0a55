/* SPDX-License-Identifier: MIT */
/* Ends processes, by their own wish, by another's, or by a fault. */
#include "end.h"

#include <proto/memsrv_client.h>
#include <proto/memsrv_handover.h>
#include <quire/syscall.h>

#include "bootstrap.h"
#include "machine.h"
#include "services.h"
#include "spawn.h"
#include "sync.h"
#include "waiters.h"

/* Children of a process that ended become root's, which asks for no status. */
static void adopt_children(uint64_t parent)
{
    for (struct process *process = process_from(0); process; process = process_from(process->pid + 1)) {
        if (process->parent != parent)
            continue;
        process->parent = PID_ROOT;
        if (process->state == PROCESS_ENDED)
            process_free(process);
    }
}

static bool is_last_child(const struct process *child)
{
    for (const struct process *process = process_from(0); process; process = process_from(process->pid + 1))
        if (process != child && process->parent == child->parent)
            return false;
    return true;
}

void process_end(struct process *process, int status)
{
    const uint64_t pid = process->pid;

    space_end(process);
    /* The file server asks memsrv which of the programs of this bit are gone. */
    (void)!sys_signal(ROOT_SLOT_FS_EVENTS, memsrv_event(pid));
    waiters_forget(pid);
    sync_forget(pid);
    adopt_children(pid);
    process->state = PROCESS_ENDED;
    process->status = status & 0xff;
    if (process->parent == PID_ROOT) {
        struct process copy = *process;
        process_free(process);
        service_ended(&copy);
    } else if (waiters_tell(process->parent, pid, (uint64_t)process->status, is_last_child(process))) {
        process_free(process);
    }
}

/* What stopped the first thread, which root can ask itself; else what memsrv refused any other. True if anything.
 * *kind: what memsrv had against it. */
static bool find_fault(const struct process *process, struct fault_message *fault, uint64_t *kind)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    struct fault_message refused = {0};
    bool found = sys_thread_control(process_thread_slot(process), THREAD_INFO, 0, 0, 0, 0, 0) == 0 &&
                 info->state == THREAD_STATE_FAULTED;

    if (found)
        *fault = info->fault;
    *kind = MEMSRV_FAULT_KIND_ACCESS;
    if (memsrv_space_fault(SLOT_MEMSRV, process->pid, &refused.thread, &refused.address, &refused.access,
                           &refused.instruction, &refused.entry, kind) < 0)
        return found;
    if (!found)
        *fault = refused;
    return true;
}

static void check_fault(struct process *process)
{
    struct fault_message fault;
    uint64_t kind;

    if (!find_fault(process, &fault, &kind))
        return;
    report_fault(process->name, process->pid, &fault, kind == MEMSRV_FAULT_KIND_BUS);
    int signal = kind == MEMSRV_FAULT_KIND_BUS ? SIGNAL_BUS : SIGNAL_SEGV;
    if (fault.access & FAULT_EXCEPTION)
        signal = exception_kind(fault.entry).signal;
    process_end(process, SIGNAL_STATUS + signal);
}

void faults_handle(uint64_t events)
{
    struct process *process = process_from(PID_MEMSRV + 1);

    while (process) {
        /* Ending a process frees and takes entries, but only numbers above this one are looked at next. */
        uint64_t next = process->pid + 1;
        if (process->state == PROCESS_RUNNING && (memsrv_event(process->pid) & events))
            check_fault(process);
        process = process_from(next);
    }
}
