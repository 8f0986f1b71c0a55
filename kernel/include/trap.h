/* SPDX-License-Identifier: MIT */
/*
 * What is the same in every architecture's trap.c, as parts of its functions: the way out of the kernel, and what becomes
 * of a fault. The kernel lock is held in all of them.
 */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include "kernel.h"
#include "trace.h"

/* Nothing is runnable here: lets go of the lock and sleeps until an interrupt brings something. */
static inline struct thread *trap_idle(struct cpu *cpu)
{
    struct thread *next;
    do {
        idle_cpus |= 1u << cpu->index;
        kernel_unlock();
        arch_wait_for_interrupt();
        kernel_lock();
        idle_cpus &= ~(1u << cpu->index);
        next = irq_handle(NULL);
    } while (!next);
    return next;
}

/* Before user mode with `next` (NULL: whatever comes first). Lets go of the lock. */
static inline struct thread *trap_end(struct thread *next)
{
    if (__builtin_expect(!next, 0))
        next = trap_idle(this_cpu());
    kernel_unlock();
    return next;
}

/* A thread that traps for FP gets its registers at so many switches without a trap: most use them again soon. */
#define FP_EAGER_SWITCHES 64u

/* The first FP instruction since the thread was switched in. */
static inline struct thread *trap_load_fp(struct thread *thread)
{
    thread->fp_eager = FP_EAGER_SWITCHES;
    sched_fp_enter(this_cpu(), thread);
    return thread;
}

/* Sends a fault to whoever handles it. `entry` is what is mapped at the address, or the syndrome of an exception. Returns
 * the thread to run. */
static inline struct thread *trap_fault(struct thread *thread, uint64_t address, uint32_t access, uint64_t entry)
{
    struct cpu *cpu = arch_this_cpu();
    thread->fault = (struct fault_message){
        .address = address,
        .access = access,
        .instruction = thread->context.pc,
        .entry = entry,
        .thread = thread->number,
    };
    thread->fault_id = ++cpu->fault_count << 8 | cpu->index;
    trace_fault(cpu, TRACE_FAULT, thread, access);
    struct thread *next = fast_fault(thread);
    return next ? next : ipc_fault(thread);
}

/* The machine found no entry for the address, at `level` of the tables. */
static inline struct thread *trap_missing(struct thread *thread, uint64_t address, uint32_t access, uint32_t level)
{
    if (__builtin_expect(address - WINDOW_BASE < WINDOW_SIZE, 0) && window_shows(thread->aspace, address, access))
        return thread;
    return trap_fault(thread, address, access | level << FAULT_LEVEL_SHIFT, aspace_entry(thread->aspace, address));
}

/* The machine found one that does not allow the access, or that notes no access yet. */
static inline struct thread *trap_forbidden(struct thread *thread, uint64_t address, uint32_t access)
{
    uint64_t entry;
    if (aspace_note_access(thread->aspace, address, access, &entry))
        return thread;
    return trap_fault(thread, address, access | FAULT_PRESENT, entry);
}

#endif
