/* SPDX-License-Identifier: MIT */
/* The table of requests and waiters: each way in and out, and a long random run against an array. */
#include <errno.h>
#include <string.h>

#include <mm/wait_table.h>

#include "harness.h"

#define WAITERS 64u
#define KEYS    24u /* few, so that many join */

static struct wait_table table;
static struct wait_request requests[WAITERS + WAIT_HINTS_MAX];
static struct waiter waiters[WAITERS];
static const struct wait_request values = {.cookie = 7, .count = 1, .access = 1, .pid = 3};

static void begin(void)
{
    wait_table_init(&table);
    memset(waiters, 0, sizeof(waiters));
    for (unsigned i = 0; i < WAITERS + WAIT_HINTS_MAX; i++)
        wait_table_add(&table, &requests[i]);
    EXPECT(wait_table_check(&table) == 0);
}

static struct wait_key key_of(uint64_t number)
{
    return (struct wait_key){.kind = (uint32_t)(number % 2), .object = number / 2 % 3, .index = number / 6};
}

static uint64_t length(struct list *list)
{
    uint64_t count = 0;
    LIST_FOR_EACH (link, list)
        count++;
    return count;
}

static void joining(void)
{
    struct list done;
    struct wait_request more = values;

    begin();
    list_init(&done);
    more.access = 2;
    EXPECT(wait_join(&table, key_of(1), &values, &waiters[0]));
    EXPECT(!wait_join(&table, key_of(1), &more, &waiters[1]));
    EXPECT(wait_join(&table, key_of(2), &values, &waiters[2]));
    struct wait_request *request = wait_take(&table);
    EXPECT(request && request == wait_find(&table, key_of(1)) && request->access == 3 && request->cookie == 7);
    EXPECT(wait_find_token(&table, request->token) == request);
    EXPECT(!wait_join(&table, key_of(1), &values, &waiters[3]));
    EXPECT(wait_table_check(&table) == 0);
    wait_complete(&table, request, -EIO, &done);
    EXPECT(length(&done) == 3 && waiters[0].status == -EIO && waiters[3].status == -EIO && !waiters[1].request);
    EXPECT(!wait_find(&table, key_of(1)) && table.requests == 1 && wait_table_check(&table) == 0);
}

static void leaving(void)
{
    begin();
    EXPECT(wait_join(&table, key_of(1), &values, &waiters[0]));
    EXPECT(!wait_join(&table, key_of(1), &values, &waiters[1]));
    wait_leave(&table, &waiters[0]);
    EXPECT(wait_find(&table, key_of(1)) && wait_table_check(&table) == 0);
    wait_leave(&table, &waiters[1]);
    EXPECT(!wait_find(&table, key_of(1)) && !wait_take(&table) && wait_table_check(&table) == 0);
    EXPECT(wait_join(&table, key_of(1), &values, &waiters[0]));
}

static void hints(void)
{
    begin();
    for (unsigned i = 0; i < WAIT_HINTS_MAX; i++)
        EXPECT(wait_hint(&table, (struct wait_key){9, i, 0}, &values));
    EXPECT(!wait_hint(&table, (struct wait_key){9, 1000, 0}, &values));
    for (unsigned i = 0; i < WAITERS; i++)
        EXPECT(wait_join(&table, (struct wait_key){8, i, 0}, &values, &waiters[i]));
    EXPECT(table.free_count == 0 && wait_table_check(&table) == 0);
    wait_leave(&table, &waiters[0]);
    EXPECT(!wait_join(&table, (struct wait_key){9, 3, 0}, &values, &waiters[0]));
    EXPECT(table.hints == WAIT_HINTS_MAX - 1 && wait_table_check(&table) == 0);
    EXPECT(!wait_hint(&table, (struct wait_key){8, 1, 0}, &values));
}

