/* SPDX-License-Identifier: MIT */
/*
 * Signals reach programs: root stops the thread, puts a frame on its stack, and lets it go on at the trampoline.
 */
#include "delivery.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <quire/syscall.h>

#include "end.h"
#include "objects.h"
#include "slots.h"
#include "stop.h"
#include "timers.h"

#define NO_SLOT SLOT_NONE
/* A thread that a server works for cannot be interrupted: how long until the next try. */
#define RETRY_NS 1000000UL

/* What came of an attempt. */
enum attempt {
    ATTEMPT_DONE,
    ATTEMPT_LATER, /* the thread cannot be stopped now */
    ATTEMPT_ENDED, /* the process was ended, or its thread is gone */
};

static struct signal_process signals[PROCESS_COUNT];
static struct signal_threads threads;
static uint64_t due[PROCESS_COUNT / 64]; /* bit: of this entry something may be deliverable */

/* --- State -------------------------------------------------------------------------------------------------------- */

struct signal_process *process_signals(const struct process *process)
{
    return &signals[process_index(process)];
}

struct signal_thread *process_signal_thread(const struct process *process, uint64_t number)
{
    return number == 0 ? &process_signals(process)->first : signals_thread(&threads, process->pid, number, true);
}

void process_signal_thread_end(const struct process *process, uint64_t number)
{
    struct signal_thread *thread = number ? signals_thread(&threads, process->pid, number, false) : NULL;

    if (thread)
        thread->pid = 0;
}

void process_signals_begin(const struct process *process)
{
    signals_init(process_signals(process), process->pid);
}

/* The state of a thread without making any: that of the first thread stands for one of which nothing is known. */
static const struct signal_thread *known_thread(const struct process *process, uint64_t number)
{
    struct signal_process *state = process_signals(process);
    const struct signal_thread *thread = number == 0 ? NULL : signals_thread(&threads, process->pid, number, false);
    return thread ? thread : &state->first;
}

void process_signals_inherit(const struct process *parent, uint64_t number, const struct process *child)
{
    signals_fork(process_signals(parent), known_thread(parent, number), process_signals(child), child->pid);
}

static void forget_threads(uint64_t pid)
{
    for (struct signal_thread *thread = NULL; (thread = signals_next_thread(&threads, pid, thread));)
        thread->pid = 0;
}

void process_signals_exec(const struct process *process, uint64_t number)
{
    const struct signal_thread thread = *known_thread(process, number);

    signals_exec(process_signals(process), &thread);
    forget_threads(process->pid);
}

void signals_set_mask(const struct process *process, uint64_t mask)
{
    process_signals(process)->first.mask = mask & SIGNALS_ALL & ~SIGNALS_FORCED;
    signals_look_at(process);
}

void process_signals_end(const struct process *process)
{
    struct signal_process *state = process_signals(process);

    if (state->trampoline || state->first.mask)
        forget_threads(process->pid);
    state->pending = 0;
    state->first.pid = 0;
    alarm_forget(state);
}

/* --- Sending ------------------------------------------------------------------------------------------------------ */

void signals_look_at(const struct process *process)
{
    const uint64_t index = process_index(process);
    due[index / 64] |= 1UL << index % 64;
}

bool signals_are_due(void)
{
    uint64_t any = 0;

    for (size_t i = 0; i < PROCESS_COUNT / 64; i++)
        any |= due[i];
    return any != 0;
}

/* What a signal does when it is sent, whether it is blocked, ignored, caught or not. */
static void act_at_once(const struct process *process, unsigned signal)
{
    const uint64_t opposite = signals_opposite(signal);
    struct signal_process *state = process_signals(process);

    if (!opposite)
        return;
    state->pending &= ~opposite;
    state->first.pending &= ~opposite;
    for (struct signal_thread *thread = NULL; (thread = signals_next_thread(&threads, process->pid, thread));)
        thread->pending &= ~opposite;
    if (signal == SIGNAL_CONTINUE)
        process_continue(process_at(process_index(process)));
}

