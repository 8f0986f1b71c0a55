/* SPDX-License-Identifier: MIT */
/*
 * Virtual memory under load: families of processes, each with threads that map, unmap, protect, move, discard, lock,
 * write, read and fork at the same time; their children do the same, some with threads and children of their own, and
 * end in the middle of it or are killed. Whatever was written must be there and nothing else: threads know what their
 * arenas hold (vm_arena.h), children that they see their parent's memory of the moment of the fork and nothing later,
 * and all count in memory that is shared. Meanwhile memsrv and the kernel walk all their structures, and at the end
 * every page is back.
 *
 * Usage: vm_stress [seconds=N] [seed=N]
 */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"
#include "vm_arena.h"

#define FAMILIES       4U
#define THREADS        4U
#define CHILDREN_MAX   2U /* of one thread at a time */
#define DEPTH_MAX      3U
#define CHILD_STEPS    30U
#define COMMON_PAGES   64U
#define WASH_PAGES     256U
#define COUNTER_PAGES  8U
#define NS_PER_SECOND  1000000000UL
#define WARM_UP_NS     (NS_PER_SECOND / 2)
#define CHECK_INTERVAL 1500000U /* microseconds */
#define WORDS          (PAGE / sizeof(uint64_t))
#define LOST_MAX       160 /* pages that caches may keep after so much more work than before */
#define SLABS_KEPT     2   /* of kernel objects of some type, with free ones: threads have come and gone since */

/* What all processes share. */
static struct shared {
    _Atomic uint64_t claimed; /* what processes say that they have counted */
    _Atomic uint64_t forks, steps, kills;
} * shared;
static _Atomic uint64_t *counters;

/* One thread of a family, or a child's. */
struct actor {
    struct arena *arena;
    uint64_t random;
    unsigned number; /* of the thread in its process */
    unsigned depth;
    uint64_t counted;
    unsigned children;
    struct child {
        pid_t pid;
        bool is_killed;
    } child[CHILDREN_MAX];
};

/* Memory of a process that all its threads write to, each to words of its own, and what those hold. */
static uint64_t *common;
static uint64_t common_values[THREADS][COMMON_PAGES];
/* Memory that all threads write the same to and map anew. */
static uint64_t *wash;

static uint64_t deadline;
static bool is_over(void)
{
    return clock_now_ns() >= deadline;
}

static void *map(unsigned long bytes, int flags)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* --- Memory in common --------------------------------------------------------------------------------------------- */

static uint64_t *common_word(const struct actor *actor, unsigned page)
{
    return common + page * WORDS + actor->number * 64;
}

static bool common_check(const struct actor *actor)
{
    for (unsigned page = 0; page < COMMON_PAGES; page++) {
        uint64_t found = *(volatile uint64_t *)common_word(actor, page);
        if (found != common_values[actor->number][page])
            return complain("common page %u of thread %u: found %lx, wanted %lx, depth %u", page, actor->number,
                            (unsigned long)found, (unsigned long)common_values[actor->number][page], actor->depth);
    }
    return true;
}

/* Writes to some pages in ascending order, so that the threads meet. */
static bool use_common(struct actor *actor)
{
    unsigned page = random_below(&actor->random, COMMON_PAGES);
    for (unsigned i = 0; i < 16 && page < COMMON_PAGES; i++, page++) {
        uint64_t value = random_next(&actor->random);
        *(volatile uint64_t *)common_word(actor, page) = value;
        common_values[actor->number][page] = value;
    }
    /* Rights that are the same as before are given again, and pages that are there are brought. */
    if (random_below(&actor->random, 8) == 0 && mprotect(common, COMMON_PAGES * PAGE / 2, PROT_READ | PROT_WRITE) != 0)
        return complain("mprotect of the common pages: errno %d", errno);
    if (random_below(&actor->random, 8) == 0)
        (void)!mlock(common, COMMON_PAGES * PAGE / 4);
    return common_check(actor);
}

