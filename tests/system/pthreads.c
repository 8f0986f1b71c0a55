/* SPDX-License-Identifier: MIT */
/*
 * POSIX threads: how they start and end, what is each one's own, cancellation, keys, once, and what they share: the
 * heap and stdio. The threads of C11, too.
 */
#include "tap.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <quire/process.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <threads.h>
#include <unistd.h>

#define MANY        100
#define IN_TURN     300
#define LINES       40
#define WRITERS     8
#define STACK_BYTES 65536
#define DEEP_BYTES  (700 * 1024)

static void *give_back(void *argument)
{
    return argument;
}

static void *exit_early(void *argument)
{
    pthread_exit((char *)argument + 1);
    return NULL;
}

static void test_basics(void)
{
    pthread_t thread;
    void *result = NULL;

    tap_ok(pthread_equal(pthread_self(), pthread_self()), "a thread is itself");
    tap_equal(pthread_create(&thread, NULL, give_back, &thread), 0, "pthread_create");
    tap_ok(pthread_join(thread, &result) == 0 && result == &thread, "pthread_join gives what the routine returned");
    tap_ok(pthread_create(&thread, NULL, exit_early, (void *)41) == 0 && pthread_join(thread, &result) == 0 &&
               result == (void *)42,
           "pthread_exit gives a result");
    tap_equal(pthread_join(pthread_self(), NULL), EDEADLK, "a thread cannot join itself");
}

/* --- Many at once ------------------------------------------------------------------------------------------------- */

static _Atomic unsigned many_inside;
static pthread_barrier_t many_barrier;
static __thread int own = 5;

static void *be_one_of_many(void *argument)
{
    const int number = (int)(intptr_t)argument;
    char *block = malloc(100);
    bool good = own == 5 && block;

    atomic_fetch_add(&many_inside, 1);
    own = number;
    errno = number + 1;
    if (block)
        memset(block, number, 100);
    pthread_barrier_wait(&many_barrier);
    usleep(1000);
    good = good && own == number && errno == number + 1 && block[99] == (char)number;
    free(block);
    return (void *)(intptr_t)(good ? number : -1);
}

static void test_many(void)
{
    static pthread_t threads[MANY];
    bool created = true, good = true;

    pthread_barrier_init(&many_barrier, NULL, MANY);
    for (intptr_t index = 0; created && index < MANY; index++) {
        const int error = pthread_create(&threads[index], NULL, be_one_of_many, (void *)index);
        if (error) {
            tap_diag("thread %ld: %s", (long)index, strerror(error));
            exit(1);
        }
    }
    for (intptr_t index = 0; index < MANY; index++) {
        void *result = NULL;
        good = pthread_join(threads[index], &result) == 0 && result == (void *)index && good;
    }
    tap_equal(many_inside, MANY, "%d threads at once", MANY);
    tap_ok(good, "each has its own errno and thread-local variables");
    tap_equal(pthread_barrier_destroy(&many_barrier), 0, "their barrier can be destroyed at once");
}

static void test_in_turn(void)
{
    bool good = true;

    for (intptr_t index = 0; good && index < IN_TURN; index++) {
        pthread_t thread;
        void *result = NULL;
        good = pthread_create(&thread, NULL, give_back, (void *)index) == 0 && pthread_join(thread, &result) == 0 &&
               result == (void *)index;
    }
    tap_ok(good, "%d threads one after the other", IN_TURN);
}

/* --- Detached ones ------------------------------------------------------------------------------------------------ */

static _Atomic int detached_done;

static void *count_up(void *argument)
{
    atomic_fetch_add(&detached_done, 1);
    return argument;
}

static bool start_detached(int count, bool by_attribute)
{
    pthread_attr_t attributes;
    int state = -1;

    pthread_attr_init(&attributes);
    if (by_attribute)
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int index = 0; index < count; index++) {
        pthread_t thread;
        int error;
        /* Those that have ended are freed when the next is made, so a limit is not for ever. */
        while ((error = pthread_create(&thread, &attributes, count_up, NULL)) == EAGAIN)
            usleep(1000);
        if (error || (!by_attribute && pthread_detach(thread) != 0))
            return false;
    }
    return pthread_attr_getdetachstate(&attributes, &state) == 0 &&
           state == (by_attribute ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
}

static void test_detached(void)
{
    tap_ok(start_detached(IN_TURN, true) && start_detached(IN_TURN, false), "%d detached threads", 2 * IN_TURN);
    for (int tries = 0; atomic_load(&detached_done) < 2 * IN_TURN && tries < 60000; tries++)
        usleep(1000);
    tap_equal(detached_done, 2 * IN_TURN, "all of them have run");
}

