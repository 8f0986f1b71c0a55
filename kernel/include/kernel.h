/* SPDX-License-Identifier: MIT */
/*
 * The functions that the kernel's files call of one another. Lock: the kernel lock is held in all of them but
 * kernel_lock(). "Returns the thread to run" means: the caller returns it on to the trap exit; NULL: idle.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "arch.h"
#include "frame.h"
#include "objects.h"

extern struct frame_table frames;

/*
 * sched.c: the one lock; with one CPU on line it is nothing at all. Not FIFO on purpose: with tickets the next in line
 * may be a virtual CPU that its host has put aside, and all others wait for that. Sections are short, and a CPU that
 * leaves the kernel does something else before it comes back.
 */
struct kernel_lock {
    uint32_t held;
    bool needed; /* set before the second CPU starts, never cleared */
};
extern struct kernel_lock the_lock;

static inline void kernel_lock(void)
{
    if (__builtin_expect(!the_lock.needed, 1))
        return;
    while (__atomic_exchange_n(&the_lock.held, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&the_lock.held, __ATOMIC_RELAXED))
            arch_lock_wait();
    }
}

static inline void kernel_unlock(void)
{
    if (__builtin_expect(!the_lock.needed, 1))
        return;
    __atomic_store_n(&the_lock.held, 0, __ATOMIC_RELEASE);
}

/* sched.c */
struct cpu *this_cpu(void);

/* Makes a thread that is nowhere runnable: puts it into the run queue of a CPU that suits it and tells that CPU. */
void sched_wake(struct thread *thread);

/* The same for a thread that was taken away from a CPU without its doing: first among its equals, not last. */
void sched_wake_first(struct thread *thread);

/* Takes a runnable thread out of its run queue. It does not run. */
void sched_dequeue(struct thread *thread);

/* `current` goes on unless a more important thread is ready: returns the thread to run. */
struct thread *sched_resume(struct thread *current);

/* The running thread is blocked: `next` (runnable, in no queue; or NULL) runs, or a more important one. */
struct thread *sched_next(struct thread *next);

/* The running thread lets its equals run first. */
struct thread *sched_yield(struct thread *current);

/* Sets a thread's effective priority, wherever it is queued. */
void sched_set_effective(struct thread *thread, unsigned effective);

/* May `thread` run on this CPU? */
static inline bool sched_may_run_here(const struct thread *thread, const struct cpu *cpu)
{
    return thread->affinity >> cpu->index & 1;
}

/* Makes `thread` (may be NULL) the one this CPU runs: address space, thread registers, FP. */
void sched_switch(struct cpu *cpu, struct thread *thread);

/* Saves the FP registers of the running thread, which leaves this CPU and has used them. */
void sched_fp_leave(struct cpu *cpu);

/* Gives `thread`, which goes on here, its FP registers right away instead of at its first use of them. */
void sched_fp_enter(struct cpu *cpu, struct thread *thread);

/* Timer interrupt of this CPU. */
struct thread *sched_tick(struct thread *current);

/* Another CPU asked this one to look at its run queue, or to stop `current` (NULL: idle). */
struct thread *sched_ipi(struct thread *current);

/* Wakes `thread` with ETIMEDOUT at `deadline` (ns); sched_sleep_cancel() does nothing if it doesn't sleep. */
void sched_sleep(struct thread *thread, uint64_t deadline);
void sched_sleep_cancel(struct thread *thread);
uint64_t sched_now(void); /* ns since boot */

/* What has passed since the last time is time of the running thread, or of who it works for. To be called before a server
 * that runs here lets go of its caller. */
void sched_charge(struct cpu *cpu);

/* The time in ns that a thread has had a CPU, or a server had one for it. */
uint64_t sched_run_time(const struct thread *thread);

/* How much of the priorities from `lowest` to `highest` could go on: SYSTEM_LOAD. EINVAL: no such priorities. */
long sched_load(uint64_t lowest, uint64_t highest);

/* ipc.c. Arguments are taken from, and results put into, the thread's saved registers. */
struct thread *ipc_call(struct thread *caller);
struct thread *ipc_reply_recv(struct thread *server);
struct thread *ipc_recv(struct thread *server);
struct thread *ipc_reply(struct thread *server);

/* Sends the fault in thread->fault to its address space's handler, or stops the thread. */
struct thread *ipc_fault(struct thread *thread);

