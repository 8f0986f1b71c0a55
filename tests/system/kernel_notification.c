/* SPDX-License-Identifier: MIT */
/* Notifications: bits, waiters, deadlines, and bits that arrive as messages. */
#include <quire/thread.h>
#include <stdatomic.h>

#include "kernel_test.h"

/* A deadline is missed by a few ticks at most, plus the time in which the machine that runs the emulator does something
 * else: that is what this allows for. */
#define LATE_NS (1000 * NS_PER_MS)

struct waiter {
    struct thread *thread;
    uint64_t notification, deadline;
    uint64_t delay;       /* instead of a deadline, if not 0: from when the thread starts to wait */
    uint64_t bits, woken; /* woken: ns */
};

static int wait_once(void *argument)
{
    struct waiter *waiter = argument;

    if (waiter->delay)
        waiter->deadline = now_ns() + waiter->delay;
    const long result = sys_wait(waiter->notification, waiter->deadline, &waiter->bits);
    waiter->woken = now_ns();
    return (int)result;
}

static void waiter_start(struct waiter *waiter, uint64_t notification)
{
    *waiter = (struct waiter){.notification = notification, .deadline = DEADLINE_NEVER};
    MUST(thread_create(&waiter->thread, wait_once, waiter));
    CHECK(thread_reaches(thread_slot(waiter->thread), THREAD_STATE_WAITING));
}

static void waiter_end(struct waiter *waiter, int wanted)
{
    int result = 1;
    CHECK_EQ(thread_join(waiter->thread, &result), 0);
    CHECK_EQ(result, wanted);
}

static void test_bits(void)
{
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    uint64_t bits = 1;

    CHECK_EQ(sys_wait(notification, DEADLINE_POLL, &bits), -EAGAIN);
    CHECK_EQ(sys_signal(notification, 0), 0);
    CHECK_EQ(sys_wait(notification, DEADLINE_POLL, &bits), -EAGAIN);
    CHECK_EQ(sys_signal(notification, 0x11), 0);
    CHECK_EQ(sys_signal(notification, 1UL << 63), 0);
    CHECK_EQ(sys_wait(notification, DEADLINE_POLL, &bits), 0);
    CHECK_EQ(bits, 0x11 | 1UL << 63);
    CHECK_EQ(sys_wait(notification, DEADLINE_POLL, &bits), -EAGAIN);
    CHECK_EQ(sys_signal(notification, UINT64_MAX), 0);
    CHECK_EQ(sys_wait(notification, DEADLINE_NEVER, &bits), 0);
    CHECK_EQ(bits, UINT64_MAX);
    object_end(notification);
}

static void test_one_waiter(void)
{
    static struct waiter waiters[3];
    const uint64_t notification = object_new(CAP_NOTIFICATION);

    for (unsigned i = 0; i < 3; i++)
        waiter_start(&waiters[i], notification);
    /* One signal wakes one thread, in order of arrival. */
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(sys_signal(notification, 1UL << i), 0);
        waiter_end(&waiters[i], 0);
        CHECK_EQ(waiters[i].bits, 1UL << i);
        if (i < 2)
            CHECK_EQ(thread_look(thread_slot(waiters[i + 1].thread)).state, THREAD_STATE_WAITING);
    }
    object_end(notification);
}

static void test_destroyed(void)
{
    static struct waiter waiters[3];
    const uint64_t notification = object_new(CAP_NOTIFICATION);

    for (unsigned i = 0; i < 3; i++)
        waiter_start(&waiters[i], notification);
    object_end(notification);
    for (unsigned i = 0; i < 3; i++)
        waiter_end(&waiters[i], -EPIPE);
}

static void test_interrupted(void)
{
    static struct waiter waiter;
    const uint64_t notification = object_new(CAP_NOTIFICATION);

    waiter_start(&waiter, notification);
    CHECK_EQ(thread_stop(thread_slot(waiter.thread)), 0);
    CHECK_EQ(sys_signal(notification, 1), 0);
    CHECK_EQ(sys_thread_control(thread_slot(waiter.thread), THREAD_RESUME, 0, 0, 0, 0, 0), 0);
    waiter_end(&waiter, -EINTR);
    object_end(notification);
}

static void test_deadlines(void)
{
    static const uint64_t lengths[] = {0, 1, 1000, NS_PER_MS, 3 * NS_PER_MS + 1, 20 * NS_PER_MS, 300 * NS_PER_MS};
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    uint64_t bits = 1;

    for (unsigned i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
        const uint64_t deadline = now_ns() + lengths[i / 2];
        CHECK_EQ(sys_wait(i % 2 ? notification : SLOT_NONE, deadline, &bits), -ETIMEDOUT);
        CHECK(now_ns() >= deadline);
        CHECK(now_ns() < deadline + LATE_NS);
        CHECK_EQ(bits, 0);
    }
    /* Long past, and a bit that comes in time. */
    CHECK_EQ(sys_wait(notification, 1, &bits), -ETIMEDOUT);
    CHECK_EQ(sys_signal(notification, 4), 0);
    CHECK_EQ(sys_wait(notification, now_ns() + LATE_NS, &bits), 0);
    CHECK_EQ(bits, 4);
    object_end(notification);
}

