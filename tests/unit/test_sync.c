/* SPDX-License-Identifier: MIT */
/* What root keeps for threads that wait across programs: the table of waits, named semaphores, random bytes. */
#include <errno.h>
#include <string.h>

#include <entropy.h>
#include <semaphores.h>
#include <waits.h>

#include "harness.h"

#define PIDS    6u
#define THREADS 5u
#define NAMES   5u

static struct wait_table waits;
static struct semaphore_table table;

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void longest_first(void)
{
    struct wait *wait;

    EXPECT(wait_add(&waits, 3, 1, 100, &wait) == 0);
    EXPECT(wait_add(&waits, 4, 1, 100, &wait) == 0);
    EXPECT(wait_add(&waits, 3, 2, 200, &wait) == 0);
    EXPECT(wait_add(&waits, 3, 1, 300, &wait) == -EBUSY);
    wait = wait_grant(&waits, 100);
    EXPECT(wait && wait->pid == 3 && wait->thread == 1 && wait->granted);
    wait_remove(&waits, wait);
    /* The place is used again, but not the place in the order. */
    EXPECT(wait_add(&waits, 5, 9, 100, &wait) == 0);
    wait = wait_grant(&waits, 100);
    EXPECT(wait && wait->pid == 4);
    EXPECT(wait_grant(&waits, 100)->pid == 5 && !wait_grant(&waits, 100));
    EXPECT(wait_find(&waits, 3, 2) && !wait_find(&waits, 3, 1));
    EXPECT(waits_check(&waits) == 0);
}

static void limits(void)
{
    struct wait *wait;

    for (uint64_t i = 0; i < WAITS_MAX; i++)
        EXPECT(wait_add(&waits, 2 + i / WAITS_PER_PROCESS_MAX, i, 1, &wait) == 0);
    EXPECT(wait_add(&waits, 2, WAITS_MAX, 1, &wait) == -EDQUOT);
    EXPECT(wait_add(&waits, 90, 0, 1, &wait) == -ENOSPC);
    EXPECT(waits_check(&waits) == 0);
}

static void names(void)
{
    static const char long_name[SEMAPHORE_NAME_BYTES + 1] = "/";
    uint64_t handle;

    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, "a", 1, &handle) == -EINVAL);
    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, "/", 1, &handle) == -EINVAL);
    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, "/a/b", 4, &handle) == -EINVAL);
    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, "/a\0b", 4, &handle) == -EINVAL);
    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, long_name, sizeof(long_name), &handle) == -ENAMETOOLONG);
    EXPECT(semaphore_open(&table, 3, 4, 0, "/a", 2, &handle) == -EINVAL);
    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, SEMAPHORE_VALUE_MAX + 1UL, "/a", 2, &handle) == -EINVAL);
    EXPECT(semaphore_open(&table, 3, 0, 0, "/a", 2, &handle) == -ENOENT);
    EXPECT(semaphore_unlink(&table, "/a", 2) == -ENOENT);
    EXPECT(semaphores_check(&table) == 0);
}

static void life_of_a_semaphore(void)
{
    uint64_t first, second, third;
    struct wait *wait;

    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 2, "/a", 2, &first) == 0);
    EXPECT(semaphore_open(&table, 4, SEMAPHORE_CREATE, 9, "/a", 2, &second) == 0 && first == second);
    EXPECT(semaphore_open(&table, 4, SEMAPHORE_CREATE | SEMAPHORE_EXCLUSIVE, 0, "/a", 2, &third) == -EEXIST);
    EXPECT(!semaphore_find(&table, 5, first));
    struct semaphore *semaphore = semaphore_find(&table, 3, first);
    EXPECT(semaphore && semaphore_take(semaphore) == 0 && semaphore_take(semaphore) == 0);
    EXPECT(semaphore_take(semaphore) == -EAGAIN);
    EXPECT(semaphore_post(semaphore, &waits, &wait) == 0 && !wait && semaphore->value == 1);
    /* Unlinked, it is another's name to take, and lives while it is open. */
    EXPECT(semaphore_unlink(&table, "/a", 2) == 0);
    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, "/a", 2, &third) == 0 && third != first);
    EXPECT(semaphore_close(&table, 3, first) == 0 && semaphore_find(&table, 4, first));
    EXPECT(semaphore_close(&table, 3, first) == -EINVAL);
    semaphores_close_all(&table, 4);
    EXPECT(!semaphore_find(&table, 4, first) && semaphores_check(&table) == 0);
    EXPECT(semaphores_inherit(&table, 3, 6) == 0 && semaphore_find(&table, 6, third));
    EXPECT(semaphore_close(&table, 6, third) == 0 && semaphore_find(&table, 3, third));
}