/* --- Attributes --------------------------------------------------------------------------------------------------- */

static void *use_stack(void *argument)
{
    const size_t bytes = (size_t)argument;
    volatile char *place = __builtin_alloca(bytes);

    place[0] = 1;
    place[bytes - 1] = 2;
    return (void *)(intptr_t)(place[0] + place[bytes - 1]);
}

static void *where_am_i(void *argument)
{
    char here;
    const char *first = argument;
    volatile uintptr_t distance = (uintptr_t)(&here - first);
    return (void *)distance;
}

static bool run_with(const pthread_attr_t *attributes, void *(*routine)(void *), void *argument, void **result)
{
    pthread_t thread;
    return pthread_create(&thread, attributes, routine, argument) == 0 && pthread_join(thread, result) == 0;
}

static void test_attributes(void)
{
    static char stack[STACK_BYTES] __attribute__((aligned(64)));
    pthread_attr_t attributes;
    size_t bytes;
    void *result;

    pthread_attr_init(&attributes);
    tap_equal(pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN - 1), EINVAL, "a tiny stack is refused");
    tap_ok(run_with(&attributes, use_stack, (void *)DEEP_BYTES, &result) && result == (void *)3,
           "the stack that a thread has by itself holds %d bytes", DEEP_BYTES);
    tap_ok(pthread_attr_setstacksize(&attributes, 8 << 20) == 0 &&
               pthread_attr_getstacksize(&attributes, &bytes) == 0 && bytes == 8 << 20 &&
               run_with(&attributes, use_stack, (void *)(7UL << 20), &result) && result == (void *)3,
           "a stack of 8 MiB");
    tap_ok(pthread_attr_setguardsize(&attributes, 0) == 0 && run_with(&attributes, give_back, NULL, &result),
           "no guard");
    tap_ok(pthread_attr_setstack(&attributes, stack, sizeof(stack)) == 0 &&
               run_with(&attributes, where_am_i, stack, &result) && (uintptr_t)result < sizeof(stack),
           "a stack of the program's own");
    tap_equal(pthread_attr_destroy(&attributes), 0, "pthread_attr_destroy");
}

/* --- Keys --------------------------------------------------------------------------------------------------------- */

static pthread_key_t key, stubborn_key;
static _Atomic int destroyed, stubborn;

static void destroy(void *value)
{
    atomic_fetch_add(&destroyed, (int)(intptr_t)value);
}

static void set_again(void *value)
{
    atomic_fetch_add(&stubborn, 1);
    pthread_setspecific(stubborn_key, value);
}

static void *use_keys(void *argument)
{
    const bool empty = pthread_getspecific(key) == NULL;

    pthread_setspecific(key, argument);
    pthread_setspecific(stubborn_key, argument);
    pthread_yield();
    return (void *)(intptr_t)(empty && pthread_getspecific(key) == argument);
}

static void test_keys(void)
{
    static pthread_key_t all[PTHREAD_KEYS_MAX];
    pthread_t threads[WRITERS];
    bool good = true;
    int count = 0;

    tap_ok(pthread_key_create(&key, destroy) == 0 && pthread_key_create(&stubborn_key, set_again) == 0,
           "keys can be created");
    for (intptr_t index = 0; index < WRITERS; index++)
        good = pthread_create(&threads[index], NULL, use_keys, (void *)(index + 1)) == 0 && good;
    for (int index = 0; index < WRITERS; index++) {
        void *result = NULL;
        good = pthread_join(threads[index], &result) == 0 && result == (void *)1 && good;
    }
    tap_ok(good, "each thread has values of its own");
    tap_equal(destroyed, WRITERS * (WRITERS + 1) / 2, "destructors get the values");
    tap_equal(stubborn, WRITERS * PTHREAD_DESTRUCTOR_ITERATIONS, "and run again as often as is promised");
    pthread_setspecific(key, &key);
    pthread_key_delete(key);
    tap_equal(pthread_setspecific(key, &key), EINVAL, "a key that was deleted cannot be used");
    while (count < PTHREAD_KEYS_MAX && pthread_key_create(&all[count], NULL) == 0 &&
           pthread_getspecific(all[count]) == NULL)
        count++;
    tap_equal(count, PTHREAD_KEYS_MAX - 1, "all keys can be had, and none has an old value");
    pthread_key_t one_more;
    tap_equal(pthread_key_create(&one_more, NULL), EAGAIN, "one more gives EAGAIN");
    while (count > 0)
        pthread_key_delete(all[--count]);
    pthread_key_delete(stubborn_key);
}

