/* SPDX-License-Identifier: MIT */
/*
 * The bound on how long an important caller waits: for the request that its server is at, and for nothing of less
 * importance. Everything here shares one CPU, on which a thread of middle priority never stops; a server of low
 * priority that works for a client of low priority would then never come to its end, but for what callers lend it.
 */
#include <quire/thread.h>
#include <stdatomic.h>

#include "kernel_spin.h"
#include "kernel_test.h"

/* The test's own thread has 16, above all of them. */
#define PRIORITY_BACK   3
#define PRIORITY_SERVER 4
#define PRIORITY_LOW    5
#define PRIORITY_MIDDLE 8
#define PRIORITY_HIGH   12

#define LABEL_WORK 1 /* count to words[0], after the further server, if any, has done the same */
#define LABEL_QUIT 2

#define LONG_WORK 1000000UL
#define PATIENCE  (20000 * NS_PER_MS)
#define ORDER_MAX 8u

struct server {
    struct thread *thread;
    uint64_t endpoint, reply;
    uint64_t further; /* endpoint of a server that this one asks, or SLOT_NONE */
    uint64_t start;   /* notification that it waits for first, or SLOT_NONE */
    bool separately;  /* replies and receives in two calls */
    volatile uint64_t progress;
    unsigned served;
    uint64_t order[ORDER_MAX]; /* words[1] of the requests */
};

struct client {
    struct thread *thread;
    uint64_t endpoint, work, name;
    uint64_t spun; /* by the spinner while this client waited */
    atomic_bool ready, done;
};

static struct spinner spinner;
static struct server front, back;

/* The work for the low client goes on at least until this is false: it is not done before the spinner keeps it from that. */
static atomic_bool jamming;
static struct client low, high;

static void work(struct server *server, const struct message *m)
{
    if (server->further != SLOT_NONE) {
        struct message inner = {.tag = MSG_TAG(LABEL_WORK, 0, 0), .words = {m->words[0], m->words[1]}};
        CHECK_EQ(sys_call(server->further, &inner), 0);
    }
    for (uint64_t i = 0; i < m->words[0] || (m->words[0] == LONG_WORK && atomic_load(&jamming)); i++)
        server->progress++;
    if (server->served < ORDER_MAX)
        server->order[server->served++] = m->words[1];
}

static int serve(void *argument)
{
    struct server *server = argument;
    struct message m = {0};
    uint64_t bits;
    long result = 0;

    if (server->start != SLOT_NONE)
        result = sys_wait(server->start, DEADLINE_NEVER, &bits);
    if (result == 0)
        result = sys_recv(server->reply, server->endpoint, &m);
    while (result == 0) {
        if (MSG_LABEL(m.tag) == LABEL_QUIT)
            return (int)sys_reply(server->reply, &m);
        work(server, &m);
        if (server->separately) {
            result = sys_reply(server->reply, &m);
            if (result == 0)
                result = sys_recv(server->reply, server->endpoint, &m);
        } else {
            result = sys_reply_recv(server->reply, server->endpoint, &m);
        }
    }
    return (int)result;
}

static void thread_at(struct thread **thread, int (*function)(void *), void *argument, unsigned priority)
{
    MUST(thread_create(thread, function, argument));
    pin(thread_slot(*thread), 1);
    MUST(sys_thread_control(thread_slot(*thread), THREAD_PRIORITY, priority, 0, 0, 0, 0));
}

static void server_start(struct server *server, unsigned priority, uint64_t further)
{
    const uint64_t start = server->start;
    const bool separately = server->separately;

    *server = (struct server){.further = further, .start = start, .separately = separately};
    server->endpoint = object_new(CAP_ENDPOINT);
    server->reply = object_new(CAP_REPLY);
    thread_at(&server->thread, serve, server, priority);
    CHECK(thread_reaches(thread_slot(server->thread), start ? THREAD_STATE_WAITING : THREAD_STATE_RECEIVING));
}

static void server_stop(struct server *server)
{
    struct message m = {.tag = MSG_TAG(LABEL_QUIT, 0, 0)};
    int result = -1;

    CHECK_EQ(sys_call(server->endpoint, &m), 0);
    CHECK_EQ(thread_join(server->thread, &result), 0);
    CHECK_EQ(result, 0);
    object_end(server->endpoint);
    object_end(server->reply);
    *server = (struct server){0};
}

