/* SPDX-License-Identifier: MIT */
/*
 * Signals: actions, masks and what is pending are in root; these are requests to it.
 */
#include "signals.h"
#include "thread_record.h"

#include <proto/root_client.h>
#include <quire/clock.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MICROSECOND 1000UL
/* How often one looks that waits for a signal without a handler. */
#define LOOK_NS 5000000UL

extern char signal_trampoline[];

static bool signals_used; /* the program has set an action or a mask */

_Static_assert(SIG_BLOCK == ROOT_SIGNAL_MASK_BLOCK && SIG_UNBLOCK == ROOT_SIGNAL_MASK_UNBLOCK &&
                   SIG_SETMASK == ROOT_SIGNAL_MASK_SET,
               "ways to change a mask are root's");

int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    uint64_t handler, mask, flags;

    if (signal < 1 || signal >= NSIG)
        return (int)posix_result(-EINVAL);
    if (action)
        signals_used = true;
    const int error = root_signal_action(SLOT_ROOT, (uint64_t)signal, action ? ROOT_SIGNAL_SET : 0,
                                         action ? (uint64_t)action->sa_handler : 0, action ? action->sa_mask : 0,
                                         action ? (uint32_t)action->sa_flags : 0, (uint64_t)signal_trampoline, &handler,
                                         &mask, &flags);
    if (error < 0)
        return (int)posix_result(error);
    if (old)
        *old = (struct sigaction){.sa_handler = (_sig_func_ptr)handler, .sa_mask = mask, .sa_flags = (int)flags};
    return 0;
}

int siginterrupt(int signal, int interrupts)
{
    struct sigaction action;

    if (sigaction(signal, NULL, &action) < 0)
        return -1;
    action.sa_flags = interrupts ? action.sa_flags & ~SA_RESTART : action.sa_flags | SA_RESTART;
    return sigaction(signal, &action, NULL);
}

/* --- Masks -------------------------------------------------------------------------------------------------------- */

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    uint64_t was;

    if (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
        return EINVAL;
    if (set)
        signals_used = true;
    const int error = root_signal_mask(SLOT_ROOT, thread_number_of_caller(), set ? (uint64_t)how : ROOT_SIGNAL_MASK_GET,
                                       set ? *set : 0, &was);
    if (error == 0 && old)
        *old = was;
    return -error;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    return (int)posix_result(-pthread_sigmask(how, set, old));
}

int sigpending(sigset_t *set)
{
    return (int)posix_result(root_signal_pending(SLOT_ROOT, thread_number_of_caller(), set));
}

/* A handler that runs before the thread sleeps has signalled the notification: see signal_dispatch(). */
int sigsuspend(const sigset_t *mask)
{
    struct thread *self = thread_self();
    const uint64_t parking = thread_parking(self), handled = signals_handled();
    uint64_t was, bits;

    const int error = root_signal_mask(SLOT_ROOT, self->number, mask ? ROOT_SIGNAL_MASK_SUSPEND : ROOT_SIGNAL_MASK_GET,
                                       mask ? *mask : 0, &was);
    if (error < 0)
        return (int)posix_result(error);
    while (signals_handled() == handled) {
        if (thread_cancel_due(self))
            thread_cancellation_point();
        (void)!sys_wait(parking, parking == SLOT_NONE ? clock_now_ns() + LOOK_NS : DEADLINE_NEVER, &bits);
    }
    return (int)posix_result(-EINTR);
}

int pause(void)
{
    return sigsuspend(NULL);
}

void __sigsetjmp_mask(sigjmp_buf buffer, int savemask)
{
    buffer[0].has_mask = savemask;
    if (savemask)
        (void)pthread_sigmask(SIG_BLOCK, NULL, &buffer[0].mask);
}

void siglongjmp(sigjmp_buf buffer, int value)
{
    if (buffer[0].has_mask)
        (void)pthread_sigmask(SIG_SETMASK, &buffer[0].mask, NULL);
    longjmp(buffer[0].registers, value);
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

/* Until it has its thread-local variables, it must not run a handler. */
void signals_thread_prepare(struct thread *created)
{
    uint64_t old;

    created->signals = signals_used;
    if (!signals_used)
        return;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &created->signal_mask);
    (void)!root_signal_mask(SLOT_ROOT, created->number, ROOT_SIGNAL_MASK_SET, ~0UL, &old);
}

