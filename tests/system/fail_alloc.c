/* SPDX-License-Identifier: MIT */
/*
 * Each of memsrv's allocations fails in turn while a program does all kinds of things with its memory; then now and then,
 * all the time. The program gets errors, or ends where it touches memory that is not to be had; nothing is lost, and
 * memsrv and everybody else go on. Needs the right to make allocations fail (quire.grant=physical).
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <quire/process.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF      "/tests/fail_alloc"
#define HUGE      (2UL << 20)
#define TURNS_MAX 2000u /* more allocations than the program makes */
#define ENOUGH    3u    /* turns without a failure: it makes no more */
#define INTERVAL  97u   /* a program is started with fewer allocations */
#define ROUNDS    40u
#define FOR_EVER  UINT64_MAX
#define LOST_MAX  64 /* pages that caches keep */

/* --- The program -------------------------------------------------------------------------------------------------- */

/* Ends the program if an error is none that want of memory explains. */
static bool went_well(long result, int step)
{
    if (result != -1)
        return true;
    if (errno != ENOMEM && errno != EAGAIN)
        _exit(step);
    return false;
}

static unsigned char *map_some(size_t pages, int flags, int step)
{
    void *memory = mmap(NULL, pages * PAGE, READ_WRITE, flags, -1, 0);
    return went_well(memory == MAP_FAILED ? -1 : 0, step) ? memory : NULL;
}

static void change_areas(void)
{
    unsigned char *memory = map_some(32, PRIVATE, 10);

    if (!memory)
        return;
    number_pages(memory, 32, 1);
    (void)went_well(mprotect(memory + 4 * PAGE, 4 * PAGE, PROT_READ), 11);
    (void)went_well(mlock(memory + 9 * PAGE, 2 * PAGE), 12);
    (void)went_well(madvise(memory + 12 * PAGE, 2 * PAGE, MADV_DONTFORK), 13);
    if (!are_numbered(memory, 32, 1))
        _exit(14);
    const bool hole = went_well(munmap(memory + 16 * PAGE, 4 * PAGE), 15);
    if (!are_numbered(memory, 16, 1) || !are_numbered(memory + 20 * PAGE, 12, 21))
        _exit(16);
    unsigned char *moved = mremap(memory + 20 * PAGE, 12 * PAGE, 200 * PAGE, MREMAP_MAYMOVE);
    if (!went_well(moved == MAP_FAILED ? -1 : 0, 17))
        moved = memory + 20 * PAGE;
    if (!are_numbered(moved, 12, 21) || (!hole && !are_numbered(memory + 16 * PAGE, 4, 17)))
        _exit(18);
    (void)went_well(munmap(memory, 32 * PAGE), 19);
}

static void be_huge(void)
{
    unsigned char *memory = map_some(3 * HUGE / PAGE, PRIVATE, 20);

    if (!memory)
        return;
    unsigned char *first = memory + (-(uintptr_t)memory & (HUGE - 1));
    (void)went_well(madvise(first, HUGE, MADV_HUGEPAGE), 21);
    number_pages(first, 32, 1);
    (void)went_well(munmap(first + 100 * PAGE, 8 * PAGE), 22);
    number_pages(first + HUGE, 8, 7);
    (void)went_well(madvise(first + HUGE, HUGE, MADV_COLLAPSE), 23);
    if (!are_numbered(first, 32, 1) || !are_numbered(first + HUGE, 8, 7))
        _exit(24);
    (void)went_well(munmap(memory, 3 * HUGE), 25);
}

