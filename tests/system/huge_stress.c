/* SPDX-License-Identifier: MIT */
/*
 * Huge pages under everything at once: random changes of memory that may have huge pages, in a program and its children,
 * against a model that knows what each page holds. A seed can be given: seed=N.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE     4096UL
#define HUGE     (2UL << 20)
#define PAGES    (HUGE / PAGE)
#define PLACES   3UL
#define ARENA    (PLACES * PAGES) /* pages */
#define STEPS    1500
#define CHILDREN 3
#define WRITABLE (PROT_READ | PROT_WRITE)

static char *arena, *elsewhere;
static uint32_t model[ARENA]; /* what each page holds */
static bool read_only[ARENA];
static uint64_t state;
static pid_t children[CHILDREN];

static uint64_t random_below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

/* The first and the last word of a page. */
static volatile uint32_t *word_of(uint64_t page, bool last)
{
    return (volatile uint32_t *)(void *)(arena + page * PAGE + (last ? PAGE - sizeof(uint32_t) : 0));
}

static void write_page(uint64_t page)
{
    if (read_only[page])
        return;
    model[page] = (uint32_t)random_below(1000000) + 1;
    *word_of(page, false) = *word_of(page, true) = model[page];
}

static bool check_pages(uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end; page++) {
        if (*word_of(page, false) != model[page] || *word_of(page, true) != model[page]) {
            tap_diag("page %lu holds %u and %u, not %u", (unsigned long)page, (unsigned)*word_of(page, false),
                     (unsigned)*word_of(page, true), (unsigned)model[page]);
            return false;
        }
    }
    return true;
}

/* A range of pages: any, one page, or whole places for huge pages. */
static void choose(uint64_t *first, uint64_t *end)
{
    uint64_t kind = random_below(3);
    *first = random_below(ARENA);
    *end = *first + 1 + (kind ? 0 : random_below(ARENA - *first));
    if (kind == 1) {
        *first = *first / PAGES * PAGES;
        *end = *first + PAGES;
    }
}

static bool write_some(uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end; page++)
        write_page(page);
    return check_pages(first, end);
}

static bool forget(uint64_t first, uint64_t end)
{
    memset(&model[first], 0, (end - first) * sizeof(model[0]));
    return madvise(arena + first * PAGE, (end - first) * PAGE, MADV_DONTNEED) == 0;
}

