/* SPDX-License-Identifier: MIT */
/*
 * Signals: handlers and what they are told, masks, what is pending, waiting, alarms, children, threads, and what fork and
 * exec keep of it all.
 */
#include <arch/instructions.h>
#include <errno.h>
#include <proto/root_client.h>
#include <proto/signal_frame.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define ROUNDS 1000

static volatile sig_atomic_t count, last, depth, deepest;
static siginfo_t told;
static sigjmp_buf jump;

static void handle(int signal)
{
    count++;
    last = signal;
}

static void handle_told(int signal, siginfo_t *information, void *context)
{
    (void)context;
    told = *information;
    handle(signal);
}

static void act(int signal, void (*handler)(int), int flags)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    (void)sigaction(signal, &action, NULL);
}

static void act_told(int signal)
{
    const struct sigaction action = {.sa_sigaction = handle_told, .sa_flags = SA_SIGINFO};
    (void)sigaction(signal, &action, NULL);
}

static sigset_t set_of(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void block(int how, int signal)
{
    const sigset_t set = set_of(signal);
    (void)sigprocmask(how, &set, NULL);
}

static void reset(void)
{
    count = last = depth = deepest = 0;
    memset(&told, 0, sizeof(told));
}

static int end_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* --- Handlers ----------------------------------------------------------------------------------------------------- */

static double mix(double value)
{
    return value * 1.5 + 0.25;
}

static void handle_with_fp(int signal)
{
    volatile double value = mix(signal);
    (void)value;
    count++;
}

static void nest(int signal)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (depth < 5)
        (void)raise(signal);
    depth--;
    count++;
}

static void test_handlers(void)
{
    struct sigaction old;
    double sum = 0;

    reset();
    act(SIGUSR1, handle, 0);
    tap_ok(raise(SIGUSR1) == 0 && count == 1 && last == SIGUSR1, "a handler has run when raise() returns");
    tap_ok(kill(getpid(), SIGUSR1) == 0 && count == 2, "and when kill() of oneself does");
    tap_ok(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == handle, "sigaction() tells the action");
    act_told(SIGUSR2);
    tap_ok(kill(getpid(), SIGUSR2) == 0 && told.si_signo == SIGUSR2 && told.si_code == SI_USER &&
               told.si_pid == getpid(),
           "a handler with SA_SIGINFO is told who sent it");
    tap_ok(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 4711}) == 0 && told.si_code == SI_QUEUE &&
               told.si_value.sival_int == 4711,
           "and what sigqueue() gave");
    reset();
    act(SIGUSR1, handle_with_fp, 0);
    for (int i = 0; i < ROUNDS; i++) {
        sum += mix(i);
        (void)raise(SIGUSR1);
    }
    tap_ok(count == ROUNDS && sum == 1.5 * ROUNDS * (ROUNDS - 1) / 2 + 0.25 * ROUNDS,
           "%d handlers that compute leave registers alone", ROUNDS);
    reset();
    act(SIGUSR1, nest, SA_NODEFER);
    (void)raise(SIGUSR1);
    tap_ok(count == 5 && deepest == 5, "with SA_NODEFER a handler interrupts itself");
    reset();
    act(SIGUSR1, handle, SA_RESETHAND);
    (void)raise(SIGUSR1);
    tap_ok(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL && count == 1, "SA_RESETHAND is for once");
    tap_ok(signal(SIGUSR1, handle) == SIG_DFL && signal(SIGUSR1, SIG_IGN) == handle, "signal() tells the last handler");
    tap_ok(raise(SIGUSR1) == 0 && count == 1, "an ignored signal does nothing");
    tap_ok(sigaction(SIGKILL, &old, NULL) == -1 && errno == EINVAL, "SIGKILL cannot be caught");
    tap_ok(sigaction(NSIG, &old, NULL) == -1 && errno == EINVAL && kill(getpid(), NSIG) == -1 && errno == EINVAL,
           "there is no signal NSIG");
}

static void handle_blocked(int signal)
{
    sigset_t mask;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    last = sigismember(&mask, signal) && sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGUSR2);
    count++;
}

static void test_masks(void)
{
    struct sigaction action = {.sa_handler = handle_blocked};
    sigset_t set, all;

    reset();
    sigaddset(&action.sa_mask, SIGTERM);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)raise(SIGUSR1);
    tap_ok(count == 1 && last == 1, "while a handler runs, its signal and its mask are blocked");
    tap_ok(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && set == 0, "and afterwards no more");
    act(SIGUSR1, handle, 0);
    reset();
    block(SIG_BLOCK, SIGUSR1);
    (void)raise(SIGUSR1);
    (void)kill(getpid(), SIGUSR1);
    tap_ok(count == 0 && sigpending(&set) == 0 && set == set_of(SIGUSR1), "a blocked signal is pending");
    block(SIG_UNBLOCK, SIGUSR1);
    tap_ok(count >= 1 && sigpending(&set) == 0 && set == 0, "and comes when it is unblocked");
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)sigprocmask(SIG_SETMASK, NULL, &set);
    tap_ok(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP) && sigismember(&set, SIGTERM),
           "SIGKILL and SIGSTOP are never blocked");
    sigemptyset(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    tap_ok(sigprocmask(99, &all, NULL) == -1 && errno == EINVAL, "there are three ways to change a mask");
}