void signals_thread_begin(const struct thread *self)
{
    if (self->signals)
        (void)pthread_sigmask(SIG_SETMASK, &self->signal_mask, NULL);
}

void signals_thread_end(const struct thread *self)
{
    if (signals_used && self->number)
        (void)!root_signal_thread_end(SLOT_ROOT, self->number);
}

int pthread_kill(pthread_t thread, int signal)
{
    if (signal < 0 || signal >= NSIG)
        return EINVAL;
    if (signal == 0)
        return 0;
    return -root_signal_send_thread(SLOT_ROOT, ((const struct thread *)thread)->number, (uint64_t)signal,
                                    thread_number_of_caller());
}

int sigaltstack(const stack_t *restrict stack, stack_t *restrict old)
{
    const uint64_t here = (uint64_t)__builtin_frame_address(0);
    uint64_t address, bytes;

    if (stack && (stack->ss_flags & ~SS_DISABLE))
        return (int)posix_result(-EINVAL);
    const bool enable = stack && !(stack->ss_flags & SS_DISABLE);
    if (enable && stack->ss_size < MINSIGSTKSZ)
        return (int)posix_result(-ENOMEM);
    int error = root_signal_stack(SLOT_ROOT, thread_number_of_caller(), 0, 0, 0, &address, &bytes);
    if (error < 0)
        return (int)posix_result(error);
    const bool on_stack = here - address < bytes;
    if (old)
        *old = (stack_t){.ss_sp = (void *)address,
                         .ss_size = bytes,
                         .ss_flags = bytes == 0 ? SS_DISABLE
                                     : on_stack ? SS_ONSTACK
                                                : 0};
    if (!stack)
        return 0;
    if (on_stack)
        return (int)posix_result(-EPERM);
    error = root_signal_stack(SLOT_ROOT, thread_number_of_caller(), ROOT_SIGNAL_SET,
                              enable ? (uint64_t)stack->ss_sp : 0, enable ? stack->ss_size : 0, &address, &bytes);
    return (int)posix_result(error);
}

/* --- Sending ------------------------------------------------------------------------------------------------------ */

static int send(pid_t pid, int signal, int code, uint64_t value)
{
    if (signal < 0 || signal >= NSIG)
        return (int)posix_result(-EINVAL);
    return (int)posix_result(
        root_signal_send(SLOT_ROOT, pid, (uint64_t)signal, (uint64_t)(int64_t)code, value, thread_number_of_caller()));
}

int _kill(pid_t pid, int signal)
{
    return send(pid, signal, SI_USER, 0);
}

int killpg(pid_t group, int signal)
{
    if (group < 0)
        return (int)posix_result(-EINVAL);
    return _kill(-group, signal);
}

int sigqueue(pid_t pid, int signal, const union sigval value)
{
    return pid > 0 ? send(pid, signal, SI_QUEUE, (uint64_t)value.sival_ptr) : (int)posix_result(-ESRCH);
}

/* --- Waiting without a handler ------------------------------------------------------------------------------------ */

/* Takes a pending signal of the set; 0: there is none. */
static int take(const sigset_t *set, siginfo_t *information)
{
    uint64_t signal = 0, code, pid, status, value;
    const int error =
        root_signal_take(SLOT_ROOT, thread_number_of_caller(), *set, &signal, &code, &pid, &status, &value);

    if (error < 0)
        return error;
    *information = (siginfo_t){.si_signo = (int)signal,
                               .si_code = (int)code,
                               .si_pid = (pid_t)pid,
                               .si_status = (int)status,
                               .si_value.sival_ptr = (void *)value};
    return (int)signal;
}

static int wait_for_signal(const sigset_t *set, siginfo_t *information, uint64_t deadline)
{
    struct thread *self = thread_self();
    const uint64_t handled = signals_handled();
    uint64_t bits;

    for (;;) {
        const int signal = take(set, information);
        const uint64_t now = clock_now_ns();
        if (signal != 0)
            return signal;
        if (now >= deadline)
            return -EAGAIN;
        if (signals_handled() != handled)
            return -EINTR;
        if (thread_cancel_due(self))
            thread_cancellation_point();
        (void)!sys_wait(thread_parking(self), deadline - now < LOOK_NS ? deadline : now + LOOK_NS, &bits);
    }
}

