/* SPDX-License-Identifier: MIT */
/*
 * The system calls as C functions: thin inline stubs over the trap instruction. docs/abi.md describes each call, its
 * rights and its errors. None of them allocates; those that may block say so.
 */
#ifndef QUIRE_SYSCALL_H
#define QUIRE_SYSCALL_H

#include <quire/abi.h>

/* Architecture stubs: sys_trap0, 2 and 7, sys_trap_out2, sys_ipc, ipc_buffer(), clock_ticks(). */
#include <quire/arch/syscall.h>

#define SYS_MUST_CHECK __attribute__((warn_unused_result))

/* Those with other numbers of arguments. */
SYS_STUB long sys_trap1(int number, uint64_t a)
{
    return sys_trap2(number, a, 0);
}

SYS_STUB long sys_trap3(int number, uint64_t a, uint64_t b, uint64_t c)
{
    return sys_trap_out2(number, a, b, c, 0, 0, 0);
}

SYS_STUB long sys_trap5(int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    return sys_trap_out2(number, a, b, c, d, e, 0);
}

SYS_STUB long sys_trap6(int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    return sys_trap7(number, a, b, c, d, e, f, 0);
}

/* The CPU this thread runs on now. The cheapest call there is. */
static inline long sys_getcpu(void)
{
    return sys_trap0(SYS_GETCPU);
}

/*
 * Sends *m to the endpoint in `slot` and blocks until the reply, which replaces *m. The server runs with at least
 * this thread's priority until it replies. Buffer words and capabilities are those that the tag says.
 * EBADF: no such endpoint; EPERM: no RIGHT_SEND, or capabilities without RIGHT_GRANT; EINVAL: malformed tag or slots;
 * EPIPE: endpoint or reply object destroyed before the reply.
 */
SYS_MUST_CHECK static inline long sys_call(uint64_t slot, struct message *m)
{
    return sys_ipc(SYS_CALL, slot, 0, m);
}

/*
 * Replies *m to the caller held by reply object `reply`, then blocks for the next message at `endpoint`, whose caller
 * is then held by the same object. If the reply cannot be given (ESRCH: no caller; or an error of the map items that
 * answer a fault) nothing is received and the caller stays held.
 */
SYS_MUST_CHECK static inline long sys_reply_recv(uint64_t reply, uint64_t endpoint, struct message *m)
{
    return sys_ipc(SYS_REPLY_RECV, reply, endpoint, m);
}

/* Blocks for a message at `endpoint`; its caller is held by `reply`, which must hold none, nor have another thread
 * waiting to receive into it (EBUSY). EPIPE: one of the two was destroyed. */
SYS_MUST_CHECK static inline long sys_recv(uint64_t reply, uint64_t endpoint, struct message *m)
{
    return sys_ipc(SYS_RECV, reply, endpoint, m);
}

/* Replies without waiting for another message: answers a caller that was parked. Never blocks. Errors of the reply as
 * for sys_reply_recv(). *m holds no message afterwards. */
SYS_MUST_CHECK static inline long sys_reply(uint64_t reply, struct message *m)
{
    return sys_ipc(SYS_REPLY, reply, 0, m);
}

/* Sets bits of a notification and wakes one waiter. Never blocks. */
SYS_MUST_CHECK static inline long sys_signal(uint64_t slot, uint64_t bits)
{
    return sys_trap2(SYS_SIGNAL, slot, bits);
}

/* Takes all bits that are set into *bits; blocks until there is one or until the deadline (ns; EAGAIN if polled,
 * ETIMEDOUT later). Slot 0 waits for the deadline alone. */
SYS_MUST_CHECK static inline long sys_wait(uint64_t slot, uint64_t deadline, uint64_t *bits)
{
    return sys_trap_out2(SYS_WAIT, slot, deadline, 0, 0, 0, bits);
}

static inline long sys_yield(void)
{
    return sys_trap0(SYS_YIELD);
}

