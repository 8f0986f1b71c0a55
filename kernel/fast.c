/* SPDX-License-Identifier: MIT */
/*
 * The fast path: a call to a server that waits on this CPU, its reply, and a fault, when the message fits the
 * registers. Each function first looks at everything that could make the case an uncommon one, and then does without a
 * further look what ipc.c does. The CPU goes from one thread to the other with no run queue touched.
 *
 * Why no look at the run queue on the way in: the sender runs, so nothing ready here is more important than it is, and
 * the server goes on with at least its priority.
 */
#include "message.h"
#include "trace.h"

/* The capability in a slot (untrusted) if it has this type and these rights. Slot 0 is always empty. */
static inline const struct cap *find(const struct cap_table *table, uint64_t slot, enum cap_type type, uint64_t rights)
{
    uint64_t wanted = (uint64_t)type << 48 | rights << 56;
    uint64_t frame = slot / SLOTS_PER_FRAME;
    if (UNLIKELY(frame >= table->frames))
        return NULL;
    const struct cap *cap = &table->directory[frame][slot % SLOTS_PER_FRAME];
    return LIKELY((cap->word & (0xffUL << 48 | rights << 56)) == wanted) ? cap : NULL;
}

/* The server that takes the message, if it waits and ran here last (it may run here then). */
static inline struct thread *waiting_server(const struct endpoint *endpoint, const struct cpu *cpu)
{
    struct thread *server = endpoint->receivers;
    return LIKELY(server && server->cpu == cpu->index) ? server : NULL;
}

static inline struct thread *fast_call(struct thread *caller)
{
    struct cpu *cpu = arch_this_cpu();
    uint64_t tag = caller->context.x[CONTEXT_TAG];
    const struct cap *cap = find(caller->table, caller->context.x[0], CAP_ENDPOINT, RIGHT_SEND);
    if (UNLIKELY(!cap || (tag & TAG_TRANSFER)))
        return NULL;
    struct endpoint *endpoint = (struct endpoint *)cap_object(cap);
    struct thread *server = waiting_server(endpoint, cpu);
    if (UNLIKELY(!server))
        return NULL;
    unlink_receiver(endpoint, server);
    copy_words(caller, server, tag & TAG_LABEL);
    engage(caller, server, server->reply, cap->badge, caller->origin);
    hand_over(cpu, server);
    return server;
}

struct thread *fast_fault(struct thread *thread)
{
    struct cpu *cpu = arch_this_cpu();
    const struct cap *handler = &thread->aspace->handler;
    if (UNLIKELY(cap_type(handler) != CAP_ENDPOINT))
        return NULL;
    struct endpoint *endpoint = (struct endpoint *)cap_object(handler);
    struct thread *server = waiting_server(endpoint, cpu);
    if (UNLIKELY(!server))
        return NULL;
    thread->in_fault = true;
    unlink_receiver(endpoint, server);
    copy_fault(thread, server);
    engage(thread, server, server->reply, handler->badge, thread->fault_id);
    hand_over(cpu, server);
    return server;
}

static inline struct thread *fast_reply_recv(struct thread *server)
{
    struct cpu *cpu = arch_this_cpu();
    const struct cap *reply_cap = find(server->table, server->context.x[0], CAP_REPLY, RIGHT_RECEIVE);
    if (UNLIKELY(!reply_cap))
        return NULL;
    const struct cap *cap = find(server->table, server->context.x[CONTEXT_BADGE], CAP_ENDPOINT, RIGHT_RECEIVE);
    if (UNLIKELY(!cap))
        return NULL;
    struct reply *reply = (struct reply *)cap_object(reply_cap);
    struct endpoint *endpoint = (struct endpoint *)cap_object(cap);
    struct thread *caller = reply->caller;
    uint64_t tag = server->context.x[CONTEXT_TAG];
    if (UNLIKELY(!caller || (tag & TAG_TRANSFER) || reply->server != server || server->member != endpoint ||
                 endpoint->senders.head || has_news(endpoint) || caller->cpu != cpu->index ||
                 cpu->queue.ready >> caller->effective >> 1))
        return NULL;
    if (caller->in_fault) {
        if (UNLIKELY(MSG_LABEL(tag) != FAULT_RESUME))
            return NULL;
        long error = ipc_apply_items(server, caller);
        if (UNLIKELY(error)) {
            context_set_result(&server->context, error);
            return server;
        }
        caller->in_fault = false;
        trace_fault(cpu, TRACE_FAULT_END, caller, 0);
    } else {
        copy_words(server, caller, tag & TAG_LABEL);
    }
    caller->state = THREAD_STATE_RUNNABLE;
    caller->reply = NULL;
    reply->caller = NULL;
    reply->server = NULL;
    server->serving = NULL;
    server->effective = server->priority;
    wait_receiving(endpoint, server, reply);
    hand_over(cpu, caller);
    return caller;
}

struct thread *trap_call(struct thread *thread)
{
    kernel_lock();
    struct thread *next = fast_call(thread);
    if (UNLIKELY(!next))
        return trap_leave(ipc_call(thread));
    kernel_unlock();
    return next;
}

struct thread *trap_reply_recv(struct thread *thread)
{
    kernel_lock();
    struct thread *next = fast_reply_recv(thread);
    if (UNLIKELY(!next))
        return trap_leave(ipc_reply_recv(thread));
    kernel_unlock();
    return next;
}
