/* SPDX-License-Identifier: MIT */
/*
 * Huge pages: memory that asked for them gets them when it is touched, and no program sees the difference, whatever is
 * done to a part of one: contents stay, the books balance, and all memory comes back.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE        4096UL
#define HUGE        (2UL << 20)
#define PAGES       (HUGE / PAGE)
#define MARK        0x5eed00000000UL
#define THREADS     4
#define ROUNDS      60
#define MANY_PAGES  (256UL << 20 >> 12) /* more memory than this is not filled up for a test */
#define PAGES_LEFT  2048UL
#define WRITABLE    (PROT_READ | PROT_WRITE)
#define CHILD_FAULT 1011 /* see status_of() */

/* Whole blocks that there are. */
static long blocks(void)
{
    return (long)(thp_now().pages / PAGES);
}

static unsigned long resident(void)
{
    uint64_t pages = 0, tables, objects, areas;
    return memsrv_space_info(SLOT_MEMSRV, (uint64_t)getpid(), &pages, &tables, &objects, &areas) < 0 ? 0 : pages;
}

/* `count` places for huge pages, nothing mapped around them that was there before. */
static char *map(unsigned long count)
{
    char *memory = mmap(NULL, (count + 1) * HUGE, WRITABLE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(1);
    unsigned long before = -(uintptr_t)memory & (HUGE - 1);
    if (before)
        munmap(memory, before);
    munmap(memory + before + count * HUGE, HUGE - before);
    return memory + before;
}

static char *map_advised(unsigned long count)
{
    char *memory = map(count);
    madvise(memory, count * HUGE, MADV_HUGEPAGE);
    return memory;
}

static volatile unsigned long *word_at(char *memory, unsigned long page)
{
    return (volatile unsigned long *)(void *)(memory + page * PAGE + page % 64 * 64);
}

static void fill(char *memory, unsigned long first, unsigned long end, unsigned long value)
{
    for (unsigned long i = first; i < end; i++)
        *word_at(memory, i) = value + i;
}

static bool holds(char *memory, unsigned long first, unsigned long end, unsigned long value)
{
    for (unsigned long i = first; i < end; i++) {
        if (*word_at(memory, i) != value + i)
            return false;
    }
    return true;
}

static bool is_zero(const char *memory, unsigned long bytes)
{
    for (unsigned long i = 0; i < bytes; i++) {
        if (memory[i])
            return false;
    }
    return true;
}

/* Waits for a child; its exit status, or 1000 + the signal that ended it. */
static int status_of(pid_t child)
{
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int in_child(int (*body)(char *), char *memory)
{
    pid_t child = fork();
    if (child == 0)
        _exit(body(memory));
    return status_of(child);
}

/* --- Faults ------------------------------------------------------------------------------------------------------- */

static void test_fault(void)
{
    char *memory = map_advised(2);
    unsigned char present[2 * PAGES];
    const unsigned long pages = resident();
    const long before = blocks();

    memory[HUGE + 12345] = 7;
    tap_equal(blocks() - before, 1, "a write takes a huge page");
    tap_equal((long)(resident() - pages), (long)PAGES, "which counts as all its pages");
    memory[HUGE + 12345] = 0;
    tap_ok(is_zero(memory + HUGE, HUGE), "and is zeros");
    bool right = mincore(memory, 2 * HUGE, (void *)present) == 0;
    for (unsigned long i = 0; i < 2 * PAGES; i++)
        right = right && present[i] == (i >= PAGES);
    tap_ok(right, "mincore() sees it and no other");
    fill(memory, 0, 2 * PAGES, MARK);
    tap_ok(blocks() - before == 2 && holds(memory, 0, 2 * PAGES, MARK), "two of them hold what is written");
    munmap(memory, 2 * HUGE);
    tap_equal(blocks() - before, 0, "and go when they are unmapped");
}

static void test_places(void)
{
    const long before = blocks();
    char *memory = map(2);

    memory[0] = 1;
    tap_equal(blocks() - before, 0, "memory without advice has pages");
    madvise(memory + PAGE, 2 * HUGE - 2 * PAGE, MADV_HUGEPAGE);
    memory[PAGE] = 1;
    memory[HUGE] = 1;
    tap_equal(blocks() - before, 0, "and so has advised memory that is no whole huge page");
    munmap(memory, 2 * HUGE);
    memory = map_advised(2);
    volatile char seen = memory[5 * PAGE];
    memory[6 * PAGE] = (char)(1 + seen);
    tap_equal(blocks() - before, 0, "where something was read before, pages are taken");
    madvise(memory + HUGE, HUGE, MADV_NOHUGEPAGE);
    memory[HUGE] = 1;
    tap_equal(blocks() - before, 0, "and where MADV_NOHUGEPAGE was said");
    munmap(memory, 2 * HUGE);
    memory = map_advised(3);
    tap_ok(madvise(memory + PAGE, 3 * HUGE - PAGE, MADV_POPULATE_WRITE) == 0 && blocks() - before == 2,
           "memory that is taken in advance gets them, too");
    tap_ok(is_zero(memory, 3 * HUGE), "and is zeros");
    munmap(memory, 3 * HUGE);
}

/* --- Parts -------------------------------------------------------------------------------------------------------- */

static void test_unmap_part(void)
{
    char *memory = map_advised(1);
    const uint64_t splits = thp_now().split;

    fill(memory, 0, PAGES, MARK);
    const unsigned long before = free_pages();
    munmap(memory + 100 * PAGE, 50 * PAGE);
    tap_ok(holds(memory, 0, 100, MARK) && holds(memory, 150, PAGES, MARK), "the rest stays when a part is unmapped");
    const long back = (long)(free_pages() - before);
    tap_ok(back >= 46 && back <= 50, "the part comes back at once (%ld pages)", back);
    tap_equal((long)(thp_now().split - splits), 1, "the block is split once");
    munmap(memory, 30 * PAGE);
    tap_ok(holds(memory, 30, 100, MARK) && holds(memory, 150, PAGES, MARK) && memsrv_is_sound(), "and again");
    munmap(memory, HUGE);
}

static int write_word(char *memory)
{
    *word_at(memory, 0) = 1;
    return 0;
}

static void test_protect_part(void)
{
    char *memory = map_advised(1);

    fill(memory, 0, PAGES, MARK);
    tap_ok(mprotect(memory + 7 * PAGE, 2 * PAGE, PROT_READ) == 0 && holds(memory, 0, PAGES, MARK),
           "protecting a part leaves the contents");
    fill(memory, 0, 7, MARK + 1);
    fill(memory, 9, PAGES, MARK + 1);
    tap_equal(in_child(write_word, memory + 7 * PAGE), CHILD_FAULT, "the part cannot be written");
    tap_ok(mprotect(memory, HUGE, WRITABLE) == 0, "all of it becomes writable again");
    fill(memory, 0, PAGES, MARK + 2);
    tap_ok(holds(memory, 0, PAGES, MARK + 2) && memsrv_is_sound(), "and is");
    mprotect(memory, HUGE, PROT_READ);
    tap_ok(holds(memory, 0, PAGES, MARK + 2), "as a whole it can be protected, too");
    munmap(memory, HUGE);
    memory = map_advised(1);
    const long before = blocks();
    fill(memory, 0, PAGES, MARK);
    mprotect(memory, HUGE, PROT_READ);
    mprotect(memory, HUGE, WRITABLE);
    fill(memory, 0, PAGES, MARK + 3);
    tap_ok(blocks() - before == 1 && holds(memory, 0, PAGES, MARK + 3), "without a split");
    munmap(memory, HUGE);
}

static void test_dont_need(void)
{
    char *memory = map_advised(2);
    const long before = blocks();

    fill(memory, 0, 2 * PAGES, MARK);
    madvise(memory, HUGE, MADV_DONTNEED);
    tap_equal(blocks() - before, 1, "MADV_DONTNEED gives a huge page back");
    tap_ok(is_zero(memory, HUGE) && holds(memory, PAGES, 2 * PAGES, MARK), "and leaves the next one");
    madvise(memory + HUGE + 3 * PAGE, 5 * PAGE, MADV_DONTNEED);
    tap_ok(is_zero(memory + HUGE + 3 * PAGE, 5 * PAGE) && holds(memory, PAGES, PAGES + 3, MARK) &&
               holds(memory, PAGES + 8, 2 * PAGES, MARK),
           "of a part only the part is gone");
    madvise(memory + HUGE, HUGE, MADV_FREE);
    fill(memory, 0, 2 * PAGES, MARK + 9);
    tap_ok(holds(memory, 0, 2 * PAGES, MARK + 9) && memsrv_is_sound(), "all can be written again");
    munmap(memory, 2 * HUGE);
}

static void test_move(void)
{
    char *memory = map_advised(2), *target = map(4);
    const long before = blocks();

    fill(memory, 0, 2 * PAGES, MARK);
    char *moved = mremap(memory, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 2 * HUGE);
    tap_ok(moved == target + 2 * HUGE && holds(moved, 0, 2 * PAGES, MARK), "huge pages move");
    char *again = mremap(moved, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 5 * PAGE);
    tap_ok(again == target + 5 * PAGE && holds(again, 0, PAGES, MARK), "also to a place that is no huge page's");
    tap_equal(blocks() - before, 2, "and are still in one piece");
    char *part = mremap(moved + HUGE + PAGE, 20 * PAGE, 20 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    tap_ok(part == target && holds(part - (PAGES + 1) * PAGE, PAGES + 1, PAGES + 21, MARK) &&
               holds(again, 15, PAGES, MARK) && holds(moved, PAGES, PAGES + 1, MARK) &&
               holds(moved, PAGES + 21, 2 * PAGES, MARK) && memsrv_is_sound(),
           "a part of one moves over a part of another");
    munmap(target, 4 * HUGE);
    tap_equal(blocks() - before, 0, "all of them go");
}

/* --- Fork --------------------------------------------------------------------------------------------------------- */

static int rewrite(char *memory)
{
    if (!holds(memory, 0, 2 * PAGES, MARK))
        return 1;
    fill(memory, 0, PAGES + 9, MARK + 1000);
    return holds(memory, 0, PAGES + 9, MARK + 1000) && holds(memory, PAGES + 9, 2 * PAGES, MARK) ? 0 : 2;
}

static int wait_and_look(char *memory)
{
    usleep(100000);
    return holds(memory, 0, 2 * PAGES, MARK) ? 0 : 1;
}

static int unmap_most(char *memory)
{
    munmap(memory + PAGE, HUGE);
    return *word_at(memory, 0) == MARK && memsrv_is_sound() ? 0 : 1;
}

static int pass_on(char *memory)
{
    fill(memory, 17, 18, MARK + 4);
    int status = in_child(unmap_most, memory);
    return status == 0 && *word_at(memory, 17) == MARK + 21 && *word_at(memory, 18) == MARK + 18 ? 0 : 1;
}

static void test_fork(void)
{
    char *memory = map_advised(2);
    const long before = blocks();

    fill(memory, 0, 2 * PAGES, MARK);
    tap_equal(in_child(rewrite, memory), 0, "a child writes to huge pages that it has inherited");
    tap_ok(holds(memory, 0, 2 * PAGES, MARK), "and the parent does not see it");
    pid_t child = fork();
    if (child == 0)
        _exit(wait_and_look(memory));
    fill(memory, 3, PAGES, MARK + 5);
    tap_equal(status_of(child), 0, "a child does not see what the parent writes");
    tap_ok(holds(memory, 3, PAGES, MARK + 5) && holds(memory, PAGES, 2 * PAGES, MARK), "the parent does");
    fill(memory, 0, 2 * PAGES, MARK);
    tap_ok(in_child(unmap_most, memory) == 0 && in_child(pass_on, memory) == 0, "children and theirs unmap parts");
    tap_ok(holds(memory, 0, 2 * PAGES, MARK) && memsrv_is_sound(), "which the parent keeps");
    madvise(memory + PAGE, PAGE, MADV_WIPEONFORK);
    madvise(memory + 2 * PAGE, 3 * PAGE, MADV_DONTFORK);
    tap_equal(in_child(write_word, memory + 3 * PAGE), CHILD_FAULT,
              "a part that is not inherited is missing in a child");
    tap_equal(in_child(write_word, memory + 5 * PAGE), 0, "what is behind it is there");
    munmap(memory, 2 * HUGE);
    tap_equal(blocks() - before, 0, "all blocks have gone");
}

static void test_lock(void)
{
    char *memory = map_advised(1);

    fill(memory, 0, PAGES, MARK);
    pid_t child = fork();
    if (child == 0) {
        usleep(100000);
        _exit(holds(memory, 0, PAGES, MARK) ? 0 : 1);
    }
    tap_ok(mlock(memory + 2 * PAGE, 9 * PAGE) == 0 && holds(memory, 0, PAGES, MARK), "a part can be locked");
    fill(memory, 0, PAGES, MARK + 1);
    tap_equal(status_of(child), 0, "and becomes the space's own");
    munlock(memory + 2 * PAGE, 9 * PAGE);
    munmap(memory, HUGE);
}

/* --- Collapse ----------------------------------------------------------------------------------------------------- */

static int stay(char *memory)
{
    usleep(100000);
    return holds(memory, 0, PAGES, MARK) ? 0 : 1;
}

static void test_collapse(void)
{
    char *memory = map(2);
    const long before = blocks();

    fill(memory, 0, PAGES, MARK);
    volatile char seen = memory[HUGE + 5 * PAGE];
    fill(memory, PAGES + 7, PAGES + 9, MARK + seen);
    tap_equal(madvise(memory, 2 * HUGE, MADV_COLLAPSE), 0, "pages become huge pages");
    tap_equal(blocks() - before, 2, "two of them");
    tap_ok(holds(memory, 0, PAGES, MARK) && holds(memory, PAGES + 7, PAGES + 9, MARK) &&
               is_zero(memory + HUGE, 7 * PAGE) && is_zero(memory + HUGE + 9 * PAGE, HUGE - 9 * PAGE),
           "with the same contents, and zeros where nothing was");
    tap_ok(madvise(memory, 2 * HUGE, MADV_COLLAPSE) == 0 && blocks() - before == 2, "which is done once");
    mprotect(memory + PAGE, PAGE, PROT_READ);
    tap_ok(madvise(memory, HUGE, MADV_COLLAPSE) == -1 && errno == EINVAL, "not for areas of which each is too small");
    mprotect(memory + PAGE, PAGE, WRITABLE);
    tap_ok(madvise(memory, HUGE, MADV_COLLAPSE) == 0 && holds(memory, 0, PAGES, MARK), "one that was split is mended");
    madvise(memory, HUGE, MADV_NOHUGEPAGE);
    tap_ok(madvise(memory, HUGE, MADV_COLLAPSE) == -1 && errno == EINVAL, "not where they are not wanted");
    munmap(memory, 2 * HUGE);
    memory = map(1);
    fill(memory, 0, PAGES, MARK);
    pid_t child = fork();
    if (child == 0)
        _exit(stay(memory));
    tap_ok(madvise(memory, HUGE, MADV_COLLAPSE) == -1 && errno == EAGAIN, "nor where a child has the pages, too");
    tap_equal(status_of(child), 0, "which it keeps");
    tap_ok(madvise(memory, HUGE, MADV_COLLAPSE) == 0 && holds(memory, 0, PAGES, MARK), "when it is gone they collapse");
    munmap(memory, HUGE);
    tap_ok(blocks() == before && memsrv_is_sound(), "and go");
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

static char *common;
static atomic_bool stop;
static atomic_int turn, finished;

static int write_some(void *argument)
{
    unsigned long self = (unsigned long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        while (atomic_load(&turn) <= round)
            usleep(100);
        for (unsigned long i = self; i < PAGES; i += THREADS)
            *word_at(common, i) += i;
        atomic_fetch_add(&finished, 1);
    }
    return 0;
}

/* All threads touch the same place for a huge page at once, again and again. */
static void test_same_place(void)
{
    struct thread *threads[THREADS];
    bool right = true;

    common = map_advised(1);
    atomic_store(&turn, 0);
    atomic_store(&finished, 0);
    for (unsigned long i = 0; i < THREADS; i++) {
        if (thread_create(&threads[i], write_some, (void *)i) < 0)
            exit(1);
    }
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&turn, round + 1);
        while (atomic_load(&finished) < (round + 1) * THREADS)
            usleep(100);
        for (unsigned long i = 0; i < PAGES; i++)
            right = right && *word_at(common, i) == i;
        madvise(common, HUGE, MADV_DONTNEED);
        if (round % 2)
            madvise(common, HUGE, round % 4 == 1 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    }
    for (unsigned long i = 0; i < THREADS; i++)
        thread_join(threads[i], NULL);
    tap_ok(right, "threads that touch the same place at once find one page there");
    munmap(common, HUGE);
}

/* Counts up in each page of its share and looks that nothing is lost. */
static int count_up(void *argument)
{
    unsigned long self = (unsigned long)argument, count = 0;
    bool right = true;

    while (!atomic_load(&stop)) {
        for (unsigned long i = self; i < PAGES; i += THREADS) {
            right = right && *word_at(common, i) == count;
            *word_at(common, i) = count + 1;
        }
        count++;
    }
    return right ? 0 : 1;
}

static void test_changes(void)
{
    struct thread *threads[THREADS];
    int wrong = 0, failed = 0;

    common = map(1);
    atomic_store(&stop, false);
    for (unsigned long i = 0; i < THREADS; i++) {
        if (thread_create(&threads[i], count_up, (void *)i) < 0)
            exit(1);
    }
    for (unsigned long round = 0; round < ROUNDS; round++) {
        failed += madvise(common, HUGE, MADV_COLLAPSE) != 0;
        usleep(500);
        madvise(common + round * PAGE, PAGE, MADV_DONTFORK);
        if (round % 2 == 0) {
            pid_t child = fork();
            if (child == 0)
                _exit(0);
            failed += status_of(child) != 0;
        }
        madvise(common + round * PAGE, PAGE, MADV_DOFORK);
    }
    atomic_store(&stop, true);
    for (unsigned long i = 0; i < THREADS; i++) {
        int status = 1;
        thread_join(threads[i], &status);
        wrong += status;
    }
    tap_equal(wrong, 0, "threads write on while their pages become huge, and are split by forks");
    tap_equal(failed, 0, "which all works");
    munmap(common, HUGE);
}

/* --- Want of memory, and the policy ------------------------------------------------------------------------------- */

/* Takes nearly all memory and gives back all but a page of each 256: what is free then is no whole huge page. */
static void test_fallback(void)
{
    const unsigned long pages = free_pages();
    const unsigned long bytes = (pages - PAGES_LEFT) * PAGE;

    if (pages > MANY_PAGES) {
        tap_skip("there is too much memory", "without a block, pages are taken");
        tap_skip("there is too much memory", "and hold what is written");
        return;
    }
    char *scattered = mmap(NULL, bytes, WRITABLE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *memory = map_advised(4);
    for (unsigned long i = 0; i < bytes; i += PAGE)
        scattered[i] = 1;
    for (unsigned long i = 0; i + 256 * PAGE <= bytes; i += 256 * PAGE)
        madvise(scattered + i + PAGE, 255 * PAGE, MADV_DONTNEED);
    const struct memsrv_thp before = thp_now();
    fill(memory, 0, 4 * PAGES, MARK);
    const struct memsrv_thp after = thp_now();
    tap_ok(after.fault_fallback > before.fault_fallback, "without a block, pages are taken (%lu huge, %lu not)",
           (unsigned long)(after.fault_alloc - before.fault_alloc),
           (unsigned long)(after.fault_fallback - before.fault_fallback));
    tap_ok(holds(memory, 0, 4 * PAGES, MARK) && memsrv_is_sound(), "and hold what is written");
    munmap(memory, 4 * HUGE);
    munmap(scattered, bytes);
}

static void test_policy(void)
{
    const long before = blocks();

    if (memsrv_thp_set(GRANT_SLOT_MEMSRV, MEMSRV_THP_NEVER) == -EBADF) {
        tap_skip("needs quire.grant=physical", "never");
        tap_skip("needs quire.grant=physical", "always");
        tap_skip("needs quire.grant=physical", "no such policy");
        return;
    }
    char *memory = map_advised(1);
    memory[0] = 1;
    tap_equal(blocks() - before, 0, "never means never");
    munmap(memory, HUGE);
    int error = memsrv_thp_set(GRANT_SLOT_MEMSRV, MEMSRV_THP_ALWAYS);
    memory = map(2);
    madvise(memory + HUGE, HUGE, MADV_NOHUGEPAGE);
    fill(memory, 0, 2 * PAGES, MARK);
    tap_ok(error == 0 && blocks() - before == 1 && holds(memory, 0, 2 * PAGES, MARK),
           "always is where it is not refused");
    munmap(memory, 2 * HUGE);
    tap_ok(memsrv_thp_set(GRANT_SLOT_MEMSRV, 3) == -EINVAL &&
               memsrv_thp_set(GRANT_SLOT_MEMSRV, MEMSRV_THP_MADVISE) == 0 && thp_now().policy == MEMSRV_THP_MADVISE,
           "other policies are refused");
}

/* Looks at all memory until there is nothing to do. Returns how many huge pages were made. */
static long scan_all(void)
{
    uint64_t scanned, collapsed = 1;
    long made = 0;
    for (int i = 0; i < 100 && collapsed; i++) {
        if (memsrv_thp_scan(GRANT_SLOT_MEMSRV, 4096, &scanned, &collapsed) != 0)
            return -1;
        made += (long)collapsed;
    }
    return made;
}

static void test_scan(void)
{
    if (memsrv_thp_set(GRANT_SLOT_MEMSRV, MEMSRV_THP_MADVISE) == -EBADF) {
        tap_skip("needs quire.grant=physical", "a scan finds pages");
        tap_skip("needs quire.grant=physical", "and leaves the rest");
        return;
    }
    char *memory = map(4);
    fill(memory, 0, 4 * PAGES, MARK);
    madvise(memory + HUGE, 3 * HUGE, MADV_HUGEPAGE);
    madvise(memory + 3 * HUGE, HUGE, MADV_DONTNEED);
    const long before = blocks();
    tap_equal(scan_all(), 2, "a scan finds pages that are to be huge");
    tap_ok(blocks() - before == 2 && holds(memory, 0, 3 * PAGES, MARK) && scan_all() == 0,
           "makes them so, and leaves the rest");
    munmap(memory, 4 * HUGE);
}

int main(void)
{
    tap_plan(66);
    /* Whatever a first fork takes for good is taken before the books are read. */
    in_child(write_word, map(1));
    const unsigned long before = free_pages();
    const long blocks_before = blocks();
    test_fault();
    test_places();
    test_unmap_part();
    test_protect_part();
    test_dont_need();
    test_move();
    test_fork();
    test_lock();
    test_collapse();
    test_same_place();
    test_changes();
    test_fallback();
    test_policy();
    test_scan();
    tap_ok(memsrv_is_sound(), "memsrv's and the kernel's structures are sound");
    tap_equal(blocks(), blocks_before, "no block is left");
    const long lost = (long)before - (long)free_pages();
    tap_ok(lost <= 64, "and the memory has come back (%ld pages)", lost);
    return tap_done();
}