static void leave(int signal)
{
    (void)signal;
    siglongjmp(jump, 1);
}

static void test_jumps(void)
{
    volatile int left = 0;
    sigset_t mask;

    act(SIGUSR1, leave, 0);
    for (volatile int i = 0; i < ROUNDS; i++) {
        if (sigsetjmp(jump, 1) == 0)
            (void)raise(SIGUSR1);
        else
            left++;
    }
    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    tap_ok(left == ROUNDS && mask == 0, "%d jumps out of a handler", ROUNDS);
}

static void change_context(int signal, siginfo_t *information, void *context)
{
    ucontext_t *changed = context;

    (void)signal, (void)information;
    sigaddset(&changed->uc_sigmask, SIGUSR2);
    count++;
}

static void test_context(void)
{
    const struct sigaction action = {.sa_sigaction = change_context, .sa_flags = SA_SIGINFO};
    sigset_t mask;

    reset();
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)raise(SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    tap_ok(count == 1 && mask == set_of(SIGUSR2), "a handler may change the mask that comes after it");
    block(SIG_UNBLOCK, SIGUSR2);
}

/* --- Waiting ------------------------------------------------------------------------------------------------------ */

/*
 * A child that sends a signal again and again until it is ended: the first may come before its parent waits, so one alone
 * would be no promise that the wait ends.
 */
static pid_t send_again_and_again(int signal)
{
    const pid_t parent = getpid(), child = fork();

    if (child == 0) {
        do
            usleep(20000);
        while (kill(parent, signal) == 0);
        _exit(1);
    }
    return child;
}

static void end_sender(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)end_of(child);
}

static void test_waiting(void)
{
    sigset_t none, set = set_of(SIGUSR1);
    const struct timespec soon = {.tv_nsec = 20000000}, long_time = {.tv_sec = 300};
    struct timespec rest = {0};
    siginfo_t information;
    pid_t child;
    int number = 0;

    reset();
    sigemptyset(&none);
    act(SIGUSR1, handle, 0);
    block(SIG_BLOCK, SIGUSR1);
    child = send_again_and_again(SIGUSR1);
    tap_ok(sigsuspend(&none) == -1 && errno == EINTR && count == 1, "sigsuspend() waits for a handler");
    (void)sigprocmask(SIG_BLOCK, NULL, &none);
    tap_ok(none == set, "and gives the mask back");
    tap_ok(sigwait(&set, &number) == 0 && number == SIGUSR1 && count == 1,
           "sigwait() takes a signal without a handler");
    end_sender(child);
    (void)raise(SIGUSR1);
    tap_ok(sigtimedwait(&set, &information, &soon) == SIGUSR1, "sigtimedwait() takes one that is pending");
    tap_ok(sigtimedwait(&set, &information, &soon) == -1 && errno == EAGAIN, "and waits no longer than it is to");
    block(SIG_UNBLOCK, SIGUSR1);
    child = send_again_and_again(SIGUSR1);
    tap_ok(nanosleep(&long_time, &rest) == -1 && errno == EINTR && rest.tv_sec > 0, "a handler ends a sleep early");
    reset();
    tap_ok(pause() == -1 && errno == EINTR && count > 0, "pause() waits for a handler");
    end_sender(child);
}

static atomic_int *shared_count;

static void handle_shared(int signal)
{
    handle(signal);
    atomic_fetch_add(shared_count, 1);
}

static void test_interrupted_calls(void)
{
    shared_count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    atomic_int *enough = shared_count + 1;
    const pid_t sleeper = fork();
    pid_t child;
    int status;

    if (sleeper == 0) {
        while (atomic_load(enough) == 0 || atomic_load(shared_count) < atomic_load(enough))
            usleep(1000);
        _exit(5);
    }
    reset();
    act(SIGUSR1, handle_shared, 0);
    child = send_again_and_again(SIGUSR1);
    tap_ok(waitpid(sleeper, &status, 0) == -1 && errno == EINTR && count > 0, "a handler ends waitpid() with EINTR");
    act(SIGUSR1, handle_shared, SA_RESTART);
    reset();
    atomic_store(enough, atomic_load(shared_count) + 3);
    tap_ok(waitpid(sleeper, &status, 0) == sleeper && WEXITSTATUS(status) == 5 && count > 0,
           "with SA_RESTART it goes on");
    end_sender(child);
}