/* Copies slot `from` of this thread's table (EPERM: no RIGHT_COPY) to slot `to` (EEXIST: not empty) of the table in
 * slot `table`, with at most `rights`. The copy of a source with badge 0 gets `badge`; otherwise `badge` must be 0 or
 * equal (EPERM). */
SYS_MUST_CHECK static inline long sys_cap_copy(uint64_t table, uint64_t to, uint64_t from, uint64_t rights,
                                               uint64_t badge)
{
    return sys_trap5(SYS_CAP_COPY, table, to, from, rights, badge);
}

/* Empties slot `slot` of the table in slot `table`. The object lives on. */
SYS_MUST_CHECK static inline long sys_cap_delete(uint64_t table, uint64_t slot)
{
    return sys_trap2(SYS_CAP_DELETE, table, slot);
}

/* Returns type | rights << 8 of a slot of the caller's table, 0 if it is empty; EBADF past its end. */
SYS_MUST_CHECK static inline long sys_cap_query(uint64_t slot, uint64_t *badge)
{
    return sys_trap_out2(SYS_CAP_QUERY, slot, 0, 0, 0, 0, badge);
}

/* See enum thread_operation. */
SYS_MUST_CHECK static inline long sys_thread_control(uint64_t thread, enum thread_operation operation, uint64_t a,
                                                     uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    return sys_trap7(SYS_THREAD_CONTROL, thread, operation, a, b, c, d, e);
}

/*
 * Makes an object of `type` in place `index` of frame `pfn` (a user frame that nothing maps, or one that holds objects
 * of this type) and puts a capability with all rights into empty slot `slot` of the caller's table.
 * `extra`: CAP_ASPACE: pfn of its top translation table; CAP_IRQ: interrupt number; CAP_SLOTS: slot of the table that
 * grows (`slot` is 0). EBUSY: the frame is mapped or otherwise used, or the place is taken.
 */
SYS_MUST_CHECK static inline long sys_object_create(uint64_t physical, enum cap_type type, uint64_t pfn, uint64_t index,
                                                    uint64_t slot, uint64_t extra)
{
    return sys_trap6(SYS_OBJECT_CREATE, physical, type, pfn, index, slot, extra);
}

/*
 * Destroys the object that slot `slot` names, with every capability to it; whoever waits for it gets EPIPE. Its frame
 * is a user frame again when it holds no further object. EAGAIN: a bounded part is done, or another CPU runs the
 * thread; call again. EBUSY: threads use the address space or table, or entries or tables remain in the space. EDEADLK:
 * the caller itself. A table gives back its slot frames one at a time: result 1, *pfn.
 */
SYS_MUST_CHECK static inline long sys_object_destroy(uint64_t physical, uint64_t slot, uint64_t *pfn)
{
    return sys_trap_out2(SYS_OBJECT_DESTROY, physical, slot, 0, 0, 0, pfn);
}

/* Applies `count` map items from the caller's IPC buffer in order; returns how many were, and stops at the first that
 * cannot be: if that is the very first, its error. ENOMEM: not enough spare tables. */
SYS_MUST_CHECK static inline long sys_map(uint64_t physical, uint64_t aspace, uint64_t count)
{
    return sys_trap3(SYS_MAP, physical, aspace, count);
}

/* Removes entries in [address, address + pages), a bounded part of them at a call; results into the caller's buffer.
 * Returns their number; *next is where to go on, the end when done. Empty tables become spare ones. */
SYS_MUST_CHECK static inline long sys_unmap(uint64_t physical, uint64_t aspace, uint64_t address, uint64_t pages,
                                            uint64_t flags, uint64_t *next)
{
    return sys_trap_out2(SYS_UNMAP, physical, aspace, address, pages, flags, next);
}

