/* SPDX-License-Identifier: MIT */
/*
 * Semaphores: unnamed ones between threads, in memory that says it is shared, and named ones between processes.
 * Without an argument this is the parent; it starts itself as the children.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <quire/process.h>
#include <quire/slots.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SELF    "/tests/semaphores"
#define THREADS 8
#define UNITS   500
#define ROUNDS  200
#define PING    "/ping"
#define PONG    "/pong"
#define HELD    "/held"

static sem_t items, spaces;
static _Atomic unsigned long passed, inside, most_inside;

static struct timespec in_ms(long ms)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += ms * 1000000L;
    time.tv_sec += time.tv_nsec / 1000000000L;
    time.tv_nsec %= 1000000000L;
    return time;
}

static bool run_all(int count, void *(*routine)(void *))
{
    pthread_t threads[THREADS];
    bool good = true;

    for (intptr_t index = 0; index < count; index++) {
        if (pthread_create(&threads[index], NULL, routine, (void *)index) != 0)
            exit(1);
    }
    for (int index = 0; index < count; index++) {
        void *result = NULL;
        good = pthread_join(threads[index], &result) == 0 && result == NULL && good;
    }
    return good;
}

/* --- Unnamed ------------------------------------------------------------------------------------------------------ */

/* Even threads give items and take spaces, odd ones the other way round. */
static void *pass_units(void *argument)
{
    const bool giver = (intptr_t)argument % 2 == 0;

    for (int unit = 0; unit < UNITS; unit++) {
        if (sem_wait(giver ? &spaces : &items) != 0)
            return (void *)1;
        const unsigned long now = atomic_fetch_add(&inside, 1) + 1;
        if (now > atomic_load(&most_inside))
            atomic_store(&most_inside, now);
        atomic_fetch_add(&passed, 1);
        atomic_fetch_sub(&inside, 1);
        if (sem_post(giver ? &items : &spaces) != 0)
            return (void *)2;
    }
    return NULL;
}

static void test_between_threads(int shared)
{
    int value = -1;

    atomic_store(&passed, 0);
    sem_init(&items, shared, 0);
    sem_init(&spaces, shared, 3);
    tap_ok(run_all(THREADS, pass_units) && passed == THREADS * UNITS, "%d threads pass units on%s", THREADS,
           shared ? ", in shared memory" : "");
    tap_ok(sem_getvalue(&spaces, &value) == 0 && value == 3, "and all come back");
    tap_ok(sem_destroy(&items) == 0 && sem_destroy(&spaces) == 0, "sem_destroy");
}

static void *wait_and_be_cancelled(void *argument)
{
    sem_wait(argument);
    return NULL;
}

static bool cancelled_in(sem_t *semaphore)
{
    pthread_t thread;
    void *result = NULL;

    if (pthread_create(&thread, NULL, wait_and_be_cancelled, semaphore) != 0)
        return false;
    usleep(10000);
    return pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED;
}

static void test_edges(sem_t *semaphore, const char *kind)
{
    struct timespec deadline = in_ms(20), wrong = {.tv_nsec = 1000000000L};

    tap_ok(sem_trywait(semaphore) == -1 && errno == EAGAIN, "%s: an empty semaphore gives EAGAIN", kind);
    tap_ok(sem_timedwait(semaphore, &deadline) == -1 && errno == ETIMEDOUT, "%s: it times out", kind);
    tap_ok(sem_timedwait(semaphore, &wrong) == -1 && errno == EINVAL, "%s: nonsense as a deadline gives EINVAL", kind);
    tap_ok(cancelled_in(semaphore), "%s: a thread that waits is cancelled", kind);
    tap_ok(sem_post(semaphore) == 0 && sem_timedwait(semaphore, &wrong) == 0,
           "%s: a unit is taken whatever the deadline", kind);
}

static void test_unnamed(void)
{
    sem_t semaphore;

    test_between_threads(0);
    test_between_threads(1);
    tap_ok(sem_init(&semaphore, 0, SEM_VALUE_MAX + 1U) == -1 && errno == EINVAL, "too high a value is refused");
    sem_init(&semaphore, 0, SEM_VALUE_MAX);
    tap_ok(sem_post(&semaphore) == -1 && errno == EOVERFLOW, "and not reached by a post");
    sem_init(&semaphore, 0, 0);
    test_edges(&semaphore, "unnamed");
    sem_init(&semaphore, 1, 0);
    test_edges(&semaphore, "shared");
}