static int ask(void *argument)
{
    struct client *client = argument;
    struct message m = {.tag = MSG_TAG(LABEL_WORK, 0, 0), .words = {client->work, client->name}};

    /* It begins with its creator's priority, and must not lend that. */
    while (!atomic_load(&client->ready))
        sleep_ns(NS_PER_MS);
    const uint64_t before = spinner.count;
    const long result = sys_call(client->endpoint, &m);

    client->spun = spinner.count - before;
    atomic_store(&client->done, true);
    return (int)result;
}

static void client_start(struct client *client, uint64_t endpoint, unsigned priority, uint64_t amount, uint64_t name)
{
    *client = (struct client){.endpoint = endpoint, .work = amount, .name = name};
    thread_at(&client->thread, ask, client, priority);
    atomic_store(&client->ready, true);
}

static void client_end(struct client *client)
{
    int result = -1;
    CHECK_EQ(thread_join(client->thread, &result), 0);
    CHECK_EQ(result, 0);
}

/* True once the client has its answer; false if it takes forever. */
static bool answered(struct client *client)
{
    const uint64_t end = now_ns() + PATIENCE;
    while (!atomic_load(&client->done) && now_ns() < end)
        sleep_ns(2 * NS_PER_MS);
    return CHECK(atomic_load(&client->done));
}

static uint64_t effective(const struct server *server)
{
    return thread_look(thread_slot(server->thread)).effective_priority;
}

/* The low client's request is at the server `busy`, and the spinner keeps both from the CPU. */
static void jam(const struct server *asked, const struct server *busy)
{
    atomic_store(&jamming, true);
    client_start(&low, asked->endpoint, PRIORITY_LOW, LONG_WORK, 1);
    const uint64_t end = now_ns() + PATIENCE;
    while (busy->progress == 0 && now_ns() < end)
        sleep_ns(NS_PER_MS);
    spinner_start(&spinner, 1, PRIORITY_MIDDLE);
    /* The CPU may take its time to switch. From then on the one gets all of it and the other nothing. */
    uint64_t before;
    bool jammed = false;
    do {
        const uint64_t turns = spinner.count;
        before = busy->progress;
        sleep_ns(50 * NS_PER_MS);
        jammed = busy->progress == before && spinner.count != turns;
    } while (!jammed && now_ns() < end);
    CHECK(jammed && before > 0);
    CHECK(!atomic_load(&low.done));
    atomic_store(&jamming, false);
}

/* An important request gets through while the spinner gets nothing. */
static void expect_passage(const struct server *asked)
{
    client_start(&high, asked->endpoint, PRIORITY_HIGH, 1000, 2);
    if (answered(&high))
        CHECK_EQ(high.spun, 0);
    else
        tap_diag("  the spinner got %lu turns", spinner.count);
    spinner_end(&spinner);
    client_end(&high);
    client_end(&low);
}

static void test_call(void)
{
    pin(SLOT_THREAD, 1);
    server_start(&front, PRIORITY_SERVER, SLOT_NONE);
    jam(&front, &front);
    CHECK_EQ(effective(&front), PRIORITY_LOW);
    expect_passage(&front);
    CHECK_EQ(effective(&front), PRIORITY_SERVER);
    CHECK_EQ(front.order[0], 1);
    CHECK_EQ(front.order[1], 2);
    server_stop(&front);
    pin(SLOT_THREAD, ~0UL);
}

static void test_separate_reply(void)
{
    pin(SLOT_THREAD, 1);
    front.separately = true;
    server_start(&front, PRIORITY_SERVER, SLOT_NONE);
    jam(&front, &front);
    expect_passage(&front);
    CHECK_EQ(effective(&front), PRIORITY_SERVER);
    server_stop(&front);
    pin(SLOT_THREAD, ~0UL);
}

static void test_nested(void)
{
    pin(SLOT_THREAD, 1);
    server_start(&back, PRIORITY_BACK, SLOT_NONE);
    server_start(&front, PRIORITY_SERVER, back.endpoint);
    jam(&front, &back);
    CHECK_EQ(effective(&back), PRIORITY_LOW);
    expect_passage(&front);
    CHECK_EQ(effective(&front), PRIORITY_SERVER);
    CHECK_EQ(effective(&back), PRIORITY_BACK);
    server_stop(&front);
    server_stop(&back);
    pin(SLOT_THREAD, ~0UL);
}

/* The front server waits in line at the back one, which is at a request of somebody else. */
static void test_nested_in_line(void)
{
    static struct client other;

    pin(SLOT_THREAD, 1);
    server_start(&back, PRIORITY_BACK, SLOT_NONE);
    server_start(&front, PRIORITY_SERVER, back.endpoint);
    jam(&back, &back);
    /* At the spinner's priority, this one gets to run now and then, and its server with it. */
    client_start(&other, front.endpoint, PRIORITY_MIDDLE, 1000, 3);
    CHECK(thread_reaches(thread_slot(front.thread), THREAD_STATE_SENDING) || atomic_load(&other.done));
    expect_passage(&front);
    client_end(&other);
    server_stop(&front);
    server_stop(&back);
    pin(SLOT_THREAD, ~0UL);
}

