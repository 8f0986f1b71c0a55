/* SPDX-License-Identifier: MIT */
/*
 * fork(): parent and child have the same memory and do not see each other's writes, whatever is done to it; what is
 * shared stays shared; nothing is left when they have ended. Each row forks and looks at the child's exit status, which
 * is the number of what went wrong there.
 */
#include <errno.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"

#define PAGE        4096UL
#define TABLE       (2UL << 20)
#define LARGE_PAGES 3000UL /* several translation tables, none of them filled */
#define DEPTH       5
#define ROUNDS      100

/* The same once servers that have just begun have what they need. */
static unsigned long settled_free_pages(void)
{
    unsigned long pages = free_pages();

    for (int quiet = 0, turns = 0; quiet < 5 && turns < 200; turns++) {
        usleep(20000);
        const unsigned long now = free_pages();
        quiet = now == pages ? quiet + 1 : 0;
        pages = now;
    }
    return pages;
}

static unsigned long *map(unsigned long pages, int flags)
{
    void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static unsigned long *page_at(unsigned long *memory, unsigned long page)
{
    return memory + page * (PAGE / sizeof(*memory));
}

static void fill(unsigned long *memory, unsigned long pages, unsigned long value)
{
    for (unsigned long i = 0; i < pages; i++)
        *page_at(memory, i) = value + i;
}

static bool holds(unsigned long *memory, unsigned long pages, unsigned long value)
{
    for (unsigned long i = 0; i < pages; i++) {
        if (*page_at(memory, i) != value + i)
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

/* Runs `body` in a child and returns what status_of() does. */
static int in_child(int (*body)(void *), void *argument)
{
    pid_t child = fork();
    if (child == 0)
        _exit(body(argument));
    return status_of(child);
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void test_identity(void)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child == 0)
        _exit(getpid() == parent ? 1 : 42);
    tap_ok(child > 0 && child != parent, "the parent learns the child's number");
    tap_equal(status_of(child), 42, "the child has another number, and its own exit status");
}

static int write_all(void *memory)
{
    if (!holds(memory, LARGE_PAGES, 7))
        return 1;
    fill(memory, LARGE_PAGES, 1000000);
    return holds(memory, LARGE_PAGES, 1000000) ? 0 : 2;
}

static void test_copies(void)
{
    unsigned long *memory = map(LARGE_PAGES, MAP_PRIVATE);

    fill(memory, LARGE_PAGES, 7);
    tap_equal(in_child(write_all, memory), 0, "the child has the parent's pages, and writes to its own");
    tap_ok(holds(memory, LARGE_PAGES, 7), "and the parent's are what they were");
    pid_t child = fork();
    if (child == 0) {
        usleep(20000); /* while the parent writes */
        _exit(holds(memory, LARGE_PAGES, 7) ? 0 : 1);
    }
    fill(memory, LARGE_PAGES, 5);
    tap_ok(memsrv_is_sound(), "memsrv's and the kernel's structures are sound while both exist");
    tap_equal(status_of(child), 0, "the child does not see what the parent writes");
    tap_ok(holds(memory, LARGE_PAGES, 5), "which the parent does");
    munmap(memory, LARGE_PAGES * PAGE);
}

static int count_up(void *memory)
{
    for (unsigned i = 0; i < 1000; i++)
        atomic_fetch_add((_Atomic unsigned long *)memory, 1);
    return 0;
}

static void test_shared(void)
{
    unsigned long *memory = map(8, MAP_SHARED);
    pid_t children[4];

    *memory = 5;
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(count_up(memory));
    }
    count_up(memory);
    int failed = 0;
    for (int i = 0; i < 4; i++)
        failed += status_of(children[i]) != 0;
    tap_equal(failed, 0, "children write to shared memory");
    tap_equal((long)*memory, 5 + 5 * 1000, "which all see, those pages that were touched before the fork and after it");
    munmap(memory, 8 * PAGE);
}

static int read_then_write(void *argument)
{
    unsigned long *memory = argument;
    for (unsigned i = 0; i < 600; i++) {
        if (*page_at(memory, i) != 0)
            return 1;
        *page_at(memory, i) = i + 1;
    }
    return holds(memory, 600, 1) ? 0 : 2;
}

static void test_zeros(void)
{
    unsigned long *memory = map(600, MAP_PRIVATE);
    unsigned long sum = 0;

    for (unsigned i = 0; i < 600; i++)
        sum += *page_at(memory, i);
    tap_equal((long)sum, 0, "pages that are only read are zeros");
    tap_equal(in_child(read_then_write, memory), 0, "and a child's writes go to pages of its own");
    tap_equal(read_then_write(memory), 0, "as do the parent's");
    munmap(memory, 600 * PAGE);
}

static int unmap_half(void *argument)
{
    char *memory = argument;
    if (munmap(memory, 300 * PAGE) != 0 || mprotect(memory + 300 * PAGE, 300 * PAGE, PROT_READ) != 0)
        return 1;
    return holds((unsigned long *)(memory + 300 * PAGE), 300, 300) ? 0 : 2;
}

static void test_areas(void)
{
    unsigned long *memory = map(600, MAP_PRIVATE);

    fill(memory, 600, 0);
    tap_equal(in_child(unmap_half, memory), 0, "a child unmaps and protects parts");
    tap_ok(holds(memory, 600, 0), "of which the parent notices nothing");
    fill(memory, 600, 3);
    tap_ok(holds(memory, 600, 3), "and can still write");
    munmap(memory, 600 * PAGE);
}

static int write_protected(void *argument)
{
    unsigned long *memory = argument;
    if (mprotect(memory, 600 * PAGE, PROT_READ) != 0 || mprotect(memory, 600 * PAGE, PROT_READ | PROT_WRITE) != 0)
        return 1;
    fill(memory, 600, 50000);
    return 0;
}

static void test_protection(void)
{
    unsigned long *memory = map(600, MAP_PRIVATE);

    fill(memory, 600, 9);
    tap_equal(in_child(write_protected, memory), 0, "a child takes the right to write back and gives it again");
    tap_ok(holds(memory, 600, 9), "and still does not write to the parent's pages");
    munmap(memory, 600 * PAGE);
}

static int move(void *argument)
{
    unsigned long *moved = mremap(argument, 600 * PAGE, 900 * PAGE, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED || !holds(moved, 600, 11))
        return 1;
    fill(moved, 900, 77);
    return holds(moved, 900, 77) ? 0 : 2;
}

static void test_moves(void)
{
    unsigned long *memory = map(600, MAP_PRIVATE);

    fill(memory, 600, 11);
    tap_equal(in_child(move, memory), 0, "a child moves what it has inherited, and writes there");
    tap_ok(holds(memory, 600, 11), "the parent's pages stay");
    unsigned long *moved = mremap(memory, 600 * PAGE, 900 * PAGE, MREMAP_MAYMOVE);
    tap_ok(moved != MAP_FAILED && holds(moved, 600, 11), "the parent moves its own");
    tap_equal(in_child(move, moved), 0, "and a child of then moves it again");
    munmap(moved, 900 * PAGE);
}

static int touch(void *memory)
{
    return (int)*(volatile unsigned long *)memory;
}

static void test_advice(void)
{
    unsigned long *memory = map(16, MAP_PRIVATE);

    fill(memory, 16, 1);
    madvise(page_at(memory, 4), 4 * PAGE, MADV_DONTFORK);
    madvise(page_at(memory, 8), 4 * PAGE, MADV_WIPEONFORK);
    tap_equal(in_child(touch, page_at(memory, 3)), 4, "a child has what is beside memory with MADV_DONTFORK");
    tap_equal(in_child(touch, page_at(memory, 4)), 1011, "but not that itself");
    tap_equal(in_child(touch, page_at(memory, 8)), 0, "and zeros where MADV_WIPEONFORK was said");
    tap_ok(holds(memory, 16, 1), "the parent has all of it");
    munmap(memory, 16 * PAGE);
}

/* Each generation changes a page of its own and checks all others. */
static int descend(int depth, unsigned long *memory)
{
    for (int i = 0; i < DEPTH; i++) {
        if (*page_at(memory, (unsigned long)i) != (i < depth ? 100UL + (unsigned long)i : 0))
            return 1;
    }
    if (depth == DEPTH)
        return 0;
    *page_at(memory, (unsigned long)depth) = 100UL + (unsigned long)depth;
    for (int twin = 0; twin < 2; twin++) {
        pid_t child = fork();
        if (child == 0)
            _exit(descend(depth + 1, memory));
        int status = status_of(child);
        if (status != 0)
            return status < 0 ? 99 : status;
    }
    return *page_at(memory, (unsigned long)depth) == 100UL + (unsigned long)depth ? 0 : 2;
}

static void test_tree(void)
{
    unsigned long *memory = map(DEPTH, MAP_PRIVATE);
    tap_equal(descend(0, memory), 0, "children of children, %d deep, each find what theirs had", DEPTH);
    munmap(memory, DEPTH * PAGE);
}

static int use_heap(void *argument)
{
    char *kept = argument;
    for (unsigned i = 0; i < 200; i++) {
        char *block = malloc(i * 97 + 1);
        if (!block)
            return 1;
        memset(block, (int)i, i * 97 + 1);
        if (i % 3)
            free(block);
    }
    free(kept);
    return 0;
}

static void test_heap(void)
{
    char *kept = malloc(100000);
    memset(kept, 'x', 100000);
    tap_equal(in_child(use_heap, kept), 0, "a child uses the heap");
    bool same = true;
    for (unsigned i = 0; i < 100000; i++)
        same = same && kept[i] == 'x';
    tap_ok(same, "and the parent's blocks stay as they are");
    free(kept);
}

static atomic_bool stop_writing;

static int keep_writing(void *argument)
{
    unsigned long *memory = argument;
    unsigned long round = 0;
    while (!atomic_load(&stop_writing)) {
        round++;
        for (unsigned long i = 0; i < 64; i++)
            *page_at(memory, i) = round;
    }
    return 0;
}

/* Pages were written in order, so a copy of some moment never has a later page from a later round. (It is no moment's
 * copy exactly: tables are shared one after the other, so this row keeps to a single table.) */
static int check_order(void *argument)
{
    unsigned long *memory = argument;
    unsigned long first = *page_at(memory, 0);
    for (unsigned long i = 0; i < 64; i++) {
        unsigned long found = *page_at(memory, i);
        if (found != first && found + 1 != first)
            return 1;
        *page_at(memory, i) = 12345;
    }
    for (unsigned long i = 0; i < 64; i++) {
        if (*page_at(memory, i) != 12345)
            return 2;
    }
    return 0;
}

static void test_threads(void)
{
    char *mapped = (char *)map(2 * TABLE / PAGE, MAP_PRIVATE);
    unsigned long *memory = (unsigned long *)(((unsigned long)mapped + TABLE - 1) & ~(TABLE - 1));
    struct thread *writer;
    int failed = 0;

    for (unsigned long i = 0; i < 64; i++)
        *page_at(memory, i) = 0;
    atomic_store(&stop_writing, false);
    if (thread_create(&writer, keep_writing, memory) < 0) {
        tap_ok(false, "a thread writes while the program forks");
        return;
    }
    for (unsigned i = 0; i < 40; i++)
        failed += in_child(check_order, memory) != 0;
    atomic_store(&stop_writing, true);
    thread_join(writer, NULL);
    tap_equal(failed, 0, "a child's memory stands still while a thread of its parent writes on");
    munmap(mapped, 2 * TABLE);
}

static void test_many(void)
{
    int failed = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit((int)(i % 100));
        failed += status_of(child) != (int)(i % 100);
    }
    tap_equal(failed, 0, "%d children one after the other", ROUNDS);
}

