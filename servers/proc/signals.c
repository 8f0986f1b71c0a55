/* SPDX-License-Identifier: MIT */
/* Signals of one process as data. */
#include "signals.h"

#include <errno.h>
#include <string.h>

#define IGNORED_BY_DEFAULT                                                                                             \
    (SIGNAL_BIT(SIGNAL_CHILD) | SIGNAL_BIT(SIGNAL_CONTINUE) | SIGNAL_BIT(SIGNAL_URGENT) | SIGNAL_BIT(SIGNAL_WINDOW))

void signals_init(struct signal_process *process, uint64_t pid)
{
    memset(process->actions, 0, sizeof(process->actions));
    process->pending = process->trampoline = 0;
    process->alarm = process->alarm_interval = 0;
    process->first = (struct signal_thread){.pid = pid};
}

void signals_fork(const struct signal_process *parent, const struct signal_thread *thread, struct signal_process *child,
                  uint64_t pid)
{
    memcpy(child->actions, parent->actions, sizeof(child->actions));
    child->pending = 0;
    child->trampoline = parent->trampoline;
    child->alarm = child->alarm_interval = 0;
    child->first = (struct signal_thread){
        .pid = pid, .mask = thread->mask, .stack = thread->stack, .stack_bytes = thread->stack_bytes};
}

void signals_exec(struct signal_process *process, const struct signal_thread *thread)
{
    for (unsigned signal = 1; signal < SIGNAL_COUNT; signal++) {
        struct signal_action *action = &process->actions[signal];
        *action = (struct signal_action){.handler = action->handler == SIGNAL_HANDLER_IGNORE ? SIGNAL_HANDLER_IGNORE
                                                                                             : SIGNAL_HANDLER_DEFAULT};
    }
    process->trampoline = 0;
    process->first = (struct signal_thread){.pid = process->first.pid,
                                            .mask = thread->suspended ? thread->saved_mask : thread->mask,
                                            .pending = thread->pending};
}

int signals_set_action(struct signal_process *process, uint64_t signal, const struct signal_action *action)
{
    if (!signal_is_valid(signal) || (SIGNAL_BIT(signal) & SIGNALS_FORCED))
        return -EINVAL;
    process->actions[signal] = *action;
    process->actions[signal].mask &= SIGNALS_ALL & ~SIGNALS_FORCED;
    if (signals_disposition(process, (unsigned)signal) == SIGNAL_IGNORED) {
        process->pending &= ~SIGNAL_BIT(signal);
        process->first.pending &= ~SIGNAL_BIT(signal);
    }
    return 0;
}

enum signal_disposition signals_disposition(const struct signal_process *process, unsigned signal)
{
    const uint64_t handler = process->actions[signal].handler;
    const uint64_t bit = SIGNAL_BIT(signal);

    if (handler == SIGNAL_HANDLER_IGNORE || (handler == SIGNAL_HANDLER_DEFAULT && (bit & IGNORED_BY_DEFAULT)))
        return SIGNAL_IGNORED;
    if (handler == SIGNAL_HANDLER_DEFAULT)
        return bit & SIGNALS_STOPS ? SIGNAL_STOPS : SIGNAL_ENDS;
    return SIGNAL_CAUGHT;
}

uint64_t signals_opposite(unsigned signal)
{
    if (signal == SIGNAL_CONTINUE)
        return SIGNALS_STOPS;
    return SIGNAL_BIT(signal) & SIGNALS_STOPS ? SIGNAL_BIT(SIGNAL_CONTINUE) : 0;
}

bool signals_raise(struct signal_process *process, struct signal_thread *thread, unsigned signal,
                   const struct signal_source *source)
{
    uint64_t *pending = thread ? &thread->pending : &process->pending;
    const struct signal_thread *whose = thread ? thread : &process->first;
    const uint64_t bit = SIGNAL_BIT(signal);

    if (signals_disposition(process, signal) == SIGNAL_IGNORED && !(whose->mask & bit))
        return false;
    if (!(*pending & bit))
        process->sources[signal] = *source;
    *pending |= bit;
    return true;
}

unsigned signals_next(const struct signal_process *process, const struct signal_thread *thread)
{
    const uint64_t ready = (process->pending | thread->pending) & ~thread->mask;

    /* Who is to end hears of nothing else. */
    if (ready & SIGNAL_BIT(SIGNAL_KILL))
        return SIGNAL_KILL;
    return ready ? (unsigned)__builtin_ctzl(ready) + 1 : 0;
}