static void test_order(void)
{
    static const unsigned priorities[] = {6, 9, 6, 11, 9};
    static const uint64_t order[] = {3, 1, 4, 0, 2};
    static struct client clients[5];

    pin(SLOT_THREAD, 1);
    front.start = object_new(CAP_NOTIFICATION);
    server_start(&front, PRIORITY_SERVER, SLOT_NONE);
    for (uint64_t i = 0; i < 5; i++) {
        client_start(&clients[i], front.endpoint, priorities[i], 10, i);
        CHECK(thread_reaches(thread_slot(clients[i].thread), THREAD_STATE_SENDING));
    }
    CHECK_EQ(sys_signal(front.start, 1), 0);
    for (unsigned i = 0; i < 5; i++)
        client_end(&clients[i]);
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(front.order[i], order[i]);
    object_end(front.start);
    server_stop(&front);
    pin(SLOT_THREAD, ~0UL);
}

static void test_order_changed(void)
{
    static struct client clients[3];

    pin(SLOT_THREAD, 1);
    front.start = object_new(CAP_NOTIFICATION);
    server_start(&front, PRIORITY_SERVER, SLOT_NONE);
    for (uint64_t i = 0; i < 3; i++) {
        client_start(&clients[i], front.endpoint, PRIORITY_LOW, 10, i);
        CHECK(thread_reaches(thread_slot(clients[i].thread), THREAD_STATE_SENDING));
    }
    MUST(sys_thread_control(thread_slot(clients[2].thread), THREAD_PRIORITY, PRIORITY_HIGH, 0, 0, 0, 0));
    MUST(sys_thread_control(thread_slot(clients[0].thread), THREAD_PRIORITY, PRIORITY_BACK, 0, 0, 0, 0));
    CHECK_EQ(sys_signal(front.start, 1), 0);
    for (unsigned i = 0; i < 3; i++)
        client_end(&clients[i]);
    CHECK_EQ(front.order[0], 2);
    CHECK_EQ(front.order[1], 1);
    CHECK_EQ(front.order[2], 0);
    object_end(front.start);
    server_stop(&front);
    pin(SLOT_THREAD, ~0UL);
}

/* --- A caller that is parked, or that goes away, lends nothing any more ------------------------------------------- */

struct parker {
    uint64_t endpoint, first, second;
};

static int park_one(void *argument)
{
    const struct parker *parker = argument;
    struct message m = {0};

    if (sys_recv(parker->first, parker->endpoint, &m) < 0)
        return 1;
    return (int)sys_recv(parker->second, parker->endpoint, &m);
}

static void test_parked(void)
{
    static struct parker parker;
    struct thread *thread;
    int result = 0;
    struct message m = {0};

    pin(SLOT_THREAD, 1);
    parker = (struct parker){object_new(CAP_ENDPOINT), object_new(CAP_REPLY), object_new(CAP_REPLY)};
    thread_at(&thread, park_one, &parker, PRIORITY_SERVER);
    CHECK(thread_reaches(thread_slot(thread), THREAD_STATE_RECEIVING));
    client_start(&high, parker.endpoint, PRIORITY_HIGH, 0, 0);
    CHECK(thread_reaches(thread_slot(high.thread), THREAD_STATE_CALLING));
    CHECK(thread_reaches(thread_slot(thread), THREAD_STATE_RECEIVING));
    CHECK_EQ(thread_look(thread_slot(thread)).effective_priority, PRIORITY_SERVER);
    CHECK_EQ(sys_reply(parker.first, &m), 0);
    client_end(&high);
    object_end(parker.endpoint);
    CHECK_EQ(thread_join(thread, &result), 0);
    CHECK_EQ(result, -EPIPE);
    object_end(parker.first), object_end(parker.second);
    pin(SLOT_THREAD, ~0UL);
}

/* --- Faults ------------------------------------------------------------------------------------------------------- */

#define FAULT_ADDRESS 0x200000000UL

struct fault_server {
    struct thread *thread;
    uint64_t endpoint, reply, frame;
    volatile uint64_t progress;
    atomic_uint served;
    uint64_t order[ORDER_MAX];
};
static struct fault_server pager;