#define SLEEPERS 24u

static void test_many_deadlines(void)
{
    static struct waiter waiters[SLEEPERS];
    const uint64_t notification = object_new(CAP_NOTIFICATION);

    for (unsigned i = 0; i < SLEEPERS; i++) {
        waiters[i] = (struct waiter){.notification = i % 2 ? notification : SLOT_NONE,
                                     .delay = (i * 7 % SLEEPERS + 1) * 13 * NS_PER_MS};
        MUST(thread_create(&waiters[i].thread, wait_once, &waiters[i]));
    }
    for (unsigned i = 0; i < SLEEPERS; i++) {
        waiter_end(&waiters[i], -ETIMEDOUT);
        CHECK(waiters[i].woken >= waiters[i].deadline);
        if (!CHECK(waiters[i].woken < waiters[i].deadline + LATE_NS))
            tap_diag("  late by %lu us", (waiters[i].woken - waiters[i].deadline) / 1000);
    }
    object_end(notification);
}

static void test_bound(void)
{
    const uint64_t notification = object_new(CAP_NOTIFICATION), other = object_new(CAP_NOTIFICATION);
    const uint64_t endpoint = object_new(CAP_ENDPOINT), reply = object_new(CAP_REPLY);
    struct message m = {0};

    CHECK_EQ(sys_signal(notification, 0x10), 0);
    CHECK_EQ(sys_notification_bind(notification, endpoint), 0);
    CHECK_EQ(sys_notification_bind(notification, endpoint), 0);
    CHECK_EQ(sys_notification_bind(other, endpoint), -EBUSY);
    CHECK_EQ(sys_notification_bind(endpoint, endpoint), -EBADF);
    CHECK_EQ(sys_notification_bind(notification, reply), -EBADF);
    /* Bits of before, and of after. */
    CHECK_EQ(sys_signal(notification, 0x02), 0);
    CHECK_EQ(sys_recv(reply, endpoint, &m), 0);
    CHECK_EQ(MSG_FLAGS(m.tag), MSG_FLAG_NOTIFICATION);
    CHECK_EQ(m.words[0], 0x12);
    CHECK_EQ(m.badge, 0);
    /* Nobody is held. */
    CHECK_EQ(sys_reply(reply, &m), -ESRCH);
    CHECK_EQ(sys_notification_bind(notification, SLOT_NONE), 0);
    CHECK_EQ(sys_notification_bind(other, endpoint), 0);
    object_end(notification), object_end(other), object_end(endpoint), object_end(reply);
}

struct receiver {
    uint64_t endpoint, reply;
    struct message first, second;
    long results[2];
};

static int receive_twice(void *argument)
{
    struct receiver *receiver = argument;
    receiver->results[0] = sys_recv(receiver->reply, receiver->endpoint, &receiver->first);
    receiver->results[1] = sys_recv(receiver->reply, receiver->endpoint, &receiver->second);
    struct message m = {0};
    return (int)sys_reply(receiver->reply, &m);
}

/* A server that waits gets a signal, then a call. */
static void test_bound_waiting(void)
{
    static struct receiver receiver;
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    struct message m = {.tag = MSG_TAG(3, 0, 0)};
    struct thread *thread;
    int result = 1;

    receiver = (struct receiver){.endpoint = object_new(CAP_ENDPOINT), .reply = object_new(CAP_REPLY)};
    CHECK_EQ(sys_notification_bind(notification, receiver.endpoint), 0);
    MUST(thread_create(&thread, receive_twice, &receiver));
    CHECK(thread_reaches(thread_slot(thread), THREAD_STATE_RECEIVING));
    CHECK_EQ(sys_signal(notification, 6), 0);
    CHECK_EQ(sys_call(receiver.endpoint, &m), 0);
    CHECK_EQ(thread_join(thread, &result), 0);
    CHECK_EQ(result, 0);
    CHECK_EQ(receiver.results[0], 0);
    CHECK_EQ(MSG_FLAGS(receiver.first.tag), MSG_FLAG_NOTIFICATION);
    CHECK_EQ(receiver.first.words[0], 6);
    CHECK_EQ(receiver.results[1], 0);
    CHECK_EQ(MSG_FLAGS(receiver.second.tag), 0);
    CHECK_EQ(MSG_LABEL(receiver.second.tag), 3);
    object_end(notification), object_end(receiver.endpoint), object_end(receiver.reply);
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"bits add up until they are taken", test_bits},
        {"a signal wakes one waiter, the first that came", test_one_waiter},
        {"who waits for a notification that is destroyed gets EPIPE", test_destroyed},
        {"a waiter that is stopped gets EINTR", test_interrupted},
        {"a deadline is kept, never early and hardly late", test_deadlines},
        {"many deadlines are kept at once", test_many_deadlines},
        {"bits of a bound notification arrive as messages", test_bound},
        {"a waiting server takes bits of a bound notification, and calls", test_bound_waiting},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
