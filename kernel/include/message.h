/* SPDX-License-Identifier: MIT */
/*
 * The steps of a message transfer that the fast path (fast.c) and the general one (ipc.c) share, inline: copying it,
 * waiting for it, and the switch to whom it goes. Lock: the kernel lock.
 */
#ifndef KERNEL_MESSAGE_H
#define KERNEL_MESSAGE_H

#include "kernel.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* What a sender may set in a tag; the kernel drops the rest. */
#define TAG_LABEL      0xffffffff00000000UL
#define TAG_TRANSFER   0x701ffUL /* capability count and buffer words */
#define TAG_FLAG(flag) ((uint64_t)(flag) << 24)

/* ipc.c: copies buffer words and capabilities; returns the counts that the receiver's tag gets. A capability that can't
 * be put into the slot that the receiver named ends the transfer of capabilities. */
uint64_t ipc_transfer(const struct thread *from, const struct thread *to, uint64_t tag);

/* ipc.c: applies the map items of a reply to a fault. Those before the one that fails stay. */
MUST_CHECK long ipc_apply_items(const struct thread *server, struct thread *faulted);

/* The words in registers, with the tag that the receiver gets. */
static inline void copy_words(const struct thread *from, struct thread *to, uint64_t tag)
{
    to->context.x[CONTEXT_RESULT] = 0;
    to->context.x[CONTEXT_TAG] = tag;
    __builtin_memcpy(&to->context.x[CONTEXT_WORDS], &from->context.x[CONTEXT_WORDS], MSG_REGISTERS * sizeof(uint64_t));
}

/* The message in `from`'s registers to `to`'s. */
static inline void copy_message(const struct thread *from, struct thread *to)
{
    uint64_t tag = from->context.x[CONTEXT_TAG];
    uint64_t counts = 0;

    if (UNLIKELY(tag & TAG_TRANSFER))
        counts = ipc_transfer(from, to, tag);
    copy_words(from, to, (tag & TAG_LABEL) | counts);
}

static inline void copy_fault(const struct thread *from, struct thread *to)
{
    const struct fault_message *fault = &from->fault;
    uint64_t *x = to->context.x;

    x[CONTEXT_RESULT] = 0;
    x[CONTEXT_TAG] = TAG_FLAG(MSG_FLAG_FAULT);
    x[CONTEXT_WORDS] = fault->address;
    x[CONTEXT_WORDS + 1] = fault->access | (uint64_t)from->aspace->spare_count << 32;
    x[CONTEXT_WORDS + 2] = fault->instruction;
    x[CONTEXT_WORDS + 3] = fault->entry;
    x[CONTEXT_WORDS + 4] = fault->thread;
    x[CONTEXT_WORDS + 5] = 0;
}

/* Has `reply` hold `sender`, which is in no queue, while `server`, which is in none either, works for it with at least
 * the sender's priority. The message is copied apart from this. */
static inline void engage(struct thread *sender, struct thread *server, struct reply *reply, uint64_t badge,
                          uint64_t origin)
{
    reply->caller = sender;
    reply->receiver = NULL;
    reply->server = server;
    sender->reply = reply;
    sender->state = THREAD_STATE_CALLING;
    server->reply = NULL;
    server->serving = reply;
    server->state = THREAD_STATE_RUNNABLE;
    server->origin = origin;
    server->context.x[CONTEXT_BADGE] = badge;
    server->context.x[CONTEXT_ORIGIN] = origin;
    server->effective = server->priority > sender->effective ? server->priority : sender->effective;
}

static inline void unlink_receiver(struct endpoint *endpoint, struct thread *server)
{
    struct thread *next = server->links.next;
    struct thread *previous = server->links.previous;
    if (next)
        next->links.previous = previous;
    if (previous)
        previous->links.next = next;
    else
        endpoint->receivers = next;
}

static inline void link_receiver(struct endpoint *endpoint, struct thread *server)
{
    struct thread *next = endpoint->receivers;
    server->links.next = next;
    server->links.previous = NULL;
    if (next)
        next->links.previous = server;
    endpoint->receivers = server;
}

/* True if the notification that is bound to the endpoint has bits to tell its receiver. */
static inline bool has_news(const struct endpoint *endpoint)
{
    return UNLIKELY(endpoint->bound) && endpoint->bound->bits;
}

/* The running server waits at the endpoint. */
static inline void wait_receiving(struct endpoint *endpoint, struct thread *server, struct reply *reply)
{
    server->state = THREAD_STATE_RECEIVING;
    server->waiting_on = endpoint;
    server->reply = reply;
    reply->receiver = server;
    link_receiver(endpoint, server);
}

/* The running thread is blocked and `next`, runnable and in no queue, goes on here, where it ran last: nothing more
 * important is ready. */
static inline void hand_over(struct cpu *cpu, struct thread *next)
{
    if (UNLIKELY(cpu->fp_enabled))
        sched_fp_leave(cpu);
    cpu->current->tls = arch_get_tls();
    cpu->current = next;
    arch_set_tls(next->tls, next->buffer_address);
    if (cpu->aspace != next->aspace) {
        cpu->aspace = next->aspace;
        arch_set_table(next->aspace->root);
    }
    if (UNLIKELY(next->fp_eager))
        sched_fp_enter(cpu, next);
}

#endif