/* What is left of this many seconds; the machine may be slow. */
static bool near(unsigned left, unsigned seconds)
{
    return left <= seconds && left > seconds / 2;
}

static void test_alarms(void)
{
    struct itimerval value = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 5000}}, old;

    reset();
    act(SIGALRM, handle, 0);
    tap_ok(setitimer(ITIMER_REAL, &value, NULL) == 0, "an interval timer");
    while (count < 5)
        pause();
    value = (struct itimerval){0};
    tap_ok(setitimer(ITIMER_REAL, &value, &old) == 0 && old.it_interval.tv_usec == 5000 && last == SIGALRM,
           "rings again and again, until it is stopped");
    tap_ok(alarm(1000) == 0 && near(alarm(500), 1000) && near(alarm(0), 500) && alarm(0) == 0,
           "alarm() tells the rest");
    reset();
    (void)alarm(1);
    tap_ok(sleep(300) > 0 && count == 1, "alarm() ends a sleep");
    const pid_t child = fork();
    if (child == 0) {
        act(SIGALRM, SIG_DFL, 0);
        (void)ualarm(10000, 0);
        for (;;)
            continue;
    }
    tap_equal(end_of(child), 1000 + SIGALRM, "an alarm that is not caught ends a program that never waits");
}

/* --- Processes ---------------------------------------------------------------------------------------------------- */

static void test_children(void)
{
    const sigset_t none = 0;
    pid_t child;
    int status;

    reset();
    act_told(SIGCHLD);
    block(SIG_BLOCK, SIGCHLD);
    child = fork();
    if (child == 0)
        _exit(9);
    while (count == 0)
        (void)sigsuspend(&none);
    block(SIG_UNBLOCK, SIGCHLD);
    tap_ok(told.si_pid == child && told.si_code == CLD_EXITED && told.si_status == 9, "SIGCHLD tells of a child's end");
    tap_ok(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 9, "which can still be waited for");
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    (void)kill(child, SIGTERM);
    tap_equal(end_of(child), 1000 + SIGTERM, "SIGTERM ends a child");
    tap_ok(told.si_pid == child && told.si_code == CLD_KILLED && told.si_status == SIGTERM, "and SIGCHLD says so");
    act(SIGCHLD, SIG_IGN, 0);
    child = fork();
    if (child == 0)
        _exit(1);
    tap_ok(waitpid(child, &status, 0) == -1 && errno == ECHILD, "children of who ignores SIGCHLD are not kept");
    act(SIGCHLD, SIG_DFL, 0);
    child = fork();
    if (child == 0)
        abort();
    tap_equal(end_of(child), 1000 + SIGABRT, "abort()");
    tap_ok(kill(getpid(), 0) == 0 && kill(child, 0) == -1 && errno == ESRCH, "kill() with 0 only asks");
    tap_ok(kill(1, SIGKILL) == -1 && errno == EPERM && kill(2, SIGKILL) == -1 && errno == EPERM,
           "root and memsrv get no signals");
}

/* What the mask and actions are in a new program: exec'd with "look". */
static int look(void)
{
    struct sigaction one, two;
    sigset_t mask, pending;

    (void)sigaction(SIGUSR1, NULL, &one);
    (void)sigaction(SIGUSR2, NULL, &two);
    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    (void)sigpending(&pending);
    if (one.sa_handler != SIG_DFL || two.sa_handler != SIG_IGN)
        return 1;
    return mask == set_of(SIGTERM) && pending == set_of(SIGTERM) ? 0 : 2;
}

