/* SPDX-License-Identifier: MIT */
/* The order of locks at run time: what is right passes; what is wrong is reported with the names of both locks. */
#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include <base/lock.h>

#include "harness.h"

#define REPORT_BYTES 256u

static struct spinlock space, other_space, cache, zone, unranked;

static jmp_buf back;
static char report[REPORT_BYTES];

static _Noreturn void note_report(const char *expression)
{
    strncpy(report, expression, sizeof(report) - 1);
    longjmp(back, 1);
}

static void begin(void)
{
    spinlock_init(&space, LOCK_SPACE);
    spinlock_init(&other_space, LOCK_SPACE);
    spinlock_init(&cache, LOCK_CACHE);
    spinlock_init(&zone, LOCK_ZONE);
    EXPECT(lock_order_is_idle());
    check_failed_hook = note_report;
}

/* Takes a lock, or gives it back; true if that is reported in words with both names in them. The lock is as before then. */
static bool is_reported(void (*action)(struct spinlock *), struct spinlock *lock, const char *name, const char *other)
{
    report[0] = '\0';
    if (setjmp(back) == 0)
        action(lock);
    return strstr(report, "lock order: ") == report && strstr(report, name) && strstr(report, other);
}

static void acquire(struct spinlock *lock) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_acquire(lock);
}

static void release(struct spinlock *lock) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_release(lock);
}

static void right_order(void)
{
    begin();
    acquire(&space);
    acquire(&cache);
    acquire(&zone);
    EXPECT(lock_stack()->count == 3 && !lock_order_is_idle());
    release(&cache);
    EXPECT(lock_stack()->count == 2 && lock_stack()->held[1].lock == &zone);
    release(&zone);
    acquire(&cache);
    release(&cache);
    release(&space);
    EXPECT(lock_order_is_idle() && report[0] == '\0');
}

static void wrong_order(void)
{
    begin();
    acquire(&zone);
    EXPECT(is_reported(acquire, &cache, "taken kmem cache", "holding zone"));
    EXPECT(is_reported(acquire, &space, "taken space", "holding zone"));
    EXPECT(!spinlock_held(&cache) && !spinlock_held(&space));
    release(&zone);
    acquire(&space);
    acquire(&cache);
    release(&space);
    EXPECT(is_reported(acquire, &space, "taken space", "holding kmem cache"));
    release(&cache);
    acquire(&space);
    release(&space);
}

static void same_rank(void) NO_THREAD_SAFETY_ANALYSIS
{
    begin();
    acquire(&space);
    EXPECT(is_reported(acquire, &other_space, "taken space", "holding space"));
    release(&space);
    spinlock_acquire_as(&other_space, LOCK_NEW_SPACE);
    acquire(&space);
    release(&space);
    release(&other_space);
    acquire(&space);
    report[0] = '\0';
    if (setjmp(back) == 0)
        spinlock_acquire_as(&other_space, LOCK_NEW_SPACE);
    EXPECT(strstr(report, "taken new space while holding space"));
    release(&space);
}

static void taken_twice(void)
{
    begin();
    acquire(&space);
    EXPECT(is_reported(acquire, &space, "second time", "space"));
    release(&space);
    EXPECT(is_reported(release, &space, "not held", "space"));
}

static void without_rank(void)
{
    begin();
    EXPECT(is_reported(acquire, &unranked, "without a rank", "taken"));
}

static void without_waiting(void) NO_THREAD_SAFETY_ANALYSIS
{
    begin();
    acquire(&zone);
    EXPECT(spinlock_try_acquire(&space) && !spinlock_try_acquire(&space));
    EXPECT(lock_stack()->count == 2);
    release(&zone);
    EXPECT(is_reported(acquire, &other_space, "taken space", "holding space"));
    release(&space);
    EXPECT(lock_order_is_idle());
}

static void too_many(void)
{
    static struct spinlock locks[LOCKS_HELD_MAX + 1];

    begin();
    for (unsigned i = 0; i <= LOCKS_HELD_MAX; i++)
        spinlock_init(&locks[i], (enum lock_rank)(LOCK_SPACE_TABLE + i));
    for (unsigned i = 0; i < LOCKS_HELD_MAX; i++)
        acquire(&locks[i]);
    EXPECT(is_reported(acquire, &locks[LOCKS_HELD_MAX], "too many", "with"));
    for (unsigned i = LOCKS_HELD_MAX; i > 0; i--)
        release(&locks[i - 1]);
    EXPECT(lock_order_is_idle());
}

static void *take_space(void *argument)
{
    (void)argument;
    acquire(&space);
    release(&space);
    return (void *)(uintptr_t)lock_order_is_idle();
}

static void other_threads(void)
{
    pthread_t thread;
    void *idle = NULL;

    begin();
    acquire(&zone);
    EXPECT(pthread_create(&thread, NULL, take_space, NULL) == 0 && pthread_join(thread, &idle) == 0);
    EXPECT(idle && report[0] == '\0' && lock_stack()->count == 1);
    release(&zone);
}

static void names(void)
{
    for (int rank = LOCK_UNRANKED; rank < LOCK_RANK_COUNT; rank++) {
        EXPECT(lock_rank_name((enum lock_rank)rank));
        for (int other = LOCK_UNRANKED; other < rank; other++)
            EXPECT(strcmp(lock_rank_name((enum lock_rank)rank), lock_rank_name((enum lock_rank)other)) != 0);
    }
    EXPECT(strstr(lock_rank_name(LOCK_RANK_COUNT), "overwritten"));
}

static const struct test_row rows[] = {
    {"right_order", "locks in their order are taken and given back, in any order", right_order},
    {"wrong_order", "a lock above one that is held is refused, and both are named", wrong_order},
    {"same_rank", "two of a rank cannot be held, unless one was taken with a rank of its own", same_rank},
    {"taken_twice", "nobody takes a lock twice, or gives back what he does not hold", taken_twice},
    {"without_rank", "a lock that was never initialised cannot be taken", without_rank},
    {"without_waiting", "trying has no wrong order, but what was got so counts for the next", without_waiting},
    {"too_many", "there is an end to how many one may hold", too_many},
    {"other_threads", "what one thread holds is no concern of another's", other_threads},
    {"names", "each rank has a name of its own", names},
};

TEST_MAIN("lock_order", rows)
