/* SPDX-License-Identifier: MIT */
/* Signals and children as data: actions, masks, what is pending, frames; who waits for whom; process groups. */
#include <errno.h>
#include <string.h>

#include <process.h>
#include <proto/pids.h>
#include <signals.h>
#include <wait.h>

#include "harness.h"

#define PID     7u
#define THREADS 4u

static struct signal_process state;
static struct signal_threads threads;

static const struct signal_source nobody = {.code = 1, .pid = 2, .status = 3, .value = 4};

static void set_handler(unsigned signal, uint64_t handler, uint64_t mask, uint64_t flags)
{
    EXPECT(signals_set_action(&state, signal, &(struct signal_action){handler, mask, flags}) == 0);
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void actions(void)
{
    static const struct signal_action ignore = {.handler = SIGNAL_HANDLER_IGNORE};

    signals_init(&state, PID);
    EXPECT(signals_disposition(&state, SIGNAL_SEGV) == SIGNAL_ENDS);
    EXPECT(signals_disposition(&state, SIGNAL_CHILD) == SIGNAL_IGNORED);
    EXPECT(signals_disposition(&state, SIGNAL_STOP) == SIGNAL_STOPS);
    EXPECT(signals_set_action(&state, 0, &ignore) == -EINVAL);
    EXPECT(signals_set_action(&state, SIGNAL_COUNT, &ignore) == -EINVAL);
    EXPECT(signals_set_action(&state, UINT64_MAX, &ignore) == -EINVAL);
    EXPECT(signals_set_action(&state, SIGNAL_KILL, &ignore) == -EINVAL);
    EXPECT(signals_set_action(&state, SIGNAL_STOP, &ignore) == -EINVAL);
    set_handler(SIGNAL_SEGV, 0x1000, UINT64_MAX, 0);
    EXPECT(signals_disposition(&state, SIGNAL_SEGV) == SIGNAL_CAUGHT);
    EXPECT(state.actions[SIGNAL_SEGV].mask == (SIGNALS_ALL & ~SIGNALS_FORCED));
    EXPECT(signals_check(&state) == 0);
}

static void pending(void)
{
    struct signal_information information;
    uint64_t old;

    signals_init(&state, PID);
    EXPECT(!signals_raise(&state, NULL, SIGNAL_CHILD, &nobody));
    EXPECT(signals_change_mask(&state.first, SIGNAL_MASK_SET, UINT64_MAX, &old) == 0 && old == 0);
    EXPECT(signals_raise(&state, NULL, SIGNAL_CHILD, &nobody) && signals_next(&state, &state.first) == 0);
    EXPECT(signals_raise(&state, &state.first, SIGNAL_ALARM, &nobody));
    EXPECT(signals_change_mask(&state.first, SIGNAL_MASK_UNBLOCK, UINT64_MAX, &old) == 0);
    EXPECT(signals_next(&state, &state.first) == SIGNAL_ALARM);
    EXPECT(signals_raise(&state, NULL, SIGNAL_KILL, &nobody) && signals_next(&state, &state.first) == SIGNAL_KILL);
    signals_take(&state, &state.first, SIGNAL_KILL, &information);
    EXPECT(information.signal == SIGNAL_KILL && information.code == 1 && information.pid == 2);
    signals_take(&state, &state.first, SIGNAL_ALARM, &information);
    signals_take(&state, &state.first, SIGNAL_CHILD, &information);
    EXPECT(information.status == 3 && information.value == 4 && !state.pending && !state.first.pending);
    EXPECT(signals_change_mask(&state.first, 99, 0, &old) == -EINVAL);
}

/* What a stop and going on take from each other. */
static void opposites(void)
{
    EXPECT(signals_opposite(SIGNAL_CONTINUE) == SIGNALS_STOPS && signals_opposite(SIGNAL_CHILD) == 0);
    EXPECT(signals_opposite(SIGNAL_STOP) == SIGNAL_BIT(SIGNAL_CONTINUE));
    EXPECT(signals_opposite(SIGNAL_TERMINAL_IN) == SIGNAL_BIT(SIGNAL_CONTINUE));
    EXPECT(signals_opposite(SIGNAL_KILL) == 0);
}

static void orphaned_groups(void)
{
    struct process *leader = process_new("leader", PID_ROOT);
    struct process *child = process_new("child", leader->pid);
    struct process *grandchild = process_new("grandchild", child->pid);

    /* All are of one group, and the leader's parent is of another session. */
    EXPECT(process_group_is_orphaned(leader->group));
    EXPECT(process_set_group(child, 0, 0) == 0 && child->group == child->pid);
    EXPECT(!process_group_is_orphaned(child->group) && !process_group_is_orphaned(leader->group));
    EXPECT(process_set_group(grandchild, 0, child->group) == 0 && process_group_is_orphaned(leader->group));
    leader->state = PROCESS_ENDED;
    EXPECT(process_group_is_orphaned(child->group));
    leader->state = PROCESS_RUNNING;
    EXPECT(process_new_session(grandchild) == 0 && process_group_is_orphaned(grandchild->group));
    process_free(grandchild);
    process_free(child);
    process_free(leader);
}

static void handlers(void)
{
    struct signal_frame frame;
    uint64_t old;

    signals_init(&state, PID);
    set_handler(SIGNAL_BUS, 0x1000, SIGNAL_BIT(SIGNAL_ALARM), 0);
    EXPECT(signals_change_mask(&state.first, SIGNAL_MASK_SET, SIGNAL_BIT(SIGNAL_CHILD), &old) == 0);
    EXPECT(signals_change_mask(&state.first, SIGNAL_MASK_SUSPEND, 0, &old) == 0 && state.first.mask == 0);
    signals_begin_handler(&state, &state.first, SIGNAL_BUS, &frame);
    EXPECT(frame.handler == 0x1000 && frame.mask == SIGNAL_BIT(SIGNAL_CHILD) && !state.first.suspended);
    EXPECT(state.first.mask == (SIGNAL_BIT(SIGNAL_CHILD) | SIGNAL_BIT(SIGNAL_ALARM) | SIGNAL_BIT(SIGNAL_BUS)));
    set_handler(SIGNAL_SEGV, 0x2000, 0, SIGNAL_FLAG_NO_DEFER | SIGNAL_FLAG_RESET);
    signals_begin_handler(&state, &state.first, SIGNAL_SEGV, &frame);
    EXPECT(!(state.first.mask & SIGNAL_BIT(SIGNAL_SEGV)));
    EXPECT(signals_disposition(&state, SIGNAL_SEGV) == SIGNAL_ENDS);
}

static void stacks(void)
{
    struct signal_thread thread = {.stack = 0x10000, .stack_bytes = 0x8000};
    const uint64_t top = 0x18000 - sizeof(struct signal_frame);

    EXPECT(signals_frame_address(&thread, 0, 0x50008) == ((0x50008 - sizeof(struct signal_frame)) & ~15UL));
    EXPECT(signals_frame_address(&thread, SIGNAL_FLAG_ON_STACK, 0x50000) == top);
    EXPECT(signals_frame_address(&thread, SIGNAL_FLAG_ON_STACK, 0x12000) < 0x12000);
    EXPECT(signals_frame_address(&thread, SIGNAL_FLAG_ON_STACK, 0x8000) == top);
    thread.stack_bytes = 0;
    EXPECT(signals_frame_address(&thread, SIGNAL_FLAG_ON_STACK, 0x50000) < 0x50000);
}

static void fork_and_exec(void)
{
    static struct signal_process child;
    struct signal_thread thread = {.pid = PID, .number = 3, .mask = SIGNAL_BIT(SIGNAL_ALARM), .pending = 1};

    signals_init(&state, PID);
    set_handler(SIGNAL_BUS, 0x1000, 0, SIGNAL_FLAG_ON_STACK);
    set_handler(SIGNAL_ALARM, SIGNAL_HANDLER_IGNORE, 0, 0);
    state.trampoline = 0x3000;
    state.alarm = 99;
    EXPECT(signals_raise(&state, NULL, SIGNAL_BUS, &nobody));
    signals_fork(&state, &thread, &child, 8);
    EXPECT(!child.pending && !child.first.pending && child.first.mask == thread.mask && child.first.number == 0);
    EXPECT(child.actions[SIGNAL_BUS].handler == 0x1000 && child.trampoline == 0x3000 && !child.alarm);
    signals_exec(&state, &thread);
    EXPECT(state.pending == SIGNAL_BIT(SIGNAL_BUS) && state.first.pending == 1 && state.first.mask == thread.mask);
    EXPECT(signals_disposition(&state, SIGNAL_BUS) == SIGNAL_ENDS && !state.trampoline && state.alarm == 99);
    EXPECT(signals_disposition(&state, SIGNAL_ALARM) == SIGNAL_IGNORED);
}

static void thread_table(void)
{
    memset(&threads, 0, sizeof(threads));
    EXPECT(!signals_thread(&threads, 3, 1, false));
    for (uint64_t i = 0; i < SIGNAL_THREADS_MAX; i++)
        EXPECT(signals_thread(&threads, 3 + i % 2, i, true));
    EXPECT(!signals_thread(&threads, 5, 1, true));
    EXPECT(signals_thread(&threads, 4, 1, false)->number == 1);
    unsigned count = 0;
    for (struct signal_thread *thread = NULL; (thread = signals_next_thread(&threads, 3, thread));)
        count++;
    EXPECT(count == SIGNAL_THREADS_MAX / 2);
}

/* --- Against a model ---------------------------------------------------------------------------------------------- */

/* What is pending, as lists of truths. */
static bool model_process[SIGNAL_COUNT], model_thread[THREADS][SIGNAL_COUNT], model_blocked[THREADS][SIGNAL_COUNT];

static unsigned model_next(unsigned thread)
{
    const bool kill = (model_process[SIGNAL_KILL] || model_thread[thread][SIGNAL_KILL]);

    for (unsigned signal = 1; signal < SIGNAL_COUNT; signal++)
        if ((!kill || signal == SIGNAL_KILL) && (model_process[signal] || model_thread[thread][signal]) &&
            !model_blocked[thread][signal])
            return signal;
    return 0;
}

static void model_take(unsigned thread, unsigned signal)
{
    if (model_thread[thread][signal])
        model_thread[thread][signal] = false;
    else
        model_process[signal] = false;
}

static struct signal_thread *thread_at(unsigned index)
{
    return index == 0 ? &state.first : signals_thread(&threads, PID, index, true);
}

static void random_mask(unsigned index)
{
    const uint64_t how = random_below(3), set = random_next();
    uint64_t old;

    EXPECT(signals_change_mask(thread_at(index), how, set, &old) == 0);
    for (unsigned signal = 1; signal < SIGNAL_COUNT; signal++) {
        const bool in = set >> (signal - 1) & 1, was = model_blocked[index][signal];
        EXPECT((old >> (signal - 1) & 1) == was);
        if (signal == SIGNAL_KILL || signal == SIGNAL_STOP)
            continue;
        model_blocked[index][signal] = how == SIGNAL_MASK_SET ? in : how == SIGNAL_MASK_BLOCK ? was || in : was && !in;
    }
}

static void random_signals(void)
{
    signals_init(&state, PID);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const unsigned index = (unsigned)random_below(THREADS), signal = 1 + (unsigned)random_below(SIGNAL_COUNT - 1);
        const bool directed = random_chance(50);
        struct signal_information information;

        if (random_chance(20)) {
            random_mask(index);
        } else if (random_chance(50)) {
            struct signal_thread *thread = directed ? thread_at(index) : NULL;
            const bool blocked = model_blocked[directed ? index : 0][signal];
            const bool kept = blocked || signals_disposition(&state, signal) != SIGNAL_IGNORED;
            EXPECT(signals_raise(&state, thread, signal, &nobody) == kept);
            if (kept)
                *(directed ? &model_thread[index][signal] : &model_process[signal]) = true;
        } else {
            const unsigned next = signals_next(&state, thread_at(index));
            EXPECT(next == model_next(index));
            if (next) {
                signals_take(&state, thread_at(index), next, &information);
                EXPECT((unsigned)information.signal == next);
                model_take(index, next);
            }
        }
        EXPECT(signals_check(&state) == 0);
    }
}

