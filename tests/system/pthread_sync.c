/* SPDX-License-Identifier: MIT */
/*
 * What threads wait for each other with: mutexes of all types, condition variables, barriers, read-write locks and spin
 * locks, under contention, with deadlines, and where they must refuse.
 */
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <quire/syscall.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS      8
#define CROWD        64
#define LOW_PRIORITY 8
#define QUEUE        4
#define ROUNDS       200
#define FEWER        10 /* in shared memory, where waiting takes several requests to root */
#define NS_PER_MS    1000000L
#define PATIENCE_MS  30

static int additions = 4000, items = 3000;

static bool run_all(int count, void *(*routine)(void *))
{
    pthread_t threads[CROWD];
    bool good = true;

    for (intptr_t index = 0; index < count; index++) {
        if (pthread_create(&threads[index], NULL, routine, (void *)index) != 0) {
            tap_diag("pthread_create failed");
            exit(1);
        }
    }
    for (int index = 0; index < count; index++) {
        void *result = NULL;
        good = pthread_join(threads[index], &result) == 0 && result == NULL && good;
    }
    return good;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += ms * NS_PER_MS;
    time.tv_sec += time.tv_nsec / 1000000000L;
    time.tv_nsec %= 1000000000L;
    return time;
}

static long ms_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / NS_PER_MS;
}

/* --- Mutexes ------------------------------------------------------------------------------------------------------ */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_spinlock_t spin;
static volatile unsigned long counter; /* read and written apart, so that a lock that leaks is seen */

static void *add_under_mutex(void *argument)
{
    for (int turn = 0; turn < additions; turn++) {
        pthread_mutex_lock(&mutex);
        const unsigned long seen = counter;
        if (turn % 512 == 0)
            sched_yield();
        counter = seen + 1;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *add_under_recursive(void *argument)
{
    for (int turn = 0; turn < additions; turn++) {
        pthread_mutex_lock(&recursive);
        pthread_mutex_lock(&recursive);
        counter = counter + 1;
        pthread_mutex_unlock(&recursive);
        counter = counter + 1;
        pthread_mutex_unlock(&recursive);
    }
    return NULL;
}

static void *add_under_spin(void *argument)
{
    for (int turn = 0; turn < additions; turn++) {
        pthread_spin_lock(&spin);
        counter = counter + 1;
        pthread_spin_unlock(&spin);
    }
    return NULL;
}

static void *hold_or_time_out(void *argument)
{
    struct timespec start, deadline;

    clock_gettime(CLOCK_MONOTONIC, &start);
    deadline = in_ms(CLOCK_REALTIME, PATIENCE_MS);
    if (pthread_mutex_trylock(&mutex) != EBUSY)
        return (void *)1;
    if (pthread_mutex_timedlock(&mutex, &deadline) != ETIMEDOUT)
        return (void *)2;
    return ms_since(&start) >= PATIENCE_MS - 1 ? NULL : (void *)3;
}

static void test_mutex(void)
{
    struct timespec wrong = {.tv_nsec = -1};

    counter = 0;
    tap_ok(run_all(THREADS, add_under_mutex) && counter == (unsigned long)(THREADS * additions),
           "%d threads add under a mutex", THREADS);
    counter = 0;
    tap_ok(run_all(THREADS, add_under_recursive) && counter == (unsigned long)(2 * THREADS * additions),
           "and under a recursive one");
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    counter = 0;
    tap_ok(run_all(THREADS, add_under_spin) && counter == (unsigned long)(THREADS * additions),
           "and under a spin lock");
    counter = 0;
    tap_ok(run_all(CROWD, add_under_mutex) && counter == (unsigned long)(CROWD * additions),
           "%d threads add under a mutex", CROWD);
    pthread_mutex_lock(&mutex);
    tap_ok(run_all(THREADS, hold_or_time_out), "a mutex that is held times out, not early");
    tap_equal(pthread_mutex_destroy(&mutex), EBUSY, "and cannot be destroyed");
    pthread_mutex_unlock(&mutex);
    tap_equal(pthread_mutex_timedlock(&mutex, &wrong), 0, "a free mutex is taken whatever the deadline");
    tap_equal(pthread_mutex_timedlock(&mutex, &wrong), EINVAL, "nonsense as a deadline gives EINVAL");
    pthread_mutex_unlock(&mutex);
}

static void *unlock_anothers(void *argument)
{
    return (void *)(intptr_t)(pthread_mutex_unlock(&recursive) != EPERM);
}

static void test_mutex_types(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t checking;
    int type = -1;

    pthread_mutexattr_init(&attributes);
    tap_ok(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) == 0 &&
               pthread_mutexattr_gettype(&attributes, &type) == 0 && type == PTHREAD_MUTEX_ERRORCHECK &&
               pthread_mutex_init(&checking, &attributes) == 0,
           "an error-checking mutex");
    tap_equal(pthread_mutex_unlock(&checking), EPERM, "unlocking what is free gives EPERM");
    pthread_mutex_lock(&checking);
    tap_equal(pthread_mutex_lock(&checking), EDEADLK, "locking twice gives EDEADLK");
    pthread_mutex_unlock(&checking);
    pthread_mutex_lock(&recursive);
    tap_ok(pthread_mutex_trylock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == 0,
           "a recursive one can be had again");
    tap_ok(run_all(1, unlock_anothers), "but not be unlocked by another");
    pthread_mutex_unlock(&recursive);
    tap_equal(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), ENOTSUP,
              "priority inheritance gives ENOTSUP");
    tap_equal(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), ENOTSUP, "robustness gives ENOTSUP");
}

