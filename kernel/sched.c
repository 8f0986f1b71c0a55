/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: per-CPU run queues of 64 priorities, round-robin among equals with a slice of one to two ticks. A CPU
 * that has nothing to do takes over what waits at another. A call hands the CPU straight to the server, which thereby
 * uses up the caller's slice. A thread that was stopped for a moment and resumed is first in line again: if it were last,
 * one that has another stopped each time that it runs itself (by signals, say) would keep it from ever going on.
 */
#include <errno.h>

#include "kernel.h"
#include "panic.h"

#define TICK_NS       4000000UL
#define ACCOUNT_STEPS 8

struct cpu cpus[CPUS_MAX];
uint32_t idle_cpus;
uint32_t started_cpus = 1;
struct kernel_lock the_lock;

struct cpu *this_cpu(void)
{
    return arch_this_cpu();
}

static uint64_t ticks_from_ns(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * machine.timer_frequency / 1000000000u);
}

static uint64_t ns_from_ticks(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * 1000000000u / machine.timer_frequency);
}

uint64_t sched_now(void)
{
    return ns_from_ticks(timer_now());
}

static void arm_timer(struct cpu *cpu, uint64_t ns)
{
    cpu->timer_armed = true;
    timer_arm(timer_now() + ticks_from_ns(ns));
}

static void queue_push_first(struct cpu *cpu, struct thread *thread)
{
    struct run_queue *queue = &cpu->queue;
    unsigned p = thread->effective;

    thread->links.previous = NULL;
    thread->links.next = queue->heads[p];
    if (queue->heads[p])
        queue->heads[p]->links.previous = thread;
    else
        queue->tails[p] = thread;
    queue->heads[p] = thread;
    queue->ready |= 1UL << p;
    thread->cpu = (uint8_t)cpu->index;
}

static void queue_push(struct cpu *cpu, struct thread *thread)
{
    struct run_queue *queue = &cpu->queue;
    unsigned p = thread->effective;

    thread->links.next = NULL;
    thread->links.previous = queue->tails[p];
    if (queue->tails[p])
        queue->tails[p]->links.next = thread;
    else
        queue->heads[p] = thread;
    queue->tails[p] = thread;
    queue->ready |= 1UL << p;
    thread->cpu = (uint8_t)cpu->index;
}

void sched_dequeue(struct thread *thread)
{
    struct run_queue *queue = &cpus[thread->cpu].queue;
    unsigned p = thread->effective;

    if (thread->links.next)
        thread->links.next->links.previous = thread->links.previous;
    else
        queue->tails[p] = thread->links.previous;
    if (thread->links.previous)
        thread->links.previous->links.next = thread->links.next;
    else
        queue->heads[p] = thread->links.next;
    if (!queue->heads[p])
        queue->ready &= ~(1UL << p);
    thread->links.next = thread->links.previous = NULL;
}

static struct thread *queue_pop(struct cpu *cpu)
{
    if (!cpu->queue.ready)
        return NULL;
    struct thread *thread = cpu->queue.heads[63 - __builtin_clzl(cpu->queue.ready)];
    sched_dequeue(thread);
    return thread;
}

/* Any CPU that idles and that the thread may use, else the one where it ran, else any that it may use. */
static struct cpu *choose_cpu(const struct thread *thread)
{
    uint32_t idle = idle_cpus & thread->affinity;
    if (idle)
        return &cpus[idle >> thread->cpu & 1 ? thread->cpu : (unsigned)__builtin_ctz(idle)];
    if (thread->affinity >> thread->cpu & 1)
        return &cpus[thread->cpu];
    return &cpus[__builtin_ctz(thread->affinity)];
}

long sched_load(uint64_t lowest, uint64_t highest)
{
    if (lowest > highest || highest >= PRIORITY_COUNT)
        return -EINVAL;
    const uint64_t wanted = (UINT64_MAX << lowest) & (UINT64_MAX >> (63 - highest));
    long load = 0;
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        const struct thread *current = cpus[i].current;
        load += __builtin_popcountl(cpus[i].queue.ready & wanted);
        load += current && (wanted >> current->effective & 1);
    }
    return load;
}

static void wake_in(struct cpu *cpu, struct thread *thread, void (*push)(struct cpu *, struct thread *))
{
    thread->state = THREAD_STATE_RUNNABLE;
    push(cpu, thread);
    if (cpu == this_cpu()) {
        if (!cpu->timer_armed)
            arm_timer(cpu, TICK_NS);
    } else {
        idle_cpus &= ~(1u << cpu->index);
        ipi_send(cpu->index);
    }
}

void sched_wake(struct thread *thread)
{
    wake_in(choose_cpu(thread), thread, queue_push);
}

void sched_wake_first(struct thread *thread)
{
    wake_in(choose_cpu(thread), thread, queue_push_first);
}