static void order(void)
{
    uint64_t tokens[4];

    begin();
    for (unsigned i = 0; i < 4; i++)
        EXPECT(wait_join(&table, key_of(i), &values, &waiters[i]));
    for (unsigned i = 0; i < 3; i++)
        tokens[i] = wait_take(&table)->token;
    EXPECT(tokens[0] < tokens[1] && tokens[1] < tokens[2]);
    wait_ask_again(&table);
    EXPECT(wait_table_check(&table) == 0);
    for (unsigned i = 0; i < 3; i++)
        EXPECT(wait_take(&table)->token == tokens[i]);
    EXPECT(wait_take(&table)->token > tokens[2] && !wait_take(&table));
}

static void ranges(void)
{
    struct list done;

    begin();
    list_init(&done);
    for (unsigned i = 0; i < 10; i++)
        EXPECT(wait_join(&table, (struct wait_key){1, 5, i}, &values, &waiters[i]));
    EXPECT(wait_join(&table, (struct wait_key){1, 6, 4}, &values, &waiters[10]));
    EXPECT(wait_join(&table, (struct wait_key){2, 5, 4}, &values, &waiters[11]));
    EXPECT(wait_take(&table) && wait_take(&table) && wait_take(&table));
    EXPECT(wait_complete_range(&table, 1, 5, 2, 5, 0, &done) == 4 && length(&done) == 4);
    EXPECT(wait_complete_range(&table, 1, 5, 2, 5, 0, &done) == 0);
    EXPECT(wait_complete_range(&table, 1, 5, 7, 7, 0, &done) == 1 && length(&done) == 5);
    EXPECT(wait_complete_range(&table, 1, 5, 0, UINT64_MAX, 0, &done) == 5 && table.requests == 2);
    EXPECT(wait_table_check(&table) == 0);
}

/* The model: what each waiter waits for, KEYS if for nothing. */
static uint64_t model[WAITERS];

static uint64_t model_waiters(uint64_t key)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < WAITERS; i++)
        count += model[i] == key;
    return count;
}

static void random_join(uint64_t who)
{
    uint64_t key = random_below(KEYS);
    if (model[who] != KEYS)
        return;
    bool there = wait_find(&table, key_of(key));
    EXPECT(wait_join(&table, key_of(key), &values, &waiters[who]) == !there);
    model[who] = key;
}

static void random_complete(void)
{
    uint64_t key = random_below(KEYS);
    struct wait_request *request = wait_find(&table, key_of(key));
    struct list done;

    list_init(&done);
    EXPECT(request || model_waiters(key) == 0);
    if (!request)
        return;
    wait_complete(&table, request, -5, &done);
    EXPECT(length(&done) == model_waiters(key));
    for (unsigned i = 0; i < WAITERS; i++) {
        if (model[i] == key)
            EXPECT(waiters[i].status == -5);
        if (model[i] == key)
            model[i] = KEYS;
    }
}

static void random_step(void)
{
    uint64_t who = random_below(WAITERS);

    switch (random_below(6)) {
    case 0:
    case 1:
        random_join(who);
        break;
    case 2:
        if (model[who] != KEYS)
            wait_leave(&table, &waiters[who]);
        model[who] = KEYS;
        break;
    case 3:
        random_complete();
        break;
    case 4:
        (void)wait_take(&table);
        (void)wait_hint(&table, key_of(random_below(KEYS)), &values);
        break;
    default:
        if (random_below(10) == 0)
            wait_ask_again(&table);
    }
    for (unsigned i = 0; i < WAITERS; i++)
        EXPECT((model[i] != KEYS) == (waiters[i].request != NULL));
}

static void random_run(void)
{
    begin();
    for (unsigned i = 0; i < WAITERS; i++)
        model[i] = KEYS;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        random_step();
        if (test_step % 16 == 0)
            EXPECT(wait_table_check(&table) == 0);
    }
    EXPECT(wait_table_check(&table) == 0);
}

static const struct test_row rows[] = {
    {"joining", "who wants the same thing waits for one request", joining},
    {"leaving", "a request ends with its last waiter", leaving},
    {"hints", "requests without waiters are few and in nobody's way", hints},
    {"order", "requests are taken by age, again after they were given up", order},
    {"ranges", "a range of requests is completed, asked and taken ones", ranges},
    {"random_run", "the table holds what an array holds", random_run},
};

TEST_MAIN("wait_table", rows)