/* One thread is less important and holds the mutex, and whatever the library waits with, most of the time; the other
 * interrupts it wherever it is. Both must come through, also on one processor. */
static int lock_steadily(void *argument)
{
    for (int turn = 0; turn < additions; turn++) {
        pthread_mutex_lock(&mutex);
        counter = counter + 1;
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static int lock_now_and_then(void *argument)
{
    for (int turn = 0; turn < ROUNDS; turn++) {
        usleep(100);
        pthread_mutex_lock(&mutex);
        counter = counter + 1;
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static void test_priorities(void)
{
    struct thread *low[2], *high[2];
    bool good = true;

    counter = 0;
    for (int index = 0; index < 2; index++) {
        good = thread_create(&low[index], lock_steadily, NULL) == 0 && good;
        good = sys_thread_control(thread_slot(low[index]), THREAD_PRIORITY, LOW_PRIORITY, 0, 0, 0, 0) == 0 && good;
        good = thread_create(&high[index], lock_now_and_then, NULL) == 0 && good;
    }
    for (int index = 0; index < 2; index++)
        good = thread_join(low[index], NULL) == 0 && thread_join(high[index], NULL) == 0 && good;
    tap_ok(good && counter == (unsigned long)(2 * additions + 2 * ROUNDS),
           "threads of different priorities share a mutex");
}

/* --- Condition variables ------------------------------------------------------------------------------------------ */

static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int queue[QUEUE];
static unsigned queue_first, queue_count;
static unsigned long consumed;

static void produce(int item)
{
    pthread_mutex_lock(&mutex);
    while (queue_count == QUEUE)
        pthread_cond_wait(&not_full, &mutex);
    queue[(queue_first + queue_count++) % QUEUE] = item;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
}

static int consume(void)
{
    pthread_mutex_lock(&mutex);
    while (queue_count == 0)
        pthread_cond_wait(&not_empty, &mutex);
    const int item = queue[queue_first];
    queue_first = (queue_first + 1) % QUEUE;
    queue_count--;
    consumed += (unsigned long)item;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&mutex);
    return item;
}

static void *produce_or_consume(void *argument)
{
    const bool producer = (intptr_t)argument % 2 == 0;

    for (int item = 1; item <= items; item++) {
        if (producer)
            produce(item);
        else if (consume() == 0)
            return (void *)1;
    }
    return NULL;
}

static pthread_cond_t gate = PTHREAD_COND_INITIALIZER;
static int gate_open, gate_waiting;

static void *wait_at_gate(void *argument)
{
    pthread_mutex_lock(&mutex);
    gate_waiting++;
    while (!gate_open)
        pthread_cond_wait(&gate, &mutex);
    gate_waiting--;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void test_broadcast(void)
{
    pthread_t threads[CROWD];
    int waiting = 0;

    for (int index = 0; index < CROWD; index++)
        pthread_create(&threads[index], NULL, wait_at_gate, NULL);
    while (waiting < CROWD) {
        usleep(1000);
        pthread_mutex_lock(&mutex);
        waiting = gate_waiting;
        pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_lock(&mutex);
    gate_open = 1;
    pthread_cond_broadcast(&gate);
    pthread_mutex_unlock(&mutex);
    tap_equal(pthread_cond_destroy(&gate), 0, "a condition variable can be destroyed after its last broadcast");
    for (int index = 0; index < CROWD; index++)
        pthread_join(threads[index], NULL);
    tap_equal(gate_waiting, 0, "a broadcast lets %d threads go", CROWD);
}

static void test_cond(void)
{
    struct timespec start, deadline;
    pthread_condattr_t attributes;
    pthread_cond_t monotonic;

    tap_ok(run_all(THREADS, produce_or_consume) && queue_count == 0 &&
               consumed == (unsigned long)(THREADS / 2 * items * (items + 1) / 2),
           "producers and consumers pass %d items on", THREADS / 2 * items);
    test_broadcast();
    pthread_condattr_init(&attributes);
    tap_ok(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&monotonic, &attributes) == 0,
           "a condition variable with the monotonic clock");
    clock_gettime(CLOCK_MONOTONIC, &start);
    deadline = in_ms(CLOCK_MONOTONIC, PATIENCE_MS);
    pthread_mutex_lock(&mutex);
    tap_equal(pthread_cond_timedwait(&monotonic, &mutex, &deadline), ETIMEDOUT, "it times out");
    tap_ok(ms_since(&start) >= PATIENCE_MS - 1, "not early");
    tap_ok(pthread_mutex_trylock(&mutex) == EBUSY, "and has the mutex again");
    deadline = (struct timespec){0};
    tap_equal(pthread_cond_timedwait(&monotonic, &mutex, &deadline), ETIMEDOUT, "a deadline that is past, too");
    pthread_mutex_unlock(&mutex);
    tap_equal(pthread_condattr_setclock(&attributes, (clockid_t)77), EINVAL, "no other clock");
}

/* --- Barriers ----------------------------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static _Atomic int serials, arrivals;

static void *go_round(void *argument)
{
    for (int round = 0; round < ROUNDS; round++) {
        atomic_fetch_add(&arrivals, 1);
        const int result = pthread_barrier_wait(&barrier);
        if (result == PTHREAD_BARRIER_SERIAL_THREAD)
            atomic_fetch_add(&serials, 1);
        else if (result != 0)
            return (void *)1;
        if (atomic_load(&arrivals) < (round + 1) * THREADS)
            return (void *)2;
        pthread_barrier_wait(&barrier);
        if (atomic_load(&serials) != round + 1)
            return (void *)3;
    }
    return NULL;
}

/* Twice as many threads as a round needs: whoever comes goes on with whom comes next. */
static void *go_on_with_anybody(void *argument)
{
    while (atomic_fetch_add(&arrivals, 1) < THREADS * ROUNDS) {
        const int result = pthread_barrier_wait(&barrier);
        if (result == PTHREAD_BARRIER_SERIAL_THREAD)
            atomic_fetch_add(&serials, 1);
        else if (result != 0)
            return (void *)1;
        /* Rounds that are complete never count more than those that came. */
        if (atomic_load(&serials) * 2 > atomic_load(&arrivals))
            return (void *)2;
    }
    return NULL;
}

static void test_barrier(void)
{
    tap_equal(pthread_barrier_init(&barrier, NULL, 0), EINVAL, "a barrier for nobody is refused");
    pthread_barrier_init(&barrier, NULL, THREADS);
    tap_ok(run_all(THREADS, go_round), "%d threads keep together for %d rounds", THREADS, ROUNDS);
    tap_equal(serials, ROUNDS, "one thread a round is told that it is the one");
    tap_equal(pthread_barrier_destroy(&barrier), 0, "pthread_barrier_destroy");
    pthread_barrier_init(&barrier, NULL, 2);
    serials = arrivals = 0;
    tap_ok(run_all(THREADS, go_on_with_anybody) && serials == THREADS * ROUNDS / 2,
           "%d threads go through a barrier for two", THREADS);
}

/* --- Read-write locks --------------------------------------------------------------------------------------------- */

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t meeting;
static _Atomic int readers, writers;
static volatile unsigned long pair[2];

static bool read_once(void)
{
    pthread_rwlock_rdlock(&rwlock);
    atomic_fetch_add(&readers, 1);
    /* Again, though a writer may wait: that must not stop this thread. */
    pthread_rwlock_rdlock(&rwlock);
    sched_yield();
    const bool good = atomic_load(&writers) == 0 && pair[0] == pair[1];
    pthread_rwlock_unlock(&rwlock);
    atomic_fetch_sub(&readers, 1);
    pthread_rwlock_unlock(&rwlock);
    return good;
}

/* Each holds the lock until all have it. */
static void *meet_as_reader(void *argument)
{
    pthread_rwlock_rdlock(&rwlock);
    pthread_barrier_wait(&meeting);
    pthread_rwlock_unlock(&rwlock);
    return NULL;
}

static bool write_once(void)
{
    pthread_rwlock_wrlock(&rwlock);
    const bool good = atomic_fetch_add(&writers, 1) == 0 && atomic_load(&readers) == 0;
    pair[0] = pair[0] + 1;
    sched_yield();
    pair[1] = pair[1] + 1;
    atomic_fetch_sub(&writers, 1);
    pthread_rwlock_unlock(&rwlock);
    return good;
}

static void *read_or_write(void *argument)
{
    bool good = true;

    for (int turn = 0; turn < additions / 4; turn++)
        good = ((intptr_t)argument % 4 == 0 ? write_once() : read_once()) && good;
    return good ? NULL : (void *)1;
}

static void *try_both(void *argument)
{
    struct timespec deadline = in_ms(CLOCK_REALTIME, PATIENCE_MS);

    if (pthread_rwlock_trywrlock(&rwlock) != EBUSY || pthread_rwlock_timedwrlock(&rwlock, &deadline) != ETIMEDOUT)
        return (void *)1;
    if (pthread_rwlock_tryrdlock(&rwlock) != 0)
        return (void *)2;
    pthread_rwlock_unlock(&rwlock);
    return NULL;
}

static void *try_to_read(void *argument)
{
    struct timespec deadline = in_ms(CLOCK_REALTIME, PATIENCE_MS);

    if (pthread_rwlock_tryrdlock(&rwlock) != EBUSY || pthread_rwlock_timedrdlock(&rwlock, &deadline) != ETIMEDOUT)
        return (void *)1;
    return NULL;
}

static void test_rwlock(void)
{
    tap_ok(run_all(THREADS, read_or_write) && pair[0] == pair[1] &&
               pair[0] == (unsigned long)(THREADS / 4 * (additions / 4)),
           "no writer is with anybody");
    pthread_barrier_init(&meeting, NULL, THREADS);
    tap_ok(run_all(THREADS, meet_as_reader), "readers are together");
    pthread_barrier_destroy(&meeting);
    pthread_rwlock_rdlock(&rwlock);
    tap_ok(run_all(1, try_both), "beside a reader there is room for readers");
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_wrlock(&rwlock);
    tap_equal(pthread_rwlock_rdlock(&rwlock), EDEADLK, "a writer cannot read besides");
    tap_ok(run_all(THREADS, try_to_read), "beside a writer there is room for nobody");
    tap_equal(pthread_rwlock_destroy(&rwlock), EBUSY, "it cannot be destroyed");
    pthread_rwlock_unlock(&rwlock);
    tap_equal(pthread_rwlock_unlock(&rwlock), EPERM, "unlocking what is free gives EPERM");
    tap_equal(pthread_rwlock_destroy(&rwlock), 0, "pthread_rwlock_destroy");
}

/* --- The same in memory that says it is shared: root keeps who waits ----------------------------------------------- */

static void test_shared(void)
{
    pthread_mutexattr_t mutex_attributes;
    pthread_condattr_t cond_attributes;
    pthread_barrierattr_t barrier_attributes;
    pthread_rwlockattr_t rwlock_attributes;

    pthread_mutexattr_init(&mutex_attributes);
    pthread_condattr_init(&cond_attributes);
    pthread_barrierattr_init(&barrier_attributes);
    pthread_rwlockattr_init(&rwlock_attributes);
    tap_ok(pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED) == 0 &&
               pthread_condattr_setpshared(&cond_attributes, PTHREAD_PROCESS_SHARED) == 0 &&
               pthread_barrierattr_setpshared(&barrier_attributes, PTHREAD_PROCESS_SHARED) == 0 &&
               pthread_rwlockattr_setpshared(&rwlock_attributes, PTHREAD_PROCESS_SHARED) == 0,
           "attributes for processes");
    pthread_mutex_init(&mutex, &mutex_attributes);
    pthread_mutexattr_settype(&mutex_attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &mutex_attributes);
    pthread_cond_init(&not_empty, &cond_attributes);
    pthread_cond_init(&not_full, &cond_attributes);
    pthread_barrier_init(&barrier, &barrier_attributes, THREADS);
    pthread_rwlock_init(&rwlock, &rwlock_attributes);

    additions /= FEWER;
    items /= FEWER;
    counter = 0;
    tap_ok(run_all(THREADS, add_under_mutex) && counter == (unsigned long)(THREADS * additions), "a shared mutex");
    counter = 0;
    tap_ok(run_all(THREADS, add_under_recursive) && counter == (unsigned long)(2 * THREADS * additions),
           "a shared recursive mutex");
    pthread_mutex_lock(&mutex);
    tap_ok(run_all(THREADS, hold_or_time_out), "a shared mutex times out");
    pthread_mutex_unlock(&mutex);
    consumed = 0;
    tap_ok(run_all(THREADS, produce_or_consume) && queue_count == 0 &&
               consumed == (unsigned long)(THREADS / 2 * items * (items + 1) / 2),
           "shared condition variables");
    serials = arrivals = 0;
    tap_ok(run_all(THREADS, go_round) && serials == ROUNDS && pthread_barrier_destroy(&barrier) == 0,
           "a shared barrier");
    pair[0] = pair[1] = 0;
    tap_ok(run_all(THREADS, read_or_write) && pair[0] == (unsigned long)(THREADS / 4 * (additions / 4)),
           "a shared read-write lock");
}

int main(void)
{
    tap_plan(8 + 7 + 1 + 9 + 5 + 8 + 7);
    test_mutex();
    test_mutex_types();
    test_priorities();
    test_cond();
    test_barrier();
    test_rwlock();
    test_shared();
    return tap_done();
}