/* --- Named -------------------------------------------------------------------------------------------------------- */

static int64_t start(const char *role, const char *argument)
{
    const char *line[] = {SELF, role, argument, NULL};
    return process_spawn(line);
}

/* Answers each ping with a pong. */
static int be_partner(void)
{
    sem_t *ping = sem_open(PING, 0), *pong = sem_open(PONG, 0);

    if (ping == SEM_FAILED || pong == SEM_FAILED)
        return 1;
    for (int round = 0; round < ROUNDS; round++) {
        if (sem_wait(ping) != 0 || sem_post(pong) != 0)
            return 2;
    }
    return sem_close(ping) == 0 && sem_close(pong) == 0 ? 0 : 3;
}

/* Takes the unit, or waits for one, and ends without giving anything back. */
static int be_careless(const char *name)
{
    sem_t *semaphore = sem_open(name, 0);

    if (semaphore == SEM_FAILED)
        return 1;
    return sem_wait(semaphore) == 0 ? 0 : 2;
}

static void test_ping_pong(void)
{
    sem_t *ping = sem_open(PING, O_CREAT | O_EXCL, 0600, 0), *pong = sem_open(PONG, O_CREAT, 0600, 0);
    struct timespec deadline = in_ms(20000);
    int rounds = 0;

    tap_ok(ping != SEM_FAILED && pong != SEM_FAILED, "named semaphores are created");
    const int64_t partner = start("partner", "");
    while (rounds < ROUNDS && sem_post(ping) == 0 && sem_timedwait(pong, &deadline) == 0)
        rounds++;
    tap_equal(rounds, ROUNDS, "two processes take turns");
    tap_equal(process_wait((uint64_t)partner), 0, "the other one is content, too");
    tap_ok(sem_unlink(PING) == 0 && sem_unlink(PONG) == 0 && sem_post(ping) == 0 && sem_wait(ping) == 0,
           "without its name a semaphore goes on");
    tap_ok(sem_close(ping) == 0 && sem_close(pong) == 0, "sem_close");
    tap_ok(sem_open(PING, 0) == SEM_FAILED && errno == ENOENT, "then it is gone");
}

static void test_names(void)
{
    static char name[300];
    sem_t *first = sem_open(HELD, O_CREAT, 0600, 1), *again = sem_open(HELD, O_CREAT, 0600, 7);
    int value = -1;

    tap_ok(first != SEM_FAILED && first == again, "opening twice gives the same address");
    tap_ok(sem_getvalue(again, &value) == 0 && value == 1, "and keeps the value");
    tap_ok(sem_close(again) == 0 && sem_wait(first) == 0, "one closing leaves the other opening");
    tap_ok(sem_open(HELD, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST, "O_EXCL gives EEXIST");
    tap_ok(sem_open("held", O_CREAT, 0600, 1) == SEM_FAILED && errno == EINVAL, "a name begins with a slash");
    tap_ok(sem_open("/a/b", O_CREAT, 0600, 1) == SEM_FAILED && errno == EINVAL, "and has no other");
    memset(name, 'n', sizeof(name) - 1);
    name[0] = '/';
    tap_ok(sem_open(name, O_CREAT, 0600, 1) == SEM_FAILED && errno == ENAMETOOLONG, "and is not too long");
    tap_ok(sem_unlink("/nothing") == -1 && errno == ENOENT, "sem_unlink of nothing gives ENOENT");
    test_edges(first, "named");
    sem_close(first);
}

/* A process that is ended while it waits leaves the queue; one that ended after it took its unit keeps it. */
static void test_ends(void)
{
    sem_t *semaphore = sem_open(HELD, 0);
    int value = -1;

    tap_ok(semaphore != SEM_FAILED, "a semaphore outlives its openings");
    const int64_t waiting = start("careless", HELD);
    usleep(100000);
    tap_ok(kill((pid_t)waiting, SIGKILL) == 0 && process_wait((uint64_t)waiting) == 137, "a waiting process is ended");
    tap_ok(sem_post(semaphore) == 0 && sem_getvalue(semaphore, &value) == 0 && value == 1,
           "the next unit is not given to it");
    tap_equal(process_wait((uint64_t)start("careless", HELD)), 0, "another takes the unit");
    tap_ok(sem_getvalue(semaphore, &value) == 0 && value == 0, "and keeps it beyond its end");
    sem_unlink(HELD);
    sem_close(semaphore);
}

/* --- In memory of two processes ------------------------------------------------------------------------------------ */

struct common {
    sem_t ping, pong;
    pthread_mutex_t mutex;
    volatile unsigned long count; /* under the mutex */
};

static int count_and_answer(struct common *common)
{
    for (int round = 0; round < ROUNDS; round++) {
        if (sem_wait(&common->ping) != 0 || sem_post(&common->pong) != 0)
            return 1;
        pthread_mutex_lock(&common->mutex);
        common->count = common->count + 1;
        pthread_mutex_unlock(&common->mutex);
    }
    return 0;
}

static bool count_and_ask(struct common *common)
{
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&common->mutex);
        common->count = common->count + 1;
        pthread_mutex_unlock(&common->mutex);
        if (sem_post(&common->ping) != 0 || sem_wait(&common->pong) != 0)
            return false;
    }
    return true;
}