void sched_fp_leave(struct cpu *cpu)
{
    struct thread *previous = cpu->current;
    arch_fp_save(&previous->fp);
    previous->fp_cpu = (uint8_t)cpu->index;
    cpu->fp_loaded = previous;
    cpu->fp_enabled = false;
    arch_fp_allow(false);
}

void sched_fp_enter(struct cpu *cpu, struct thread *thread)
{
    if (cpu->fp_loaded != thread || thread->fp_cpu != cpu->index) {
        arch_fp_load(&thread->fp);
        cpu->fp_loaded = thread;
        thread->fp_cpu = (uint8_t)cpu->index;
    }
    thread->fp_eager--;
    cpu->fp_enabled = true;
    arch_fp_allow(true);
}

/* Whom the time of a CPU's running thread is for: the first of those who call one another here, or else itself. As many
 * steps as calls usually nest. */
static struct thread *account_of(const struct cpu *cpu)
{
    struct thread *thread = cpu->current;

    for (unsigned step = 0; step < ACCOUNT_STEPS && thread && thread->serving; step++) {
        struct thread *caller = thread->serving->caller;
        if (!caller || caller->cpu != cpu->index || thread->serving->server != thread)
            break;
        thread = caller;
    }
    return thread;
}

/* hand_over(), which is to be quick, does without this: so a caller has what its servers did for it. */
void sched_charge(struct cpu *cpu)
{
    const uint64_t now = timer_now();
    struct thread *thread = account_of(cpu);

    if (thread)
        thread->run_time += now - cpu->charged_at;
    cpu->charged_at = now;
}

uint64_t sched_run_time(const struct thread *thread)
{
    const struct cpu *cpu = &cpus[thread->cpu];

    return ns_from_ticks(thread->run_time + (account_of(cpu) == thread ? timer_now() - cpu->charged_at : 0));
}

void sched_switch(struct cpu *cpu, struct thread *thread)
{
    struct thread *previous = cpu->current;

    if (previous == thread)
        return;
    sched_charge(cpu);
    if (previous) {
        previous->tls = arch_get_tls();
        if (cpu->fp_enabled)
            sched_fp_leave(cpu);
    }
    cpu->current = thread;
    if (!thread) {
        cpu->aspace = NULL;
        arch_set_table(arch_empty_table());
        return;
    }
    thread->cpu = (uint8_t)cpu->index;
    arch_set_tls(thread->tls, thread->buffer_address);
    if (cpu->aspace != thread->aspace) {
        cpu->aspace = thread->aspace;
        arch_set_table(thread->aspace->root);
    }
    if (thread->fp_eager)
        sched_fp_enter(cpu, thread);
}

/* The running thread lets go of the CPU and is still runnable. */
static void requeue(struct cpu *cpu, struct thread *current)
{
    if (__builtin_expect(sched_may_run_here(current, cpu), 1))
        queue_push(cpu, current);
    else
        sched_wake(current);
}

/* For a CPU that has nothing to do: the most important of those that wait first in line at other CPUs. NULL: none. */
static struct thread *queue_steal(struct cpu *cpu)
{
    struct thread *best = NULL;

    for (unsigned i = 0; i < CPUS_MAX; i++) {
        uint64_t ready = cpus[i].queue.ready;
        if (!ready)
            continue;
        struct thread *thread = cpus[i].queue.heads[63 - __builtin_clzl(ready)];
        if (sched_may_run_here(thread, cpu) && (!best || thread->effective > best->effective))
            best = thread;
    }
    if (best)
        sched_dequeue(best);
    return best;
}

/* True if a more important thread than `priority` is ready. */
static bool is_outranked(const struct cpu *cpu, unsigned priority)
{
    return __builtin_expect(cpu->queue.ready >> priority >> 1 != 0, 0);
}

struct thread *sched_resume(struct thread *current)
{
    struct cpu *cpu = this_cpu();

    if (!is_outranked(cpu, current->effective))
        return current;
    requeue(cpu, current);
    return sched_next(NULL);
}

/* A thread that comes back before another had a slice goes on with what is left of its own. */
static void begin_slice(struct cpu *cpu, struct thread *thread)
{
    if (thread == cpu->slice_owner)
        return;
    cpu->slice_owner = thread;
    cpu->slice_used = false;
}

struct thread *sched_next(struct thread *next)
{
    struct cpu *cpu = this_cpu();

    if (!next) {
        next = queue_pop(cpu);
        if (!next)
            next = queue_steal(cpu);
        begin_slice(cpu, next);
    } else if (is_outranked(cpu, next->effective)) {
        queue_push(cpu, next);
        next = queue_pop(cpu);
        begin_slice(cpu, next);
    }
    sched_switch(cpu, next);
    return next;
}

struct thread *sched_yield(struct thread *current)
{
    struct cpu *cpu = this_cpu();

    if (cpu->queue.ready >> current->effective == 0)
        return current;
    requeue(cpu, current);
    return sched_next(NULL);
}

