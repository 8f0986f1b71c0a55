/* SPDX-License-Identifier: MIT */
/* The operations of root's protocol about signals. */
#include <errno.h>
#include <proto/root_dispatch.h>

#include "delivery.h"
#include "serve.h"
#include "timers.h"

_Static_assert(SIGNAL_MASK_BLOCK == ROOT_SIGNAL_MASK_BLOCK && SIGNAL_MASK_UNBLOCK == ROOT_SIGNAL_MASK_UNBLOCK &&
                   SIGNAL_MASK_SET == ROOT_SIGNAL_MASK_SET && SIGNAL_MASK_GET == ROOT_SIGNAL_MASK_GET &&
                   SIGNAL_MASK_SUSPEND == ROOT_SIGNAL_MASK_SUSPEND,
               "ways to change a mask are the protocol's");

/* The thread of the caller that a request is about, which the caller then gets signals on. */
static struct signal_thread *named_thread(struct root_context *context, const struct process *caller, uint64_t number)
{
    struct signal_thread *thread = caller ? process_signal_thread(caller, number) : NULL;

    context->caller = caller;
    context->thread = number;
    return thread;
}

int root_handle_signal_action(struct root_context *context, const struct message *request, uint64_t signal,
                              uint64_t change, uint64_t handler, uint64_t mask, uint64_t flags, uint64_t trampoline,
                              uint64_t *handler_out, uint64_t *mask_out, uint64_t *flags_out)
{
    const struct signal_action action = {.handler = handler, .mask = mask, .flags = flags};
    const struct process *caller = request_caller(request);

    if (!caller || !signal_is_valid(signal))
        return -EINVAL;
    struct signal_process *state = process_signals(caller);
    const struct signal_action old = state->actions[signal];
    if (change & ROOT_SIGNAL_SET) {
        const int error = signals_set_action(state, signal, &action);
        if (error < 0)
            return error;
        state->trampoline = trampoline;
    }
    *handler_out = old.handler;
    *mask_out = old.mask;
    *flags_out = old.flags;
    return 0;
}

int root_handle_signal_mask(struct root_context *context, const struct message *request, uint64_t thread, uint64_t how,
                            uint64_t set, uint64_t *old)
{
    const struct process *caller = request_caller(request);
    struct signal_thread *state = named_thread(context, caller, thread);

    if (!state)
        return -EAGAIN;
    const int error = signals_change_mask(state, how, set, old);
    if (error == 0 && (process_signals(caller)->pending | state->pending) & ~state->mask)
        signals_look_at(caller);
    return error;
}

int root_handle_signal_pending(struct root_context *context, const struct message *request, uint64_t thread,
                               uint64_t *set)
{
    const struct process *caller = request_caller(request);
    const struct signal_thread *state = named_thread(context, caller, thread);

    if (state)
        *set = (process_signals(caller)->pending | state->pending) & state->mask;
    return 0;
}

int root_handle_signal_take(struct root_context *context, const struct message *request, uint64_t thread, uint64_t set,
                            uint64_t *signal, uint64_t *code, uint64_t *pid, uint64_t *status, uint64_t *value)
{
    const struct process *caller = request_caller(request);
    struct signal_thread *state = named_thread(context, caller, thread);
    struct signal_information information;

    if (!state)
        return 0;
    set &= (process_signals(caller)->pending | state->pending) & ~SIGNALS_FORCED;
    if (!set)
        return 0;
    *signal = (uint64_t)__builtin_ctzl(set) + 1;
    signals_take(process_signals(caller), state, (unsigned)*signal, &information);
    *code = (uint64_t)(int64_t)information.code;
    *pid = (uint64_t)information.pid;
    *status = (uint64_t)(int64_t)information.status;
    *value = information.value;
    return 0;
}

/* Servers of the system are no business of programs; others may be sent signals by their session, and by operators. */
static bool may_send(const struct process *caller, const struct process *target)
{
    if (target->pid <= PID_MEMSRV || (target->parent == PID_ROOT && target->session != caller->session))
        return caller->operator&& target->pid> PID_MEMSRV;
    return caller->operator|| target->session == caller->session || process_descends(target, caller->pid);
}

static bool is_target(const struct process *caller, const struct process *process, int64_t target)
{
    if (target > 0)
        return process->pid == (uint64_t)target;
    if (target == -1)
        return process != caller && process->pid > PID_MEMSRV;
    return process->group == (target ? -(uint64_t)target : caller->group);
}

int root_handle_signal_send(struct root_context *context, const struct message *request, int64_t target,
                            uint64_t signal, uint64_t code, uint64_t value, uint64_t thread)
{
    const struct process *caller = request_caller(request);
    int result = -ESRCH;

    if (!caller || (signal && !signal_is_valid(signal)))
        return -EINVAL;
    const int32_t claimed = (int32_t)(int64_t)code;
    const struct signal_source source = {
        .code = claimed < 0 ? claimed : SIGNAL_CODE_USER, .pid = (int32_t)caller->pid, .value = value};
    context->caller = caller;
    context->thread = thread;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        const struct process *process = process_at(i);
        if (process->state == PROCESS_FREE || !is_target(caller, process, target))
            continue;
        if (!may_send(caller, process)) {
            result = result == -ESRCH ? -EPERM : result;
            continue;
        }
        result = 0;
        if (signal && process->state == PROCESS_RUNNING)
            signal_send(process, NULL, (unsigned)signal, &source);
    }
    return target == -1 && result == -EPERM ? -ESRCH : result;
}

int root_handle_signal_send_thread(struct root_context *context, const struct message *request, uint64_t thread,
                                   uint64_t signal, uint64_t self)
{
    const struct process *caller = request_caller(request);
    const struct signal_source source = {.code = -6, .pid = caller ? (int32_t)caller->pid : 0};
    struct signal_thread *state = named_thread(context, caller, thread);

    context->thread = self;
    if (!signal_is_valid(signal))
        return -EINVAL;
    if (!state)
        return -EAGAIN;
    signal_send(caller, state, (unsigned)signal, &source);
    return 0;
}

int root_handle_signal_stack(struct root_context *context, const struct message *request, uint64_t thread,
                             uint64_t change, uint64_t address, uint64_t bytes, uint64_t *address_out,
                             uint64_t *bytes_out)
{
    struct signal_thread *state = named_thread(context, request_caller(request), thread);

    if (!state)
        return -EAGAIN;
    *address_out = state->stack;
    *bytes_out = state->stack_bytes;
    if (change & ROOT_SIGNAL_SET) {
        state->stack = address;
        state->stack_bytes = bytes;
    }
    return 0;
}

int root_handle_signal_return(struct root_context *context, const struct message *request, uint64_t frame,
                              uint64_t thread)
{
    struct process *caller = request_caller(request);

    if (!caller)
        return -EPERM;
    signal_return(caller, thread, frame);
    return PROTO_PARKED;
}

int root_handle_signal_thread_end(struct root_context *context, const struct message *request, uint64_t thread)
{
    const struct process *caller = request_caller(request);

    if (caller)
        process_signal_thread_end(caller, thread);
    return 0;
}

int root_handle_alarm_set(struct root_context *context, const struct message *request, uint64_t change, uint64_t after,
                          uint64_t interval, uint64_t *rest, uint64_t *interval_out)
{
    const struct process *caller = request_caller(request);

    if (!caller)
        return -EPERM;
    struct signal_process *state = process_signals(caller);
    *rest = alarm_rest(state);
    *interval_out = state->alarm_interval;
    if (change & ROOT_SIGNAL_SET)
        alarm_set(state, after, interval);
    return 0;
}
