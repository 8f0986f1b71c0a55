/* SPDX-License-Identifier: MIT */
/* Threads, what they wait for, and faults of several at once. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define STORM_THREADS_MAX 4U

int mutex_lock_unlock(uint64_t count, uint64_t *ticks)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    *ticks = port_ticks() - start;
    return 0;
}

static sem_t ping, pong;

static void *answer_pings(void *argument)
{
    const uint64_t *count = argument;

    for (uint64_t i = 0; i < *count; i++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

/* Two threads of a program wake each other in turn; neither ever finds its semaphore free. */
int futex_ping_pong(uint64_t count, uint64_t *ticks)
{
    pthread_t partner;

    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    int error = pthread_create(&partner, NULL, answer_pings, &count);
    if (error)
        return -error;
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    *ticks = port_ticks() - start;
    return -pthread_join(partner, NULL);
}

static void *do_nothing(void *argument)
{
    return argument;
}

int thread_create_join(uint64_t count, uint64_t *ticks)
{
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, do_nothing, NULL);
        if (!error)
            error = pthread_join(thread, NULL);
        if (error)
            return -error;
    }
    *ticks = port_ticks() - start;
    return 0;
}

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

/* What two processes share: a number that they increase in turn, and who may do it. */
struct table_tennis {
    sem_t ping, pong;
    uint64_t number;
};

static _Noreturn void answer(struct table_tennis *game, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        sem_wait(&game->ping);
        game->number++;
        sem_post(&game->pong);
    }
    _exit(0);
}

static int play(struct table_tennis *game, uint64_t count, uint64_t *ticks)
{
    if (sem_init(&game->ping, 1, 0) != 0 || sem_init(&game->pong, 1, 0) != 0)
        return -errno;
    pid_t partner = fork();
    if (partner < 0)
        return -errno;
    if (partner == 0)
        answer(game, count);
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        game->number++;
        sem_post(&game->ping);
        sem_wait(&game->pong);
    }
    *ticks = port_ticks() - start;
    if (waitpid(partner, NULL, 0) != partner)
        return -errno;
    return game->number == 2 * count ? 0 : -EIO;
}

int shared_ping_pong(uint64_t count, uint64_t *ticks)
{
    void *memory = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    int error = play(memory, count, ticks);
    munmap(memory, PAGE_BYTES);
    return error;
}

/* --- Faults of several threads ------------------------------------------------------------------------------------ */

struct storm {
    pthread_barrier_t begin;
    volatile char *memory;
    uint64_t pages; /* of each thread */
};

struct storm_thread {
    pthread_t thread;
    struct storm *storm;
    unsigned number;
};

static void *touch_share(void *argument)
{
    const struct storm_thread *self = argument;
    volatile char *first = self->storm->memory + self->number * self->storm->pages * PAGE_BYTES;

    pthread_barrier_wait(&self->storm->begin);
    for (uint64_t i = 0; i < self->storm->pages; i++)
        first[i * PAGE_BYTES] = 1;
    return NULL;
}

/* All threads stand at the barrier, the calling one, too, before the first page is touched. */
static int run_storm(struct storm *storm, unsigned threads, uint64_t *ticks)
{
    struct storm_thread each[STORM_THREADS_MAX];
    int error = -pthread_barrier_init(&storm->begin, NULL, threads + 1);

    for (unsigned i = 0; i < threads && error == 0; i++) {
        each[i] = (struct storm_thread){.storm = storm, .number = i};
        error = -pthread_create(&each[i].thread, NULL, touch_share, &each[i]);
    }
    if (error < 0)
        return error;
    uint64_t start = port_ticks();
    pthread_barrier_wait(&storm->begin);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(each[i].thread, NULL);
    *ticks = port_ticks() - start;
    pthread_barrier_destroy(&storm->begin);
    return 0;
}

/* Write faults in one address space, by so many threads on as many CPUs. Counted by instructions, those of all CPUs count. */
static int fault_storm(uint64_t count, uint64_t *ticks, unsigned threads)
{
    struct storm storm = {.pages = count / threads};

    if (sysconf(_SC_NPROCESSORS_ONLN) < (long)threads)
        return -ENOTSUP;
    storm.memory = port_map(count * PAGE_BYTES);
    if (!storm.memory)
        return -ENOMEM;
    int error = run_storm(&storm, threads, ticks);
    munmap((void *)storm.memory, count * PAGE_BYTES);
    return error;
}

int fault_storm_1(uint64_t count, uint64_t *ticks)
{
    return fault_storm(count, ticks, 1);
}

int fault_storm_2(uint64_t count, uint64_t *ticks)
{
    return fault_storm(count, ticks, 2);
}

int fault_storm_4(uint64_t count, uint64_t *ticks)
{
    return fault_storm(count, ticks, 4);
}
