/* SPDX-License-Identifier: MIT */
/* The kernel's queue of waiting threads against a model: one list for each priority, in order of arrival. */
#include <string.h>

#include <thread.h>

#include "harness.h"

#define THREADS 96u

static struct thread threads[THREADS];
static struct wait_queue queue;

/* The model: who waits at each priority, first come first. */
static struct {
    struct thread *waiting[THREADS];
    unsigned count;
} model[PRIORITY_COUNT];

static bool is_waiting[THREADS];

static unsigned index_of(const struct thread *thread)
{
    return (unsigned)(thread - threads);
}

static void insert(struct thread *thread, unsigned priority)
{
    thread->effective = (uint8_t)priority;
    wait_queue_insert(&queue, thread);
    model[priority].waiting[model[priority].count++] = thread;
    is_waiting[index_of(thread)] = true;
}

static void take_out(struct thread *thread)
{
    unsigned priority = thread->effective;
    unsigned place = 0;

    wait_queue_remove(&queue, thread);
    EXPECT(!thread->links.next && !thread->links.previous && !thread->links.level_next &&
           !thread->links.level_previous);
    while (model[priority].waiting[place] != thread)
        place++;
    model[priority].count--;
    memmove(&model[priority].waiting[place], &model[priority].waiting[place + 1],
            (model[priority].count - place) * sizeof(struct thread *));
    is_waiting[index_of(thread)] = false;
}

/* The queue holds what the model holds, in the model's order. */
static void compare(void)
{
    const struct thread *thread = queue.head;

    EXPECT(wait_queue_check(&queue));
    for (unsigned priority = PRIORITY_COUNT; priority-- > 0;) {
        for (unsigned i = 0; i < model[priority].count; i++) {
            EXPECT(thread == model[priority].waiting[i]);
            thread = thread->links.next;
        }
    }
    EXPECT(thread == NULL);
}

static void equals_in_order(void)
{
    for (unsigned i = 0; i < 4; i++)
        insert(&threads[i], 7);
    compare();
    EXPECT(queue.head == &threads[0] && queue.tail == &threads[3]);
    take_out(&threads[0]);
    EXPECT(queue.head == &threads[1]);
    insert(&threads[0], 7);
    EXPECT(queue.tail == &threads[0]);
    compare();
}

static void important_first(void)
{
    insert(&threads[0], 0);
    insert(&threads[1], 63);
    insert(&threads[2], 31);
    insert(&threads[3], 63);
    compare();
    EXPECT(queue.head == &threads[1] && queue.tail == &threads[0]);
    /* The first of a priority leaves: the second leads it. */
    take_out(&threads[1]);
    compare();
    /* A whole priority from the middle. */
    take_out(&threads[2]);
    compare();
    take_out(&threads[3]);
    take_out(&threads[0]);
    EXPECT(!queue.head && !queue.tail);
    compare();
}

static void damage_is_found(void)
{
    insert(&threads[0], 9);
    insert(&threads[1], 9);
    insert(&threads[2], 5);
    threads[1].links.previous = NULL;
    EXPECT(!wait_queue_check(&queue));
    threads[1].links.previous = &threads[0];
    threads[0].links.level_next = NULL;
    EXPECT(!wait_queue_check(&queue));
    threads[0].links.level_next = &threads[2];
    threads[2].effective = 10;
    EXPECT(!wait_queue_check(&queue));
    threads[2].effective = 5;
    queue.tail = &threads[1];
    EXPECT(!wait_queue_check(&queue));
    queue.tail = &threads[2];
    EXPECT(wait_queue_check(&queue));
}

/* Few priorities in some steps, so that they have many threads; all of them in others. */
static unsigned random_priority(void)
{
    return (unsigned)(random_chance(50) ? random_below(PRIORITY_COUNT) : 20 + random_below(4));
}

static void random_step(void)
{
    struct thread *thread = &threads[random_below(THREADS)];

    if (!is_waiting[index_of(thread)]) {
        insert(thread, random_priority());
    } else if (random_chance(40)) {
        take_out(queue.head); /* as a receiver does */
    } else {
        take_out(thread);
        if (random_chance(50))
            insert(thread, random_priority()); /* as a change of priority does */
    }
}

static void against_model(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        random_step();
        compare();
    }
    while (queue.head)
        take_out(queue.head);
    compare();
}

static const struct test_row rows[] = {
    {"equals_in_order", "threads of one priority leave in the order in which they came", equals_in_order},
    {"important_first", "the highest priority leaves first, whenever it came", important_first},
    {"damage_is_found", "wait_queue_check() finds each kind of broken link", damage_is_found},
    {"against_model", "100,000 random steps leave the queue as the model says", against_model},
};

TEST_MAIN("wait_queue", rows)
