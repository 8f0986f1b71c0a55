/* SPDX-License-Identifier: MIT */
/* Alarms, and tries that come later. */
#include "timers.h"

#include <proto/root_client.h>
#include <proto/root_dispatch.h>
#include <quire/syscall.h>

#include "bootstrap.h"
#include "clock.h"
#include "delivery.h"
#include "log.h"
#include "memory.h"
#include "objects.h"
#include "own_thread.h"
#include "process.h"
#include "slots.h"

#define TIMER_STACK_BYTES 4096u

static uint64_t sleeps_until = DEADLINE_NEVER; /* what the timer thread was told last */
static uint64_t retry_at = DEADLINE_NEVER;
static bool later[PROCESS_COUNT]; /* processes to look at then */
static unsigned alarms;           /* that are set */

/* --- The timer thread --------------------------------------------------------------------------------------------- */

static __attribute__((noreturn)) void run_timer(void)
{
    uint64_t deadline, bits;

    for (;;) {
        if (root_timer(ROOT_SLOT_TIMER_ROOT, &deadline) < 0)
            deadline = DEADLINE_NEVER;
        (void)!sys_wait(ROOT_SLOT_TIMER, deadline, &bits);
    }
}

void timer_start(void)
{
    static _Alignas(16) char stack[TIMER_STACK_BYTES];
    const struct own_thread timer = {.slot = ROOT_SLOT_TIMER_THREAD,
                                     .number = 2,
                                     .buffer = TIMER_BUFFER_ADDRESS,
                                     .priority = PRIORITY_ROOT,
                                     .run = run_timer,
                                     .stack_end = stack + TIMER_STACK_BYTES};

    object_create(CAP_NOTIFICATION, ROOT_SLOT_TIMER, 0);
    const int result =
        capability_give(SLOT_TABLE, ROOT_SLOT_TIMER_ROOT, ROOT_SLOT_ENDPOINT, RIGHT_SEND, BADGE_PRIVILEGED | PID_ROOT);
    if (result < 0)
        fatal("starting the timer: error %ld", (long)result);
    own_thread_create(&timer);
    own_thread_start(&timer);
}

/* The timer thread is to be awake at that time. */
static void wake_at(uint64_t deadline)
{
    if (deadline >= sleeps_until)
        return;
    sleeps_until = deadline;
    (void)!sys_signal(ROOT_SLOT_TIMER, 1);
}

/* --- Alarms ------------------------------------------------------------------------------------------------------- */

static uint64_t from_now(uint64_t ns)
{
    uint64_t deadline;
    return __builtin_add_overflow(clock_now(), ns, &deadline) ? DEADLINE_NEVER - 1 : deadline;
}

void alarm_set(struct signal_process *state, uint64_t after, uint64_t interval)
{
    alarm_forget(state);
    if (after == 0)
        return;
    state->alarm = from_now(after);
    state->alarm_interval = interval;
    alarms++;
    wake_at(state->alarm);
}

uint64_t alarm_rest(const struct signal_process *state)
{
    const uint64_t now = clock_now();

    if (!state->alarm)
        return 0;
    return state->alarm > now ? state->alarm - now : 1;
}

void alarm_forget(struct signal_process *state)
{
    alarms -= state->alarm != 0;
    state->alarm = state->alarm_interval = 0;
}

static void ring(const struct process *process, uint64_t now)
{
    static const struct signal_source source = {.code = SIGNAL_CODE_KERNEL};
    struct signal_process *state = process_signals(process);

    if (!state->alarm || state->alarm > now)
        return;
    if (state->alarm_interval) {
        /* What was missed is not made up for. */
        state->alarm += (now - state->alarm) / state->alarm_interval * state->alarm_interval + state->alarm_interval;
    } else {
        alarm_forget(state);
    }
    signal_send(process, NULL, SIGNAL_ALARM, &source);
}

/* --- Later tries -------------------------------------------------------------------------------------------------- */

void signals_look_later(const struct process *process)
{
    later[process_index(process)] = true;
}

void retry_after(uint64_t ns)
{
    retry_at = from_now(ns);
    wake_at(retry_at);
}

static void look_again(void)
{
    retry_at = DEADLINE_NEVER;
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        if (later[i])
            signals_look_at(process_at(i));
        later[i] = false;
    }
}

int root_handle_timer(struct root_context *context, const struct message *request, uint64_t *deadline)
{
    const uint64_t now = clock_now();

    if (now >= retry_at)
        look_again();
    *deadline = retry_at;
    for (size_t i = 0; i < PROCESS_COUNT && alarms > 0; i++) {
        const struct process *process = process_at(i);
        if (process->state != PROCESS_RUNNING)
            continue;
        ring(process, now);
        const uint64_t alarm = process_signals(process)->alarm;
        if (alarm && alarm < *deadline)
            *deadline = alarm;
    }
    sleeps_until = *deadline;
    return 0;
}
