/* SPDX-License-Identifier: MIT */
/*
 * What an architecture supplies to the kernel: the contract of kernel/arch/NAME/. Its headers, included here, define what has
 * to be quick inline; the declarations below hold for those, too, so that a function of another type is an error, and
 * `./quire test source` looks for the definition of each. Shared code includes this header, and none of the
 * architecture's (thread.h, which needs struct context alone, excepted).
 *
 * Where nothing else is said: any CPU, interrupts masked, kernel lock held; nothing blocks, allocates or fails; addresses
 * and sizes are bytes. Only the functions of panics may be called with anything in disorder.
 *
 * Assembly has its own part of the contract: entry from user mode stores all registers in thread->context and calls
 * trap_call() and trap_reply_recv() (kernel.h) for SYS_CALL and SYS_REPLY_RECV, and what the architecture's trap.c has for
 * the rest, all of them without the lock; what they return runs. Where the boot code ends: start.h.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/pagetable.h>
#include <arch/panic_frame.h>
#include <arch/registers.h>
#include <arch/zero.h>

#include "memory_map.h"
#include "table_levels.h"

struct cpu;
struct thread;

/* A constant that the architecture defines. */
#define ARCH_CONSTANT(name) _Static_assert(sizeof(name) > 0, "the architecture's")

/*
 * --- Saved registers -----------------------------------------------------------------------------------------------
 * struct context: x[CONTEXT_GENERAL] are the general registers in the ABI's order (<quire/arch/syscall.h>), those of a message
 * first; sp, pc and flags; what else the machine needs. struct fp_state: the registers of FP and SIMD, all zero as
 * they are for a new thread.
 */
ARCH_CONSTANT(CONTEXT_GENERAL);    /* how many of struct thread_registers' general ones there are */
ARCH_CONSTANT(CONTEXT_USER_FLAGS); /* the flags that users may set, and see */
ARCH_CONSTANT(CONTEXT_CALL_BYTES); /* length of the instruction that makes a system call */
ARCH_CONSTANT(THREAD_CONTEXT);     /* offset of context in struct thread */
ARCH_CONSTANT(CPU_STACK_TOP);      /* of stack_top in struct cpu */
ARCH_CONSTANT(CPU_CURRENT);        /* of current */
_Static_assert(sizeof(((struct context *)0)->x) == CONTEXT_GENERAL * sizeof(uint64_t),
               "x[] holds the general registers");

/* Registers were set from outside, by context_start() or by another thread: all are to be loaded, not only those that a
 * call has to preserve, in user mode with interrupts on, and none may do the kernel harm. */
void context_written(struct context *context);

/* --- This CPU ----------------------------------------------------------------------------------------------------- */

/* What arch_cpu_init() was given. No lock. */
struct cpu *arch_this_cpu(void);

/* The pointer to `cpu`, and that FP traps. Each CPU once, before it runs any thread. No lock. */
void arch_cpu_init(struct cpu *cpu);

/* A number by which the machine's tables name this CPU. No lock. */
uint64_t cpu_affinity(void);

/* One turn of waiting for something in memory. No lock. */
void cpu_relax(void);

/* One turn of waiting for the kernel lock, which this CPU therefore does not hold: answers whoever holds it and waits for this
 * CPU, see tlb_finish(). */
void arch_lock_wait(void);

/* Sleeps until an interrupt is pending, or came and irq_take() tells it. No lock. It may return without any. */
void arch_wait_for_interrupt(void);

/* Stops this CPU for good. No lock. */
__attribute__((noreturn)) void cpu_halt(void);

/* --- What a thread has of a CPU ------------------------------------------------------------------------------------ */

/* The thread register that user code may write: read at switch-out, set at switch-in together with the address of the
 * thread's IPC buffer. Whatever is in `tls` does no harm; a value that the machine cannot hold is 0. */
uint64_t arch_get_tls(void);
void arch_set_tls(uint64_t tls, uint64_t buffer_address);

/* User mode may use FP and SIMD, or traps when it does (0). The kernel itself never does but to save and load. */
void arch_fp_allow(uint64_t allow);

/* Saves or loads the FP registers. The machine may have to be allowed to use them for that: what it is allowed afterwards the
 * caller sets. */