void signals_take(struct signal_process *process, struct signal_thread *thread, unsigned signal,
                  struct signal_information *information)
{
    const struct signal_source *source = &process->sources[signal];

    if (thread->pending & SIGNAL_BIT(signal))
        thread->pending &= ~SIGNAL_BIT(signal);
    else
        process->pending &= ~SIGNAL_BIT(signal);
    *information = (struct signal_information){.signal = (int32_t)signal,
                                               .code = source->code,
                                               .pid = source->pid,
                                               .status = source->status,
                                               .value = source->value};
}

int signals_change_mask(struct signal_thread *thread, uint64_t how, uint64_t set, uint64_t *old)
{
    set &= SIGNALS_ALL & ~SIGNALS_FORCED;
    *old = thread->mask;
    switch (how) {
    case SIGNAL_MASK_BLOCK:
        thread->mask |= set;
        return 0;
    case SIGNAL_MASK_UNBLOCK:
        thread->mask &= ~set;
        return 0;
    case SIGNAL_MASK_SUSPEND:
        if (!thread->suspended)
            thread->saved_mask = thread->mask;
        thread->suspended = true;
        thread->mask = set;
        return 0;
    case SIGNAL_MASK_SET:
        thread->suspended = false;
        thread->mask = set;
        return 0;
    case SIGNAL_MASK_GET:
        return 0;
    default:
        return -EINVAL;
    }
}

void signals_begin_handler(struct signal_process *process, struct signal_thread *thread, unsigned signal,
                           struct signal_frame *frame)
{
    struct signal_action *action = &process->actions[signal];

    frame->handler = action->handler;
    frame->flags = action->flags;
    frame->mask = thread->suspended ? thread->saved_mask : thread->mask;
    thread->suspended = false;
    thread->mask = frame->mask | action->mask;
    if (!(action->flags & SIGNAL_FLAG_NO_DEFER))
        thread->mask |= SIGNAL_BIT(signal);
    if (action->flags & SIGNAL_FLAG_RESET)
        action->handler = SIGNAL_HANDLER_DEFAULT;
}

uint64_t signals_frame_address(const struct signal_thread *thread, uint64_t flags, uint64_t stack_pointer)
{
    const bool on_stack = thread->stack_bytes && stack_pointer - thread->stack <= thread->stack_bytes;

    if ((flags & SIGNAL_FLAG_ON_STACK) && thread->stack_bytes && !on_stack)
        stack_pointer = thread->stack + thread->stack_bytes;
    return (stack_pointer - sizeof(struct signal_frame)) & ~15UL;
}

struct signal_thread *signals_thread(struct signal_threads *threads, uint64_t pid, uint64_t number, bool make)
{
    struct signal_thread *place = NULL;

    for (size_t i = 0; i < threads->end; i++) {
        struct signal_thread *thread = &threads->entries[i];
        if (thread->pid == pid && thread->number == number)
            return thread;
        if (thread->pid == 0 && !place)
            place = thread;
    }
    if (!make || (!place && threads->end == SIGNAL_THREADS_MAX))
        return NULL;
    if (!place)
        place = &threads->entries[threads->end++];
    *place = (struct signal_thread){.pid = pid, .number = number};
    return place;
}

struct signal_thread *signals_next_thread(struct signal_threads *threads, uint64_t pid,
                                          const struct signal_thread *last)
{
    for (size_t i = last ? (size_t)(last - threads->entries) + 1 : 0; i < threads->end; i++)
        if (threads->entries[i].pid == pid)
            return &threads->entries[i];
    return NULL;
}

int signals_check(const struct signal_process *process)
{
    const struct signal_thread *thread = &process->first;

    if (((thread->mask | thread->saved_mask) & SIGNALS_FORCED) || (thread->mask & ~SIGNALS_ALL) ||
        ((process->pending | thread->pending) & ~SIGNALS_ALL))
        return -EINVAL;
    for (unsigned signal = 1; signal < SIGNAL_COUNT; signal++) {
        if ((process->actions[signal].mask & SIGNALS_FORCED) || process->actions[SIGNAL_KILL].handler ||
            process->actions[SIGNAL_STOP].handler)
            return -EINVAL;
    }
    return 0;
}