static void units_of_the_dead(void)
{
    uint64_t handle;
    struct wait *wait, *freed, *signal;

    EXPECT(semaphore_open(&table, 3, SEMAPHORE_CREATE, 0, "/a", 2, &handle) == 0);
    struct semaphore *semaphore = semaphore_find(&table, 3, handle);
    EXPECT(wait_add(&waits, 4, 0, WAIT_KEY_SEMAPHORE | handle, &wait) == 0);
    EXPECT(wait_add(&waits, 4, 1, WAIT_KEY_SEMAPHORE | handle, &wait) == 0);
    EXPECT(wait_add(&waits, 5, 0, WAIT_KEY_SEMAPHORE | handle, &wait) == 0);
    EXPECT(semaphore_post(semaphore, &waits, &wait) == 0 && wait->pid == 4 && semaphore->value == 0);
    /* Process 4 ends before it has heard of its unit: it passes to whoever is next that lives on. */
    unsigned forgotten = 0, signals = 0;
    while (semaphore_wait_forget(&table, &waits, 4, &freed, &signal)) {
        forgotten++;
        signals += signal && signal->pid == 5;
    }
    EXPECT(forgotten == 2 && signals == 1 && wait_find(&waits, 5, 0)->granted);
    EXPECT(semaphore_wait_forget(&table, &waits, 5, &freed, &signal) && !signal && semaphore->value == 1);
}

static void test_vector(void)
{
    /* RFC 8439, section 2.3.2. */
    static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
    static const uint32_t wanted[ENTROPY_BLOCK_WORDS] = {
        0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
        0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
    };
    uint32_t key[ENTROPY_KEY_WORDS], block[ENTROPY_BLOCK_WORDS];

    for (uint32_t i = 0; i < ENTROPY_KEY_WORDS; i++)
        key[i] = (4 * i) | (4 * i + 1) << 8 | (4 * i + 2) << 16 | (4 * i + 3) << 24;
    chacha20_block(key, 1, nonce, block);
    EXPECT(memcmp(block, wanted, sizeof(wanted)) == 0);
}

static void random_bytes(void)
{
    struct entropy one = {0}, other = {0};
    uint8_t first[200], second[200];

    EXPECT(entropy_take(&one, 0, first, sizeof(first)) == -ENODATA);
    entropy_seed(&one, "seed", 4);
    entropy_seed(&other, "seed", 4);
    EXPECT(entropy_take(&one, 5, first, sizeof(first)) == 0 && entropy_take(&other, 5, second, sizeof(second)) == 0);
    EXPECT(memcmp(first, second, sizeof(first)) == 0);
    /* The same question again has another answer, and another seed another. */
    EXPECT(entropy_take(&one, 5, second, sizeof(second)) == 0 && memcmp(first, second, sizeof(first)) != 0);
    entropy_seed(&other, "\0", 1);
    EXPECT(entropy_take(&other, 5, first, sizeof(first)) == 0 && memcmp(first, second, sizeof(first)) != 0);
    /* A part of a block, and nothing behind it. */
    memset(first, 0xee, sizeof(first));
    EXPECT(entropy_take(&one, 6, first, 3) == 0 && first[3] == 0xee);
}

/* --- Against a model ---------------------------------------------------------------------------------------------- */

/* The model of a semaphore by name: what its value should be, counting units that were granted to nobody yet heard. */
static struct {
    bool exists;
    uint64_t handle;
    uint32_t value;
    uint32_t opens[PIDS];
    struct {
        uint64_t pid, thread;
    } queue[PIDS * THREADS];
    unsigned queued;
} model[NAMES];

/* What each thread waits for: 0 nothing, otherwise 1 + the name; granted or not. */
static unsigned waits_for[PIDS][THREADS];
static bool granted[PIDS][THREADS];

static uint64_t pid_of(unsigned process)
{
    return 10 + process;
}

static void model_post(unsigned name)
{
    if (model[name].queued == 0) {
        model[name].value++;
        return;
    }
    granted[model[name].queue[0].pid][model[name].queue[0].thread] = true;
    model[name].queued--;
    memmove(&model[name].queue[0], &model[name].queue[1], model[name].queued * sizeof(model[name].queue[0]));
}

static void model_leave(unsigned name, unsigned process, unsigned thread)
{
    unsigned place = 0;

    while (model[name].queue[place].pid != process || model[name].queue[place].thread != thread)
        place++;
    model[name].queued--;
    memmove(&model[name].queue[place], &model[name].queue[place + 1],
            (model[name].queued - place) * sizeof(model[name].queue[0]));
}

