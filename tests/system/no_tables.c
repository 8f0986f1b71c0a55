/* SPDX-License-Identifier: MIT */
/*
 * What happens when there is no translation table to be had: a touch that needs one ends the program, and is not repeated
 * for ever; a file that is cut while others share tables that show it stays as it was; memory that is given back reads as
 * zeros all the same. Needs the right to make allocations fail (quire.grant=physical).
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "server_state.h"
#include "tap.h"

#include <fcntl.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SELF         "/tests/no_tables"
#define CONTROL      "/no_tables"
#define FILE_NAME    "/tmp/no_tables"
#define FIRST_PLACE  0x200000000000UL
#define GIBIBYTE     (1UL << 30)
#define PLACES       40UL /* each in tables of its own: more than a space has to spare */
#define FILE_PAGES   16UL
#define WAIT_TURNS   6000 /* of 5 ms */
#define STATUS_ALIVE 3
#define FOR_EVER     UINT64_MAX

/* How far both sides have come. */
struct control {
    _Atomic int asked, done;
};

static struct control *control_map(void)
{
    const int file = shm_open(CONTROL, O_RDWR | O_CREAT, 0600);
    void *memory = MAP_FAILED;

    if (file >= 0 && ftruncate(file, sizeof(struct control)) == 0)
        memory = mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
        (void)close(file);
    if (memory == MAP_FAILED)
        exit(90);
    /* Touched now, so that it can be looked at when there are no tables, by a child, too. */
    (void)atomic_load(&((struct control *)memory)->asked);
    return memory;
}

static bool wait_until(_Atomic int *counter, int value)
{
    const struct timespec time = {0, 5000000};

    for (int turn = 0; turn < WAIT_TURNS; turn++) {
        if (atomic_load(counter) >= value)
            return true;
        (void)nanosleep(&time, NULL);
    }
    return false;
}

/* For a program: has done a step, waits for the next. */
static void next_step(struct control *control, int step)
{
    atomic_store(&control->done, step);
    if (!wait_until(&control->asked, step))
        _exit(91);
}

static unsigned char *place(unsigned long i)
{
    return (unsigned char *)(FIRST_PLACE + i * GIBIBYTE);
}

static int file_open(void)
{
    return open(FILE_NAME, O_RDWR | O_CREAT, 0600);
}

/* Maps the same shared memory at as many places behind the others. */
static bool map_shared_places(void)
{
    unsigned char *first = mmap(place(PLACES), FILE_PAGES * PAGE, READ_WRITE, SHARED | MAP_FIXED, -1, 0);
    bool good = first == place(PLACES);

    for (unsigned long i = PLACES + 1; i < 2 * PLACES; i++)
        good = good && mremap(first, 0, FILE_PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place(i)) == place(i);
    return good;
}

/* Maps FILE_PAGES at all places: of the file, or without one of nothing. */
static bool map_places(int file, int flags)
{
    bool good = true;

    for (unsigned long i = 0; i < PLACES; i++)
        good = good && mmap(place(i), FILE_PAGES * PAGE, READ_WRITE, flags | MAP_FIXED, file, 0) == place(i);
    return good;
}

/* --- Programs ----------------------------------------------------------------------------------------------------- */

/* Touches all places when there are no tables. Letters say how: a(nonymous), s(hared file), p(rivate file); r(ead),
 * w(rite). */
static int touch_places(const char *how)
{
    struct control *control = control_map();
    const int file = how[0] == 'a' ? -1 : file_open();
    const int flags = how[0] == 'a' ? PRIVATE | MAP_NORESERVE : how[0] == 's' ? MAP_SHARED : MAP_PRIVATE;

    if (!map_places(file, flags))
        return 92;
    next_step(control, 1);
    for (unsigned long i = 0; i < PLACES; i++) {
        if (how[1] == 'w')
            *(volatile unsigned char *)place(i) = 1;
        else
            (void)*(volatile unsigned char *)place(i);
    }
    return STATUS_ALIVE;
}

/* True if all numbers are there, or, where the first pages were given back, zeros in their place. */
static bool shows_what_is_left(unsigned char *memory, bool given_back)
{
    return are_numbered(memory + 4 * PAGE, FILE_PAGES - 4, 5) &&
           (given_back ? memory[0] == 0 && memory[3 * PAGE] == 0 : are_numbered(memory, 4, 1));
}

/* The child that has everything in common with its parent, until it looks at the end. */
static void look_on(struct control *control)
{
    bool good = wait_until(&control->asked, 3);

    for (unsigned long i = 0; i < 2 * PLACES; i++)
        good = good && shows_what_is_left(place(i), i >= PLACES);
    _exit(good ? 0 : 1);
}

