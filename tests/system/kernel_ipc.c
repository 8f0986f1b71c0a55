/* SPDX-License-Identifier: MIT */
/*
 * Messages: calls and replies, what they carry, who may send what, and what becomes of callers whose endpoint or reply
 * object goes away. Servers are threads of this program.
 */
#include <quire/thread.h>
#include <stdatomic.h>

#include "kernel_test.h"

/* Labels that the servers here understand. */
#define LABEL_ECHO 7
#define LABEL_QUIT 8

#define CALLERS 4u

/* An endpoint, a reply object, and a thread that serves. */
struct service {
    uint64_t endpoint, reply;
    struct thread *thread;
    int (*handle)(struct service *service, struct message *m); /* fills in the reply */
    struct message seen;                                       /* the last request */
    uint64_t receive_slots[MSG_CAPS_MAX];
    uint64_t buffer[MSG_BUFFER_WORDS]; /* of the last request */
};

static int serve(void *argument)
{
    struct service *service = argument;
    struct message m = {0};
    long result = sys_recv(service->reply, service->endpoint, &m);

    while (result == 0) {
        service->seen = m;
        for (unsigned i = 0; i < MSG_WORDS(m.tag); i++)
            service->buffer[i] = ipc_buffer()->words[i];
        if (MSG_LABEL(m.tag) == LABEL_QUIT) {
            m.tag = MSG_TAG(0, 0, 0);
            return (int)sys_reply(service->reply, &m);
        }
        service->handle(service, &m);
        for (unsigned i = 0; i < MSG_CAPS_MAX; i++)
            ipc_buffer()->receive_slots[i] = service->receive_slots[i];
        result = sys_reply_recv(service->reply, service->endpoint, &m);
    }
    return (int)result;
}

static void service_start(struct service *service, int (*handle)(struct service *, struct message *))
{
    *service = (struct service){.handle = handle};
    service->endpoint = object_new(CAP_ENDPOINT);
    service->reply = object_new(CAP_REPLY);
    MUST(thread_create(&service->thread, serve, service));
}

static void service_stop(struct service *service)
{
    struct message m = {.tag = MSG_TAG(LABEL_QUIT, 0, 0)};
    int result = -1;

    CHECK_EQ(sys_call(service->endpoint, &m), 0);
    CHECK_EQ(thread_join(service->thread, &result), 0);
    CHECK_EQ(result, 0);
    object_end(service->endpoint);
    object_end(service->reply);
}

/* Answers with the words in reverse, the label negated, and as many buffer words, inverted. */
static int handle_echo(struct service *service, struct message *m)
{
    const uint32_t words = MSG_WORDS(m->tag);
    const struct message request = *m;

    for (unsigned i = 0; i < MSG_REGISTERS; i++)
        m->words[i] = request.words[MSG_REGISTERS - 1 - i];
    for (uint32_t i = 0; i < words; i++)
        ipc_buffer()->words[i] = ~service->buffer[i];
    m->tag = MSG_TAG(-MSG_LABEL(request.tag), words, 0);
    return 0;
}

static void test_registers(void)
{
    static struct service service;
    struct message m = {.tag = MSG_TAG(LABEL_ECHO, 0, 0), .words = {1, 2, 3, UINT64_MAX, 5, 6}};

    service_start(&service, handle_echo);
    CHECK_EQ(sys_call(service.endpoint, &m), 0);
    CHECK_EQ(MSG_LABEL(m.tag), -LABEL_ECHO);
    CHECK_EQ(m.tag & 0xffffffff, 0);
    for (unsigned i = 0; i < MSG_REGISTERS; i++)
        CHECK_EQ(m.words[i], i == 2 ? UINT64_MAX : MSG_REGISTERS - i);
    CHECK_EQ(MSG_LABEL(service.seen.tag), LABEL_ECHO);
    CHECK_EQ(service.seen.badge, 0);
    CHECK_EQ(service.seen.origin, 0);
    service_stop(&service);
}

