/* SPDX-License-Identifier: MIT */
/*
 * Threads: one mapping holds, from low to high, an inaccessible guard, the stack, the thread-local variables and the
 * thread's record with its C library state.
 */
#include "signals.h"
#include "thread_record.h"

#include <base/lock.h>
#include <proto/memsrv_client.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREAD_STACK_BYTES (1024UL * 1024)
#define PRIORITY_FALLBACK  16u
#define STACK_ALIGNMENT    TLS_ALIGNMENT_MAX
#define PARKINGS_MAX       (PTHREAD_THREADS_MAX + 1)
#define POLL_NS            1000000UL /* how often one looks who has no notification to wait at */

/* What the child of a fork looks at lies together on pages that every program has written to: where it has none it would
 * be given one, and for that a translation table of its own. */
#define RECORD_ALIGNMENT 256
static struct thread thread_of_start __attribute__((aligned(RECORD_ALIGNMENT)));
static uint64_t thread_last_number; /* atomic */

/* Notifications of threads that have ended. They are never destroyed, so a signal that comes late finds a thread that
 * looks around and sleeps on, and nothing else. */
static struct spinlock parkings_lock = SPINLOCK_INITIALIZER(LOCK_LEAF);
static uint64_t parkings[PARKINGS_MAX] GUARDED_BY(parkings_lock);

static struct {
    uint32_t live; /* atomic: threads that have not ended */
    uint32_t parking_count GUARDED_BY(parkings_lock);
    struct thread *dead; /* atomic: detached ones that have ended; newest first */
} threads __attribute__((aligned(16))) = {.live = 1};

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

uint64_t thread_number(void)
{
    const struct thread *self = thread_self_if_any();
    return self ? self->number : 0;
}

uint64_t thread_slot(const struct thread *thread)
{
    return thread->slot;
}

unsigned long thread_owner(bool shared)
{
    struct thread *self = thread_self();

    if (!shared)
        return (unsigned long)self;
    if (!self->process)
        self->process = (uint32_t)getpid();
    return (unsigned long)self->process << 32 | self->number;
}

void thread_first_prepare(void)
{
    thread_of_start.slot = SLOT_THREAD;
    if (ipc_buffer())
        ipc_buffer()->user[THREAD_WORD_THREAD] = (uint64_t)&thread_of_start;
}

/* --- Where threads wait ------------------------------------------------------------------------------------------- */

static uint64_t parking_new(void)
{
    uint64_t identifier;
    const uint64_t slot = slot_allocate();

    if (slot != SLOT_NONE && memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &identifier, slot) < 0) {
        slot_free(slot);
        return SLOT_NONE;
    }
    return slot;
}

uint64_t thread_parking(struct thread *self)
{
    uint64_t slot = self->parking;

    if (slot != SLOT_NONE)
        return slot;
    spinlock_acquire(&parkings_lock);
    if (threads.parking_count > 0)
        slot = parkings[--threads.parking_count];
    spinlock_release(&parkings_lock);
    if (slot == SLOT_NONE)
        slot = parking_new();
    __atomic_store_n(&self->parking, slot, __ATOMIC_SEQ_CST);
    return slot;
}

static void parking_give_back(struct thread *self)
{
    const uint64_t slot = __atomic_exchange_n(&self->parking, SLOT_NONE, __ATOMIC_SEQ_CST);

    if (slot == SLOT_NONE)
        return;
    spinlock_acquire(&parkings_lock);
    /* There are as many places as threads at once, and each took one from here or made it when none was here. */
    if (threads.parking_count < PARKINGS_MAX)
        parkings[threads.parking_count++] = slot;
    spinlock_release(&parkings_lock);
}

/* --- Start -------------------------------------------------------------------------------------------------------- */