int sigtimedwait(const sigset_t *set, siginfo_t *information, const struct timespec *timeout)
{
    uint64_t deadline = DEADLINE_NEVER;
    siginfo_t unwanted;

    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= (long)NS_PER_SECOND)
            return (int)posix_result(-EINVAL);
        deadline = clock_now_ns() + (uint64_t)timeout->tv_sec * NS_PER_SECOND + (uint64_t)timeout->tv_nsec;
    }
    return (int)posix_result(wait_for_signal(set, information ? information : &unwanted, deadline));
}

int sigwaitinfo(const sigset_t *set, siginfo_t *information)
{
    return sigtimedwait(set, information, NULL);
}

int sigwait(const sigset_t *set, int *signal)
{
    siginfo_t information;
    int taken;

    do {
        taken = wait_for_signal(set, &information, DEADLINE_NEVER);
    } while (taken == -EINTR);
    if (taken < 0)
        return -taken;
    *signal = taken;
    return 0;
}

/* --- Alarms ------------------------------------------------------------------------------------------------------- */

static uint64_t ns_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * NS_PER_SECOND + (uint64_t)time->tv_usec * NS_PER_MICROSECOND;
}

static struct timeval time_of(uint64_t ns)
{
    const uint64_t microseconds = (ns + NS_PER_MICROSECOND - 1) / NS_PER_MICROSECOND;
    return (struct timeval){.tv_sec = (time_t)(microseconds / 1000000), .tv_usec = (long)(microseconds % 1000000)};
}

unsigned alarm(unsigned seconds)
{
    uint64_t rest, interval;

    if (root_alarm_set(SLOT_ROOT, ROOT_SIGNAL_SET, seconds * NS_PER_SECOND, 0, &rest, &interval) < 0)
        return 0;
    return (unsigned)((rest + NS_PER_SECOND - 1) / NS_PER_SECOND);
}

useconds_t ualarm(useconds_t microseconds, useconds_t interval)
{
    uint64_t rest, old_interval;

    if (root_alarm_set(SLOT_ROOT, ROOT_SIGNAL_SET, microseconds * NS_PER_MICROSECOND, interval * NS_PER_MICROSECOND,
                       &rest, &old_interval) < 0)
        return 0;
    return (useconds_t)(rest / NS_PER_MICROSECOND);
}

int getitimer(int which, struct itimerval *value)
{
    uint64_t rest, interval;

    if (which != ITIMER_REAL)
        return (int)posix_result(which == ITIMER_VIRTUAL || which == ITIMER_PROF ? -ENOSYS : -EINVAL);
    const int error = root_alarm_set(SLOT_ROOT, 0, 0, 0, &rest, &interval);
    if (error == 0)
        *value = (struct itimerval){.it_interval = time_of(interval), .it_value = time_of(rest)};
    return (int)posix_result(error);
}

int setitimer(int which, const struct itimerval *restrict value, struct itimerval *restrict old)
{
    uint64_t rest, interval;

    if (which != ITIMER_REAL)
        return (int)posix_result(which == ITIMER_VIRTUAL || which == ITIMER_PROF ? -ENOSYS : -EINVAL);
    if (value->it_value.tv_usec < 0 || value->it_value.tv_usec >= 1000000 || value->it_interval.tv_usec < 0 ||
        value->it_interval.tv_usec >= 1000000 || value->it_value.tv_sec < 0 || value->it_interval.tv_sec < 0)
        return (int)posix_result(-EINVAL);
    const int error = root_alarm_set(SLOT_ROOT, ROOT_SIGNAL_SET, ns_of(&value->it_value), ns_of(&value->it_interval),
                                     &rest, &interval);
    if (error == 0 && old)
        *old = (struct itimerval){.it_interval = time_of(interval), .it_value = time_of(rest)};
    return (int)posix_result(error);
}
