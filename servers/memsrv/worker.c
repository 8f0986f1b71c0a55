/* SPDX-License-Identifier: MIT */
/* Workers: their creation, and the loop that each of them runs. */
#include <errno.h>

#include <base/lock.h>
#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "drain.h"
#include "fault.h"
#include "kernel_objects.h"
#include "log.h"
#include "memory.h"
#include "own_memory.h"
#include "parking.h"
#include "trace.h"

#define STACK_BYTES        32768u
#define MEMSRV_PRIORITY    48u
#define TURNS_BEFORE_YIELD 32u

/* Besides PROTO_*: what else is to be done before the next message. */
#define THEN_READY 2
_Static_assert(PROTO_REPLY == 0 && PROTO_PARKED == 1, "THEN_READY is a bit of its own");

struct memsrv_context workers[WORKERS_MAX];
uint32_t worker_count = 1;

/* All workers have the same priority, so the holder of a lock gets its turn. */
void spinlock_wait(uint32_t turns)
{
    if (turns < TURNS_BEFORE_YIELD)
        machine_relax();
    else
        (void)sys_yield();
}

static struct lock_stack lock_stacks[WORKERS_MAX];

struct lock_stack *lock_stack(void)
{
    return &lock_stacks[worker_index()];
}

/* Gives reply *m and takes the next message into it, or else just takes one if nobody waits for the reply any more. */
static __attribute__((noinline, cold)) long reply_again(struct memsrv_context *worker, struct message *m, long error)
{
    /* Others may wait until this answer is given, so the worker does not stop now. */
    drain_wanted(worker, false);
    /* A caller that does not take its capabilities gets the error instead; one that has gone gets nothing. */
    if (worker->fault_address) {
        fault_retry(worker, m, (int)error);
        if (error != -ESRCH)
            error = sys_reply_recv(worker->reply_slot, SLOT_SERVE, m);
    } else if (error != -ESRCH) {
        m->tag = MSG_TAG(error, 0, 0);
        error = sys_reply_recv(worker->reply_slot, SLOT_SERVE, m);
    }
    return error == -ESRCH ? sys_recv(worker->reply_slot, SLOT_SERVE, m) : error;
}

/* Gives reply *m, takes up those who waited for what was done, and takes the next message. */
static __attribute__((noinline)) long serve_ready(struct memsrv_context *worker, struct message *m, int verdict)
{
    long error = !(verdict & PROTO_PARKED) ? sys_reply(worker->reply_slot, m) : 0;
    if (error && error != -ESRCH) {
        if (worker->fault_address)
            fault_retry(worker, m, (int)error);
        else
            m->tag = MSG_TAG(error, 0, 0);
        (void)!sys_reply(worker->reply_slot, m);
    }
    fault_settled(worker);
    worker->reserve = false;
    parking_run(worker);
    CHECK(lock_order_is_idle());
    return sys_recv(worker->reply_slot, SLOT_SERVE, m);
}

/* Hot, for who would conclude from attend() that it is not. */
static __attribute__((noinline, hot)) int handle_request(struct memsrv_context *worker, struct message *m)
{
    worker->starved = false;
    const int verdict = memsrv_dispatch(worker, m);
    return parking_is_ready() || worker->reserve ? verdict | THEN_READY : verdict;
}

/* Has a message handled when there is more to it: pages to be given back, or trace events to be written. */
static __attribute__((noinline)) int attend(struct memsrv_context *worker, struct message *m)
{
    drain_if_wanted(worker);
    if (!(worker->watch & WATCH_TRACE))
        return MSG_FLAGS(m->tag) & MSG_FLAG_FAULT ? fault_answer(worker, m) : handle_request(worker, m);
    const bool is_fault = MSG_FLAGS(m->tag) & MSG_FLAG_FAULT;
    const int verdict = trace_handle(worker, m);
    return !is_fault && (parking_is_ready() || worker->reserve) ? verdict | THEN_READY : verdict;
}