static struct toucher {
    uint64_t address, spun;
    atomic_bool started, done;
} touchers[3];

/* Faults of thread 0 take long. */
static int serve_faults(void *argument)
{
    struct fault_server *server = argument;
    struct message m = {0};
    long result = sys_recv(server->reply, server->endpoint, &m);

    while (result == 0 && (MSG_FLAGS(m.tag) & MSG_FLAG_FAULT)) {
        const uint64_t number = m.words[4], address = m.words[0] & PAGE_MASK;
        if (number == 0)
            for (uint64_t i = 0; i < LONG_WORK || atomic_load(&jamming); i++)
                server->progress++;
        server->order[atomic_fetch_add(&server->served, 1) % ORDER_MAX] = number;
        m = (struct message){
            .words = {address | MAP_ITEM_MAP, server->frame << PAGE_SHIFT | ENTRY_READ | ENTRY_ACCESSED}};
        result = sys_reply_recv(server->reply, server->endpoint, &m);
    }
    return result == 0 ? (int)sys_reply(server->reply, &m) : (int)result;
}

static void touch(void *argument)
{
    struct toucher *toucher = argument;
    atomic_store(&toucher->started, true);
    const uint64_t before = spinner.count;
    (void)*(volatile uint64_t *)toucher->address;
    toucher->spun = spinner.count - before;
    atomic_store(&toucher->done, true);
}

static void toucher_start(struct child *child, const struct space *space, uint64_t number, unsigned priority)
{
    touchers[number] = (struct toucher){.address = FAULT_ADDRESS + number * PAGE_SIZE};
    child_new(child, space, number, priority);
    pin(child->thread, 1);
    child_start(child, touch, &touchers[number]);
}

static void test_faults(void)
{
    static struct child children[3];
    struct space space;
    struct message m = {0};

    pin(SLOT_THREAD, 1);
    space_new(&space);
    space_share_program(&space);
    space_give_tables(&space, 4);
    pager = (struct fault_server){
        .endpoint = object_new(CAP_ENDPOINT), .reply = object_new(CAP_REPLY), .frame = frame_new()};
    thread_at(&pager.thread, serve_faults, &pager, PRIORITY_SERVER);
    CHECK(thread_reaches(thread_slot(pager.thread), THREAD_STATE_RECEIVING));
    CHECK_EQ(sys_aspace_control(SLOT_PHYSICAL, space.slot, ASPACE_SET_HANDLER, pager.endpoint, 77, NULL), 0);

    atomic_store(&jamming, true);
    toucher_start(&children[0], &space, 0, PRIORITY_LOW);
    const uint64_t end = now_ns() + PATIENCE;
    while (pager.progress == 0 && now_ns() < end)
        sleep_ns(NS_PER_MS);
    spinner_start(&spinner, 1, PRIORITY_MIDDLE);
    sleep_ns(20 * NS_PER_MS);
    CHECK(pager.progress > 0);
    atomic_store(&jamming, false);
    /* Both wait in line before one of them gets to the handler; the less important is there first. */
    toucher_start(&children[1], &space, 1, PRIORITY_MIDDLE + 1);
    toucher_start(&children[2], &space, 2, PRIORITY_HIGH);
    while (!atomic_load(&touchers[2].done) && now_ns() < end)
        sleep_ns(2 * NS_PER_MS);
    CHECK(atomic_load(&touchers[2].done));
    CHECK_EQ(touchers[2].spun, 0);
    while (!atomic_load(&touchers[1].done) && now_ns() < end)
        sleep_ns(2 * NS_PER_MS);
    CHECK_EQ(touchers[1].spun, 0);
    CHECK_EQ(pager.order[0], 0);
    CHECK_EQ(pager.order[1], 2);
    CHECK_EQ(pager.order[2], 1);
    spinner_end(&spinner);

    CHECK_EQ(sys_call(pager.endpoint, &m), 0);
    CHECK_EQ(thread_join(pager.thread, NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        child_end(&children[i]);
    space_end(&space);
    frame_end(pager.frame);
    object_end(pager.endpoint), object_end(pager.reply);
    pin(SLOT_THREAD, ~0UL);
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a caller waits for the request in front of it, not for a spinner", test_call},
        {"nor if the server replies and receives in two calls", test_separate_reply},
        {"nor if the server waits for another server", test_nested},
        {"nor if the server waits in line at another server", test_nested_in_line},
        {"callers are served by priority, then in order", test_order},
        {"a caller that waits moves when its priority changes", test_order_changed},
        {"a parked caller lends nothing", test_parked},
        {"faults lend their priority and are served by it", test_faults},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