static void test_common_memory(void)
{
    static const char name[] = "two processes meet in shared memory";
    struct common *common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    int status = -1;

    if (common == MAP_FAILED && errno == ENOSYS) {
        tap_skip("there is no shared memory yet", "%s", name);
        return;
    }
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&common->mutex, &attributes);
    sem_init(&common->ping, 1, 0);
    sem_init(&common->pong, 1, 0);
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0 && errno == ENOSYS) {
        tap_skip("there is no fork yet", "%s", name);
        return;
    }
    if (child == 0)
        _exit(count_and_answer(common));
    tap_ok(count_and_ask(common) && waitpid(child, &status, 0) == child && status == 0 && common->count == 2UL * ROUNDS,
           "%s", name);
    munmap(common, sizeof(*common));
}

/* --- Without notifications: a program that has used up its objects waits all the same ------------------------------ */

static void *post_later(void *argument)
{
    usleep(5000);
    sem_post(argument);
    return NULL;
}

static bool gets_unit(sem_t *semaphore)
{
    struct timespec deadline = in_ms(60000);
    pthread_t thread;

    return pthread_create(&thread, NULL, post_later, semaphore) == 0 && sem_timedwait(semaphore, &deadline) == 0 &&
           pthread_join(thread, NULL) == 0;
}

static int be_poor(void)
{
    struct timespec deadline = in_ms(20);
    sem_t unnamed, *named = sem_open("/poor", O_CREAT, 0600, 0);
    const uint64_t slot = slot_allocate();
    uint64_t identifier;

    while (memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &identifier, slot) == 0)
        (void)!sys_cap_delete(SLOT_TABLE, slot);
    sem_unlink("/poor");
    sem_init(&unnamed, 0, 0);
    if (named == SEM_FAILED || !gets_unit(&unnamed) || !gets_unit(named))
        return 1;
    return sem_timedwait(named, &deadline) == -1 && errno == ETIMEDOUT ? 0 : 2;
}

static void test_limit(void)
{
    static sem_t *all[SEM_NSEMS_MAX];
    char name[32];
    int count = 0;

    for (; count < SEM_NSEMS_MAX; count++) {
        snprintf(name, sizeof(name), "/many%d", count);
        all[count] = sem_open(name, O_CREAT, 0600, 0);
        if (all[count] == SEM_FAILED)
            break;
        sem_unlink(name);
    }
    tap_equal(count, SEM_NSEMS_MAX, "%d semaphores", SEM_NSEMS_MAX);
    tap_ok(sem_open("/more", O_CREAT, 0600, 0) == SEM_FAILED && errno == ENOSPC, "one more gives ENOSPC");
    while (count > 0)
        sem_close(all[--count]);
    sem_t *one = sem_open("/more", O_CREAT, 0600, 0);
    tap_ok(one != SEM_FAILED && sem_unlink("/more") == 0 && sem_close(one) == 0, "when they are closed there is room");
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 2 && strcmp(arguments[1], "partner") == 0)
        return be_partner();
    if (argument_count > 2 && strcmp(arguments[1], "careless") == 0)
        return be_careless(arguments[2]);
    if (argument_count > 1 && strcmp(arguments[1], "poor") == 0)
        return be_poor();
    tap_plan(6 + 2 + 5 + 5 + 6 + 8 + 5 + 5 + 3 + 1 + 1);
    test_unnamed();
    test_ping_pong();
    test_names();
    test_ends();
    test_limit();
    test_common_memory();
    tap_equal(process_wait((uint64_t)start("poor", "")), 0, "a program without notifications waits all the same");
    return tap_done();
}