static void test_fork_and_exec(void)
{
    sigset_t set;
    pid_t child;

    reset();
    act(SIGUSR1, handle, 0);
    block(SIG_BLOCK, SIGTERM);
    (void)raise(SIGTERM);
    child = fork();
    if (child == 0) {
        if (sigpending(&set) < 0 || set != 0 || sigprocmask(SIG_BLOCK, NULL, &set) < 0 || set != set_of(SIGTERM))
            _exit(1);
        (void)raise(SIGUSR1);
        _exit(count == 1 ? 0 : 2);
    }
    tap_equal(end_of(child), 0, "a child has actions and mask, and nothing pending");
    child = fork();
    if (child == 0) {
        act(SIGUSR2, SIG_IGN, 0);
        (void)raise(SIGTERM);
        (void)execl("/tests/signals", "signals", "look", (char *)NULL);
        _exit(99);
    }
    tap_equal(end_of(child), 0, "exec keeps mask, what is ignored and what is pending");
    (void)sigwait(&(sigset_t){set_of(SIGTERM)}, &(int){0});
    block(SIG_UNBLOCK, SIGTERM);
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

static pthread_t handled_by;

static void handle_in_thread(int signal)
{
    handled_by = pthread_self();
    handle(signal);
}

static void *take_signals(void *argument)
{
    const sigset_t set = set_of(SIGUSR2);
    int number = 0;

    (void)argument;
    return (void *)(long)(sigwait(&set, &number) == 0 ? number : -1);
}

static void *wait_for_handler(void *argument)
{
    while (*(volatile sig_atomic_t *)argument == 0)
        usleep(1000);
    return NULL;
}

static void test_threads(void)
{
    pthread_t thread;
    void *result = NULL;

    reset();
    act(SIGUSR1, handle_in_thread, 0);
    (void)pthread_create(&thread, NULL, wait_for_handler, (void *)&count);
    tap_equal(pthread_kill(thread, SIGUSR1), 0, "pthread_kill()");
    (void)pthread_join(thread, NULL);
    tap_ok(count == 1 && pthread_equal(handled_by, thread), "reaches that thread");
    block(SIG_BLOCK, SIGUSR2);
    (void)pthread_create(&thread, NULL, take_signals, NULL);
    usleep(10000);
    (void)kill(getpid(), SIGUSR2);
    (void)pthread_join(thread, &result);
    tap_equal((long)result, SIGUSR2, "a thread takes a signal that all block");
    reset();
    act(SIGUSR2, handle_in_thread, 0);
    block(SIG_UNBLOCK, SIGUSR2);
    (void)pthread_create(&thread, NULL, wait_for_handler, (void *)&count);
    block(SIG_BLOCK, SIGUSR2);
    (void)kill(getpid(), SIGUSR2);
    (void)pthread_join(thread, NULL);
    tap_ok(count == 1 && pthread_equal(handled_by, thread), "a signal goes to a thread that does not block it");
    block(SIG_UNBLOCK, SIGUSR2);
}

/* --- Storms and mischief ------------------------------------------------------------------------------------------ */

/* A program that asks for memory and gives it back while signals rain on it: no answer is lost. */
static void test_storm(void)
{
    const pid_t parent = getpid(), child = fork();
    bool sound = true;

    if (child == 0) {
        while (kill(parent, SIGUSR1) == 0)
            (void)sched_yield();
        _exit(0);
    }
    reset();
    act(SIGUSR1, handle, SA_RESTART);
    for (int i = 0; i < 300 || count < 30; i++) {
        void *memory = malloc(200000);
        sound &= memory != NULL && getppid() > 0;
        if (memory)
            memset(memory, i, 200000);
        free(memory);
    }
    (void)kill(child, SIGKILL);
    tap_equal(end_of(child), 1000 + SIGKILL, "a child that sends signals all the time is ended");
    tap_ok(sound && count >= 30, "requests work while signals come");
    tap_diag("%d handlers", (int)count);
}

static int mischief(int which)
{
    static struct signal_frame frame;
    uint64_t handler, mask, flags;

    switch (which) {
    case 0: /* a trampoline in the kernel */
        (void)!root_signal_action(SLOT_ROOT, SIGUSR1, ROOT_SIGNAL_SET, 8, 0, 0, 0xffff000000000000, &handler, &mask,
                                  &flags);
        (void)raise(SIGUSR1);
        return 1;
    case 1: /* registers of the kernel */
        memset(&frame, 0xff, sizeof(frame));
        (void)!root_signal_return(SLOT_ROOT, (uint64_t)&frame, 0);
        return 1;
    case 2: /* no frame */
        (void)!root_signal_return(SLOT_ROOT, 16, 0);
        return 1;
    case 3: /* a frame that wraps */
        (void)!root_signal_return(SLOT_ROOT, UINT64_MAX - 8, 0);
        return 1;
    default: /* a stack pointer to nowhere, where a signal comes */
        act(SIGUSR1, handle, 0);
        (void)ualarm(20000, 0);
        act(SIGALRM, handle, 0);
        INSTRUCTION_LOSE_STACK();
        return 1;
    }
}

static void test_mischief(void)
{
    for (int which = 0; which < 5; which++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(mischief(which));
        tap_equal(end_of(child), 1000 + SIGSEGV, "mischief %d ends who makes it", which);
    }
}

int main(int arguments, char **words)
{
    if (arguments > 1 && strcmp(words[1], "look") == 0)
        return look();
    tap_plan(55);
    test_handlers();
    test_masks();
    test_jumps();
    test_context();
    test_waiting();
    test_interrupted_calls();
    test_alarms();
    test_children();
    test_fork_and_exec();
    test_threads();
    test_storm();
    test_mischief();
    return tap_done();
}
