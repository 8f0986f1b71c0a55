/* SPDX-License-Identifier: MIT */
/* Traps from user mode, as entry.S hands them over: what they mean, and who goes on. */
#include <arch/cpu.h>
#include <arch/ipi.h>
#include <arch/mmu.h>

#include "kernel.h"
#include "space_tables.h"

#define VECTOR_NO_FP      7u
#define VECTOR_STACK      12u
#define VECTOR_PROTECTION 13u
#define VECTOR_PAGE_FAULT 14u

/* Error code of a page fault. */
#define ERROR_PRESENT  (1u << 0)
#define ERROR_WRITE    (1u << 1)
#define ERROR_RESERVED (1u << 3)
#define ERROR_FETCH    (1u << 4)

/* What the syndrome of an exception is made of. */
#define SYNDROME_VECTOR_SHIFT 32

/* For entry.S alone: each takes the thread that was interrupted, and returns the one that goes on. */
struct thread *trap_vector(struct thread *thread);
struct thread *trap_syscall(struct thread *thread, uint32_t number);

static struct thread *idle(struct cpu *cpu)
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

static inline struct thread *leave(struct thread *next)
{
    if (__builtin_expect(!next, 0))
        next = idle(this_cpu());
    kernel_unlock();
    return next;
}

struct thread *trap_leave(struct thread *next)
{
    return leave(next);
}

void arch_run_next(struct thread *next)
{
    arch_run(leave(next));
}

/* A thread that traps for FP gets its registers at so many switches without a trap: most use them again soon. */
#define FP_EAGER_SWITCHES 64u

/* The first FP instruction since the thread was switched in. */
static struct thread *load_fp(struct thread *thread)
{
    thread->fp_eager = FP_EAGER_SWITCHES;
    sched_fp_enter(this_cpu(), thread);
    return thread;
}

static struct thread *fault(struct thread *thread, uint64_t address, uint32_t access, uint64_t entry)
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
    struct thread *next = fast_fault(thread);
    return next ? next : ipc_fault(thread);
}

/* The level of the table that has no entry for an address. */
static uint32_t missing_level(struct aspace *aspace, uint64_t address)
{
    unsigned level = 0;
    bool shared;
    if (address < USER_VA_END)
        (void)space_find(aspace, address, &level, &shared);
    return (uint32_t)level << FAULT_LEVEL_SHIFT;
}

static uint64_t syndrome_of(const struct context *context)
{
    return context->vector << SYNDROME_VECTOR_SHIFT | context->error;
}

static struct thread *page_fault(struct thread *thread, uint64_t address)
{
    const uint64_t error = thread->context.error;
    uint32_t access = error & ERROR_FETCH ? FAULT_EXECUTE : error & ERROR_WRITE ? FAULT_WRITE : FAULT_READ;
    uint64_t entry;

    if (error & ERROR_RESERVED)
        return fault(thread, address, access | FAULT_EXCEPTION, syndrome_of(&thread->context));
    if (!(error & ERROR_PRESENT)) {
        if (__builtin_expect(address - WINDOW_BASE < WINDOW_SIZE, 0) && window_shows(thread->aspace, address, access))
            return thread;
        entry = aspace_entry(thread->aspace, address);
        return fault(thread, address, access | missing_level(thread->aspace, address), entry);
    }
    if (aspace_note_access(thread->aspace, address, access, &entry))
        return thread;
    return fault(thread, address, access | FAULT_PRESENT, entry);
}

/* An interrupt. One for the TLB alone must not wait for the lock, whose holder waits for it. */
static struct thread *interrupt(struct thread *thread, uint64_t vector)
{
    if (vector == VECTOR_TLB) {
        tlb_serve();
        lapic_end();
        return thread;
    }
    __asm__ volatile("mov %0, %%gs:%c1" ::"r"(vector), "i"(ARCH_CPU_VECTOR) : "memory");
    kernel_lock();
    return leave(irq_handle(thread));
}

struct thread *trap_vector(struct thread *thread)
{
    const uint64_t vector = thread->context.vector;
    uint64_t address;

    if (vector >= VECTOR_LINES)
        return interrupt(thread, vector);
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    kernel_lock();
    if (vector == VECTOR_PAGE_FAULT)
        return leave(page_fault(thread, address));
    if (vector == VECTOR_NO_FP)
        return leave(load_fp(thread));
    return leave(fault(thread, thread->context.pc, FAULT_EXCEPTION, syndrome_of(&thread->context)));
}

struct thread *trap_syscall(struct thread *thread, uint32_t number)
{
    kernel_lock();
    return leave(syscall(thread, number));
}