static void call_with_words(struct service *service, uint32_t words)
{
    struct message m = {.tag = MSG_TAG(LABEL_ECHO, words, 0)};
    unsigned wrong = 0;

    for (unsigned i = 0; i < MSG_BUFFER_WORDS; i++)
        ipc_buffer()->words[i] = 0x1111111111111111UL * (i % 16) + i;
    CHECK_EQ(sys_call(service->endpoint, &m), 0);
    CHECK_EQ(MSG_WORDS(m.tag), words);
    for (unsigned i = 0; i < MSG_BUFFER_WORDS; i++) {
        const uint64_t sent = 0x1111111111111111UL * (i % 16) + i;
        wrong += ipc_buffer()->words[i] != (i < words ? ~sent : sent);
    }
    CHECK_EQ(wrong, 0);
}

static void test_buffer(void)
{
    static struct service service;

    service_start(&service, handle_echo);
    call_with_words(&service, 0);
    call_with_words(&service, 1);
    call_with_words(&service, MSG_BUFFER_WORDS);
    for (uint64_t words = MSG_BUFFER_WORDS + 1; words < 512; words += 31) {
        struct message m = {.tag = MSG_TAG(LABEL_ECHO, words, 0)};
        CHECK_EQ(sys_call(service.endpoint, &m), -EINVAL);
    }
    service_stop(&service);
}

/* The kernel's flags cannot be sent. */
static void test_flags(void)
{
    static struct service service;
    struct message m = {.tag = MSG_TAG(LABEL_ECHO, 0, 0) | (uint64_t)0xff << 24 | 0xf8fe00};

    service_start(&service, handle_echo);
    CHECK_EQ(sys_call(service.endpoint, &m), 0);
    CHECK_EQ(service.seen.tag, MSG_TAG(LABEL_ECHO, 0, 0));
    service_stop(&service);
}

/* Replies with the capabilities in the given slots. */
static uint64_t gift;
static int handle_gift(struct service *service, struct message *m)
{
    (void)service;
    ipc_buffer()->send_slots[0] = gift;
    m->tag = MSG_TAG(0, 0, gift ? 1 : 0);
    return 0;
}

/* Sends `count` capabilities from `from` and returns how many arrived, or the error. */
static long send_capabilities(struct service *service, uint64_t endpoint, uint64_t from, unsigned count)
{
    struct message m = {.tag = MSG_TAG(LABEL_ECHO, 0, count)};

    for (unsigned i = 0; i < MSG_CAPS_MAX; i++)
        ipc_buffer()->send_slots[i] = from;
    const long result = sys_call(endpoint, &m);
    return result < 0 ? result : (long)MSG_CAPS(service->seen.tag);
}

/* Makes the server ready to receive into these slots: they count from its next reply on. */
static void offer_slots(struct service *service, uint64_t first, uint64_t second)
{
    struct message m = {.tag = MSG_TAG(LABEL_ECHO, 0, 0)};

    service->receive_slots[0] = first;
    service->receive_slots[1] = second;
    CHECK_EQ(sys_call(service->endpoint, &m), 0);
}

static void test_transfer(void)
{
    static struct service service;
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    const uint64_t badged = capability_new(notification, RIGHT_SEND | RIGHT_COPY, 99);
    const uint64_t fixed = capability_new(notification, RIGHT_SEND, 0);
    const uint64_t to = slot_new(), second = slot_new();
    uint64_t badge = 0;

    service_start(&service, handle_echo);
    const uint64_t plain = capability_new(service.endpoint, RIGHT_SEND, 0);
    offer_slots(&service, to, 0);
    CHECK_EQ(send_capabilities(&service, service.endpoint, badged, 1), 1);
    CHECK_EQ(sys_cap_query(to, &badge), CAP_NOTIFICATION | (RIGHT_SEND | RIGHT_COPY) << 8);
    CHECK_EQ(badge, 99);
    CHECK_EQ(sys_cap_query(badged, NULL), CAP_NOTIFICATION | (RIGHT_SEND | RIGHT_COPY) << 8);

    /* No place, no right to grant, no right to copy, nothing there, too many. */
    CHECK_EQ(send_capabilities(&service, service.endpoint, badged, 1), 0);
    CHECK_EQ(sys_cap_delete(SLOT_TABLE, to), 0);
    CHECK_EQ(send_capabilities(&service, plain, badged, 1), -EPERM);
    CHECK_EQ(send_capabilities(&service, plain, badged, 0), 0);
    CHECK_EQ(send_capabilities(&service, service.endpoint, fixed, 1), 0);
    CHECK_EQ(send_capabilities(&service, service.endpoint, second, 1), 0);
    CHECK_EQ(send_capabilities(&service, service.endpoint, SLOT_NONE, 1), 0);
    CHECK_EQ(send_capabilities(&service, service.endpoint, UINT64_MAX, 1), 0);
    CHECK_EQ(send_capabilities(&service, service.endpoint, badged, MSG_CAPS_MAX + 1), -EINVAL);
    CHECK_EQ(sys_cap_query(to, NULL), CAP_NONE);

    /* Two, and the receiver's places end before the sender's. */
    offer_slots(&service, to, second);
    CHECK_EQ(send_capabilities(&service, service.endpoint, badged, MSG_CAPS_MAX), 2);
    offer_slots(&service, SLOT_NONE, second);
    slot_free(to), slot_free(second), slot_free(plain), slot_free(badged), slot_free(fixed);
    service_stop(&service);
    object_end(notification);
}