static bool map_again(uint64_t first, uint64_t end)
{
    char *place = arena + first * PAGE;
    memset(&model[first], 0, (end - first) * sizeof(model[0]));
    memset(&read_only[first], 0, end - first);
    if (random_below(2))
        munmap(place, (end - first) * PAGE);
    return mmap(place, (end - first) * PAGE, WRITABLE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place;
}

static bool protect(uint64_t first, uint64_t end)
{
    bool only = random_below(3) == 0;
    memset(&read_only[first], only, end - first);
    return mprotect(arena + first * PAGE, (end - first) * PAGE, only ? PROT_READ : WRITABLE) == 0;
}

/* Away, also to where huge pages do not fit, and back. What is not one area stays. */
static bool move(uint64_t first, uint64_t end)
{
    const uint64_t bytes = (end - first) * PAGE;
    char *place = arena + first * PAGE;
    char *target = elsewhere + (random_below(2) ? first * PAGE : random_below(7) * PAGE);

    if (mremap(place, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED)
        return errno == EFAULT;
    return mremap(target, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place;
}

static bool advise(uint64_t first, uint64_t end)
{
    static const int advices[] = {MADV_HUGEPAGE, MADV_HUGEPAGE, MADV_HUGEPAGE, MADV_NOHUGEPAGE};
    return madvise(arena + first * PAGE, (end - first) * PAGE, advices[random_below(4)]) == 0;
}

static bool collapse(uint64_t first, uint64_t end)
{
    int result = madvise(arena + first * PAGE, (end - first) * PAGE, MADV_COLLAPSE);
    return result == 0 || errno == EINVAL || errno == EAGAIN || errno == ENOMEM;
}

static bool lock(uint64_t first, uint64_t end)
{
    if (end - first > 8)
        end = first + 8;
    bool done = mlock(arena + first * PAGE, (end - first) * PAGE) == 0;
    munlock(arena + first * PAGE, (end - first) * PAGE);
    return done;
}

static bool wait_for(pid_t *child)
{
    int status = 0;
    pid_t waited = *child ? waitpid(*child, &status, 0) : 0;
    bool right = waited == *child && status == 0;
    *child = 0;
    return right;
}

static bool (*const changes[])(uint64_t, uint64_t) = {write_some, write_some, forget, map_again,   protect, move,
                                                      advise,     collapse,   lock,   check_pages, advise,  collapse};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static bool change(void)
{
    uint64_t first, end;
    choose(&first, &end);
    return changes[random_below(CHANGES)](first, end);
}

/* A child has what its parent had when it began, and goes its own way. */
static _Noreturn void be_child(void)
{
    bool right = true;
    usleep((unsigned)random_below(3000));
    right = check_pages(0, ARENA);
    for (uint64_t left = random_below(20); left > 0 && right; left--)
        right = change();
    _exit(right && check_pages(0, ARENA) ? 0 : 1);
}

static bool have_child(void)
{
    pid_t *place = &children[random_below(CHILDREN)];
    bool right = wait_for(place);
    uint64_t seed = random_below(UINT64_MAX) | 1;

    *place = fork();
    if (*place == 0) {
        state = seed;
        be_child();
    }
    return right && *place > 0;
}

static char *map(uint64_t bytes)
{
    char *memory = mmap(NULL, bytes + HUGE, WRITABLE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(1);
    return memory + (-(uintptr_t)memory & (HUGE - 1));
}

/* Returns the step that went wrong, or STEPS. */
static int run(void)
{
    for (int step = 0; step < STEPS; step++) {
        if (!(step % 25 == 24 ? have_child() : change()) || (step % 100 == 99 && !memsrv_is_sound()))
            return step;
    }
    return STEPS;
}

int main(int count, char **arguments)
{
    state = clock_ticks() * 0x9e3779b97f4a7c15UL | 1;
    if (count > 1 && strncmp(arguments[1], "seed=", 5) == 0)
        state = strtoul(arguments[1] + 5, NULL, 0) | 1;
    tap_plan(6);
    tap_diag("seed=%lu", (unsigned long)state);
    children[0] = fork();
    if (children[0] == 0)
        _exit(0);
    bool right = wait_for(&children[0]);
    const unsigned long before = free_pages();
    const struct memsrv_thp first = thp_now();
    arena = map(ARENA * PAGE);
    elsewhere = map((ARENA + 8) * PAGE);
    madvise(arena, ARENA * PAGE, MADV_HUGEPAGE);
    tap_equal(run(), STEPS, "random changes, each of which does what it should");
    for (unsigned i = 0; i < CHILDREN; i++)
        right = wait_for(&children[i]) && right;
    tap_ok(right, "children saw what was there when they began");
    tap_ok(check_pages(0, ARENA), "all pages hold what was written last");
    munmap(arena, ARENA * PAGE);
    tap_ok(memsrv_is_sound(), "memsrv's and the kernel's structures are sound");
    const struct memsrv_thp last = thp_now();
    tap_ok(last.pages == first.pages && last.fault_alloc > first.fault_alloc &&
               last.collapse_alloc > first.collapse_alloc,
           "huge pages came and went (%lu by faults, %lu by collapse, %lu split)",
           (unsigned long)(last.fault_alloc - first.fault_alloc),
           (unsigned long)(last.collapse_alloc - first.collapse_alloc), (unsigned long)(last.split - first.split));
    const long lost = (long)before - (long)free_pages();
    tap_ok(lost <= 64, "and the memory has come back (%ld pages)", lost);
    return tap_done();
}
