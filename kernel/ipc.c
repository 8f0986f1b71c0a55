/* SPDX-License-Identifier: MIT */
/*
 * Synchronous messages: call, receive, reply, and faults as messages, in all their cases. The common ones, where a
 * server waits and six words are enough, mostly go through fast.c instead, which does what is here.
 */
#include <errno.h>

#include "kernel.h"
#include "message.h"
#include "trace.h"

/* How many boosts one new sender can cause, over all servers down the chain. */
#define LEND_BUDGET 32u
/* How many servers of one endpoint are looked at for that: those that came last. */
#define LEND_MEMBERS 32u

static struct thread *fail(struct thread *thread, long error)
{
    context_set_result(&thread->context, error);
    return thread;
}

/* 0 if the tag of a message that `from` sends is well-formed and may carry what it says. */
static long check_tag(const struct thread *from, uint64_t tag, bool may_grant)
{
    if (!from->buffer || MSG_WORDS(tag) > MSG_BUFFER_WORDS || MSG_CAPS(tag) > MSG_CAPS_MAX)
        return -EINVAL;
    return MSG_CAPS(tag) && !may_grant ? -EPERM : 0;
}

uint64_t ipc_transfer(const struct thread *from, const struct thread *to, uint64_t tag)
{
    if (!to->buffer)
        return 0;
    uint32_t words = MSG_WORDS(tag);
    for (uint32_t i = 0; i < words; i++)
        to->buffer->words[i] = from->buffer->words[i];
    uint32_t caps = 0;
    while (caps < MSG_CAPS(tag)) {
        const struct cap *source = cap_slot(from->table, from->buffer->send_slots[caps]);
        struct cap *target = cap_slot(to->table, to->buffer->receive_slots[caps]);
        if (!source || !target || cap_copy(target, source, RIGHT_ALL, 0) != 0)
            break;
        caps++;
    }
    return MSG_TAG(0, words, caps);
}

/* Gives the message of `sender`, which is in no queue, to `server`, which is in none either. */
static void deliver(struct thread *sender, struct thread *server, struct reply *reply)
{
    if (sender->in_fault)
        copy_fault(sender, server);
    else
        copy_message(sender, server);
    engage(sender, server, reply, sender->badge, sender->in_fault ? sender->fault_id : sender->origin);
}

/* A server that waits at the endpoint, rather one that ran on this CPU; NULL if none waits. */
static struct thread *choose_receiver(const struct endpoint *endpoint, const struct cpu *cpu)
{
    struct thread *server = endpoint->receivers;
    if (!server || LIKELY(server->cpu == cpu->index))
        return server;
    struct thread *other = server->links.next;
    for (unsigned i = 0; other && i < CPUS_MAX; i++, other = other->links.next) {
        if (other->cpu == cpu->index)
            return other;
    }
    return server;
}

static void lend(struct thread *thread, unsigned priority, unsigned *budget);

/* All who work for the endpoint go on with at least `priority`: the first that is done takes the waiting message. */
static void lend_to_members(struct endpoint *endpoint, unsigned priority, unsigned *budget)
{
    struct thread *member = endpoint->members;
    for (unsigned i = 0; member && *budget && i < LEND_MEMBERS; i++, member = member->member_next) {
        if (member->state != THREAD_STATE_RECEIVING && member->effective < priority) {
            (*budget)--;
            lend(member, priority, budget);
        }
    }
}

void ipc_set_effective(struct thread *thread, unsigned effective)
{
    struct wait_queue *queue = NULL;

    if (thread->state == THREAD_STATE_SENDING)
        queue = &((struct endpoint *)thread->waiting_on)->senders;
    else if (thread->state == THREAD_STATE_WAITING && thread->waiting_on)
        queue = &((struct notification *)thread->waiting_on)->waiters;
    if (!queue) {
        sched_set_effective(thread, effective);
        return;
    }
    wait_queue_remove(queue, thread);
    thread->effective = (uint8_t)effective;
    wait_queue_insert(queue, thread);
}