void arch_fp_save(struct fp_state *state);
void arch_fp_load(const struct fp_state *state);

/* To user mode with this thread, which is the CPU's current one and whose space the CPU uses. Not under the lock. */
__attribute__((noreturn)) void arch_run(struct thread *thread);

/*
 * --- Address spaces ------------------------------------------------------------------------------------------------
 * A table register's value stands for the tables of a space. It has an identifier, by which the TLB, or at least the kernel,
 * tells spaces apart; 0 is nobody's.
 */

/* This CPU uses the tables from now on. cpu->aspace says whose they are by then, and both change together. */
void arch_set_table(uint64_t table_register);

/* The value for tables with nothing of a user's in them. No lock. */
uint64_t arch_empty_table(void);

/* The value for a top table and an identifier. */
uint64_t table_register(uint64_t top_physical, uint64_t identifier);

/* How many identifiers there are, 0 among them: a constant of the machine's. */
uint64_t identifier_count(void);

/* The space whose register value is *root may use the device registers of these pages: for machines that reach some of them by
 * other instructions than those for memory. */
void table_register_add_device(uint64_t *root, uint64_t pfn, uint64_t count);

/* A fresh top table, all zero, gets what it needs besides the user's half; and loses that when the user's half is empty, so
 * that it is a plain frame again. */
void top_table_begin(uint64_t *top);
void top_table_end(uint64_t *top);

/*
 * --- Entries of tables ---------------------------------------------------------------------------------------------
 * The ABI's entries (ENTRY_*) are what everybody else knows. PTE_WRITE is a right: the machine may be told less until the first
 * write was noted (PTE_DIRTY), for which aspace_note_access() is called with a fault.
 */
ARCH_CONSTANT(PTE_VALID);           /* something is there: a table or a leaf */
ARCH_CONSTANT(PTE_TABLE);           /* with it, above level 3: a table */
ARCH_CONSTANT(PTE_ADDRESS);         /* mask of the physical address */
ARCH_CONSTANT(PTE_USER);            /* users may read */
ARCH_CONSTANT(PTE_WRITE);           /* and write */
ARCH_CONSTANT(PTE_USER_NO_EXECUTE); /* and not execute */
ARCH_CONSTANT(PTE_RIGHTS);          /* mask of what pte_rights() gives */
ARCH_CONSTANT(PTE_ACCESSED);
ARCH_CONSTANT(PTE_DIRTY);
ARCH_CONSTANT(PTE_DEVICE); /* device registers, not memory */

/* The entry that points to a table at this physical address. */
uint64_t pte_for_table(uint64_t physical);

/* The same for a table that several spaces use, below which nothing can be written; back; and whether an entry is that. */
uint64_t pte_table_share(uint64_t pte);
uint64_t pte_table_unshare(uint64_t pte);
bool pte_is_shared_table(uint64_t pte);

/* An ABI entry as a leaf at `level`. Soft entries are not valid and keep their upper 52 bits. */
uint64_t pte_from_entry(uint64_t entry, unsigned level);

/* Back; for any entry that is no table, and for a page of memory that is present. */
uint64_t pte_to_entry(uint64_t pte, unsigned level);
uint64_t pte_page_to_entry(uint64_t pte);

/* The rights of an ABI entry as bits of a leaf. */
uint64_t pte_rights(uint64_t entry);

/* A leaf whose PTE_* bits were changed, as the machine is to see it. */
uint64_t pte_finish(uint64_t pte);

/* A writable leaf that is written now. */
uint64_t pte_written(uint64_t pte);

/* A leaf with the rights and notes of an ABI entry besides its own. */
uint64_t pte_add(uint64_t pte, uint64_t entry);

/* A leaf without the right to write; whether it was written stays noted. */
uint64_t pte_write_protect(uint64_t pte);

/* The leaf for page `index` of a huge page's leaf. */
uint64_t pte_part_of_huge(uint64_t pte, unsigned index);

static inline bool pte_is_present(uint64_t pte)
{
    return pte & PTE_VALID;
}

