/* SPDX-License-Identifier: MIT */
/*
 * Queues of threads that wait for a word. Those of one process hang in a table of its own; those that wait together
 * with other processes are kept by root, which names the word by where it is in memory.
 */
#include "futex.h"
#include "thread_record.h"

#include <base/list.h>
#include <base/lock.h>
#include <proto/root_client.h>
#include <quire/clock.h>

#define BUCKETS 64u
#define BATCH   16u
/* How long one sleeps that has no notification to be woken by. */
#define STEP_NS 200000UL
/* A shared word's page can move to other memory, where a wake-up misses who waits at the old place: look that often. */
#define SHARED_LOOK_NS 100000000UL

/* Lives on the stack of the thread that waits, in a bucket's list until it is woken or gives up. */
struct waiter {
    struct list link;
    const uint32_t *word;
    uint64_t parking;
    uint32_t woken; /* atomic */
};

/* Sections are some instructions long. Who finds the lock taken yields, then sleeps: see spinlock_wait(). */
struct bucket {
    struct spinlock lock;
    struct list waiters GUARDED_BY(lock); /* struct waiter, link: longest wait first; zeros: never used */
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of(const uint32_t *word)
{
    const uint64_t key = (uint64_t)word >> 2;
    return &buckets[(key ^ key >> 6 ^ key >> 12) % BUCKETS];
}

static void bucket_acquire(struct bucket *bucket) ACQUIRE(bucket->lock) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_acquire(&bucket->lock);
    if (!bucket->waiters.next)
        list_init(&bucket->waiters);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Waits without anybody's help. */
static int wait_in_steps(uint64_t deadline)
{
    clock_sleep_until(earlier(deadline, clock_now_ns() + STEP_NS));
    return clock_now_ns() >= deadline ? -ETIMEDOUT : 0;
}

/* Sleeps at the notification until a reason to look: 0 for a signal, ETIMEDOUT, ECANCELED. */
static int park(const struct thread *self, uint64_t parking, uint64_t deadline, unsigned flags)
{
    uint64_t bits;

    if ((flags & FUTEX_CANCEL) && thread_cancel_due(self))
        return -ECANCELED;
    const long result = sys_wait(parking, deadline, &bits);
    return result == -ETIMEDOUT || result == -EAGAIN ? -ETIMEDOUT : 0;
}

/* Takes the waiter out of the queue. False: somebody has woken it before. */
static bool give_up(struct bucket *bucket, struct waiter *waiter)
{
    bucket_acquire(bucket);
    const bool queued = !__atomic_load_n(&waiter->woken, __ATOMIC_RELAXED);
    if (queued)
        list_remove(&waiter->link);
    spinlock_release(&bucket->lock);
    return queued;
}

static int wait_private(struct thread *self, const uint32_t *word, uint32_t expected, uint64_t deadline, unsigned flags)
{
    struct bucket *bucket = bucket_of(word);
    struct waiter waiter = {.word = word, .parking = self ? thread_parking(self) : SLOT_NONE};
    int error = 0;

    if (waiter.parking == SLOT_NONE)
        return __atomic_load_n(word, __ATOMIC_SEQ_CST) == expected ? wait_in_steps(deadline) : -EAGAIN;
    bucket_acquire(bucket);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected) {
        spinlock_release(&bucket->lock);
        return -EAGAIN;
    }
    list_push_back(&bucket->waiters, &waiter.link);
    spinlock_release(&bucket->lock);
    while (error == 0 && !__atomic_load_n(&waiter.woken, __ATOMIC_ACQUIRE))
        error = park(self, waiter.parking, deadline, flags);
    return error < 0 && give_up(bucket, &waiter) ? error : 0;
}

/* Queues before the last look at the word, so that no wake-up between the two is lost. */
static int wait_shared(struct thread *self, const uint32_t *word, uint32_t expected, uint64_t deadline, unsigned flags)
{
    const uint64_t parking = self ? thread_parking(self) : SLOT_NONE;
    uint64_t granted;

    /* The look brings the word's page, too, without which it has no name. */
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected)
        return -EAGAIN;
    int error = parking == SLOT_NONE ? -EBUSY : root_futex_wait(SLOT_ROOT, (uint64_t)word, self->number, parking);
    if (error == -EINVAL)
        return error;
    if (error < 0)
        return __atomic_load_n(word, __ATOMIC_SEQ_CST) == expected ? wait_in_steps(deadline) : -EAGAIN;
    error = -EAGAIN;
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == expected)
        error = park(self, parking, earlier(deadline, clock_now_ns() + SHARED_LOOK_NS), flags);
    if (root_wait_end(SLOT_ROOT, self->number, &granted) == 0 && granted)
        return 0;
    return error == -ETIMEDOUT && clock_now_ns() < deadline ? 0 : error;
}

int futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline, unsigned flags)
{
    struct thread *self = thread_self_if_any();

    if (!self)
        flags &= ~FUTEX_CANCEL;
    return flags & FUTEX_SHARED ? wait_shared(self, word, expected, deadline, flags)
                                : wait_private(self, word, expected, deadline, flags);
}

/* Takes at most `count` waiters for the word out of the bucket and writes where they are parked. */
static uint32_t take_waiters(struct bucket *bucket, const uint32_t *word, uint32_t count, uint64_t *parkings)
{
    uint32_t taken = 0;

    bucket_acquire(bucket);
    LIST_FOR_EACH_SAFE(link, &bucket->waiters)
    {
        struct waiter *waiter = CONTAINER_OF(link, struct waiter, link);
        if (taken == count)
            break;
        if (waiter->word != word)
            continue;
        list_remove(link);
        parkings[taken++] = waiter->parking;
        /* From here on the waiter may return, and its stack be another's. */
        __atomic_store_n(&waiter->woken, 1, __ATOMIC_RELEASE);
    }
    spinlock_release(&bucket->lock);
    return taken;
}

void futex_wake(const uint32_t *word, uint32_t count, unsigned flags)
{
    uint64_t parkings[BATCH];
    uint64_t woken;
    uint32_t taken;

    if (flags & FUTEX_SHARED) {
        (void)!root_futex_wake(SLOT_ROOT, (uint64_t)word, count, &woken);
        return;
    }
    do {
        taken = take_waiters(bucket_of(word), word, count < BATCH ? count : BATCH, parkings);
        /* Outside the lock: who wakes may run at once. A thread that has ended meanwhile has left its notification to
         * another, who is woken for no reason. */
        for (uint32_t index = 0; index < taken; index++)
            (void)!sys_signal(parkings[index], 1);
        count -= taken;
    } while (taken == BATCH && count > 0);
}

void futex_child_of_fork(void)
{
    for (unsigned index = 0; index < BUCKETS; index++)
        buckets[index] = (struct bucket){0};
}