static bool use_wash(struct actor *actor)
{
    for (unsigned i = 0; i < 32; i++) {
        uint64_t page = random_below(&actor->random, WASH_PAGES);
        volatile uint64_t *word = wash + page * WORDS;
        uint64_t found = *word;
        if (found != 0 && found != page + 1)
            return complain("washed page %u: found %lx", (unsigned)page, (unsigned long)found);
        *word = page + 1;
    }
    if (random_below(&actor->random, 2))
        return true;
    unsigned first = random_below(&actor->random, WASH_PAGES);
    unsigned count = 1 + random_below(&actor->random, WASH_PAGES - first);
    void *start = wash + first * WORDS;
    if (random_below(&actor->random, 2))
        return madvise(start, count * PAGE, MADV_DONTNEED) == 0 || complain("MADV_DONTNEED: errno %d", errno);
    return mmap(start, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == start ||
           complain("mmap over washed pages: errno %d", errno);
}

/* Counts in memory that all processes share, where it is or at a second address. */
static bool use_counters(struct actor *actor)
{
    _Atomic uint64_t *place = counters;

    if (random_below(&actor->random, 4) == 0) {
        place = mremap(counters, 0, COUNTER_PAGES * PAGE, MREMAP_MAYMOVE);
        if (place == MAP_FAILED)
            return complain("a second mapping of the counters: errno %d", errno);
    }
    for (unsigned i = 0; i < 16; i++)
        atomic_fetch_add(place + random_below(&actor->random, COUNTER_PAGES) * WORDS, 1);
    actor->counted += 16;
    return place == counters || munmap(place, COUNTER_PAGES * PAGE) == 0 || complain("munmap: errno %d", errno);
}

static void claim(struct actor *actor)
{
    atomic_fetch_add(&shared->claimed, actor->counted);
    actor->counted = 0;
}

/* --- Children ----------------------------------------------------------------------------------------------------- */

static bool act(struct actor *actor);
static bool collect_all(struct actor *actor);

/* A thread's work that is soon done: pages, and tables for them, that come and go with it. */
static void *short_thread(void *argument)
{
    struct actor *actor = argument;
    char *memory = map(1024 * PAGE, MAP_PRIVATE);

    for (unsigned i = 0; memory && i < 1024; i += 64)
        memory[i * PAGE] = (char)actor->number;
    return memory && munmap(memory, 1024 * PAGE) == 0 ? actor : NULL;
}

static bool use_thread(struct actor *actor)
{
    pthread_t thread;
    void *result = NULL;
    int error = pthread_create(&thread, NULL, short_thread, actor);

    if (!error)
        error = pthread_join(thread, &result);
    return (!error && result) || complain("a short thread: error %d", error);
}

static void *stretch_thread(void *argument)
{
    bool *stop = argument;
    uint64_t random = (uint64_t)getpid() * 77 + 1;
    while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
        char *memory = map(16 * PAGE, MAP_PRIVATE);
        for (unsigned i = 0; memory && i < 16; i++)
            memory[random_below(&random, 16) * PAGE] = 1;
        munmap(memory, 16 * PAGE);
    }
    return NULL;
}

/* A heap that grows and shrinks, in a process whose only thread is this one. */
static bool use_heap(struct actor *actor)
{
    unsigned pages = 1 + random_below(&actor->random, 40);
    volatile char *memory = sbrk((ptrdiff_t)(pages * PAGE));

    if (memory == (void *)-1)
        return complain("sbrk of %u pages: errno %d", pages, errno);
    for (unsigned i = 0; i < pages; i++)
        memory[i * PAGE] = (char)(i + 1);
    for (unsigned i = 0; i < pages; i++) {
        if (memory[i * PAGE] != (char)(i + 1))
            return complain("heap page %u of %u", i, pages);
    }
    return sbrk(-(ptrdiff_t)(pages * PAGE)) != (void *)-1 || complain("sbrk back: errno %d", errno);
}

/* What the other threads of the parent were writing at the moment of the fork stands still in the child. */
static uint64_t common_sum(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < COMMON_PAGES * WORDS; i += 64)
        sum = sum * 31 + ((volatile uint64_t *)common)[i];
    return sum;
}

/* A child's work; true if all was as it must be. */
static bool be_child(struct actor *actor, bool is_victim)
{
    const uint64_t seed = random_next(&actor->random) + (uint64_t)getpid();
    /* Who is killed while others of its threads fault has answers on their way. */
    const bool has_thread = is_victim || random_below(&actor->random, 4) == 0;
    const uint64_t sum = common_sum();
    bool stop = false;
    pthread_t thread;

    actor->random = seed | 1;
    actor->children = 0;
    actor->counted = 0;
    if (!is_victim && actor->depth == 0)
        arena_add(actor->arena);
    actor->depth = is_victim ? DEPTH_MAX : actor->depth + 1; /* a victim's children would be left alone */
    if (!arena_inherit(actor->arena, seed, (uint32_t)getpid()) || !common_check(actor) ||
        !arena_check(actor->arena, false))
        return false;
    if (common_sum() != sum)
        return complain("the common pages change in a child");
    if (!has_thread && !use_heap(actor))
        return false;
    if (has_thread && pthread_create(&thread, NULL, stretch_thread, &stop) != 0)
        return complain("no thread in a child");
    for (unsigned step = 0; (step < CHILD_STEPS && !is_over()) || is_victim; step++) {
        if (!act(actor))
            return false;
    }
    if (has_thread && random_below(&actor->random, 2)) {
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
    }
    return collect_all(actor) && arena_check(actor->arena, false) && common_check(actor);
}