void sched_set_effective(struct thread *thread, unsigned effective)
{
    bool queued = thread->state == THREAD_STATE_RUNNABLE && cpus[thread->cpu].current != thread;

    if (thread->effective == effective)
        return;
    if (queued)
        sched_dequeue(thread);
    thread->effective = (uint8_t)effective;
    if (!queued)
        return;
    struct cpu *cpu = &cpus[thread->cpu];
    queue_push(cpu, thread);
    if (cpu != this_cpu() && (!cpu->current || cpu->current->effective < effective))
        ipi_send(cpu->index);
}

/*
 * Timeouts: a wheel of 256 lists, one a millisecond, turned by the boot CPU. An entry further away than one turn is put
 * off when its list comes up. At most WAKES_PER_TICK entries are handled in one interrupt; the rest follow in the next.
 */
#define WHEEL_SLOTS    256u
#define WHEEL_SLOT_NS  1000000UL
#define WAKES_PER_TICK 32u

static struct {
    struct thread *slots[WHEEL_SLOTS];
    uint64_t turn; /* the slot that comes up next: a time in WHEEL_SLOT_NS */
    uint32_t sleepers;
} wheel;

static void wheel_link(struct thread *thread)
{
    /* Rounded up, so that nobody wakes early. */
    uint64_t slot = thread->deadline / WHEEL_SLOT_NS + 1;
    if (slot - wheel.turn >= WHEEL_SLOTS)
        slot = wheel.turn + WHEEL_SLOTS - 1;
    thread->sleep_link = &wheel.slots[slot % WHEEL_SLOTS];
    thread->sleep_next = *thread->sleep_link;
    if (thread->sleep_next)
        thread->sleep_next->sleep_link = &thread->sleep_next;
    *thread->sleep_link = thread;
}

static void wheel_unlink(struct thread *thread)
{
    *thread->sleep_link = thread->sleep_next;
    if (thread->sleep_next)
        thread->sleep_next->sleep_link = thread->sleep_link;
    thread->sleep_next = NULL;
}

void sched_sleep(struct thread *thread, uint64_t deadline)
{
    uint64_t now = sched_now();
    if (wheel.sleepers++ == 0)
        wheel.turn = now / WHEEL_SLOT_NS;
    thread->deadline = deadline < now ? now : deadline;
    thread->sleeping = true;
    wheel_link(thread);
    if (this_cpu()->index != 0)
        ipi_send(0);
    else if (wheel.sleepers == 1)
        arm_timer(this_cpu(), WHEEL_SLOT_NS);
}

void sched_sleep_cancel(struct thread *thread)
{
    if (!thread->sleeping)
        return;
    thread->sleeping = false;
    wheel_unlink(thread);
    wheel.sleepers--;
}

static void wheel_turn(void)
{
    uint64_t now = sched_now();
    uint64_t last = now / WHEEL_SLOT_NS;
    unsigned budget = WAKES_PER_TICK;

    /* After a long pause one revolution is enough to meet everybody. */
    if (last >= wheel.turn + WHEEL_SLOTS)
        wheel.turn = last - WHEEL_SLOTS + 1;
    while (budget && wheel.sleepers && wheel.turn <= last) {
        struct thread *thread = wheel.slots[wheel.turn % WHEEL_SLOTS];
        if (!thread) {
            wheel.turn++;
            continue;
        }
        budget--;
        if (thread->deadline > now) {
            wheel_unlink(thread);
            wheel_link(thread);
        } else {
            ipc_cancel(thread, -ETIMEDOUT);
            sched_wake(thread);
        }
    }
}

/* Arms the timer of this CPU for what it has to do next, if anything. */
static void arm_next(struct cpu *cpu)
{
    if (cpu->index == 0 && wheel.sleepers)
        arm_timer(cpu, WHEEL_SLOT_NS);
    else if (cpu->queue.ready)
        arm_timer(cpu, TICK_NS);
}

struct thread *sched_tick(struct thread *current)
{
    struct cpu *cpu = this_cpu();

    cpu->timer_armed = false;
    timer_disarm();
    if (cpu->index == 0)
        wheel_turn();
    arm_next(cpu);
    if (!current)
        return sched_next(NULL);
    sched_charge(cpu);
    if (cpu->slice_used)
        return sched_yield(current);
    cpu->slice_used = true;
    return sched_resume(current);
}

struct thread *sched_ipi(struct thread *current)
{
    struct cpu *cpu = this_cpu();

    if (!cpu->timer_armed)
        arm_next(cpu);
    if (current && current->stop_asked) {
        current->stop_asked = false;
        current->state = THREAD_STATE_STOPPED;
        return sched_next(NULL);
    }
    if (current && !sched_may_run_here(current, cpu)) {
        sched_wake(current);
        return sched_next(NULL);
    }
    return current ? sched_resume(current) : sched_next(NULL);
}