/* Raises a thread and those that it waits for in turn. */
static void lend(struct thread *thread, unsigned priority, unsigned *budget)
{
    ipc_set_effective(thread, priority);
    if (thread->state == THREAD_STATE_SENDING) {
        lend_to_members(thread->waiting_on, priority, budget);
    } else if (thread->state == THREAD_STATE_CALLING) {
        struct thread *server = thread->reply->server;
        if (server && server->effective < priority && *budget) {
            (*budget)--;
            lend(server, priority, budget);
        }
    }
}

static struct thread *queue_sender(struct endpoint *endpoint, struct thread *sender)
{
    unsigned budget = LEND_BUDGET;
    sender->state = THREAD_STATE_SENDING;
    sender->waiting_on = endpoint;
    wait_queue_insert(&endpoint->senders, sender);
    lend_to_members(endpoint, sender->effective, &budget);
    return sched_next(NULL);
}

/* The message of the running thread `sender` goes to a server that waits, which takes over the CPU, or is queued. */
static struct thread *send(struct endpoint *endpoint, struct thread *sender)
{
    struct cpu *cpu = arch_this_cpu();
    struct thread *server = choose_receiver(endpoint, cpu);
    if (UNLIKELY(!server))
        return queue_sender(endpoint, sender);
    unlink_receiver(endpoint, server);
    deliver(sender, server, server->reply);
    if (LIKELY(sched_may_run_here(server, cpu)))
        return sched_next(server);
    sched_wake(server);
    return sched_next(NULL);
}

struct thread *ipc_call(struct thread *caller)
{
    const struct cap *cap = cap_slot(caller->table, caller->context.x[0]);

    if (UNLIKELY(!cap || cap_type(cap) != CAP_ENDPOINT))
        return fail(caller, -EBADF);
    uint32_t rights = cap_rights(cap);
    if (UNLIKELY(!(rights & RIGHT_SEND)))
        return fail(caller, -EPERM);
    uint64_t tag = caller->context.x[CONTEXT_TAG];
    if (UNLIKELY(tag & TAG_TRANSFER)) {
        long error = check_tag(caller, tag, rights & RIGHT_GRANT);
        if (error)
            return fail(caller, error);
    }
    caller->badge = cap->badge;
    return send((struct endpoint *)cap_object(cap), caller);
}

void ipc_stop_faulted(struct thread *thread)
{
    trace_fault(arch_this_cpu(), TRACE_FAULT_END, thread, 1);
    thread->in_fault = false;
    thread->state = THREAD_STATE_FAULTED;
    thread->effective = thread->priority;
    if (cap_type(&thread->event) == CAP_NOTIFICATION)
        notification_signal((struct notification *)cap_object(&thread->event), thread->event_bits);
}

struct thread *ipc_fault(struct thread *thread)
{
    const struct cap *handler = &thread->aspace->handler;

    if (UNLIKELY(cap_type(handler) != CAP_ENDPOINT)) {
        ipc_stop_faulted(thread);
        return sched_next(NULL);
    }
    thread->in_fault = true;
    thread->badge = handler->badge;
    return send((struct endpoint *)cap_object(handler), thread);
}

/* Applies the map items of a reply to a fault: pairs in registers, then in the buffer. */
long ipc_apply_items(const struct thread *server, struct thread *faulted)
{
    const uint64_t *words = &server->context.x[CONTEXT_WORDS];
    for (unsigned i = 0; i < MSG_REGISTERS && words[i]; i += 2) {
        struct map_item item = {words[i], words[i + 1]};
        long error = aspace_apply(faulted->aspace, &item);
        if (UNLIKELY(error))
            return error;
    }
    uint32_t count = MSG_WORDS(server->context.x[CONTEXT_TAG]) & ~1u;
    for (uint32_t i = 0; i < count; i += 2) {
        struct map_item item = {server->buffer->words[i], server->buffer->words[i + 1]};
        long error = aspace_apply(faulted->aspace, &item);
        if (error)
            return error;
    }
    return 0;
}

/* Gives the reply in the registers of `server` to the caller that `reply` holds, which is runnable afterwards but in no
 * queue (*woken), or stays stopped (*woken is NULL). On an error the caller stays held. */
