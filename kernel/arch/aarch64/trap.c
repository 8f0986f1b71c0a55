/* SPDX-License-Identifier: MIT */
/* Exceptions from user mode, as vectors.S hands them over: what they mean, and who goes on. */
#include "trap.h"
#include "arch.h"
#include "panic.h"

/* Exception classes of ESR_EL1. */
#define CLASS_FP                0x07u
#define CLASS_SVC               0x15u
#define CLASS_INSTRUCTION_ABORT 0x20u
#define CLASS_DATA_ABORT        0x24u

/* Fault status codes, without the level in their low bits. */
#define STATUS_MASK         0x3cu
#define STATUS_LEVEL        0x3u /* of the walk that found no entry */
#define STATUS_ADDRESS_SIZE 0x00u
#define STATUS_TRANSLATION  0x04u
#define STATUS_ACCESS_FLAG  0x08u
#define STATUS_PERMISSION   0x0cu

#define ISS_WRITE             (1u << 6)
#define ISS_CACHE_MAINTENANCE (1u << 8) /* counts as a read, although ISS_WRITE is set */

_Static_assert(sizeof(struct panic_frame) == 288, "vectors.S sets this much aside");

extern char arch_vectors[];
extern uint64_t empty_table[512]; /* boot.S: what TTBR0_EL1 holds while no user address space is in use */

/* For vectors.S alone: each takes the thread that was interrupted, and returns the one that goes on. */
struct thread *trap_sync(struct thread *thread, uint64_t esr);
struct thread *trap_irq(struct thread *thread);
struct thread *trap_serror(struct thread *thread, uint64_t esr);

void arch_cpu_init(struct cpu *cpu)
{
    __asm__ volatile("msr tpidr_el1, %0\n\tmsr vbar_el1, %1\n\tisb" ::"r"(cpu), "r"(arch_vectors) : "memory");
    arch_fp_allow(false);
}

uint64_t arch_empty_table(void)
{
    return kernel_virtual_to_physical(empty_table);
}

static struct thread *memory_abort(struct thread *thread, uint64_t esr)
{
    uint64_t address;
    __asm__("mrs %0, far_el1" : "=r"(address));
    uint32_t status = esr & STATUS_MASK;
    uint32_t access = FAULT_READ;
    if (esr >> 26 == CLASS_INSTRUCTION_ABORT)
        access = FAULT_EXECUTE;
    else if ((esr & (ISS_WRITE | ISS_CACHE_MAINTENANCE)) == ISS_WRITE)
        access = FAULT_WRITE;

    if (status == STATUS_TRANSLATION || status == STATUS_ADDRESS_SIZE)
        return trap_missing(thread, address, access, (uint32_t)(esr & STATUS_LEVEL));
    if (status == STATUS_PERMISSION || status == STATUS_ACCESS_FLAG)
        return trap_forbidden(thread, address, access);
    /* Alignment, external aborts and the like. */
    return trap_fault(thread, address, access | FAULT_EXCEPTION, esr);
}

struct thread *trap_sync(struct thread *thread, uint64_t esr)
{
    kernel_lock();
    switch (esr >> 26) {
    case CLASS_SVC:
        return trap_end(syscall(thread, esr & 0xffff));
    case CLASS_DATA_ABORT:
    case CLASS_INSTRUCTION_ABORT:
        return trap_end(memory_abort(thread, esr));
    case CLASS_FP:
        return trap_end(trap_load_fp(thread));
    default:
        return trap_end(trap_fault(thread, thread->context.pc, FAULT_EXCEPTION, esr));
    }
}

struct thread *trap_irq(struct thread *thread)
{
    kernel_lock();
    return trap_end(irq_handle(thread));
}

/* An asynchronous error, e.g. a write to a device that is not there, long after the instruction: the thread that runs
 * now is not necessarily the one that caused it, but the only one that can be told. */
struct thread *trap_serror(struct thread *thread, uint64_t esr)
{
    kernel_lock();
    return trap_end(trap_fault(thread, thread->context.pc, FAULT_EXCEPTION, esr));
}
