/* SPDX-License-Identifier: MIT */
/* Threads as objects: SYS_THREAD_CONTROL. Scheduling is in sched.c, what they wait for in ipc.c. */
#include <errno.h>

#include "kernel.h"

_Static_assert(sizeof(struct thread_registers) <= PAGE_SIZE / 2, "registers fit the buffer");

void thread_init(struct thread *thread)
{
    thread->state = THREAD_STATE_STOPPED;
    thread->affinity = started_cpus;
    thread->fp_cpu = UINT8_MAX;
    /* It may be resumed without ever having been started; then it begins at address 0, in user mode. */
    context_start(&thread->context, 0, 0, 0);
}

static bool runs_elsewhere(const struct thread *thread)
{
    return thread->state == THREAD_STATE_RUNNABLE && cpus[thread->cpu].current == thread &&
           thread->cpu != this_cpu()->index;
}

/* Takes a thread off whatever it does; it is stopped then. EAGAIN: another CPU runs it and was told to stop it. */
static long stop(struct thread *thread)
{
    if (runs_elsewhere(thread)) {
        thread->stop_asked = true;
        ipi_send(thread->cpu);
        return -EAGAIN;
    }
    thread->stop_asked = false;
    if (thread->state == THREAD_STATE_RUNNABLE) {
        if (cpus[thread->cpu].current != thread)
            sched_dequeue(thread);
    } else if (thread->state != THREAD_STATE_FAULTED) {
        ipc_cancel(thread, -EINTR);
    }
    thread->state = THREAD_STATE_STOPPED;
    return 0;
}

/*
 * Stops a thread so that it can run something else and go on as if nothing had been. A call that no server has received
 * yet is made again then; one that a server keeps waiting ends with EINTR, as in stop(); one that a server works for is
 * left alone, since its results would be lost.
 */
static long interrupt(struct thread *thread)
{
    /* What was asked of another CPU is void if the thread has left it meanwhile: it must not stop at some later time. */
    thread->stop_asked = false;
    if (thread->state == THREAD_STATE_FAULTED)
        return -EBUSY;
    if (thread->state == THREAD_STATE_CALLING && thread->reply->server)
        return -EBUSY;
    if (thread->state == THREAD_STATE_SENDING && !thread->in_fault) {
        const uint64_t slot = context_argument(&thread->context, 0);
        ipc_cancel(thread, -EINTR);
        context_repeat_call(&thread->context, slot);
        return 0;
    }
    return stop(thread);
}

static void release_configuration(struct thread *thread)
{
    if (thread->aspace)
        thread->aspace->users--;
    if (thread->table)
        thread->table->users--;
    if (thread->buffer)
        frame_remove_mapping(&frames, direct_map_to_physical(thread->buffer) >> PAGE_SHIFT);
    thread->aspace = NULL;
    thread->table = NULL;
    thread->buffer = NULL;
}

static bool is_idle_state(const struct thread *thread)
{
    return thread->state == THREAD_STATE_STOPPED || thread->state == THREAD_STATE_FAULTED;
}

static long configure(struct thread *caller, struct thread *thread)
{
    const struct context *context = &caller->context;
    uint64_t buffer_pfn = context_argument(context, 4);
    uint64_t buffer_address = context_argument(context, 5);
    long error = 0;

    if (!is_idle_state(thread))
        return -EBUSY;
    struct aspace *aspace =
        (struct aspace *)cap_find(caller->table, context_argument(context, 2), CAP_ASPACE, RIGHT_CONTROL, &error);
    if (error)
        return error;
    struct cap_table *table =
        (struct cap_table *)cap_find(caller->table, context_argument(context, 3), CAP_TABLE, RIGHT_CONTROL, &error);
    if (error)
        return error;
    if (buffer_address >= USER_VA_END || buffer_address % PAGE_SIZE)
        return -EINVAL;
    error = frame_add_mapping(&frames, buffer_pfn);
    if (error)
        return error;
    release_configuration(thread);
    thread->aspace = aspace;
    thread->table = table;
    aspace->users++;
    table->users++;
    thread->buffer = direct_map(buffer_pfn << PAGE_SHIFT);
    thread->buffer_address = buffer_address;
    thread->number = context_argument(context, 6);
    return 0;
}

/* Makes a stopped, configured thread runnable. */
static long run(struct thread *thread, void (*wake)(struct thread *))
{
    if (!is_idle_state(thread))
        return -EBUSY;
    if (!thread->aspace)
        return -EINVAL;
    thread->in_fault = false;
    wake(thread);
    return 0;
}

static long start(struct thread *caller, struct thread *thread)
{
    const struct context *context = &caller->context;
    if (!is_idle_state(thread))
        return -EBUSY;
    context_start(&thread->context, context_argument(context, 2), context_argument(context, 3),
                  context_argument(context, 4));
    return run(thread, sched_wake);
}

static long set_priority(struct thread *caller, struct thread *thread)
{
    uint64_t priority = context_argument(&caller->context, 2);
    if (priority >= PRIORITY_COUNT)
        return -EINVAL;
    if (priority > caller->priority)
        return -EPERM;
    thread->priority = (uint8_t)priority;
    /* What callers lent stays until they have their replies. */
    if (!thread->serving || thread->effective < priority)
        ipc_set_effective(thread, (unsigned)priority);
    return 0;
}