/* --- Once --------------------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT, cancelled_once = PTHREAD_ONCE_INIT;
static _Atomic int once_runs, once_seen_early;

static void slow_routine(void)
{
    usleep(20000);
    atomic_fetch_add(&once_runs, 1);
}

static void *call_once_routine(void *argument)
{
    pthread_once(&once, slow_routine);
    if (atomic_load(&once_runs) != 1)
        atomic_fetch_add(&once_seen_early, 1);
    return argument;
}

static void cancelled_routine(void)
{
    atomic_fetch_add(&once_runs, 1);
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

static void *call_cancelled_routine(void *argument)
{
    pthread_once(&cancelled_once, cancelled_routine);
    return argument;
}

static void quick_routine(void)
{
    atomic_fetch_add(&once_runs, 10);
}

static void test_once(void)
{
    pthread_t threads[WRITERS];
    void *result;

    for (int index = 0; index < WRITERS; index++)
        pthread_create(&threads[index], NULL, call_once_routine, NULL);
    for (int index = 0; index < WRITERS; index++)
        pthread_join(threads[index], NULL);
    tap_ok(once_runs == 1 && once_seen_early == 0, "a once routine runs once, and all wait for its end");
    tap_ok(run_with(NULL, call_cancelled_routine, NULL, &result) && result == PTHREAD_CANCELED && once_runs == 2,
           "a once routine can be cancelled");
    pthread_once(&cancelled_once, quick_routine);
    tap_equal(once_runs, 12, "and then it has not run");
}

/* --- Cancellation ------------------------------------------------------------------------------------------------- */

static _Atomic int cleaned, going, asked;
static pthread_mutex_t cancel_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cancel_cond = PTHREAD_COND_INITIALIZER;

static void clean(void *argument)
{
    /* Handlers run last in, first out. */
    atomic_store(&cleaned, atomic_load(&cleaned) * 10 + (int)(intptr_t)argument);
}

static void unlock(void *argument)
{
    pthread_mutex_unlock(argument);
}

static void *wait_for_nothing(void *argument)
{
    pthread_mutex_lock(&cancel_mutex);
    pthread_cleanup_push(unlock, &cancel_mutex);
    atomic_store(&going, 1);
    for (;;)
        pthread_cond_wait(&cancel_cond, &cancel_mutex);
    pthread_cleanup_pop(1);
    return argument;
}

static void *sleep_for_long(void *argument)
{
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    pthread_cleanup_push(clean, (void *)3);
    pthread_cleanup_pop(0);
    atomic_store(&going, 1);
    sleep(1000);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return argument;
}

static void *join_for_long(void *argument)
{
    atomic_store(&going, 1);
    pthread_join(*(pthread_t *)argument, NULL);
    return NULL;
}

static void *refuse_for_a_while(void *argument)
{
    int old = -1;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    atomic_store(&going, 1);
    while (!atomic_load(&asked))
        usleep(1000);
    pthread_testcancel();
    atomic_store(&cleaned, old == PTHREAD_CANCEL_ENABLE ? 7 : 8);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    pthread_testcancel();
    return argument;
}

/* Starts a thread, cancels it once it is well on its way; true if it ended so. */
static bool cancelled(void *(*routine)(void *), void *argument)
{
    pthread_t thread;
    void *result = NULL;

    atomic_store(&going, 0);
    atomic_store(&asked, 0);
    if (pthread_create(&thread, NULL, routine, argument) != 0)
        return false;
    while (!atomic_load(&going))
        sched_yield();
    usleep(5000);
    const int error = pthread_cancel(thread);
    atomic_store(&asked, 1);
    return error == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED;
}

static void test_cancel(void)
{
    pthread_t sleeper;
    int old;

    tap_ok(cancelled(wait_for_nothing, NULL) && pthread_mutex_trylock(&cancel_mutex) == 0,
           "a thread in pthread_cond_wait is cancelled, with the mutex its own");
    pthread_mutex_unlock(&cancel_mutex);
    tap_ok(cancelled(sleep_for_long, NULL) && cleaned == 21, "so is one that sleeps; its handlers run in order");
    tap_ok(cancelled(refuse_for_a_while, NULL) && cleaned == 7, "not before it allows it");
    pthread_create(&sleeper, NULL, sleep_for_long, NULL);
    tap_ok(cancelled(join_for_long, &sleeper), "so is one in pthread_join");
    tap_ok(pthread_cancel(sleeper) == 0 && pthread_join(sleeper, NULL) == 0, "and the other can still be joined");
    tap_equal(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old), ENOTSUP,
              "there is no asynchronous cancellation");
}

/* --- stdio, C11, the system --------------------------------------------------------------------------------------- */

static void *print_lines(void *argument)
{
    for (int line = 0; line < LINES; line++)
        printf("# writer %d line %d of %d, all in one piece\n", (int)(intptr_t)argument, line, LINES);
    return argument;
}