/*
 * Shows what `from` maps in [address, address + pages) in `to` as well, at the same addresses, until one of the two
 * changes it: whole tables where that is possible, so both ends are multiples of HUGE_PAGE_SIZE. Neither can write
 * until its pages are its own again. A bounded part at a call; returns how many pages (soft entries included), *next is
 * where to go on. EEXIST: something is mapped there in `to`; ENOMEM: it has not enough spare tables.
 */
SYS_MUST_CHECK static inline long sys_share(uint64_t physical, uint64_t from, uint64_t to, uint64_t address,
                                            uint64_t pages, uint64_t *next)
{
    return sys_trap_out2(SYS_SHARE, physical, from, to, address, pages, next);
}

/* Sets the rights (ENTRY_READ/WRITE/EXECUTE) of the present entries in the range exactly as given, a bounded part of
 * them at a call. With PROTECT_IF_LAST, pages that are mapped elsewhere, too, do not get ENTRY_WRITE. An entry that becomes writable is clean. Returns the number changed; *next is where to go on. */
SYS_MUST_CHECK static inline long sys_protect(uint64_t physical, uint64_t aspace, uint64_t address, uint64_t pages,
                                              uint64_t rights, uint64_t *next)
{
    return sys_trap_out2(SYS_PROTECT, physical, aspace, address, pages, rights, next);
}

/* Reads present and soft entries in the range into the caller's buffer and clears the `clear` flags (ENTRY_ACCESSED,
 * ENTRY_DIRTY) in them. Returns their number; *next is where to go on. */
SYS_MUST_CHECK static inline long sys_harvest(uint64_t physical, uint64_t aspace, uint64_t address, uint64_t pages,
                                              uint64_t clear, uint64_t *next)
{
    return sys_trap_out2(SYS_HARVEST, physical, aspace, address, pages, clear, next);
}

/* See enum aspace_operation. */
SYS_MUST_CHECK static inline long sys_aspace_control(uint64_t physical, uint64_t aspace,
                                                     enum aspace_operation operation, uint64_t a, uint64_t b,
                                                     uint64_t *second)
{
    return sys_trap_out2(SYS_ASPACE_CONTROL, physical, aspace, operation, a, b, second);
}

/*
 * Binds a notification (RIGHT_RECEIVE) to an endpoint (RIGHT_RECEIVE), or unbinds it (endpoint 0): its
 * bits then arrive at a receiver of the endpoint as a message with MSG_FLAG_NOTIFICATION, words[0] the bits, which no
 * reply object holds and nobody answers. One notification an endpoint (EBUSY).
 */
SYS_MUST_CHECK static inline long sys_notification_bind(uint64_t notification, uint64_t endpoint)
{
    return sys_trap2(SYS_NOTIFICATION_BIND, notification, endpoint);
}

/* Returns what a device writes to *address (physical) to raise the interrupt of object `irq`. EOPNOTSUPP: it is a line. */
SYS_MUST_CHECK static inline long sys_irq_message(uint64_t irq, uint64_t *address)
{
    return sys_trap_out2(SYS_IRQ_MESSAGE, irq, 0, 0, 0, 0, address);
}

/* An interrupt of object `irq` signals `bits` of the notification, masks its line until sys_irq_ack(). Unmasks now. */
SYS_MUST_CHECK static inline long sys_irq_bind(uint64_t irq, uint64_t notification, uint64_t bits)
{
    return sys_trap3(SYS_IRQ_BIND, irq, notification, bits);
}

/* Lets an interrupt object's line interrupt again. */
SYS_MUST_CHECK static inline long sys_irq_ack(uint64_t irq)
{
    return sys_trap1(SYS_IRQ_ACK, irq);
}

/* See enum system_operation. */
SYS_MUST_CHECK static inline long sys_system(uint64_t physical, enum system_operation operation, uint64_t a, uint64_t b,
                                             uint64_t *second)
{
    return sys_trap_out2(SYS_SYSTEM, physical, operation, a, b, 0, second);
}

#endif
