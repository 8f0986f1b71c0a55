/* SPDX-License-Identifier: MIT */
/* Traps from user mode, as entry.S hands them over: what they mean, and who goes on. */
#include <arch/ipi.h>

#include "space_tables.h"
#include "trap.h"

#define VECTOR_NO_FP      7u
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

/* The level of the table that has no entry for an address. */
static uint32_t missing_level(struct aspace *aspace, uint64_t address)
{
    unsigned level = 0;
    bool shared;
    if (address < USER_VA_END)
        (void)space_find(aspace, address, &level, &shared);
    return level;
}

static uint64_t syndrome_of(const struct context *context)
{
    return context->vector << SYNDROME_VECTOR_SHIFT | context->error;
}

static struct thread *page_fault(struct thread *thread, uint64_t address)
{
    const uint64_t error = thread->context.error;
    uint32_t access = error & ERROR_FETCH ? FAULT_EXECUTE : error & ERROR_WRITE ? FAULT_WRITE : FAULT_READ;

    if (error & ERROR_RESERVED)
        return trap_fault(thread, address, access | FAULT_EXCEPTION, syndrome_of(&thread->context));
    if (!(error & ERROR_PRESENT))
        return trap_missing(thread, address, access, missing_level(thread->aspace, address));
    return trap_forbidden(thread, address, access);
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
    return trap_end(irq_handle(thread));
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
        return trap_end(page_fault(thread, address));
    if (vector == VECTOR_NO_FP)
        return trap_end(trap_load_fp(thread));
    return trap_end(trap_fault(thread, thread->context.pc, FAULT_EXCEPTION, syndrome_of(&thread->context)));
}

struct thread *trap_syscall(struct thread *thread, uint32_t number)
{
    kernel_lock();
    return trap_end(syscall(thread, number));
}