/* The first code of a thread. */
static _Noreturn void thread_entry(struct thread *self)
{
    ipc_buffer()->user[THREAD_WORD_REENT] = (uint64_t)&self->reent;
    ipc_buffer()->user[THREAD_WORD_THREAD] = (uint64_t)self;
    if (self->variables)
        tls_place(self->variables);
    signals_thread_begin(self);
    self->run(self);
    thread_end(self);
}

/* Maps a thread's memory and puts its record at the upper end. */
static int thread_memory(struct thread **thread, const struct thread_options *options)
{
    const size_t variables = round_up(tls_bytes(), STACK_ALIGNMENT);
    const size_t upper = round_up(sizeof(struct thread), STACK_ALIGNMENT) + variables;
    const uint64_t guard = options->stack ? 0 : round_up(options->guard_bytes, PAGE_SIZE);
    const uint64_t stack = options->stack ? 0 : round_up(options->stack_bytes, PAGE_SIZE);
    const uint64_t bytes = round_up(guard + stack + upper, PAGE_SIZE);
    uint64_t mapping;
    int error = memsrv_map(SLOT_MEMSRV, 0, bytes, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, 0, &mapping);

    if (error == 0 && guard > 0) {
        error = memsrv_protect(SLOT_MEMSRV, mapping, guard, 0);
        if (error < 0)
            (void)!memsrv_unmap(SLOT_MEMSRV, mapping, bytes);
    }
    if (error < 0)
        return error;
    struct thread *new = (struct thread *)(mapping + bytes - round_up(sizeof(struct thread), STACK_ALIGNMENT));
    new->mapping = mapping;
    new->bytes = bytes;
    new->guard_bytes = guard;
    if (variables)
        new->variables = (char *)new - variables;
    new->stack = options->stack ? (uint64_t)options->stack : mapping + guard;
    new->stack_bytes = options->stack ? options->stack_bytes : (uint64_t) new - variables - new->stack;
    *thread = new;
    return 0;
}

/* The first thread's priority: a new thread gets the same. */
static uint64_t thread_priority(void)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    if (sys_thread_control(SLOT_THREAD, THREAD_INFO, 0, 0, 0, 0, 0) < 0)
        return PRIORITY_FALLBACK;
    return info->priority;
}

/* Creates the kernel's thread and lets it run. Undoes itself on an error. */
static int thread_launch(struct thread *thread, bool keep_slot)
{
    const uint64_t top = (thread->stack + thread->stack_bytes) & ~(STACK_ALIGNMENT - 1);
    const uint64_t slot = slot_allocate();
    uint64_t buffer;

    if (slot == SLOT_NONE)
        return -EMFILE;
    thread->slot = keep_slot ? slot : SLOT_NONE;
    long error = memsrv_thread_create(SLOT_MEMSRV, thread->number, &buffer, slot);
    if (error < 0) {
        slot_free(slot);
        return (int)error;
    }
    error = sys_thread_control(slot, THREAD_PRIORITY, thread_priority(), 0, 0, 0, 0);
    if (error == 0)
        error =
            sys_thread_control(slot, THREAD_START, (uint64_t)thread_entry, entry_stack(top), (uint64_t)thread, 0, 0);
    if (error < 0)
        (void)!memsrv_thread_destroy(SLOT_MEMSRV, thread->number);
    if (error < 0 || !keep_slot)
        slot_free(slot);
    return (int)error;
}

/* The C library's state, with the standard streams of the first thread: otherwise each thread would have streams, and
 * buffers, of its own. */
static void thread_reent(struct _reent *reent)
{
    /* Makes the streams if nobody has used one yet. */
    (void)fflush(stdout);
    _REENT_INIT_PTR_ZEROED(reent);
    reent->_stdin = _GLOBAL_REENT->_stdin;
    reent->_stdout = _GLOBAL_REENT->_stdout;
    reent->_stderr = _GLOBAL_REENT->_stderr;
    reent->__sdidinit = 1;
}