_Noreturn void worker_serve(struct memsrv_context *worker)
{
    struct message m = {0};
    long error = sys_recv(worker->reply_slot, SLOT_SERVE, &m);

    for (;;) {
        if (__builtin_expect(error != 0, 0))
            fatal("worker %lu cannot receive: error %ld", (uint64_t)worker->index, error);
        int verdict;
        if (__builtin_expect(__atomic_load_n(&worker->attention, __ATOMIC_ACQUIRE) != 0, 0))
            verdict = attend(worker, &m);
        else if (__builtin_expect(MSG_FLAGS(m.tag) & MSG_FLAG_FAULT, 1))
            verdict = fault_answer(worker, &m);
        else
            verdict = handle_request(worker, &m);
        CHECK(lock_order_is_idle());
        if (__builtin_expect(verdict != PROTO_REPLY, 0)) {
            error = serve_ready(worker, &m, verdict);
            continue;
        }
        error = sys_reply_recv(worker->reply_slot, SLOT_SERVE, &m);
        if (__builtin_expect(error != 0, 0))
            error = reply_again(worker, &m, error);
        fault_settled(worker);
    }
}

static _Noreturn void worker_main(uint64_t index)
{
    worker_serve(&workers[index]);
}

/* What a worker besides the first consists of. */
struct worker_parts {
    struct kernel_object thread, reply;
    struct page *buffer; /* seen by its thread through the window */
    char *stack;         /* between guard pages: who runs over its end faults instead of writing to something else */
};

static int run_thread(const struct memsrv_context *worker, const struct worker_parts *parts)
{
    const uint64_t thread = parts->thread.slot;
    long error = sys_thread_control(thread, THREAD_CONFIGURE, SLOT_ASPACE, SLOT_TABLE, page_pfn(parts->buffer),
                                    (uint64_t)page_window(parts->buffer), worker->index);
    if (!error)
        error = sys_thread_control(thread, THREAD_PRIORITY, MEMSRV_PRIORITY, 0, 0, 0, 0);
    if (!error)
        error = sys_thread_control(thread, THREAD_SET_EVENT, SLOT_NOTIFICATION, 1, 0, 0, 0);
    if (!error)
        error = sys_thread_control(thread, THREAD_START, (uint64_t)worker_main,
                                   entry_stack((uint64_t)(parts->stack + STACK_BYTES)), worker->index, 0, 0);
    return (int)error;
}

static int make_parts(struct memsrv_context *worker, struct worker_parts *parts)
{
    parts->stack = vmalloc(&own_space, worker_index(), STACK_BYTES);
    parts->buffer = system_page_take(0);
    if (!parts->stack || !parts->buffer)
        return -ENOMEM;
    page_zero(parts->buffer);
    ((struct ipc_buffer *)(void *)page_window(parts->buffer))->user[WORKER_WORD_INDEX] = worker->index;
    int error = kernel_object_create(CAP_REPLY, 0, &parts->reply);
    return error ? error : kernel_object_create(CAP_THREAD, 0, &parts->thread);
}

/* Gives back the parts of a worker that was not started. */
static void drop_parts(struct worker_parts *parts)
{
    int error = kernel_object_destroy(&parts->thread);
    if (!error)
        error = kernel_object_destroy(&parts->reply);
    if (!error)
        error = vfree(&own_space, worker_index(), parts->stack);
    if (!error && parts->buffer)
        system_page_give(parts->buffer);
    ASSERT(error == 0);
}

static int start_worker(struct memsrv_context *worker)
{
    struct worker_parts parts = {0};

    worker_lists_init(worker);
    int error = make_parts(worker, &parts);
    worker->thread_slot = parts.thread.slot;
    worker->reply_slot = parts.reply.slot;
    parking_worker_init(worker);
    if (!error)
        error = run_thread(worker, &parts);
    if (error)
        drop_parts(&parts);
    return error;
}

void workers_start(uint64_t cpu_count)
{
    uint64_t wanted = cpu_count < WORKERS_MAX ? cpu_count : WORKERS_MAX;

    for (uint32_t i = 1; i < wanted; i++) {
        workers[i].index = i;
        int error = start_worker(&workers[i]);
        if (error) {
            log_line("worker %lu cannot be started: error %ld", (uint64_t)i, (long)error);
            break;
        }
        worker_count = i + 1;
    }
}