static long set_affinity(struct thread *caller, struct thread *thread)
{
    uint64_t mask = context_argument(&caller->context, 2) & started_cpus;
    if (!mask)
        return -EINVAL;
    thread->affinity = (uint32_t)mask;
    /* fast.c relies on it: a blocked thread may run on the CPU where it ran last. */
    if (thread->state != THREAD_STATE_RUNNABLE && !(mask >> thread->cpu & 1))
        thread->cpu = (uint8_t)__builtin_ctzl(mask);
    if (thread->state != THREAD_STATE_RUNNABLE)
        return 0;
    /* A queued thread moves at once, a running one when its CPU takes the interrupt. */
    const struct cpu *cpu = &cpus[thread->cpu];
    if (cpu->current != thread) {
        sched_dequeue(thread);
        sched_wake(thread);
    } else if (!sched_may_run_here(thread, cpu)) {
        ipi_send(cpu->index);
    }
    return 0;
}

static long set_event(struct thread *caller, struct thread *thread)
{
    uint64_t slot = context_argument(&caller->context, 2);
    long error = 0;
    struct object *notification = NULL;

    if (slot)
        notification = cap_find(caller->table, slot, CAP_NOTIFICATION, RIGHT_SEND, &error);
    if (error)
        return error;
    cap_clear(&thread->event);
    if (notification)
        cap_set(&thread->event, notification, RIGHT_SEND, 0);
    thread->event_bits = context_argument(&caller->context, 3);
    return 0;
}

static long read_registers(struct thread *caller, const struct thread *thread)
{
    if (!caller->buffer)
        return -EINVAL;
    if (!is_idle_state(thread))
        return -EBUSY;
    struct thread_registers *out = (struct thread_registers *)caller->buffer->words;
    for (unsigned i = 0; i < CONTEXT_GENERAL; i++)
        out->general[i] = thread->context.x[i];
    for (unsigned i = CONTEXT_GENERAL; i < GENERAL_REGISTERS; i++)
        out->general[i] = 0;
    out->stack_pointer = thread->context.sp;
    out->instruction_pointer = thread->context.pc;
    out->flags = thread->context.flags & CONTEXT_USER_FLAGS;
    out->tls = thread->tls;
    return 0;
}

static long write_registers(struct thread *caller, struct thread *thread)
{
    if (!caller->buffer)
        return -EINVAL;
    if (!is_idle_state(thread))
        return -EBUSY;
    const volatile struct thread_registers *in = (struct thread_registers *)caller->buffer->words;
    for (unsigned i = 0; i < CONTEXT_GENERAL; i++)
        thread->context.x[i] = in->general[i];
    thread->context.sp = in->stack_pointer;
    thread->context.pc = in->instruction_pointer;
    thread->context.flags = in->flags & CONTEXT_USER_FLAGS;
    thread->tls = in->tls;
    context_written(&thread->context);
    return 0;
}

static long info(struct thread *caller, const struct thread *thread)
{
    if (!caller->buffer)
        return -EINVAL;
    *(struct thread_info *)caller->buffer->words = (struct thread_info){
        .state = thread->state,
        .priority = thread->priority,
        .effective_priority = thread->effective,
        .cpu = thread->cpu,
        .number = thread->number,
        .run_time = sched_run_time(thread),
        .fault = thread->fault,
    };
    return 0;
}

long thread_control(struct thread *caller)
{
    long error = 0;
    struct thread *thread = (struct thread *)cap_find(caller->table, context_argument(&caller->context, 0), CAP_THREAD,
                                                      RIGHT_CONTROL, &error);
    if (error)
        return error;
    switch (context_argument(&caller->context, 1)) {
    case THREAD_CONFIGURE:
        return configure(caller, thread);
    case THREAD_START:
        return start(caller, thread);
    case THREAD_STOP:
        return stop(thread);
    case THREAD_INTERRUPT:
        return interrupt(thread);
    case THREAD_RESUME:
        return run(thread, sched_wake_first);
    case THREAD_PRIORITY:
        return set_priority(caller, thread);
    case THREAD_AFFINITY:
        return set_affinity(caller, thread);
    case THREAD_READ:
        return read_registers(caller, thread);
    case THREAD_WRITE:
        return write_registers(caller, thread);
    case THREAD_SET_EVENT:
        return set_event(caller, thread);
    case THREAD_INFO:
        return info(caller, thread);
    default:
        return -ENOSYS;
    }
}

long thread_destroy(struct thread *thread)
{
    if (thread == this_cpu()->current)
        return -EDEADLK;
    long error = stop(thread);
    if (error)
        return error;
    if (thread->serving)
        thread->serving->server = NULL;
    ipc_leave(thread);
    cap_clear(&thread->event);
    release_configuration(thread);
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        if (cpus[i].fp_loaded == thread)
            cpus[i].fp_loaded = NULL;
    }
    return 0;
}