/* Frees what is left of a thread that has ended. The first error, if any. */
static int thread_free(struct thread *thread)
{
    if (!thread->mapping)
        return 0;
    const int error = memsrv_thread_destroy(SLOT_MEMSRV, thread->number);
    slot_free(thread->slot);
    /* The streams are the first thread's: there is nothing to clean up, and no function for it. */
    thread->reent.__sdidinit = 0;
    _reclaim_reent(&thread->reent);
    const int second = memsrv_unmap(SLOT_MEMSRV, thread->mapping, thread->bytes);
    return error < 0 ? error : second;
}

/* Frees the detached threads that have ended by now. */
static void threads_reap(void)
{
    struct thread *dead = __atomic_exchange_n(&threads.dead, NULL, __ATOMIC_ACQUIRE);

    while (dead) {
        struct thread *next = dead->next_dead;
        (void)!thread_free(dead);
        dead = next;
    }
}

int thread_start(struct thread **thread, const struct thread *prototype, const struct thread_options *options)
{
    struct thread *new;

    slots_prepare();
    threads_reap();
    int error = thread_memory(&new, options);
    if (error < 0)
        return error;
    new->run = prototype->run;
    new->function = prototype->function;
    new->argument = prototype->argument;
    new->joiner = options->detached ? THREAD_DETACHED : THREAD_UNCLAIMED;
    new->number = __atomic_add_fetch(&thread_last_number, 1, __ATOMIC_RELAXED);
    thread_reent(&new->reent);
    signals_thread_prepare(new);
    *thread = new;
    __atomic_add_fetch(&threads.live, 1, __ATOMIC_SEQ_CST);
    error = thread_launch(new, options->keep_slot);
    if (error < 0) {
        __atomic_sub_fetch(&threads.live, 1, __ATOMIC_SEQ_CST);
        signals_thread_end(new);
        (void)!memsrv_unmap(SLOT_MEMSRV, new->mapping, new->bytes);
    }
    return error;
}

/* --- End ---------------------------------------------------------------------------------------------------------- */

_Noreturn void thread_end(struct thread *self)
{
    uint64_t bits;

    self->ending = true;
    signals_thread_end(self);
    parking_give_back(self);
    if (__atomic_sub_fetch(&threads.live, 1, __ATOMIC_SEQ_CST) == 0)
        exit(EXIT_SUCCESS);
    /* Who waits or reaps may take this thread's stack away as soon as it reads that it has ended: what follows are
     * system calls and registers, and it does no harm if they do not happen. */
    const uint64_t joiner = __atomic_exchange_n(&self->joiner, THREAD_ENDED, __ATOMIC_SEQ_CST);
    if (joiner == THREAD_DETACHED && self->mapping) {
        self->next_dead = __atomic_load_n(&threads.dead, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&threads.dead, &self->next_dead, self, true, __ATOMIC_RELEASE,
                                            __ATOMIC_RELAXED))
            continue;
    } else if (joiner > THREAD_POLLED) {
        (void)!sys_signal(joiner, 1);
    }
    for (;;)
        (void)!sys_wait(SLOT_NONE, DEADLINE_NEVER, &bits);
}

/* Sleeps until the thread, whose joiner the caller has become as `claim`, has ended. ECANCELED: the caller is to be
 * cancelled and the thread can be joined again. */
