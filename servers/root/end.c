/* SPDX-License-Identifier: MIT */
/* Ends processes, by their own wish, by another's, or by a fault. */
#include "end.h"

#include <proto/blk_start.h>
#include <proto/memsrv_client.h>
#include <proto/memsrv_handover.h>
#include <quire/syscall.h>

#include "bootstrap.h"
#include "delivery.h"
#include "machine.h"
#include "services.h"
#include "spawn.h"
#include "stop.h"
#include "sync.h"
#include "waiters.h"

void devices_release(struct process *process)
{
    /* Fails if there is no disk any more, and so nobody who uses the memory. */
    if (process->dma)
        (void)!sys_signal(ROOT_SLOT_BLK_EVENTS, BLK_EVENT_ENDED);
    process->dma = false;
}

/* Children of a process that ended become root's, which asks for no status. */
static void adopt_children(const struct process *parent)
{
    struct process *root = process_find(PID_ROOT);

    for (size_t i = 0; i < PROCESS_COUNT && parent->children > 0; i++) {
        struct process *process = process_at(i);
        if (process->state == PROCESS_FREE || process->parent != parent->pid)
            continue;
        process_adopt(root, process);
        if (process->state == PROCESS_ENDED)
            process_free(process);
    }
}

void process_end(struct process *process, enum process_cause cause, int value)
{
    const uint64_t pid = process->pid;

    space_end(process);
    /* The file server asks memsrv which of the programs of this bit are gone. */
    (void)!sys_signal(ROOT_SLOT_FS_EVENTS, memsrv_event(pid));
    devices_release(process);
    waiters_forget(pid);
    sync_forget(pid);
    process->state = PROCESS_ENDED;
    process_left(process);
    adopt_children(process);
    process->cause = cause;
    process->value = value;
    process_signals_end(process);
    if (process->parent == PID_ROOT) {
        struct process copy = *process;
        process_free(process);
        service_ended(&copy);
    } else if (signal_child_news(process)) {
        const uint64_t parent = process->parent;
        process_free(process);
        waiters_disappoint(parent);
    } else {
        waiters_tell(process);
    }
}

/* The signal that a fault is. */
static struct signal_information signal_of(const struct fault_message *fault, uint64_t kind)
{
    struct signal_information information = {.signal = SIGNAL_SEGV, .address = fault->address};

    if (fault->access & FAULT_EXCEPTION) {
        const struct exception_kind exception = exception_kind(fault->entry);
        information.signal = exception.signal;
        /* Illegal opcode, breakpoint, misaligned, division: each the first of its kind. */
        information.code = exception.unplaced ? SIGNAL_CODE_KERNEL : 1;
        information.address = exception.unplaced ? 0 : exception.by_address ? fault->address : fault->instruction;
    } else if (kind == MEMSRV_FAULT_KIND_BUS) {
        information.signal = SIGNAL_BUS;
        information.code = SIGNAL_CODE_NO_DATA;
    } else {
        information.code = kind == MEMSRV_FAULT_KIND_UNMAPPED ? SIGNAL_CODE_MAP_ERROR : SIGNAL_CODE_ACCESS;
    }
    return information;
}

/* The program catches the faults of its threads, or ends with the first that it does not catch. */
static void check_faults(struct process *process)
{
    struct fault_message fault = {0};
    uint64_t kind;

    /* Of one that has stopped, faults are looked at when it goes on. */
    while (process->state == PROCESS_RUNNING && !process->stopping && !process->held &&
           memsrv_space_fault(SLOT_MEMSRV, process->pid, &fault.thread, &fault.address, &fault.access,
                              &fault.instruction, &fault.entry, &kind) == 0) {
        const struct signal_information information = signal_of(&fault, kind);
        if (signal_fault(process, fault.thread, &information))
            continue;
        report_fault(process->name, process->pid, &fault, kind == MEMSRV_FAULT_KIND_BUS);
        process_end(process, CAUSE_KILLED, information.signal);
    }
}

void faults_look_at(struct process *process)
{
    check_faults(process);
}

void faults_handle(uint64_t events)
{
    struct process *process = process_from(PID_MEMSRV + 1);

    while (process) {
        /* Ending a process frees and takes entries, but only numbers above this one are looked at next. */
        uint64_t next = process->pid + 1;
        if (process->state == PROCESS_RUNNING && (memsrv_event(process->pid) & events))
            check_faults(process);
        process = process_from(next);
    }
}