static inline bool pte_is_table(uint64_t pte)
{
    return (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

/*
 * --- The TLB -------------------------------------------------------------------------------------------------------
 * After an entry was taken away, got less rights or another frame: table_write_barrier(), drops, tlb_finish(); when that
 * returns no CPU uses an old translation any more, walks in progress included, and neither page nor table is read through
 * it. Other CPUs may be asked by interrupts; they answer in user mode, and in arch_lock_wait(). What comes where nothing was needs
 * the barrier alone, and more rights not even that: a fault that finds its right in the entry is spurious.
 */

/* Table writes before it are seen by the walkers of all CPUs. */
void table_write_barrier(void);

/* Drops what all CPUs hold of a page, and of the tables on the way to it, in one space or in all; of one space; of all
 * spaces. */
void tlb_drop_page(uint64_t identifier, uint64_t address);
void tlb_drop_page_everywhere(uint64_t address);
void tlb_drop_space(uint64_t identifier);
void tlb_drop_everything(void);

/* Waits until all CPUs have dropped what they were told. */
void tlb_finish(void);

/* --- The kernel's own memory --------------------------------------------------------------------------------------- */

ARCH_CONSTANT(PTE_KERNEL_MEMORY); /* attributes of leaves: RAM in the direct map, never executable */
ARCH_CONSTANT(PTE_KERNEL_DEVICE); /* device registers */

/* The first level where the machine can have leaves, 1 or HUGE_LEVEL. Boot CPU. */
unsigned kernel_leaf_top(void);

/* A leaf of the kernel's half at a level, not above that. */
uint64_t pte_kernel_leaf(uint64_t physical, unsigned level, uint64_t attributes);

/* Table writes before it are in use after it. Boot CPU, while it is alone. */
void table_use_barrier(void);

/* Physical address of something inside the kernel image; and back. No lock. */
uint64_t kernel_virtual_to_physical(const volatile void *address);
void *kernel_physical_to_virtual(uint64_t physical);

/* Zeroes a page of memory, page-aligned, in the direct map. No lock. */
void arch_zero_page(void *page);

/* Accesses to device registers at an address that device_map() gave: one load or store of exactly that width. No lock. */
uint32_t device_read32(const volatile void *address);
void device_write32(volatile void *address, uint32_t value);

/*
 * --- Panics --------------------------------------------------------------------------------------------------------
 * struct panic_frame: the registers of a trap from the kernel itself, or of a call of panic(), which is the architecture's as well
 * (panic.h): it saves them and calls panic_called().
 */

/* Where it happened, or where the call of panic() returns to. */
uint64_t panic_frame_pc(const struct panic_frame *frame);

/* The newest frame record: two words, the next older record and a return address. */
uint64_t panic_frame_record(const struct panic_frame *frame);

/* The return address in a register, on machines that have one there; 0: none. */
uint64_t panic_frame_link(const struct panic_frame *frame);

/* Print, by log_printf(): what happened, a line or two, and the registers. */
void panic_print_cause(const struct panic_frame *frame);
void panic_print_registers(const struct panic_frame *frame);

/* --- The same everywhere: a call's arguments and results in the saved registers ------------------------------------ */

/* Registers of a message: the result and then the tag, the words, badge and origin. */
#define CONTEXT_RESULT 0
#define CONTEXT_TAG    1
#define CONTEXT_WORDS  2
#define CONTEXT_BADGE  8
#define CONTEXT_ORIGIN 9

static inline uint64_t context_argument(const struct context *context, unsigned index)
{
    return context->x[index];
}

static inline void context_set_result(struct context *context, long result)
{
    context->x[CONTEXT_RESULT] = (uint64_t)result;
}

/* The second result of calls that have two. */
static inline void context_set_second(struct context *context, uint64_t value)
{
    context->x[1] = value;
}

/* A thread that is in a call, whose first argument was `first`, is going to make it once more. */
static inline void context_repeat_call(struct context *context, uint64_t first)
{
    context->x[CONTEXT_RESULT] = first;
    context->pc -= CONTEXT_CALL_BYTES;
}

/* A thread that starts: user mode, interrupts on, everything else zero. */
static inline void context_start(struct context *context, uint64_t pc, uint64_t sp, uint64_t argument)
{
    *context = (struct context){.sp = sp, .pc = pc};
    context->x[0] = argument;
    context_written(context);
}

#endif