/* What is open is open in the child, too: here both ends of a pipe. */
static void test_pipe(void)
{
    int ends[2];
    char text[16] = "";

    if (pipe(ends) != 0) {
        tap_ok(false, "a pipe");
        tap_ok(false, "a pipe's end");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(write(ends[1], "from the child", 15) == 15 ? 0 : 1);
    }
    close(ends[1]);
    tap_ok(read(ends[0], text, sizeof(text)) == 15 && strcmp(text, "from the child") == 0,
           "a child writes into a pipe of its parent's");
    tap_ok(read(ends[0], text, sizeof(text)) == 0 && status_of(child) == 0, "which ends with it");
    close(ends[0]);
}

/* The reverse mapping, which only a program that root trusts may ask for. */
static void test_mappings(void)
{
    struct memsrv_mapping found[8];
    unsigned long *memory = map(1, MAP_PRIVATE);
    size_t count = 0;

    *memory = 1;
    int error = memsrv_space_mappings(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), (uint64_t)memory, found, 8, &count);
    if (error == -EBADF) {
        tap_skip("needs quire.grant=physical", "the reverse mapping of a page");
        tap_skip("needs quire.grant=physical", "after the child has written");
        munmap(memory, PAGE);
        return;
    }
    int go[2], done[2];
    char byte;
    (void)pipe(go);
    (void)pipe(done);
    pid_t child = fork();
    if (child == 0) {
        (void)read(go[0], &byte, 1);
        *memory = 2;
        (void)write(done[1], "", 1);
        (void)read(go[0], &byte, 1);
        _exit(0);
    }
    error = memsrv_space_mappings(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), (uint64_t)memory, found, 8, &count);
    tap_ok(error == 0 && count == 2 && found[0].address == (uint64_t)memory && found[1].address == (uint64_t)memory,
           "memsrv finds a page in parent and child");
    (void)write(go[1], "", 1);
    (void)read(done[0], &byte, 1);
    error = memsrv_space_mappings(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), (uint64_t)memory, found, 8, &count);
    tap_ok(error == 0 && count == 1 && found[0].pid == (uint64_t)getpid(), "and in one, after the child has written");
    (void)write(go[1], "", 1);
    status_of(child);
    close(go[0]), close(go[1]), close(done[0]), close(done[1]);
    munmap(memory, PAGE);
}