static bool start_child(struct actor *actor)
{
    const bool is_victim = actor->depth == 0 && random_below(&actor->random, 4) == 0;
    pid_t pid = fork();

    if (pid == 0) {
        bool good = be_child(actor, is_victim);
        /* Victims never come here; nobody relies on what they count. */
        claim(actor);
        _exit(good ? 0 : 1);
    }
    if (pid < 0)
        return complain("fork: errno %d", errno);
    atomic_fetch_add(&shared->forks, 1);
    if (!is_victim && actor->depth == 0)
        arena_expect_additions(actor->arena);
    actor->child[actor->children++] = (struct child){pid, is_victim};
    return true;
}

/* Waits for the child that is the longest there. */
static bool collect(struct actor *actor)
{
    const struct child child = actor->child[0];
    int status = 0;

    if (child.is_killed) {
        atomic_fetch_add(&shared->kills, 1);
        if (kill(child.pid, SIGKILL) != 0)
            return complain("kill of %d: errno %d", (int)child.pid, errno);
    }
    if (waitpid(child.pid, &status, 0) != child.pid)
        return complain("wait for %d: errno %d", (int)child.pid, errno);
    memmove(&actor->child[0], &actor->child[1], (CHILDREN_MAX - 1) * sizeof(child));
    actor->children--;
    if (child.is_killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL : status != 0)
        return complain("child %d of depth %u ended with status %x", (int)child.pid, actor->depth, (unsigned)status);
    return true;
}

static bool collect_all(struct actor *actor)
{
    while (actor->children) {
        if (!collect(actor))
            return false;
    }
    return true;
}

static bool use_children(struct actor *actor)
{
    if (actor->children == CHILDREN_MAX || (actor->children && random_below(&actor->random, 2)))
        return collect(actor) && (actor->children || arena_check(actor->arena, actor->depth == 0));
    if (is_over() || actor->depth >= DEPTH_MAX || (actor->depth && random_below(&actor->random, 2)))
        return true;
    return start_child(actor);
}

/* --- Families ----------------------------------------------------------------------------------------------------- */

/* One step. */
static bool act(struct actor *actor)
{
    unsigned choice = random_below(&actor->random, 24);

    atomic_fetch_add(&shared->steps, 1);
    if (choice < 2)
        return use_children(actor);
    if (choice < 5)
        return use_common(actor);
    if (choice < 7)
        return use_wash(actor);
    /* A victim may be killed between counting and claiming. */
    if (choice == 7 && actor->depth == 0)
        return use_counters(actor);
    if (choice == 8 && actor->depth == 0)
        return use_thread(actor);
    return arena_step(actor->arena);
}

static void *family_thread(void *argument)
{
    struct actor *actor = argument;
    bool good = true;

    while (good && !is_over())
        good = act(actor);
    good = collect_all(actor) && good && arena_check(actor->arena, true) && common_check(actor) &&
           arena_clear(actor->arena);
    claim(actor);
    return good ? actor : NULL;
}

/* A family's first process. Its exit status: the number of threads that something was wrong with. */
static int be_family(unsigned number, uint64_t seed)
{
    pthread_t threads[THREADS];
    struct actor actors[THREADS];
    int failed = 0;

    common = map(COMMON_PAGES * PAGE, MAP_PRIVATE);
    wash = map(WASH_PAGES * PAGE, MAP_PRIVATE);
    for (unsigned i = 0; i < THREADS; i++) {
        const unsigned owner = number * THREADS + i + 1;
        actors[i] = (struct actor){.number = i, .random = (seed + owner) * 0x9e3779b97f4a7c15UL | 1};
        actors[i].arena = map(sizeof(struct arena), MAP_PRIVATE);
        if (!common || !wash || !actors[i].arena)
            return 100;
        arena_init(actors[i].arena, i, seed + owner, owner);
        if (pthread_create(&threads[i], NULL, family_thread, &actors[i]) != 0)
            return 101;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *result = NULL;
        failed += pthread_join(threads[i], &result) != 0 || !result;
    }
    return failed;
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static struct memsrv_memory account(void)
{
    struct memsrv_memory memory = {0};
    size_t count;
    if (memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) < 0)
        complain("memsrv does not say how much memory there is");
    return memory;
}