static long give_reply(struct thread *server, struct reply *reply, uint32_t rights, struct thread **woken)
{
    struct thread *caller = reply->caller;
    uint64_t tag = server->context.x[CONTEXT_TAG];

    *woken = NULL;
    if (UNLIKELY(!caller))
        return -ESRCH;
    if (UNLIKELY(tag & TAG_TRANSFER)) {
        long error = check_tag(server, tag, rights & RIGHT_GRANT);
        if (error)
            return error;
    }
    if (LIKELY(!caller->in_fault)) {
        copy_message(server, caller);
    } else if (UNLIKELY(MSG_LABEL(tag) != FAULT_RESUME)) {
        ipc_stop_faulted(caller);
    } else {
        long error = ipc_apply_items(server, caller);
        if (UNLIKELY(error))
            return error;
        caller->in_fault = false;
        trace_fault(arch_this_cpu(), TRACE_FAULT_END, caller, 0);
    }
    if (LIKELY(caller->state == THREAD_STATE_CALLING)) {
        caller->state = THREAD_STATE_RUNNABLE;
        *woken = caller;
    }
    reply->caller = NULL;
    if (LIKELY(reply->server)) {
        sched_charge(arch_this_cpu());
        reply->server->serving = NULL;
        reply->server = NULL;
    }
    caller->reply = NULL;
    return 0;
}

void ipc_leave(struct thread *thread)
{
    if (!thread->member)
        return;
    *thread->member_link = thread->member_next;
    if (thread->member_next)
        thread->member_next->member_link = thread->member_link;
    thread->member = NULL;
}

static void join(struct endpoint *endpoint, struct thread *server)
{
    ipc_leave(server);
    server->member = endpoint;
    server->member_next = endpoint->members;
    server->member_link = &endpoint->members;
    if (server->member_next)
        server->member_next->member_link = &server->member_next;
    endpoint->members = server;
}

static void put_notification(struct thread *server, uint64_t bits)
{
    server->context.x[CONTEXT_RESULT] = 0;
    server->context.x[CONTEXT_TAG] = TAG_FLAG(MSG_FLAG_NOTIFICATION);
    server->context.x[CONTEXT_WORDS] = bits;
    server->context.x[CONTEXT_BADGE] = 0;
    server->context.x[CONTEXT_ORIGIN] = 0;
    server->origin = 0;
}

/* Takes what waits at the endpoint already; false if nothing does. */
static bool take_waiting(struct endpoint *endpoint, struct thread *server, struct reply *reply)
{
    if (endpoint->bound && endpoint->bound->bits) {
        put_notification(server, endpoint->bound->bits);
        endpoint->bound->bits = 0;
        return true;
    }
    struct thread *sender = endpoint->senders.head;
    if (!sender)
        return false;
    wait_queue_remove(&endpoint->senders, sender);
    deliver(sender, server, reply);
    return true;
}

/* The endpoint and reply object that a receiving call names, or an error. */
static long find_receive(const struct thread *server, struct endpoint **endpoint, struct reply **reply,
                         uint32_t *reply_rights)
{
    const struct cap *reply_cap = cap_slot(server->table, server->context.x[0]);
    if (UNLIKELY(!reply_cap || cap_type(reply_cap) != CAP_REPLY))
        return -EBADF;
    const struct cap *cap = cap_slot(server->table, server->context.x[CONTEXT_BADGE]);
    if (UNLIKELY(!cap || cap_type(cap) != CAP_ENDPOINT))
        return -EBADF;
    *reply_rights = cap_rights(reply_cap);
    if (UNLIKELY(!(cap_rights(cap) & *reply_rights & RIGHT_RECEIVE)))
        return -EPERM;
    *endpoint = (struct endpoint *)cap_object(cap);
    *reply = (struct reply *)cap_object(reply_cap);
    return 0;
}

/* The server goes on to something else: a caller that it has not answered lends it nothing any more. */
static void go_on(struct thread *server)
{
    if (UNLIKELY(server->serving)) {
        sched_charge(arch_this_cpu());
        server->serving->server = NULL;
        server->serving = NULL;
    }
    server->effective = server->priority;
}

struct thread *ipc_reply_recv(struct thread *server)
{
    struct endpoint *endpoint;
    struct reply *reply;
    struct thread *caller;
    uint32_t rights;