/* Cuts a file, and gives a part of shared memory back, when there are no tables. */
static int cut(void)
{
    struct control *control = control_map();
    const int file = file_open();
    struct stat status;
    int child_status;

    if (ftruncate(file, FILE_PAGES * PAGE) != 0 || !map_places(file, MAP_SHARED) || !map_shared_places())
        return 92;
    number_pages(place(0), FILE_PAGES, 1);
    number_pages(place(PLACES), FILE_PAGES, 1);
    for (unsigned long i = 0; i < 2 * PLACES; i++)
        if (!are_numbered(place(i), FILE_PAGES, 1))
            return 93;
    const pid_t child = fork();
    if (child == 0)
        look_on(control);
    next_step(control, 1);
    /* No tables now. */
    const int cut_result = ftruncate(file, 8 * PAGE), cut_error = errno;
    const int removed = madvise(place(PLACES), 4 * PAGE, MADV_REMOVE);
    next_step(control, 2);
    if (cut_result != -1 || cut_error != ENOSPC)
        return 94;
    if (fstat(file, &status) != 0 || status.st_size != (off_t)(FILE_PAGES * PAGE))
        return 95;
    for (unsigned long i = 0; i < 2 * PLACES; i++)
        if (removed != 0 || !shows_what_is_left(place(i), i >= PLACES))
            return 96;
    next_step(control, 3);
    if (waitpid(child, &child_status, 0) != child || child_status != 0)
        return 97;
    return ftruncate(file, 8 * PAGE) == 0 && place(1)[7 * PAGE] == 8 ? STATUS_ALIVE : 98;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

/* Lets translation tables fail, or no longer. Returns how many did. */
static uint64_t fail_tables(bool fail)
{
    uint64_t failures = 0;
    const int error =
        memsrv_fail_alloc_set(GRANT_SLOT_MEMSRV, fail ? MEMSRV_FAIL_TABLES : 0, 1, fail ? FOR_EVER : 0, 0, &failures);
    if (error < 0)
        tap_diag("fail_alloc_set: error %d", error);
    return failures;
}

static int64_t start(const char *line, size_t bytes)
{
    uint64_t pid;
    const int error = root_spawn(SLOT_ROOT, line, bytes, &pid);
    return error < 0 ? error : (int64_t)pid;
}

static void test_touch(struct control *control, const char *how, const char *what)
{
    char line[] = SELF "\0..";

    line[sizeof(line) - 3] = how[0];
    line[sizeof(line) - 2] = how[1];
    for (int fail = 0; fail < 2; fail++) {
        atomic_store(&control->asked, 0);
        atomic_store(&control->done, 0);
        const int64_t pid = start(line, sizeof(line));
        const bool ready = pid > 0 && wait_until(&control->done, 1);
        if (fail)
            (void)fail_tables(true);
        atomic_store(&control->asked, 1);
        const int status = pid > 0 ? process_wait((uint64_t)pid) : -1;
        const uint64_t failures = fail_tables(false);
        if (fail)
            tap_ok(ready && status == ROOT_STATUS_FAULT && failures > 0, "%s without tables ends the program", what);
        else
            tap_ok(ready && status == STATUS_ALIVE, "%s with tables does not", what);
    }
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

static void test_cut(struct control *control)
{
    static const char line[] = SELF "\0cut";

    atomic_store(&control->asked, 0);
    atomic_store(&control->done, 0);
    const int64_t pid = start(line, sizeof(line));
    tap_ok(pid > 0 && wait_until(&control->done, 1), "a program shares tables with its child");
    (void)fail_tables(true);
    atomic_store(&control->asked, 1);
    const bool tried = wait_until(&control->done, 2);
    const uint64_t failures = fail_tables(false);
    tap_ok(tried && failures > 0, "a file is cut without tables, and a part of shared memory given back");
    atomic_store(&control->asked, 2);
    tap_ok(wait_until(&control->done, 3), "the file is as it was, and what was given back reads as zeros");
    atomic_store(&control->asked, 3);
    tap_equal(pid > 0 ? process_wait((uint64_t)pid) : -1, STATUS_ALIVE, "for the child, too; then the file can be cut");
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

int main(int count, char **words)
{
    uint64_t failures;

    if (count > 1)
        return strcmp(words[1], "cut") == 0 ? cut() : touch_places(words[1]);
    tap_plan(5 * 3 + 5);
    if (memsrv_fail_alloc_set(GRANT_SLOT_MEMSRV, 0, 1, 0, 0, &failures) == -EBADF) {
        for (int i = 0; i < 5 * 3 + 5; i++)
            tap_skip("needs quire.grant=physical", "row %d", i);
        return tap_done();
    }
    struct control *control = control_map();
    const int file = file_open();
    if (ftruncate(file, FILE_PAGES * PAGE) != 0)
        return 1;
    (void)close(file);
    test_touch(control, "aw", "writing to memory");
    test_touch(control, "ar", "reading memory");
    test_touch(control, "sr", "reading a file");
    test_touch(control, "sw", "writing to a file");
    test_touch(control, "pw", "writing to a private copy of a file");
    test_cut(control);
    return tap_done();
}
