/* SPDX-License-Identifier: MIT */
/*
 * POSIX semaphores. Those of sem_init() live in the program's memory; named ones live in root, and a sem_t of theirs
 * only says which it is.
 */
#ifndef QUIRE_SEMAPHORE_H
#define QUIRE_SEMAPHORE_H

#include <fcntl.h>
#include <limits.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All members are the library's. */
typedef struct {
    unsigned long state;  /* value in the lower half, threads that wait in the upper */
    unsigned int kind;    /* 0 for one process, 1 shared memory, 2 named */
    unsigned long handle; /* named: root's name for it */
} sem_t;

#define SEM_FAILED ((sem_t *)0)

int sem_init(sem_t *semaphore, int shared, unsigned value);
int sem_destroy(sem_t *semaphore);
sem_t *sem_open(const char *name, int flags, ...);
int sem_close(sem_t *semaphore);
int sem_unlink(const char *name);
int sem_wait(sem_t *semaphore);
int sem_trywait(sem_t *semaphore);
int sem_timedwait(sem_t *__restrict semaphore, const struct timespec *__restrict deadline);
int sem_clockwait(sem_t *__restrict semaphore, clockid_t clock, const struct timespec *__restrict deadline);
int sem_post(sem_t *semaphore);
int sem_getvalue(sem_t *__restrict semaphore, int *__restrict value);

#ifdef __cplusplus
}
#endif

#endif