static int await_end(struct thread *thread, const struct thread *self, uint64_t claim, bool cancel)
{
    uint64_t bits;

    while (__atomic_load_n(&thread->joiner, __ATOMIC_ACQUIRE) != THREAD_ENDED) {
        uint64_t claimed = claim;
        if (cancel && thread_cancel_due(self) &&
            __atomic_compare_exchange_n(&thread->joiner, &claimed, THREAD_UNCLAIMED, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return -ECANCELED;
        if (claim == THREAD_POLLED)
            clock_sleep_until(clock_now_ns() + POLL_NS);
        else
            (void)!sys_wait(claim, DEADLINE_NEVER, &bits);
    }
    return 0;
}

int thread_wait_end(struct thread *thread, void **result, bool cancel)
{
    struct thread *self = thread_self();
    uint64_t state = THREAD_UNCLAIMED;
    int error = 0;

    if (thread == self)
        return -EDEADLK;
    const uint64_t parking = thread_parking(self);
    const uint64_t claim = parking == SLOT_NONE ? THREAD_POLLED : parking;
    if (__atomic_compare_exchange_n(&thread->joiner, &state, claim, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        error = await_end(thread, self, claim, cancel);
    else if (state != THREAD_ENDED)
        error = -EINVAL;
    if (error < 0)
        return error;
    if (result)
        *result = thread->result;
    return thread_free(thread);
}

int thread_detach(struct thread *thread)
{
    uint64_t state = THREAD_UNCLAIMED;

    if (__atomic_compare_exchange_n(&thread->joiner, &state, THREAD_DETACHED, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        return 0;
    return state == THREAD_ENDED ? thread_free(thread) : -EINVAL;
}

/* --- <quire/thread.h> --------------------------------------------------------------------------------------------- */

static void run_function(struct thread *self)
{
    int (*function)(void *) = (int (*)(void *))self->function;
    self->result = (void *)(intptr_t)function(self->argument);
}

int thread_create(struct thread **thread, int (*function)(void *), void *argument)
{
    const struct thread prototype = {.run = run_function, .function = (void *)function, .argument = argument};
    const struct thread_options options = {
        .stack_bytes = THREAD_STACK_BYTES, .guard_bytes = PAGE_SIZE, .keep_slot = true};

    return thread_start(thread, &prototype, &options);
}

int thread_join(struct thread *thread, int *result)
{
    void *left;
    const int error = thread_wait_end(thread, &left, false);

    if (error == 0 && result)
        *result = (int)(intptr_t)left;
    return error;
}

/* --- Sleep and fork ----------------------------------------------------------------------------------------------- */

int thread_sleep(uint64_t deadline)
{
    struct thread *self = thread_self_if_any();
    const uint64_t parking = thread_is_alone() || !self ? SLOT_NONE : thread_parking(self);
    const uint64_t handled = signals_handled();
    uint64_t bits;

    do {
        if (self && thread_cancel_due(self))
            return -ECANCELED;
        if (signals_handled() != handled)
            return -EINTR;
        (void)!sys_wait(parking, deadline, &bits);
    } while (clock_now_ns() < deadline);
    return self && thread_cancel_due(self) ? -ECANCELED : 0;
}

bool thread_is_alone(void)
{
    return __atomic_load_n(&threads.live, __ATOMIC_ACQUIRE) == 1;
}

/* Writes only what is different: a page that is not written needs no copy. */
#define CHANGE(variable, value)                                                                                        \
    do {                                                                                                               \
        if ((variable) != (value))                                                                                     \
            (variable) = (value);                                                                                      \
    } while (0)

/* There is no other thread to exclude. */
void threads_child_of_fork(struct thread *self) NO_THREAD_SAFETY_ANALYSIS
{
    if (!thread_is_alone()) {
        spinlock_init(&parkings_lock, LOCK_LEAF);
        __atomic_store_n(&threads.live, 1, __ATOMIC_RELAXED);
    }
    CHANGE(threads.parking_count, 0);
    CHANGE(threads.dead, NULL);
    CHANGE(self->number, 0);
    CHANGE(self->slot, SLOT_THREAD);
    CHANGE(self->parking, SLOT_NONE);
    CHANGE(self->process, 0);
    /* The first thread's stack is nobody's to free, whichever it was in the parent. */
    CHANGE(self->mapping, 0);
    ipc_buffer()->user[THREAD_WORD_THREAD] = (uint64_t)self;
    ipc_buffer()->user[THREAD_WORD_REENT] = self == &thread_of_start ? 0 : (uint64_t)&self->reent;
}