/* --- Children ----------------------------------------------------------------------------------------------------- */

static struct process *child_of(uint64_t parent, uint64_t group, enum process_cause cause)
{
    struct process *child = process_new("child", parent);

    EXPECT(child);
    child->group = group;
    child->cause = cause;
    child->state = cause == CAUSE_EXITED || cause == CAUSE_KILLED ? PROCESS_ENDED : PROCESS_RUNNING;
    return child;
}

static void waits(void)
{
    struct process *parent = process_new("parent", PID_ROOT);
    struct wait_request wait = {.caller = parent->pid, .target = -1};

    EXPECT(parent->group == parent->pid && parent->session == parent->pid);
    EXPECT(!wait_find_child(&wait));
    struct process *running = child_of(parent->pid, 5000, CAUSE_NONE);
    struct process *stopped = child_of(parent->pid, 5000, CAUSE_STOPPED);
    struct process *ended = child_of(parent->pid, 6000, CAUSE_EXITED);
    EXPECT(running->session == parent->session);
    EXPECT(wait_find_child(&wait) == ended && wait_is_answered(&wait, ended) && !wait_is_answered(&wait, stopped));
    wait.options = WAIT_STOPPED;
    EXPECT(wait_find_child(&wait) == stopped && wait_is_answered(&wait, stopped));
    wait.target = -5000;
    wait.options = 0;
    EXPECT(!wait_is_answered(&wait, wait_find_child(&wait)));
    wait.target = -7000;
    EXPECT(!wait_has_child(&wait));
    wait.target = (int64_t)ended->pid;
    wait.options = WAIT_NO_ENDS;
    EXPECT(!wait_is_answered(&wait, wait_find_child(&wait)));
    wait.options = WAIT_KEEP;
    wait_take_news(&wait, ended);
    EXPECT(wait_find_child(&wait) == ended);
    wait.options = 0;
    wait_take_news(&wait, ended);
    EXPECT(!wait_find_child(&wait));
    wait.target = (int64_t)parent->pid;
    EXPECT(!wait_find_child(&wait));
    wait.options = WAIT_STOPPED;
    wait_take_news(&wait, stopped);
    EXPECT(stopped->cause == CAUSE_NONE && stopped->state == PROCESS_RUNNING);
}