void signal_send(const struct process *process, struct signal_thread *thread, unsigned signal,
                 const struct signal_source *source)
{
    act_at_once(process, signal);
    if (signals_raise(process_signals(process), thread, signal, source))
        signals_look_at(process);
}

bool signal_child_news(const struct process *child)
{
    const struct process *parent = process_find(child->parent);
    if (!parent || parent->state != PROCESS_RUNNING)
        return false;
    const struct signal_process *state = process_signals(parent);
    const struct signal_action *action = &state->actions[SIGNAL_CHILD];
    const struct signal_source source = {
        .code = (int32_t)child->cause, .pid = (int32_t)child->pid, .status = child->value};
    const bool ended = child->state == PROCESS_ENDED;

    if (!ended && (action->flags & SIGNAL_FLAG_NO_CHILD_STOP))
        return false;
    signal_send(parent, NULL, SIGNAL_CHILD, &source);
    return ended && (action->handler == SIGNAL_HANDLER_IGNORE || (action->flags & SIGNAL_FLAG_NO_CHILD_WAIT));
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

/* The slot of a thread's capability, NO_SLOT if it is gone. */
static uint64_t thread_slot(const struct process *process, const struct signal_thread *thread)
{
    if (thread->number == 0)
        return process_thread_slot(process);
    capability_drop(ROOT_SLOT_SIGNALLED);
    return memsrv_space_thread_get(SLOT_MEMSRV, process->pid, thread->number, ROOT_SLOT_SIGNALLED) == 0
               ? ROOT_SLOT_SIGNALLED
               : NO_SLOT;
}

/* EAGAIN: another CPU runs it and was told to stop it. */
static long stop(uint64_t slot, enum thread_operation operation)
{
    long error;

    while ((error = sys_thread_control(slot, operation, 0, 0, 0, 0, 0)) == -EAGAIN)
        (void)sys_yield();
    return error;
}

static long read_registers(uint64_t slot, struct thread_registers *registers)
{
    const long error = sys_thread_control(slot, THREAD_READ, 0, 0, 0, 0, 0);

    *registers = *(const struct thread_registers *)ipc_buffer()->words;
    return error;
}

static void write_registers(uint64_t slot, const struct thread_registers *registers)
{
    *(struct thread_registers *)ipc_buffer()->words = *registers;
    (void)!sys_thread_control(slot, THREAD_WRITE, 0, 0, 0, 0, 0);
}

/* Puts a frame on the thread's stack. False: there is no memory for it. */
static bool push(const struct process *process, struct signal_thread *thread,
                 const struct signal_information *information, struct thread_registers *registers)
{
    struct signal_process *state = process_signals(process);
    struct signal_frame frame = {.information = *information, .thread = thread->number, .registers = *registers};
    const uint64_t address =
        signals_frame_address(thread, state->actions[information->signal].flags, registers->stack_pointer);

    signals_begin_handler(state, thread, (unsigned)information->signal, &frame);
    if (!state->trampoline || memsrv_space_store(SLOT_MEMSRV, process->pid, address, &frame, sizeof(frame)) < 0)
        return false;
    *registers = (struct thread_registers){
        .stack_pointer = address, .instruction_pointer = state->trampoline, .tls = registers->tls};
    return true;
}

/* Lets a stopped thread go on, at once or with its process, with the handlers of all that it is to get and catches. */
static enum attempt resume(struct process *process, struct signal_thread *thread, uint64_t slot,
                           struct thread_registers *registers)
{
    struct signal_process *state = process_signals(process);
    unsigned signal;

    while ((signal = signals_next(state, thread)) && signals_disposition(state, signal) == SIGNAL_CAUGHT) {
        struct signal_information information;
        signals_take(state, thread, signal, &information);
        if (!push(process, thread, &information, registers)) {
            process_end(process, CAUSE_KILLED, SIGNAL_SEGV);
            return ATTEMPT_ENDED;
        }
    }
    write_registers(slot, registers);
    if (!process->held)
        (void)!sys_thread_control(slot, THREAD_RESUME, 0, 0, 0, 0, 0);
    return ATTEMPT_DONE;
}

/* --- Delivery ----------------------------------------------------------------------------------------------------- */

/* What the caller's registers are when it has its answer, which has neither words in the buffer nor capabilities. */
static void answer_in_registers(struct thread_registers *registers, const struct message *answer)
{
    registers->general[0] = 0;
    registers->general[1] = answer->tag;
    for (unsigned i = 0; i < MSG_REGISTERS; i++)
        registers->general[2 + i] = answer->words[i];
}

static bool is_caller(const struct signal_caller *caller, const struct process *process,
                      const struct signal_thread *thread)
{
    return caller->answer && caller->process == process && caller->number == thread->number;
}

static bool fits_registers(const struct message *answer)
{
    return MSG_WORDS(answer->tag) == 0 && MSG_CAPS(answer->tag) == 0;
}

static enum attempt deliver_caught(struct process *process, struct signal_thread *thread, struct signal_caller *caller)
{
    const uint64_t slot = thread_slot(process, thread);
    struct thread_registers registers;
    bool answers = is_caller(caller, process, thread);

    if (slot == NO_SLOT) {
        thread->pid = 0;
        return ATTEMPT_ENDED;
    }
    if (answers && !fits_registers(caller->answer)) {
        (void)!sys_reply(caller->reply, caller->answer);
        caller->answer = NULL;
        answers = false;
    }
    if (stop(slot, answers ? THREAD_STOP : THREAD_INTERRUPT) < 0) {
        retry_after(RETRY_NS);
        return ATTEMPT_LATER;
    }
    if (read_registers(slot, &registers) < 0)
        return ATTEMPT_ENDED;
    if (answers) {
        answer_in_registers(&registers, caller->answer);
        caller->answer = NULL;
    }
    return resume(process, thread, slot, &registers);
}

/* Stops the thread that asks, with its answer in its registers. False: it has it as a message, or nobody asks. */
static bool stop_caller(const struct process *process, struct signal_caller *caller)
{
    const struct signal_thread thread = {.pid = process->pid, .number = caller->number};
    struct thread_registers registers;

    if (caller->process != process || !caller->answer)
        return false;
    const uint64_t slot = thread_slot(process, &thread);
    if (slot == NO_SLOT || !fits_registers(caller->answer)) {
        (void)!sys_reply(caller->reply, caller->answer);
        caller->answer = NULL;
        return false;
    }
    if (stop(slot, THREAD_STOP) < 0 || read_registers(slot, &registers) < 0)
        return false;
    answer_in_registers(&registers, caller->answer);
    caller->answer = NULL;
    write_registers(slot, &registers);
    return true;
}

/* Goes on stopping a process. */
static void halt(struct process *process, struct signal_caller *caller)
{
    const uint64_t stopped = stop_caller(process, caller) ? caller->number : THREAD_NONE;

    if (process_halt(process, stopped))
        return;
    signals_look_later(process);
    retry_after(RETRY_NS);
}

/* A thread of the process that is to get a signal, the caller's first. NULL: there is none. */
static struct signal_thread *find_receiver(const struct process *process, const struct signal_caller *caller,
                                           unsigned *signal)
{
    struct signal_process *state = process_signals(process);
    struct signal_thread *thread;

    if (caller->process == process && caller->number) {
        thread = signals_thread(&threads, process->pid, caller->number, false);
        if (thread && (*signal = signals_next(state, thread)))
            return thread;
    }
    if ((*signal = signals_next(state, &state->first)))
        return &state->first;
    for (thread = NULL; (thread = signals_next_thread(&threads, process->pid, thread));)
        if ((*signal = signals_next(state, thread)))
            return thread;
    return NULL;
}

/* What is pending, as far as it can be delivered. */
static void deliver_pending(struct process *process, struct signal_caller *caller)
{
    struct signal_information information;
    struct signal_thread *thread;
    unsigned signal;

    while (process->state == PROCESS_RUNNING && (thread = find_receiver(process, caller, &signal))) {
        /* Who has stopped hears of nothing but its end. */
        if (process->stopping && signal != SIGNAL_KILL)
            break;
        switch (signals_disposition(process_signals(process), signal)) {
        case SIGNAL_ENDS:
            process_end(process, CAUSE_KILLED, (int)signal);
            return;
        case SIGNAL_CAUGHT:
            if (deliver_caught(process, thread, caller) == ATTEMPT_LATER) {
                signals_look_later(process);
                return;
            }
            break;
        case SIGNAL_STOPS:
            signals_take(process_signals(process), thread, signal, &information);
            process_stop(process, signal);
            break;
        case SIGNAL_IGNORED:
            signals_take(process_signals(process), thread, signal, &information);
            break;
        }
    }
}

static void deliver_process(struct process *process, struct signal_caller *caller)
{
    deliver_pending(process, caller);
    if (process->state != PROCESS_RUNNING)
        return;
    if (process->held && !process->stopping)
        process_release(process);
    if (process->state == PROCESS_RUNNING && process->stopping && !process->stopped)
        halt(process, caller);
}

void signals_deliver(struct signal_caller *caller)
{
    /* Ending a process sends another signal to its parent. */
    while (signals_are_due())
        for (size_t word = 0; word < PROCESS_COUNT / 64; word++)
            while (due[word]) {
                const unsigned bit = (unsigned)__builtin_ctzl(due[word]);
                due[word] &= due[word] - 1;
                struct process *process = process_at(word * 64 + bit);
                if (process->state == PROCESS_RUNNING)
                    deliver_process(process, caller);
            }
}

void signal_return(struct process *process, uint64_t number, uint64_t frame_address)
{
    struct signal_thread *thread = process_signal_thread(process, number);
    const uint64_t slot = thread ? thread_slot(process, thread) : NO_SLOT;
    struct signal_frame frame;
    size_t got = 0;

    if (slot == NO_SLOT || stop(slot, THREAD_STOP) < 0 ||
        memsrv_space_read(SLOT_MEMSRV, process->pid, frame_address, &frame, sizeof(frame), &got) < 0) {
        process_end(process, CAUSE_KILLED, SIGNAL_SEGV);
        return;
    }
    thread->mask = frame.mask & SIGNALS_ALL & ~SIGNALS_FORCED;
    thread->suspended = false;
    if (resume(process, thread, slot, &frame.registers) == ATTEMPT_DONE)
        signals_look_at(process);
}

/* Waits until the kernel has stopped the thread: memsrv has refused the fault and is about to say so. False: the thread
 * is gone, or goes on. */
static bool is_stopped_by_fault(uint64_t slot)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;

    for (;;) {
        if (sys_thread_control(slot, THREAD_INFO, 0, 0, 0, 0, 0) < 0)
            return false;
        if (info->state == THREAD_STATE_FAULTED)
            return true;
        if (info->state != THREAD_STATE_CALLING)
            return false;
        (void)sys_yield();
    }
}

bool signal_fault(struct process *process, uint64_t number, const struct signal_information *information)
{
    struct signal_process *state = process_signals(process);
    struct thread_registers registers;

    if (!state->trampoline || signals_disposition(state, (unsigned)information->signal) != SIGNAL_CAUGHT)
        return false;
    struct signal_thread *thread = process_signal_thread(process, number);
    if (!thread || (thread->mask & SIGNAL_BIT(information->signal)))
        return false;
    const uint64_t slot = thread_slot(process, thread);
    if (slot == NO_SLOT)
        return true;
    if (!is_stopped_by_fault(slot))
        return true; /* it faults again if it still has reason to */
    if (read_registers(slot, &registers) < 0 || !push(process, thread, information, &registers))
        return false;
    (void)resume(process, thread, slot, &registers);
    return true;
}