static pthread_barrier_t holding;

static void *hold_stream(void *argument)
{
    flockfile(stdout);
    pthread_barrier_wait(&holding);
    pthread_barrier_wait(&holding);
    funlockfile(stdout);
    return argument;
}

static void *do_nothing(void *argument)
{
    return argument;
}

/* Both use the stream that a thread of the parent holds. */
static int use_stream(void)
{
    pthread_t thread;
    if (fflush(stdout) != 0 || pthread_create(&thread, NULL, do_nothing, NULL) != 0)
        return 1;
    return pthread_join(thread, NULL) == 0 ? 0 : 2;
}

static void test_streams(void)
{
    pthread_t thread;
    int status = -1;

    fflush(stdout);
    pthread_barrier_init(&holding, NULL, 2);
    if (pthread_create(&thread, NULL, hold_stream, NULL) != 0)
        exit(1);
    pthread_barrier_wait(&holding);
    const pid_t child = fork();
    if (child == 0)
        _exit(use_stream());
    const bool ended = waitpid(child, &status, 0) == child && status == 0;
    pthread_barrier_wait(&holding);
    pthread_join(thread, NULL);
    tap_ok(ended, "a child uses a stream that a thread of its parent's is using");
}

int main(void)
{
    tap_plan(37);
    /* Whatever a first fork takes for good is taken before the books are read. */
    in_child(touch, map(1, MAP_PRIVATE));
    unsigned long before = settled_free_pages();
    test_identity();
    test_copies();
    test_shared();
    test_zeros();
    test_areas();
    test_protection();
    test_moves();
    test_advice();
    test_tree();
    test_heap();
    test_threads();
    test_streams();
    test_many();
    test_pipe();
    test_mappings();
    tap_ok(memsrv_is_sound(), "memsrv's and the kernel's structures are sound");
    long lost = (long)before - (long)free_pages();
    tap_ok(lost <= 64, "and the memory of all children has come back (%ld pages)", lost);
    return tap_done();
}
