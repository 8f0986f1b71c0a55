/* SPDX-License-Identifier: MIT */
/*
 * Threads that make system calls with random and boundary arguments, and what they are made of. Each has a random
 * source of its own, so a seed makes the same calls in each thread; how these interleave it does not say.
 *
 * Slots of the program's table: objects lie in HOSTILE_ORIGINALS, which nothing but destroying the object empties, so
 * that no object is lost; HOSTILE_COPIES are copied to, sent to and deleted at will.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <quire/syscall.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOSTILE_ORIGINALS      64u
#define HOSTILE_ORIGINAL_COUNT 40u
#define HOSTILE_COPIES         104u
#define HOSTILE_COPY_COUNT     24u
#define HOSTILE_THREADS_MAX    8u

/* What is called, for the figures. */
enum hostile_kind {
    HOSTILE_NO_CALL, /* numbers that are no call */
    HOSTILE_SIMPLE,  /* getcpu, yield */
    HOSTILE_CALL,
    HOSTILE_RECEIVE,
    HOSTILE_REPLY_RECEIVE,
    HOSTILE_REPLY,
    HOSTILE_SIGNAL,
    HOSTILE_WAIT,
    HOSTILE_BIND,
    HOSTILE_COPY,
    HOSTILE_DELETE,
    HOSTILE_QUERY,
    HOSTILE_THREAD,
    HOSTILE_CREATE,
    HOSTILE_DESTROY,
    HOSTILE_MAP,
    HOSTILE_UNMAP,
    HOSTILE_PROTECT,
    HOSTILE_HARVEST,
    HOSTILE_ASPACE,
    HOSTILE_IRQ,
    HOSTILE_SYSTEM,
    HOSTILE_MEMSRV,
    HOSTILE_ROOT,
    HOSTILE_CONSOLE,
    HOSTILE_KINDS
};

struct thread;

struct attacker {
    uint64_t random;
    uint64_t wanted; /* calls to make */
    _Atomic uint64_t calls;
    uint64_t good[HOSTILE_KINDS], bad[HOSTILE_KINDS];
    struct thread *thread;
    uint64_t seen;
};

extern struct attacker attackers[HOSTILE_THREADS_MAX];
extern unsigned attacker_count;

/* Starts that many threads, lets them make `calls` calls together, and waits for them, letting those go on that wait
 * for what never comes. False, with a line of TAP, if one could not be started. */
bool hostile_run(unsigned threads, uint64_t calls, uint64_t seed);

/* Tells, kind by kind, how many calls did what they asked for and how many did not. */
void hostile_tell(void);
uint64_t hostile_calls(void);

/* --- Arguments (hostile_values.c) -------------------------------------------------------------------------------- */

uint64_t random_next(struct attacker *a);
uint64_t random_below(struct attacker *a, uint64_t limit);
bool random_one_in(struct attacker *a, uint64_t n);

/* Any number, most at the edge of something. */
uint64_t any_number(struct attacker *a);

/* An address: of pages that all use, of the kernel, of nothing; not always aligned. */
uint64_t any_address(struct attacker *a);

/* Any slot: of an object, a copy, a first capability, none. Never one that slot_allocate() may give. */
uint64_t any_slot(struct attacker *a);
uint64_t any_original(struct attacker *a);

/* A slot that is likely to hold an object of this type, and may hold anything. original_for(): one to create it in. */
uint64_t slot_of(struct attacker *a, enum cap_type type);
uint64_t original_for(struct attacker *a, uint64_t type);
uint64_t any_copy(struct attacker *a);

/* A slot that no call that waits takes. */
uint64_t useless_slot(struct attacker *a);

/* A tag, seldom well-formed. */
uint64_t any_tag(struct attacker *a);

/* A frame that may come to be mapped, donated (`donate`), or both: of the grant, or one for which either is refused. */
uint64_t any_frame(struct attacker *a, bool donate);

/* Looks for frames that are in use. Needs the grant; without one, any_frame() gives numbers. */
void frames_find(void);

/* --- Calls ------------------------------------------------------------------------------------------------------- */

/* Makes one call and returns its result; *kind says which it was. */
long hostile_kernel_call(struct attacker *a, enum hostile_kind *kind);

/* Sends one message to a server of the system: any operation, any words, but none that asks for the end of this program
 * or for its own memory. */
long hostile_message(struct attacker *a, enum hostile_kind *kind);

/* Memory that hostile_message() may map over, unmap and touch. Before it, once. */
bool hostile_message_open(void);

#endif
