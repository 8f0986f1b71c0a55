/* SPDX-License-Identifier: MIT */
/*
 * Handlers run here: between the trampoline, which has saved the floating-point registers, and the program's function.
 */
#include "signals.h"
#include "thread_record.h"

#include <arch/signal_context.h>
#include <arch/signal_trampoline.h>
#include <proto/root_client.h>
#include <proto/signal_frame.h>
#include <signal.h>
#include <string.h>

_Static_assert(SIGNAL_RETURN_SLOT == SLOT_ROOT && SIGNAL_RETURN_OPERATION == ROOT_OP_SIGNAL_RETURN &&
                   SIGNAL_RETURN_CALL == SYS_CALL,
               "signal_trampoline.S knows these numbers");
_Static_assert(sizeof(siginfo_t) == sizeof(struct signal_information) &&
                   offsetof(siginfo_t, si_addr) == offsetof(struct signal_information, address) &&
                   offsetof(siginfo_t, si_status) == offsetof(struct signal_information, status) &&
                   offsetof(siginfo_t, si_value) == offsetof(struct signal_information, value),
               "root fills in a siginfo_t");
_Static_assert(SIGNAL_FLAG_ON_STACK == SA_ONSTACK && SIGNAL_FLAG_NO_DEFER == SA_NODEFER &&
                   SIGNAL_FLAG_RESET == (unsigned)SA_RESETHAND && SIGNAL_FLAG_NO_CHILD_WAIT == SA_NOCLDWAIT &&
                   SIGNAL_FLAG_NO_CHILD_STOP == SA_NOCLDSTOP,
               "flags are root's");

/* What a message may be half way in. */
#define BUFFER_BYTES offsetof(struct ipc_buffer, user)

uint64_t signal_dispatch(struct signal_frame *frame);

/* Calls that the handler interrupted look at these numbers. */
static void count(struct thread *self, uint64_t flags)
{
    if (!self)
        return;
    __atomic_fetch_add(&self->handled, 1, __ATOMIC_RELAXED);
    if (!(flags & SA_RESTART))
        __atomic_fetch_add(&self->interruptions, 1, __ATOMIC_RELAXED);
    /* A thread that is just about to sleep in sigsuspend() does not. */
    if (self->parking != SLOT_NONE)
        (void)!sys_signal(self->parking, 1);
}

static void call_handler(struct signal_frame *frame)
{
    ucontext_t context = {.uc_sigmask = frame->mask};

    if (!(frame->flags & SA_SIGINFO)) {
        ((_sig_func_ptr)frame->handler)(frame->information.signal);
        return;
    }
    context.uc_mcontext.fault_address = frame->information.address;
    context_from_registers(&context.uc_mcontext, &frame->registers);
    ((void (*)(int, siginfo_t *, void *))frame->handler)(frame->information.signal, (siginfo_t *)&frame->information,
                                                         &context);
    registers_from_context(&frame->registers, &context.uc_mcontext);
    frame->mask = context.uc_sigmask;
}

/* Runs the handler of a frame; the number of the thread, which is to return to what it did. */
uint64_t signal_dispatch(struct signal_frame *frame)
{
    struct thread *self = thread_self_if_any();
    const int error = errno;
    char buffer[BUFFER_BYTES];

    memcpy(buffer, ipc_buffer(), sizeof(buffer));
    count(self, frame->flags);
    call_handler(frame);
    errno = error;
    memcpy(ipc_buffer(), buffer, sizeof(buffer));
    return frame->thread;
}

uint64_t signals_handled(void)
{
    const struct thread *self = thread_self_if_any();
    return self ? __atomic_load_n(&self->handled, __ATOMIC_RELAXED) : 0;
}

uint64_t signals_that_interrupt(void)
{
    const struct thread *self = thread_self_if_any();
    return self ? __atomic_load_n(&self->interruptions, __ATOMIC_RELAXED) : 0;
}