static void step_open(unsigned name, unsigned process)
{
    const char text[2] = {'/', (char)('a' + name)};
    const uint32_t value = (uint32_t)random_below(3);
    uint64_t handle;

    EXPECT(semaphore_open(&table, pid_of(process), SEMAPHORE_CREATE, value, text, 2, &handle) == 0);
    if (!model[name].exists) {
        model[name].exists = true;
        model[name].handle = handle;
        model[name].value = value;
    }
    EXPECT(handle == model[name].handle);
    model[name].opens[process]++;
}

static void step_post(unsigned name, unsigned process)
{
    struct semaphore *semaphore = semaphore_find(&table, pid_of(process), model[name].handle);
    struct wait *wait;

    EXPECT((semaphore != NULL) == (model[name].exists && model[name].opens[process] > 0));
    if (!semaphore)
        return;
    EXPECT(semaphore_post(semaphore, &waits, &wait) == 0);
    const bool somebody = model[name].queued > 0;
    EXPECT((wait != NULL) == somebody);
    EXPECT(!wait ||
           (wait->pid == pid_of((unsigned)model[name].queue[0].pid) && wait->thread == model[name].queue[0].thread));
    model_post(name);
    EXPECT(semaphore->value == model[name].value);
}

static void step_wait(unsigned name, unsigned process, unsigned thread)
{
    struct semaphore *semaphore = semaphore_find(&table, pid_of(process), model[name].handle);
    struct wait *wait;

    if (!semaphore || waits_for[process][thread])
        return;
    if (model[name].value > 0) {
        EXPECT(semaphore_take(semaphore) == 0);
        model[name].value--;
        return;
    }
    EXPECT(semaphore_take(semaphore) == -EAGAIN);
    EXPECT(wait_add(&waits, pid_of(process), thread, WAIT_KEY_SEMAPHORE | model[name].handle, &wait) == 0);
    waits_for[process][thread] = 1 + name;
    granted[process][thread] = false;
    model[name].queue[model[name].queued].pid = process;
    model[name].queue[model[name].queued++].thread = thread;
}

static void step_wait_end(unsigned process, unsigned thread)
{
    struct wait *wait = wait_find(&waits, pid_of(process), thread);

    EXPECT((wait != NULL) == (waits_for[process][thread] != 0));
    if (!wait)
        return;
    EXPECT(wait->granted == granted[process][thread]);
    if (!wait->granted)
        model_leave(waits_for[process][thread] - 1, process, thread);
    wait_remove(&waits, wait);
    waits_for[process][thread] = 0;
}

/* The order in which the table forgets a process's waits is its own, so the model follows it. */
static void step_process_end(unsigned process)
{
    struct wait *freed, *signal;

    for (;;) {
        if (!semaphore_wait_forget(&table, &waits, pid_of(process), &freed, &signal))
            break;
        const unsigned thread = (unsigned)freed->thread, name = waits_for[process][thread] - 1;
        waits_for[process][thread] = 0;
        if (granted[process][thread])
            model_post(name);
        else
            model_leave(name, process, thread);
    }
    for (unsigned thread = 0; thread < THREADS; thread++)
        EXPECT(waits_for[process][thread] == 0);
    semaphores_close_all(&table, pid_of(process));
    for (unsigned name = 0; name < NAMES; name++)
        model[name].opens[process] = 0;
}

static void random_step(void)
{
    const unsigned name = (unsigned)random_below(NAMES), process = (unsigned)random_below(PIDS);
    const unsigned thread = (unsigned)random_below(THREADS);
    const uint64_t choice = random_below(100);

    if (choice < 20)
        step_open(name, process);
    else if (choice < 50)
        step_post(name, process);
    else if (choice < 80)
        step_wait(name, process, thread);
    else if (choice < 97)
        step_wait_end(process, thread);
    else
        step_process_end(process);
}

/* Semaphores keep their names here, so a name stays one semaphore; life_of_a_semaphore looks at the rest. */
static void against_model(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        random_step();
        if (test_step % 64 == 0)
            EXPECT(waits_check(&waits) == 0 && semaphores_check(&table) == 0);
    }
}

static const struct test_row rows[] = {
    {"longest_first", "who has waited longest for a key is taken first", longest_first},
    {"limits", "one process, and all together, can have so many waits and no more", limits},
    {"names", "names and values that cannot be are refused", names},
    {"life_of_a_semaphore", "a semaphore lives while it has a name or is open", life_of_a_semaphore},
    {"units_of_the_dead", "a unit given to a process that has ended goes to the next", units_of_the_dead},
    {"test_vector", "ChaCha20 gives the block that RFC 8439 prints", test_vector},
    {"random_bytes", "random bytes depend on the seed and on what was taken before", random_bytes},
    {"against_model", "100,000 random steps leave values and queues as the model says", against_model},
};

TEST_MAIN("sync", rows)