static void test_transfer_in_reply(void)
{
    static struct service service;
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    const uint64_t to = slot_new();
    struct message m = {.tag = MSG_TAG(LABEL_ECHO, 0, 0)};

    service_start(&service, handle_gift);
    gift = notification;
    ipc_buffer()->receive_slots[0] = to;
    CHECK_EQ(sys_call(service.endpoint, &m), 0);
    ipc_buffer()->receive_slots[0] = SLOT_NONE;
    CHECK_EQ(MSG_CAPS(m.tag), 1);
    CHECK_EQ(sys_cap_query(to, NULL) & 0xff, CAP_NOTIFICATION);
    slot_free(to);
    gift = SLOT_NONE;
    service_stop(&service);
    object_end(notification);
}

static void test_badges(void)
{
    static struct service service;
    const uint64_t values[] = {1, 0x8000000000000000UL, UINT64_MAX, 12345};

    service_start(&service, handle_echo);
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const uint64_t badged = capability_new(service.endpoint, RIGHT_ALL, values[i]);
        const uint64_t to = slot_new();
        struct message m = {.tag = MSG_TAG(LABEL_ECHO, 0, 0)};
        CHECK_EQ(sys_call(badged, &m), 0);
        CHECK_EQ(service.seen.badge, values[i]);
        /* A badge stays: it may be named or left out, not changed. */
        CHECK_EQ(sys_cap_copy(SLOT_TABLE, to, badged, RIGHT_ALL, values[i] + 2), -EPERM);
        CHECK_EQ(sys_cap_copy(SLOT_TABLE, to, badged, RIGHT_ALL, values[i]), 0);
        CHECK_EQ(sys_cap_delete(SLOT_TABLE, to), 0);
        CHECK_EQ(sys_cap_copy(SLOT_TABLE, to, badged, RIGHT_ALL, 0), 0);
        m.tag = MSG_TAG(LABEL_ECHO, 0, 0);
        CHECK_EQ(sys_call(to, &m), 0);
        CHECK_EQ(service.seen.badge, values[i]);
        slot_free(to), slot_free(badged);
    }
    service_stop(&service);
}