/* Tells whoever watches the thread that it stopped on a fault. */
void ipc_stop_faulted(struct thread *thread);

/* Ends whatever `thread` waits for, with `error` (for a fault: it happens again). It is runnable and in no queue then. */
void ipc_cancel(struct thread *thread, long error);

/* Sets a thread's effective priority and moves it in whatever queue it is in. */
void ipc_set_effective(struct thread *thread, unsigned effective);

/* Takes the thread out of the members of its endpoint. */
void ipc_leave(struct thread *thread);

/* Lets go of the caller that a reply object holds: EPIPE, or the fault happens again. */
void ipc_abandon(struct reply *reply, long error);

/* A waiting receiver of the endpoint gets `bits` as a message; false if none waits. */
bool ipc_notify(struct endpoint *endpoint, uint64_t bits);

/* notification.c */
struct thread *notification_wait(struct thread *thread);
void notification_signal(struct notification *notification, uint64_t bits);
long notification_bind(struct thread *caller);

/* irq.c */
struct thread *irq_handle(struct thread *current);
long irq_bind(struct thread *caller);
long irq_tell_message(struct thread *caller);
long irq_acknowledge(struct thread *caller);
struct irq *irq_owner(uint32_t number);
long irq_claim(struct irq *irq, uint64_t number);
void irq_release(struct irq *irq);

/* aspace.c, space_ranges.c and space_share.c */
long aspace_init(struct aspace *aspace, uint64_t top_pfn);
/* EBUSY: threads use it, or there are entries, tables or spare tables in it. */
bool aspace_in_use(const struct aspace *aspace);
long aspace_destroy(struct aspace *aspace);
long aspace_apply(struct aspace *aspace, const struct map_item *item);
long aspace_control(struct thread *caller);
long aspace_map(struct thread *caller);
long aspace_unmap(struct thread *caller);
long aspace_protect(struct thread *caller);
long aspace_harvest(struct thread *caller);
long aspace_share(struct thread *caller);

/* What is mapped at `address` (below USER_VA_END), as a harvest returns it; 0 if nothing. */
uint64_t aspace_entry(struct aspace *aspace, uint64_t address);

/* Notes an access or a first write that the machine does not note by itself. True: done, the access can be
 * retried. False: it is not allowed, and *found is what aspace_entry() says. */
bool aspace_note_access(struct aspace *aspace, uint64_t address, uint32_t access, uint64_t *found);

/* window.c: physical memory as memsrv sees it. */
void window_init(uint64_t (*allocate)(uint64_t pages)); /* boot: takes its tables */
void window_fill(void);                                 /* boot: once the frame table is complete */
void window_remove(uint64_t pfn);
void window_add(uint64_t pfn);
/* True if the space sees an address of the window, and may do that there: it was being split while another CPU looked. */
bool window_shows(const struct aspace *aspace, uint64_t address, uint32_t access);
long window_show(struct aspace *aspace);

/* object.c */
long object_create(struct thread *caller);
long object_destroy(struct thread *caller);

/* system.c */
long system_control(struct thread *caller);

/* thread.c */
void thread_init(struct thread *thread);
long thread_control(struct thread *caller);
long thread_destroy(struct thread *thread);

/* fast.c: as ipc_fault() in the common case; NULL, with nothing changed, in any other. */
struct thread *fast_fault(struct thread *thread);

/* fast.c: for the trap entry alone. SYS_CALL and SYS_REPLY_RECV of the running thread, in all cases; they take the
 * kernel lock and let go of it. Return the thread to run, never NULL. */
struct thread *trap_call(struct thread *thread);
struct thread *trap_reply_recv(struct thread *thread);

/* trap.c: before user mode. Idles if `next` is NULL, and lets go of the kernel lock. */
struct thread *trap_leave(struct thread *next);

/* The same, and to user mode: it never returns. */
__attribute__((noreturn)) void trap_run(struct thread *next);

/* syscall.c: carries out system call `number` (untrusted) of the running thread; returns the thread to run. */
struct thread *syscall(struct thread *caller, uint32_t number);

/* The authority over physical memory: the only one of its kind, no frame holds it. */
extern struct object physical_object;

/* True if the caller's slot is CAP_PHYSICAL with RIGHT_CONTROL; otherwise false and *error. */
bool require_physical(const struct thread *caller, uint64_t slot, long *error);

#endif
