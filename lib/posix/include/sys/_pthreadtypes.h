/* SPDX-License-Identifier: MIT */
/*
 * The types and constants of <pthread.h>, in place of newlib's, whose objects are numbers of 32 bits: Quire's locks
 * live in the program's own memory, so that using one that nobody else wants needs no look-up and no call. All members
 * are the library's; zero is the initialised state of whatever has a static initialiser.
 */
#ifndef _SYS__PTHREADTYPES_H_
#define _SYS__PTHREADTYPES_H_

#include <sys/_types.h>
#include <sys/sched.h>

typedef unsigned long pthread_t;

#define PTHREAD_SCOPE_PROCESS   0
#define PTHREAD_SCOPE_SYSTEM    1
#define PTHREAD_INHERIT_SCHED   1
#define PTHREAD_EXPLICIT_SCHED  2
#define PTHREAD_CREATE_DETACHED 0
#define PTHREAD_CREATE_JOINABLE 1
#define PTHREAD_PROCESS_PRIVATE 0
#define PTHREAD_PROCESS_SHARED  1
#define PTHREAD_PRIO_NONE       0
#define PTHREAD_PRIO_INHERIT    1
#define PTHREAD_PRIO_PROTECT    2
#define PTHREAD_MUTEX_STALLED   0
#define PTHREAD_MUTEX_ROBUST    1

#define PTHREAD_MUTEX_NORMAL     0
#define PTHREAD_MUTEX_RECURSIVE  1
#define PTHREAD_MUTEX_ERRORCHECK 2
#define PTHREAD_MUTEX_DEFAULT    PTHREAD_MUTEX_NORMAL

typedef struct {
    int is_initialized;
    int detachstate;
    void *stackaddr; /* lowest byte of a stack of the program's; null: the library maps one */
    unsigned long stacksize;
    unsigned long guardsize;
    int contentionscope;
    int inheritsched;
    int schedpolicy;
    struct sched_param schedparam;
} pthread_attr_t;

typedef struct {
    unsigned int state; /* 0 free, 1 locked, 2 locked and somebody may wait */
    unsigned int kind;  /* PTHREAD_MUTEX_*, and bit 8 if it is shared */
    unsigned long owner;
    unsigned int depth;
} pthread_mutex_t;

typedef struct {
    int is_initialized;
    int process_shared;
    int type;
} pthread_mutexattr_t;

#define _PTHREAD_MUTEX_INITIALIZER                                                                                     \
    {                                                                                                                  \
        0, PTHREAD_MUTEX_NORMAL, 0, 0                                                                                  \
    }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP                                                                         \
    {                                                                                                                  \
        0, PTHREAD_MUTEX_RECURSIVE, 0, 0                                                                               \
    }
#define PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP                                                                        \
    {                                                                                                                  \
        0, PTHREAD_MUTEX_ERRORCHECK, 0, 0                                                                              \
    }

typedef struct {
    unsigned int sequence; /* changes with each signal */
    unsigned int inside;   /* threads in a wait; the top bit: somebody destroys it */
    unsigned int flags;    /* bit 0 shared, bit 1 deadlines by the monotonic clock */
} pthread_cond_t;

#define _PTHREAD_COND_INITIALIZER                                                                                      \
    {                                                                                                                  \
        0, 0, 0                                                                                                        \
    }

typedef struct {
    int is_initialized;
    int process_shared;
    __clockid_t clock;
} pthread_condattr_t;

typedef unsigned int pthread_key_t;

typedef struct {
    unsigned int state;
} pthread_once_t;

#define _PTHREAD_ONCE_INIT                                                                                             \
    {                                                                                                                  \
        0                                                                                                              \
    }

typedef struct {
    unsigned long arrived; /* threads so far */
    unsigned int needed;   /* threads a round */
    unsigned int sequence; /* rounds that are complete */
    unsigned int inside;   /* as in pthread_cond_t */
    unsigned int shared;
} pthread_barrier_t;

typedef struct {
    int is_initialized;
    int process_shared;
} pthread_barrierattr_t;

typedef unsigned int pthread_spinlock_t;

typedef struct {
    unsigned int lock; /* as the state of a mutex; guards the rest */
    unsigned int shared;
    unsigned int readers; /* that hold it */
    unsigned int writer;  /* 1: a writer holds it */
    unsigned int readers_waiting, writers_waiting;
    unsigned int read_sequence, write_sequence; /* change when those that wait are to look again */
    unsigned long owner;                        /* the writer */
} pthread_rwlock_t;

#define _PTHREAD_RWLOCK_INITIALIZER                                                                                    \
    {                                                                                                                  \
        0, 0, 0, 0, 0, 0, 0, 0, 0                                                                                      \
    }

typedef struct {
    int is_initialized;
    int process_shared;
} pthread_rwlockattr_t;

#endif