/* What no process has that was there before this one, nor this one: the servers take and free memory, too. */
static struct memsrv_memory account_of_others(void)
{
    struct memsrv_memory memory = account();

    for (uint64_t pid = 1; pid <= (uint64_t)getpid(); pid++) {
        uint64_t pages, tables, objects, areas;
        if (memsrv_space_info(SLOT_MEMSRV, pid, &pages, &tables, &objects, &areas) < 0)
            continue;
        memory.user -= pages;
        memory.table -= tables;
    }
    return memory;
}

static unsigned checks, failed_checks;

/* Has everything walked until the families are about to end. */
static void watch(void)
{
    while (!is_over()) {
        usleep(CHECK_INTERVAL);
        checks++;
        failed_checks += !memsrv_is_sound();
    }
}

/* Runs all families for some time; the number of those in which something was wrong. */
static unsigned run_families(uint64_t nanoseconds, uint64_t seed)
{
    pid_t pids[FAMILIES];
    unsigned failed = 0;

    deadline = clock_now_ns() + nanoseconds;
    for (unsigned i = 0; i < FAMILIES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(be_family(i, seed));
    }
    watch();
    for (unsigned i = 0; i < FAMILIES; i++) {
        int status = 0;
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            tap_diag("family %u ended with status %x", i, (unsigned)status);
            failed++;
        }
    }
    return failed;
}

static uint64_t count_total(void)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < COUNTER_PAGES; i++)
        total += atomic_load(counters + i * WORDS);
    return total;
}

static uint64_t argument(int count, char **arguments, const char *name, uint64_t otherwise)
{
    for (int i = 1; i < count; i++) {
        if (strncmp(arguments[i], name, strlen(name)) == 0)
            return strtoul(arguments[i] + strlen(name), NULL, 0);
    }
    return otherwise;
}

int main(int count, char **arguments)
{
    const uint64_t seconds = argument(count, arguments, "seconds=", 5);
    const uint64_t seed = argument(count, arguments, "seed=", clock_ticks());

    tap_plan(9);
    tap_diag("seed=%lu seconds=%lu", (unsigned long)seed, (unsigned long)seconds);
    shared = map(PAGE, MAP_SHARED);
    counters = map(COUNTER_PAGES * PAGE, MAP_SHARED);
    if (!tap_ok(shared && counters, "memory that all processes share"))
        return tap_done();
    count_total();
    /* Whatever is taken once for good is taken before the books are read. */
    tap_equal(run_families(WARM_UP_NS, seed + 1000), 0, "a short run");
    struct memsrv_memory before = account_of_others();
    uint64_t start = clock_now_ns();
    tap_equal(run_families(seconds * NS_PER_SECOND, seed), 0, "%u processes with %u threads each, and their children",
              FAMILIES, THREADS);
    tap_diag("%lu ms: %lu steps, %lu forks, %lu kills, %u checks", (unsigned long)((clock_now_ns() - start) / 1000000),
             (unsigned long)shared->steps, (unsigned long)shared->forks, (unsigned long)shared->kills, checks);
    tap_equal(failed_checks, 0, "whenever it was looked, all structures were sound");
    tap_equal((long)count_total(), (long)shared->claimed, "no count in shared memory is lost");
    tap_ok(memsrv_is_sound(), "all structures are sound at the end");
    struct memsrv_memory after = account_of_others();
    /* The page of zeros is nobody's, so a process that has begun to read one has a page more than there are. */
    tap_ok((long)after.user <= (long)before.user, "all pages of programs have come back (%ld, %ld before)",
           (long)after.user, (long)before.user);
    tap_ok((long)after.table <= (long)before.table && after.object <= before.object + SLABS_KEPT,
           "and all tables (%ld, %ld before) and kernel objects (%ld, %ld before)", (long)after.table,
           (long)before.table, (long)after.object, (long)before.object);
    long lost = (long)(before.free + before.lists) - (long)(after.free + after.lists);
    tap_ok(lost <= LOST_MAX, "and all memory is free but what caches keep (%ld pages)", lost);
    return tap_done();
}