static void test_stdio(void)
{
    pthread_t threads[WRITERS];

    for (intptr_t index = 0; index < WRITERS; index++)
        pthread_create(&threads[index], NULL, print_lines, (void *)index);
    for (int index = 0; index < WRITERS; index++)
        pthread_join(threads[index], NULL);
    tap_ok(!ferror(stdout), "%d threads print %d lines each", WRITERS, LINES);
}

static mtx_t c11_mutex;
static int c11_count;
static tss_t c11_key;

static int c11_thread(void *argument)
{
    for (int turn = 0; turn < 1000; turn++) {
        mtx_lock(&c11_mutex);
        c11_count++;
        mtx_unlock(&c11_mutex);
    }
    tss_set(c11_key, argument);
    return tss_get(c11_key) == argument ? (int)(intptr_t)argument : -1;
}

static void test_c11(void)
{
    thrd_t threads[4];
    bool good = mtx_init(&c11_mutex, mtx_plain) == thrd_success && tss_create(&c11_key, NULL) == thrd_success;

    for (intptr_t index = 0; index < 4; index++)
        good = thrd_create(&threads[index], c11_thread, (void *)index) == thrd_success && good;
    for (int index = 0; index < 4; index++) {
        int result = -1;
        good = thrd_join(threads[index], &result) == thrd_success && result == index && good;
    }
    tap_ok(good && c11_count == 4000, "the threads of C11 work");
    mtx_destroy(&c11_mutex);
}

static void test_system(void)
{
    struct utsname name;
    unsigned char first[32] = {0}, second[32] = {0};

    tap_ok(uname(&name) == 0 && strcmp(name.sysname, "Quire") == 0, "uname: %s %s %s", name.sysname, name.release,
           name.machine);
    tap_ok(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_NPROCESSORS_ONLN) == sysconf(_SC_NPROCESSORS_CONF),
           "%ld processors", sysconf(_SC_NPROCESSORS_ONLN));
    tap_equal(getppid(), 1, "the parent is root");
    tap_ok(getentropy(first, sizeof(first)) == 0 && getentropy(second, sizeof(second)) == 0 &&
               memcmp(first, second, sizeof(first)) != 0,
           "getentropy gives bytes");
    tap_ok(getentropy(first, 257) == -1 && errno == EIO, "not too many at once");
    const unsigned number = arc4random_uniform(1000);
    tap_ok(number < 1000 && (arc4random() != arc4random() || arc4random() != arc4random()), "arc4random works");
}

/* --- How a program with threads ends: this program started again, with what it is to do ---------------------------- */

static pthread_t main_thread;

static void *outlive_main(void *argument)
{
    void *result = NULL;

    usleep(20000);
    if (pthread_join(main_thread, &result) != 0 || result != &main_thread)
        exit(1);
    return argument;
}

static void *exit_with_7(void *argument)
{
    usleep(1000);
    exit(7);
    return argument;
}

static void *overflow(void *argument)
{
    volatile char place[4096];

    place[0] = 1;
    /* Ends one day, in case the guard does not. */
    if ((uintptr_t)argument > 100000)
        return NULL;
    return (char *)overflow((char *)argument + 1) + place[0];
}

static int end_somehow(const char *how)
{
    pthread_t thread;

    main_thread = pthread_self();
    if (strcmp(how, "leave") == 0 && pthread_create(&thread, NULL, outlive_main, NULL) == 0)
        pthread_exit(&main_thread);
    if (strcmp(how, "exit") == 0 && pthread_create(&thread, NULL, exit_with_7, NULL) == 0)
        pthread_join(thread, NULL);
    if (strcmp(how, "overflow") == 0 && pthread_create(&thread, NULL, overflow, NULL) == 0)
        pthread_join(thread, NULL);
    return 99;
}

static int status_of(const char *how)
{
    const char *line[] = {"/tests/pthreads", how, NULL};
    return process_run(line);
}

static void test_ends(void)
{
    tap_equal(status_of("leave"), 0, "a program whose first thread leaves lives until its last one ends");
    tap_equal(status_of("exit"), 7, "any thread can end the program");
    tap_equal(status_of("overflow"), 139, "a stack that overflows ends it");
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1)
        return end_somehow(arguments[1]);
    tap_plan(5 + 3 + 1 + 2 + 6 + 7 + 3 + 6 + 1 + 1 + 6 + 3);
    test_basics();
    test_many();
    test_in_turn();
    test_detached();
    test_attributes();
    test_keys();
    test_once();
    test_cancel();
    test_stdio();
    test_c11();
    test_system();
    test_ends();
    return tap_done();
}