static void test_rights(void)
{
    const uint64_t endpoint = object_new(CAP_ENDPOINT), reply = object_new(CAP_REPLY);
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    const uint64_t none = capability_new(endpoint, 0, 0);
    const uint64_t deaf = capability_new(endpoint, RIGHT_SEND | RIGHT_COPY, 0);
    const uint64_t silent = capability_new(notification, RIGHT_RECEIVE, 0);
    const uint64_t to = slot_new();
    struct message m = {0};
    uint64_t bits;

    CHECK_EQ(sys_call(none, &m), -EPERM);
    CHECK_EQ(sys_recv(reply, deaf, &m), -EPERM);
    CHECK_EQ(sys_reply_recv(reply, deaf, &m), -EPERM);
    CHECK_EQ(sys_recv(endpoint, endpoint, &m), -EBADF);
    CHECK_EQ(sys_recv(reply, reply, &m), -EBADF);
    CHECK_EQ(sys_reply(endpoint, &m), -EBADF);
    CHECK_EQ(sys_call(reply, &m), -EBADF);
    CHECK_EQ(sys_signal(silent, 1), -EPERM);
    CHECK_EQ(sys_signal(endpoint, 1), -EBADF);
    CHECK_EQ(sys_wait(endpoint, DEADLINE_POLL, &bits), -EBADF);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, to, none, RIGHT_ALL, 0), -EPERM);
    /* A copy has the rights that both had, never more. */
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, to, deaf, UINT64_MAX, 0), 0);
    CHECK_EQ(sys_cap_query(to, NULL), CAP_ENDPOINT | (RIGHT_SEND | RIGHT_COPY) << 8);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, to, deaf, RIGHT_ALL, 0), -EEXIST);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, SLOT_NONE, deaf, RIGHT_ALL, 0), -EBADF);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, SLOTS_PER_FRAME, deaf, RIGHT_ALL, 0), -EBADF);
    CHECK_EQ(sys_cap_copy(endpoint, to, deaf, RIGHT_ALL, 0), -EBADF);
    /* Without RIGHT_CONTROL an object cannot be destroyed, without the authority nothing can. */
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, to, NULL), -EPERM);
    CHECK_EQ(sys_object_destroy(endpoint, endpoint, NULL), -EBADF);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, SLOT_PHYSICAL, NULL), -EPERM);
    slot_free(none), slot_free(deaf), slot_free(silent), slot_free(to);
    object_end(endpoint), object_end(reply), object_end(notification);
}

static void test_delete(void)
{
    const uint64_t endpoint = object_new(CAP_ENDPOINT);
    const uint64_t copy = capability_new(endpoint, RIGHT_ALL, 0);
    struct message m = {0};

    CHECK_EQ(sys_cap_delete(SLOT_TABLE, copy), 0);
    CHECK_EQ(sys_cap_query(copy, NULL), CAP_NONE);
    CHECK_EQ(sys_call(copy, &m), -EBADF);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, copy, copy, RIGHT_ALL, 0), -EBADF);
    CHECK_EQ(sys_cap_delete(SLOT_TABLE, SLOT_NONE), -EBADF);
    CHECK_EQ(sys_cap_delete(SLOT_TABLE, 1UL << 40), -EBADF);
    CHECK_EQ(sys_cap_query(UINT64_MAX, NULL), -EBADF);
    CHECK_EQ(sys_cap_query(endpoint, NULL), CAP_ENDPOINT | RIGHT_ALL << 8);
    slot_free(copy);
    object_end(endpoint);
}

/* --- Callers whose endpoint or reply object goes away, and parked ones ------------------------------------------- */

struct caller {
    struct thread *thread;
    uint64_t endpoint;
    struct message m;
};
static struct caller callers[CALLERS];

static int call_once(void *argument)
{
    struct caller *caller = argument;
    return (int)sys_call(caller->endpoint, &caller->m);
}

static void callers_start(uint64_t endpoint)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.endpoint = endpoint, .m = {.words = {i}}};
        MUST(thread_create(&callers[i].thread, call_once, &callers[i]));
        CHECK(thread_reaches(thread_slot(callers[i].thread), THREAD_STATE_SENDING));
    }
}

static void callers_end(int wanted)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        int result = -1;
        CHECK_EQ(thread_join(callers[i].thread, &result), 0);
        CHECK_EQ(result, wanted);
    }
}

static void test_endpoint_destroyed(void)
{
    const uint64_t endpoint = object_new(CAP_ENDPOINT);
    const uint64_t copy = capability_new(endpoint, RIGHT_ALL, 5);

    callers_start(copy);
    object_end(endpoint);
    callers_end(-EPIPE);
    CHECK_EQ(sys_cap_query(copy, NULL), CAP_NONE);
    slot_free(copy);
}

static int receive_once(void *argument)
{
    const uint64_t *slots = argument;
    struct message m = {0};
    return (int)sys_recv(slots[0], slots[1], &m);
}