static void groups(void)
{
    struct process *leader = process_new("leader", PID_ROOT), *other = process_new("other", PID_ROOT);
    struct process *child = process_new("child", leader->pid);

    EXPECT(process_set_group(leader, 0, 0) == -EPERM);
    EXPECT(process_set_group(leader, child->pid, 0) == 0 && child->group == child->pid);
    EXPECT(process_set_group(leader, child->pid, leader->pid) == 0 && child->group == leader->pid);
    EXPECT(process_set_group(leader, child->pid, other->pid) == -EPERM);
    EXPECT(process_set_group(leader, child->pid, 99999) == -EPERM);
    EXPECT(process_set_group(other, child->pid, 0) == -ESRCH);
    child->executed = true;
    EXPECT(process_set_group(leader, child->pid, 0) == -EACCES);
    EXPECT(process_set_group(child, 0, 0) == 0 && process_new_session(child) == -EPERM);
    EXPECT(process_set_group(child, 0, leader->pid) == 0 && process_new_session(child) == 0);
    EXPECT(child->session == child->pid && process_set_group(leader, leader->pid, child->pid) == -EPERM);
    leader->apart = true;
    EXPECT(process_new("apart", leader->pid)->session != leader->session);
}

/* Numbers find their entries while processes come and go. */
static void random_processes(void)
{
    uint64_t pids[PROCESS_COUNT] = {0};

    for (test_step = 0; test_step < test_steps(); test_step++) {
        const size_t index = random_below(PROCESS_COUNT - 2);
        struct process *process = pids[index] ? process_find(pids[index]) : process_new("process", PID_ROOT);
        EXPECT(process && process_at(process_index(process)) == process);
        if (pids[index]) {
            EXPECT(process->pid == pids[index]);
            process_free(process);
            EXPECT(!process_find(pids[index]));
        }
        pids[index] = pids[index] ? 0 : process->pid;
    }
}

static const struct test_row rows[] = {
    {"opposites", "a stop and going on take each other away", opposites},
    {"orphaned_groups", "a group is orphaned if nobody of its session would let it go on", orphaned_groups},
    {"actions", "KILL and STOP have no action; default actions are POSIX's", actions},
    {"pending", "blocked signals stay pending, KILL comes first, ignored ones are gone", pending},
    {"handlers", "a handler's mask holds while it runs, the suspended mask comes back", handlers},
    {"stacks", "frames go to the alternative stack once", stacks},
    {"fork_and_exec", "what children and new programs keep", fork_and_exec},
    {"thread_table", "the table of threads has its limit", thread_table},
    {"random_signals", "random signals, masks and takes agree with a model", random_signals},
    {"waits", "which child answers which wait", waits},
    {"groups", "process groups and sessions", groups},
    {"random_processes", "numbers find their entries while processes come and go", random_processes},
};

TEST_MAIN("signals", rows)