    long error = find_receive(server, &endpoint, &reply, &rights);
    if (UNLIKELY(error))
        return fail(server, error);
    error = give_reply(server, reply, rights, &caller);
    if (UNLIKELY(error))
        return fail(server, error);
    go_on(server);
    if (UNLIKELY(server->member != endpoint))
        join(endpoint, server);
    if (UNLIKELY(endpoint->senders.head || endpoint->bound) && take_waiting(endpoint, server, reply)) {
        if (caller)
            sched_wake(caller);
        return sched_resume(server);
    }
    wait_receiving(endpoint, server, reply);
    struct cpu *cpu = arch_this_cpu();
    if (LIKELY(caller && sched_may_run_here(caller, cpu)))
        return sched_next(caller);
    if (caller)
        sched_wake(caller);
    return sched_next(NULL);
}

struct thread *ipc_recv(struct thread *server)
{
    struct endpoint *endpoint;
    struct reply *reply;
    uint32_t rights;

    long error = find_receive(server, &endpoint, &reply, &rights);
    if (error)
        return fail(server, error);
    if (reply->caller || reply->receiver)
        return fail(server, -EBUSY);
    go_on(server);
    if (server->member != endpoint)
        join(endpoint, server);
    if (take_waiting(endpoint, server, reply))
        return sched_resume(server);
    wait_receiving(endpoint, server, reply);
    return sched_next(NULL);
}

/* What a server that works for nobody runs with: those in line at its endpoint wait for it to receive again. */
static unsigned claimed_priority(const struct thread *server)
{
    const struct thread *first = server->member ? server->member->senders.head : NULL;
    return first && first->effective > server->priority ? first->effective : server->priority;
}

struct thread *ipc_reply(struct thread *server)
{
    long error = 0;
    struct thread *caller = NULL;
    const struct cap *cap = cap_slot(server->table, server->context.x[0]);

    if (!cap || cap_type(cap) != CAP_REPLY)
        return fail(server, -EBADF);
    if (!(cap_rights(cap) & RIGHT_RECEIVE))
        return fail(server, -EPERM);
    struct reply *reply = (struct reply *)cap_object(cap);
    bool own = reply->server == server;
    error = give_reply(server, reply, cap_rights(cap), &caller);
    context_set_result(&server->context, error);
    if (!error && own)
        server->effective = (uint8_t)claimed_priority(server);
    if (caller)
        sched_wake(caller);
    return sched_resume(server);
}

void ipc_abandon(struct reply *reply, long error)
{
    struct thread *caller = reply->caller;
    if (!caller)
        return;
    ipc_cancel(caller, error);
    sched_wake(caller);
}

void ipc_cancel(struct thread *thread, long error)
{
    struct endpoint *endpoint = thread->waiting_on;
    struct notification *notification = thread->waiting_on;

    sched_sleep_cancel(thread);
    switch (thread->state) {
    case THREAD_STATE_SENDING:
        wait_queue_remove(&endpoint->senders, thread);
        break;
    case THREAD_STATE_RECEIVING:
        unlink_receiver(endpoint, thread);
        thread->reply->receiver = NULL;
        break;
    case THREAD_STATE_CALLING:
        thread->reply->caller = NULL;
        if (thread->reply->server) {
            thread->reply->server->serving = NULL;
            thread->reply->server = NULL;
        }
        break;
    case THREAD_STATE_WAITING:
        if (notification)
            wait_queue_remove(&notification->waiters, thread);
        break;
    default:
        return;
    }
    /* A fault that nobody answered happens again; its registers are still those of the faulting instruction. */
    if (!thread->in_fault)
        context_set_result(&thread->context, error);
    thread->in_fault = false;
    thread->reply = NULL;
    thread->waiting_on = NULL;
    thread->state = THREAD_STATE_STOPPED;
    thread->effective = thread->priority;
}

/* notification.c delivers to a receiver through this. */
bool ipc_notify(struct endpoint *endpoint, uint64_t bits)
{
    struct thread *server = choose_receiver(endpoint, this_cpu());
    if (!server)
        return false;
    unlink_receiver(endpoint, server);
    server->reply->receiver = NULL;
    server->reply = NULL;
    server->waiting_on = NULL;
    put_notification(server, bits);
    sched_wake(server);
    return true;
}
