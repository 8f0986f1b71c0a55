/* SPDX-License-Identifier: MIT */
/*
 * memsrv under load and under nonsense: threads touch memory while others map over it, unmap it and protect it, and
 * ask for what cannot be. Nothing may be lost, and everything must be sound afterwards.
 */
#include "server_state.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <quire/clock.h>
#include <quire/thread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define THREADS     6
#define ARENA_PAGES 256UL
#define ROUNDS      400
#define REQUESTS    20000
#define TOUCHES     64

static volatile uint64_t *arena; /* mapped over and over by all threads */
static uint64_t seed;
static int requests = REQUESTS; /* of each thread */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t thread_seed(uint64_t self)
{
    return (seed + self + 1) * 0x9e3779b97f4a7c15UL;
}

static volatile uint64_t *page_of(uint64_t page)
{
    return arena + page * (PAGE_SIZE / sizeof(*arena));
}

/* A page of the arena is zero, or holds what some thread wrote there: the page's own number. */
static bool touch_arena(uint64_t *state)
{
    for (int i = 0; i < TOUCHES; i++) {
        uint64_t page = next_random(state) % ARENA_PAGES;
        uint64_t value = *page_of(page);
        if (value != 0 && value != page + 1)
            return false;
        *page_of(page) = page + 1;
    }
    return true;
}

/* Maps over a part of the arena, which is then zero; nobody ever sees a hole. */
static bool replace_arena(uint64_t *state)
{
    uint64_t first = next_random(state) % ARENA_PAGES;
    uint64_t pages = 1 + next_random(state) % (ARENA_PAGES - first);
    void *wanted = (char *)(uintptr_t)arena + first * PAGE_SIZE;
    return mmap(wanted, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
           wanted;
}

/* Memory of the thread's own: mapped, written, protected, read, unmapped in two parts. */
static bool use_own(uint64_t *state)
{
    const uint64_t pages = 1 + next_random(state) % 48;
    const uint64_t cut = next_random(state) % pages;
    char *own = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool good = own != MAP_FAILED;

    for (uint64_t i = 0; good && i < pages; i++)
        memset(own + i * PAGE_SIZE, (int)i + 1, sizeof(uint64_t));
    good = good && mprotect(own + cut * PAGE_SIZE, PAGE_SIZE, PROT_READ) == 0;
    for (uint64_t i = 0; good && i < pages; i++)
        good = own[i * PAGE_SIZE] == (char)(i + 1) && own[(i + 1) * PAGE_SIZE - 1] == 0;
    good = good && munmap(own + cut * PAGE_SIZE, (pages - cut) * PAGE_SIZE) == 0;
    return good && (cut == 0 || munmap(own, cut * PAGE_SIZE) == 0);
}

static int load(void *argument)
{
    uint64_t state = thread_seed((uint64_t)argument);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t choice = next_random(&state) % 8;
        bool good = choice == 0 ? replace_arena(&state) : choice == 1 ? use_own(&state) : touch_arena(&state);
        if (!good)
            return 1;
    }
    return 0;
}

/* Values that are at the edge of something, or at random. Never the number of a thread of ours, nor memory of ours but
 * the arena's. */
static uint64_t nonsense(uint64_t *state)
{
    const uint64_t arena_address = (uint64_t)(uintptr_t)arena;
    const uint64_t edges[] = {0x7ffffffff001UL,
                              USER_VA_END,
                              USER_VA_END - 1,
                              UINT64_MAX,
                              UINT64_MAX - PAGE_SIZE + 1,
                              1UL << 63,
                              WINDOW_BASE,
                              WINDOW_BASE + (1UL << 30),
                              0xffffffff80000000UL,
                              0xffff800040000000UL,
                              arena_address,
                              arena_address + 1,
                              arena_address + PAGE_SIZE,
                              4093,
                              4095,
                              8191,
                              1UL << 47,
                              1UL << 52,
                              0x1234567UL};
    uint64_t value = next_random(state);
    if (value % 4)
        return edges[value / 4 % (sizeof(edges) / sizeof(edges[0]))];
    return next_random(state) | 1;
}

/* Asks for one thing that makes no sense, or too much. Any answer is right as long as there is one. */
static bool ask_nonsense(uint64_t *state)
{
    struct message m;
    for (unsigned i = 0; i < MSG_REGISTERS; i++)
        m.words[i] = nonsense(state);
    uint32_t operation = (uint32_t)(next_random(state) % 48);
    /* Requests for little are granted, and then the words must not name what this program lives in. */
    if (operation == MEMSRV_OP_CHECK || operation == MEMSRV_OP_BRK)
        operation = (uint32_t)next_random(state) | 64;
    if (operation == MEMSRV_OP_MAP)
        m.words[3] |= 4;
    if (operation == MEMSRV_OP_UNMAP || operation == MEMSRV_OP_PROTECT)
        m.words[1] |= 1UL << 62;
    m.tag = MSG_TAG(operation, next_random(state) % (MSG_BUFFER_WORDS + 1), 0);
    return sys_call(SLOT_MEMSRV, &m) == 0 && MSG_LABEL(m.tag) <= 0;
}