static void have_child(void)
{
    unsigned char *own = map_some(16, PRIVATE, 30), *common = map_some(16, SHARED, 31);
    int status;

    if (!own || !common)
        return;
    number_pages(own, 16, 1);
    number_pages(common, 16, 1);
    const pid_t child = fork();
    if (!went_well(child, 32))
        return;
    if (child == 0) {
        number_pages(own, 16, 50);
        number_pages(common, 16, 90);
        _exit(are_numbered(own, 16, 50) ? 0 : 1);
    }
    number_pages(own + 8 * PAGE, 8, 70);
    if (waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
        _exit(33);
    if (!are_numbered(own, 8, 1) || !are_numbered(own + 8 * PAGE, 8, 70))
        _exit(34);
    if (WIFEXITED(status) && !are_numbered(common, 16, 90))
        _exit(35);
    (void)went_well(madvise(common, 8 * PAGE, MADV_REMOVE), 36);
}

static void *touch(void *argument)
{
    ((volatile unsigned char *)argument)[0] = 1;
    return argument;
}

static void have_threads(void)
{
    unsigned char *memory = map_some(4, PRIVATE, 40);
    pthread_t threads[3];
    int made = 0, error = 0;

    while (memory && made < 3 &&
           (error = pthread_create(&threads[made], NULL, touch, memory + (size_t)made * PAGE)) == 0)
        made++;
    if (error != 0 && error != EAGAIN && error != ENOMEM)
        _exit(41);
    while (made > 0)
        pthread_join(threads[--made], NULL);
}

static int work(void)
{
    change_areas();
    be_huge();
    have_child();
    have_threads();
    unsigned char *memory = malloc(300000);
    if (memory)
        memset(memory, 1, 300000);
    free(memory);
    return 0;
}

/* --- The rows ----------------------------------------------------------------------------------------------------- */

static int set(uint64_t kinds, uint64_t interval, uint64_t times, uint64_t skip, uint64_t *failures)
{
    return memsrv_fail_alloc_set(GRANT_SLOT_MEMSRV, kinds, interval, times, skip, failures);
}

/* Runs the program; process_run() would take memory for it, which must not fail here. */
static int run_work(void)
{
    static const char line[] = SELF "\0work";
    uint64_t pid;
    const int error = root_spawn(SLOT_ROOT, line, sizeof(line), &pid);

    return error < 0 ? error : process_wait(pid);
}

/* Runs the program while allocations fail; how many did. False: it ended as it should not. */
static bool run_failing(uint64_t kinds, uint64_t interval, uint64_t times, uint64_t skip, uint64_t *failures)
{
    if (set(kinds, interval, times, skip, failures) != 0)
        return false;
    const int status = run_work();
    if (set(0, 1, 0, 0, failures) != 0)
        return false;
    if (status == 0 || status == ROOT_STATUS_FAULT || status == -ENOMEM || status == -EAGAIN)
        return true;
    tap_diag("kinds %lu, interval %lu, after %lu: status %d", (unsigned long)kinds, (unsigned long)interval,
             (unsigned long)skip, status);
    return false;
}

static void test_turns(const char *name, uint64_t kind)
{
    uint64_t skip = 0, failures, total = 0;
    unsigned idle = 0;
    bool good = run_work() == 0;

    const uint64_t before = pages_used();
    for (; good && idle < ENOUGH && skip < TURNS_MAX; skip++) {
        good = run_failing(kind, 1, 1, skip, &failures);
        total += failures;
        idle = failures ? 0 : idle + 1;
    }
    tap_ok(good && total > 0, "%s fail in turn, %lu of them", name, (unsigned long)total);
    tap_ok(run_work() == 0, "then all is as it was");
    const long lost = (long)(pages_used() - before);
    tap_ok(lost <= LOST_MAX, "no memory is lost (%ld pages)", lost);
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

static void test_often(uint64_t kinds)
{
    const uint64_t before = pages_used();
    uint64_t failures, total = 0;
    bool good = true;

    for (unsigned round = 0; good && round < ROUNDS; round++) {
        good = run_failing(kinds, INTERVAL, FOR_EVER, 3UL * round, &failures);
        total += failures;
    }
    tap_ok(good && total >= ROUNDS, "each %uth fails all the time, %lu in all", INTERVAL, (unsigned long)total);
    const long lost = (long)(pages_used() - before);
    tap_ok(lost <= LOST_MAX, "no memory is lost (%ld pages)", lost);
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

static void test_errors(void)
{
    uint64_t failures;

    tap_equal(memsrv_fail_alloc_set(SLOT_MEMSRV, 0, 1, 0, 0, &failures), -EPERM, "not everybody may ask for it");
    tap_equal(set(0x80, 1, 0, 0, &failures), -EINVAL, "an unknown kind gives EINVAL");
    tap_equal(set(MEMSRV_FAIL_USER, 0, 0, 0, &failures), -EINVAL, "so does interval 0");
}

int main(int count, char **words)
{
    uint64_t failures;

    if (count > 1 && strcmp(words[1], "work") == 0)
        return work();
    tap_plan(3 + 5 * 4 + 3);
    if (set(0, 1, 0, 0, &failures) == -EBADF) {
        for (int i = 0; i < 3 + 5 * 4 + 3; i++)
            tap_skip("needs quire.grant=physical", "row %d", i);
        return tap_done();
    }
    test_errors();
    test_turns("pages of programs", MEMSRV_FAIL_USER);
    test_turns("tables", MEMSRV_FAIL_TABLES);
    test_turns("kernel objects", MEMSRV_FAIL_OBJECTS);
    test_turns("records", MEMSRV_FAIL_RECORDS);
    test_turns("huge pages", MEMSRV_FAIL_HUGE);
    test_often(MEMSRV_FAIL_USER | MEMSRV_FAIL_TABLES | MEMSRV_FAIL_OBJECTS | MEMSRV_FAIL_RECORDS);
    return tap_done();
}