static void test_receiver_turned_away(void)
{
    for (unsigned which = 0; which < 2; which++) {
        static uint64_t slots[2];
        struct thread *thread;
        int result = 0;
        slots[0] = object_new(CAP_REPLY);
        slots[1] = object_new(CAP_ENDPOINT);
        MUST(thread_create(&thread, receive_once, slots));
        CHECK(thread_reaches(thread_slot(thread), THREAD_STATE_RECEIVING));
        object_end(slots[which]);
        CHECK_EQ(thread_join(thread, &result), 0);
        CHECK_EQ(result, -EPIPE);
        object_end(slots[!which]);
    }
}

static void test_parked(void)
{
    const uint64_t endpoint = object_new(CAP_ENDPOINT);
    uint64_t replies[CALLERS];
    uint64_t order[CALLERS];
    struct message m = {0};

    callers_start(endpoint);
    for (unsigned i = 0; i < CALLERS; i++) {
        replies[i] = object_new(CAP_REPLY);
        CHECK_EQ(sys_recv(replies[i], endpoint, &m), 0);
        order[i] = m.words[0];
        CHECK_EQ(order[i], i);
        CHECK_EQ(sys_recv(replies[i], endpoint, &m), -EBUSY);
    }
    for (unsigned i = CALLERS; i-- > 0;) {
        CHECK_EQ(thread_look(thread_slot(callers[i].thread)).state, THREAD_STATE_CALLING);
        m = (struct message){.words = {order[i] + 100}};
        CHECK_EQ(sys_reply(replies[i], &m), 0);
        CHECK_EQ(sys_reply(replies[i], &m), -ESRCH);
        CHECK_EQ(sys_reply_recv(replies[i], endpoint, &m), -ESRCH);
    }
    callers_end(0);
    for (unsigned i = 0; i < CALLERS; i++) {
        CHECK_EQ(callers[i].m.words[0], i + 100);
        object_end(replies[i]);
    }
    object_end(endpoint);
}

static void test_reply_destroyed(void)
{
    const uint64_t endpoint = object_new(CAP_ENDPOINT);
    struct message m = {0};

    callers_start(endpoint);
    for (unsigned i = 0; i < CALLERS; i++) {
        const uint64_t reply = object_new(CAP_REPLY);
        const uint64_t copy = capability_new(reply, RIGHT_ALL, 0);
        CHECK_EQ(sys_recv(reply, endpoint, &m), 0);
        object_end(reply);
        CHECK_EQ(sys_reply(copy, &m), -EBADF);
        slot_free(copy);
    }
    callers_end(-EPIPE);
    object_end(endpoint);
}

/* A caller that is stopped learns of it, and its server that nobody waits. */
static void test_caller_stopped(void)
{
    const uint64_t endpoint = object_new(CAP_ENDPOINT), reply = object_new(CAP_REPLY);
    struct message m = {0};

    callers_start(endpoint);
    CHECK_EQ(sys_recv(reply, endpoint, &m), 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        CHECK_EQ(thread_stop(thread_slot(callers[i].thread)), 0);
        CHECK_EQ(thread_look(thread_slot(callers[i].thread)).state, THREAD_STATE_STOPPED);
    }
    CHECK_EQ(sys_reply(reply, &m), -ESRCH);
    for (unsigned i = 0; i < CALLERS; i++)
        CHECK_EQ(sys_thread_control(thread_slot(callers[i].thread), THREAD_RESUME, 0, 0, 0, 0, 0), 0);
    callers_end(-EINTR);
    object_end(endpoint), object_end(reply);
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a call carries label and six words there and back", test_registers},
        {"a message carries 0, 1 and 448 further words, and no more", test_buffer},
        {"the flags of a message are the kernel's alone", test_flags},
        {"capabilities travel if granted, wanted and allowed to", test_transfer},
        {"capabilities travel in replies", test_transfer_in_reply},
        {"a badge names the caller and cannot be changed", test_badges},
        {"rights are needed and never widened", test_rights},
        {"a deleted capability is gone and others stay", test_delete},
        {"who calls an endpoint that is destroyed gets EPIPE", test_endpoint_destroyed},
        {"who receives at an endpoint, or into a reply object, that is destroyed gets EPIPE",
         test_receiver_turned_away},
        {"callers are parked in reply objects and answered in any order", test_parked},
        {"a caller whose reply object is destroyed gets EPIPE", test_reply_destroyed},
        {"a caller that is stopped gets EINTR", test_caller_stopped},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