static int babble(void *argument)
{
    uint64_t state = thread_seed((uint64_t)argument + 100);
    for (int request = 0; request < requests; request++) {
        if (!ask_nonsense(&state))
            return 1;
    }
    return 0;
}

/* Runs a function in THREADS threads; true if all could be started and returned 0. */
static bool run_threads(int (*function)(void *))
{
    struct thread *threads[THREADS];
    bool good = true;
    uint64_t started = 0;

    for (; started < THREADS; started++) {
        if (thread_create(&threads[started], function, (void *)started) < 0)
            break;
    }
    for (uint64_t i = 0; i < started; i++) {
        int result = -1;
        good &= thread_join(threads[i], &result) == 0 && result == 0;
    }
    return good && started == THREADS;
}

static uint64_t pages_in_use(void)
{
    struct memsrv_memory memory = {0};
    size_t count = 0;
    if (memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) < 0)
        return 0;
    return memory.user;
}

/* Objects up to the quota and one more; all go again. */
static void test_quota(void)
{
    static uint64_t identifiers[MEMSRV_OBJECT_QUOTA];
    uint64_t count = 0, resident, tables, objects, areas, extra;
    const uint64_t slot = SLOTS_PER_FRAME - 1;
    int error = memsrv_space_info(SLOT_MEMSRV, 0, &resident, &tables, &objects, &areas);

    tap_equal(error, -ESRCH, "no space has number 0");
    while (count < MEMSRV_OBJECT_QUOTA) {
        error = memsrv_object_create(SLOT_MEMSRV, CAP_ENDPOINT, &identifiers[count], slot);
        if (error < 0)
            break;
        count++;
        if (sys_cap_delete(SLOT_TABLE, slot) != 0)
            break;
    }
    /* The library has a notification for each of this program's threads, this one's at least. */
    tap_ok(count >= MEMSRV_OBJECT_QUOTA - THREADS - 1 && count <= MEMSRV_OBJECT_QUOTA,
           "all objects that a program may have");
    tap_equal(memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &extra, slot), -EDQUOT, "and not one more");
    tap_equal(memsrv_object_create(SLOT_MEMSRV, CAP_ASPACE, &extra, slot), -EINVAL, "address spaces are not for all");
    error = 0;
    for (uint64_t i = 0; i < count; i++)
        error |= memsrv_object_destroy(SLOT_MEMSRV, identifiers[i]);
    tap_equal(error, 0, "all are destroyed");
    tap_equal(memsrv_object_destroy(SLOT_MEMSRV, identifiers[0]), -ENOENT, "once");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

/* The capability table grows up to its quota, if those who asked for anything have left some of it. */
static void test_slots(void)
{
    const uint64_t quota = MEMSRV_SLOT_FRAME_QUOTA * SLOTS_PER_FRAME;
    uint64_t end = 0, badge;
    int error;

    while ((error = memsrv_slots_add(SLOT_MEMSRV, &end)) == 0)
        continue;
    tap_ok(error == -EDQUOT && end <= quota, "the capability table grows up to its quota");
    tap_ok(sys_cap_query(quota - 1, &badge) == 0 && sys_cap_query(quota, &badge) == -EBADF, "and has that many slots");
}

/* The number behind a name and '=' among the arguments, or the other. */
static uint64_t argument_number(char **arguments, const char *name, uint64_t other)
{
    const size_t length = strlen(name);
    for (; *arguments; arguments++) {
        if (strncmp(*arguments, name, length) == 0 && (*arguments)[length] == '=')
            return strtoul(*arguments + length + 1, NULL, 0);
    }
    return other;
}

/* memory_stress [seed=NUMBER] [requests=NUMBER] */
int main(int count, char **arguments)
{
    (void)count;
    seed = argument_number(arguments, "seed", clock_ticks());
    requests = (int)argument_number(arguments, "requests", REQUESTS);
    tap_plan(15);
    tap_diag("seed=%lu", (unsigned long)seed);
    arena = mmap(NULL, ARENA_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!tap_ok(arena != MAP_FAILED, "an arena"))
        return tap_done();
    tap_ok(run_threads(load), "%d threads touch, map over, protect and unmap", THREADS);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    tap_ok(run_threads(babble), "%d threads ask %d times for what cannot be", THREADS, requests);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    test_quota();
    test_slots();
    uint64_t before = pages_in_use();
    tap_ok(munmap((void *)(uintptr_t)arena, ARENA_PAGES * PAGE_SIZE) == 0 && before > pages_in_use(),
           "the arena's pages come back");
    return tap_done();
}
