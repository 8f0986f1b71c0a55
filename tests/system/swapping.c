/* SPDX-License-Identifier: MIT */
/*
 * Swapped memory, with a pager that this program brings along: what goes to a slot comes back as it was, to all who have
 * it, however they came to it; slots are free when nobody wants what they hold; errors reach those concerned; a pager that
 * is killed at the worst moment costs nothing but time.
 */
#include "memory_calls.h"
#include "paging_disk.h"
#include "server_state.h"
#include "tap.h"

#include <fcntl.h>
#include <proto/grant.h>
#include <pthread.h>
#include <quire/clock.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64UL
#define BUS   99 /* exit status of a client that had a bus error */
#define BAD   98 /* of one that found something else than it had written */

static pid_t pager;
static volatile uint64_t *step; /* shared: what the client has done, what it may do, where its memory is */

/* --- Clients ------------------------------------------------------------------------------------------------------ */

static void on_bus(int signal)
{
    (void)signal;
    _exit(BUS);
}

/* What a client does; the names are arguments of a client that is a program of its own, and so alone in its family. */
typedef int client_body(void);
static client_body read_twice_and_write, write_at_once, read_only, fork_swapped, fork_shared, move_and_drop,
    lock_and_spawn, everything;

static const struct {
    const char *name;
    client_body *body;
} bodies[] = {{"read", read_twice_and_write}, {"write", write_at_once}, {"only", read_only},
              {"fork", fork_swapped},         {"shared", fork_shared},  {"move", move_and_drop},
              {"lock", lock_and_spawn},       {"all", everything}};

static int run_body(const char *name)
{
    signal(SIGBUS, on_bus);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (strcmp(bodies[i].name, name) == 0)
            return bodies[i].body();
    }
    return 96;
}

extern char **environ;

static bool spawned; /* clients are programs of their own; otherwise they are of this one's family */

static pid_t client(const char *name)
{
    char *arguments[] = {"swapping", (char *)name, NULL};
    pid_t pid = -1;

    step[0] = step[1] = step[3] = 0;
    if (spawned)
        return posix_spawn(&pid, "/tests/swapping", NULL, NULL, arguments, environ) == 0 ? pid : -1;
    pid = fork();
    if (pid == 0)
        _exit(run_body(name));
    return pid;
}

static int result_of(pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* The client has come to a point, and goes on when the test says so. */
static void meet(uint64_t number)
{
    step[0] = number;
    while (step[1] < number)
        usleep(500);
}

/* The test waits for the client there; then lets it go on. */
static bool met(uint64_t number)
{
    return disk_wait(&step[0], number);
}

static void go_on(uint64_t number)
{
    step[1] = number;
}

/* Memory of a client: numbered pages, whose address the test knows. */
static volatile unsigned char *fresh_pages(void)
{
    unsigned char *memory = map_pages(PAGES, READ_WRITE, PRIVATE);
    if (!memory)
        _exit(97);
    number_pages(memory, PAGES, 1);
    step[2] = (uint64_t)memory;
    return memory;
}

static void expect(bool good, int line)
{
    if (good)
        return;
    step[3] = (uint64_t)line;
    _exit(BAD);
}
#define EXPECT_THAT(condition) expect(condition, __LINE__)

/* Finds the frames of `count` pages of a process from the address on; returns how many there are. */
static uint64_t find_pages(pid_t pid, uint64_t address, uint64_t count)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t entry = 0;
        int error = memsrv_space_entry(GRANT_SLOT_MEMSRV, (uint64_t)pid, address + i * PAGE, &entry);
        if (!error && entry && !(entry & ENTRY_SOFT))
            disk->present[found++] = (entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
    }
    return found;
}

/* Has the pager evict what the process has in memory of the client's pages. Returns how many were written. */
static long swap_out(pid_t pid, long status)
{
    return pager_do(DISK_SWAP_OUT, 0, find_pages(pid, step[2], PAGES), status);
}

static long count_results(uint64_t count, uint8_t result)
{
    long found = 0;
    for (uint64_t i = 0; i < count; i++)
        found += disk->results[i] == result;
    return found;
}

/* All slots are free, and the pager was told. */
static bool all_free(void)
{
    const uint64_t end = clock_now_ns() + 60 * NS_PER_SECOND;
    while (clock_now_ns() < end) {
        uint64_t used = 0;
        for (uint64_t slot = 1; slot < SWAP_SLOTS; slot++)
            used += disk->used[slot];
        if (used == 0 && paging_now().swap_slots == 0 && paging_now().swap_cache == 0 && paging_now().transit == 0)
            return true;
        usleep(2000);
    }
    tap_diag("%lu slots, %lu pages cached", (unsigned long)paging_now().swap_slots,
             (unsigned long)paging_now().swap_cache);
    return false;
}

/* The client ends well, and nothing of it is left. */
static void client_ends(pid_t pid)
{
    const int result = result_of(pid);
    if (!tap_equal(result, 0, "the client is content"))
        tap_diag("line %lu", (unsigned long)step[3]);
    tap_ok(all_free(), "all slots are free");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

/* --- Out and in --------------------------------------------------------------------------------------------------- */

static int read_twice_and_write(void)
{
    volatile unsigned char *memory = fresh_pages();
    meet(1);
    EXPECT_THAT(resident_pages((void *)memory, PAGES) == 0);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    EXPECT_THAT(resident_pages((void *)memory, PAGES) == (long)PAGES);
    meet(2);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    number_pages((unsigned char *)memory, PAGES, 3);
    meet(3);
    EXPECT_THAT(are_numbered(memory, PAGES, 3));
    meet(4);
    return 0;
}

static void test_out_and_in(void)
{
    const pid_t pid = client("read");
    tap_ok(met(1), "a client has written pages");
    tap_equal(swap_out(pid, 0), (long)PAGES, "they go to slots");
    tap_ok(paging_now().swap_slots == PAGES && paging_now().swap_cache == 0 && memsrv_is_sound(),
           "and are no longer in memory");
    tap_equal(pager_do(DISK_SWAP_COUNT, 0, 0, 0), (long)PAGES, "the pager can learn which slots are used");
    go_on(1);
    tap_ok(met(2), "the client reads them");
    tap_ok(paging_now().swap_slots == PAGES && paging_now().swap_cache == PAGES && memsrv_is_sound(),
           "and they keep their slots");
    const uint64_t written = paging_now().swapped_out;
    tap_equal(swap_out(pid, 0), 0, "so that they go again without being written");
    tap_ok(count_results(PAGES, MEMSRV_EVICT_FREED) == (long)PAGES && paging_now().swapped_out == written,
           "all of them");
    go_on(2);
    tap_ok(met(3), "the client reads and writes them");
    tap_ok(all_free(), "and the slots are free");
    tap_equal(swap_out(pid, 0), (long)PAGES, "what was written is written to slots");
    go_on(3);
    tap_ok(met(4), "and comes back");
    tap_equal(swap_out(pid, 1), 0, "it goes once more");
    go_on(4);
    client_ends(pid);
}

static int write_at_once(void)
{
    volatile unsigned char *memory = fresh_pages();
    meet(1);
    for (size_t i = 0; i < PAGES; i++)
        memory[i * PAGE + 1] = (unsigned char)i;
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    for (size_t i = 0; i < PAGES; i++)
        EXPECT_THAT(memory[i * PAGE + 1] == (unsigned char)i);
    meet(2);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    memory[5] = 7;
    meet(3);
    EXPECT_THAT(memory[5] == 7 && are_numbered(memory, PAGES, 1));
    return 0;
}

/* Pages are wanted before they are in their slots. */
static void test_wanted_again(void)
{
    const pid_t pid = client("write");
    tap_ok(met(1) && swap_out(pid, 0) == (long)PAGES, "a client's pages go to slots");
    go_on(1);
    tap_ok(met(2) && all_free(), "it writes to them, and the slots are free");
    tap_equal(swap_out(pid, 1), (long)PAGES, "they are being written to slots");
    tap_equal(pager_do(DISK_SWAP_IN, 0, 0, 0), 0, "and need not be read");
    go_on(2);
    tap_ok(met(3) && paging_now().transit == PAGES, "the client reads them meanwhile, and writes to one");
    tap_equal(pager_do(DISK_SWAP_END, 0, 0, -EIO), 0, "writing fails");
    tap_ok(memsrv_is_sound(), "nothing is lost");
    go_on(3);
    client_ends(pid);
}

static int read_only(void)
{
    volatile unsigned char *memory = fresh_pages();
    meet(1);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    return 0;
}

static void test_ahead(void)
{
    pid_t pid = client("only");
    tap_ok(met(1) && swap_out(pid, 0) == (long)PAGES, "a client's pages go to slots");
    const uint64_t demands = disk->demands;
    tap_equal(pager_do(DISK_SWAP_IN, 0, 0, 0), (long)PAGES, "and are read before they are wanted");
    tap_ok(paging_now().swap_cache == PAGES && memsrv_is_sound(), "so they are in the swap cache");
    go_on(1);
    client_ends(pid);
    tap_ok(disk->demands - demands < PAGES, "and the pager was not asked for each");
    pid = client("only");
    tap_ok(met(1) && swap_out(pid, 0) == (long)PAGES, "another's go");
    disk->mode = DISK_FAIL;
    go_on(1);
    tap_equal(result_of(pid), BUS, "a page that cannot be read is a bus error");
    disk->mode = DISK_SERVE;
    tap_ok(all_free() && memsrv_is_sound(), "and nothing is left of it");
}

/* --- Families ----------------------------------------------------------------------------------------------------- */

/* A child reads half of what was swapped before the fork, and writes a quarter. */
static int fork_swapped(void)
{
    volatile unsigned char *memory = fresh_pages();
    meet(1);
    const pid_t pid = fork();
    if (pid == 0) {
        EXPECT_THAT(are_numbered(memory, PAGES / 2, 1));
        number_pages((unsigned char *)memory, PAGES / 4, 100);
        step[4] = (uint64_t)getpid();
        meet(2);
        EXPECT_THAT(are_numbered(memory, PAGES / 4, 100));
        EXPECT_THAT(are_numbered(memory + PAGES / 4 * PAGE, PAGES - PAGES / 4, (unsigned)PAGES / 4 + 1));
        _exit(0);
    }
    EXPECT_THAT(result_of(pid) == 0);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    meet(3);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    number_pages((unsigned char *)memory, PAGES, 9);
    EXPECT_THAT(are_numbered(memory, PAGES, 9));
    return 0;
}

static void test_fork(void)
{
    const pid_t pid = client("fork");
    tap_ok(met(1) && swap_out(pid, 0) == (long)PAGES, "a client's pages go to slots");
    go_on(1);
    tap_ok(met(2), "its child reads and writes some of them");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    (void)swap_out((pid_t)step[4], 0);
    (void)swap_out(pid, 0);
    tap_ok(memsrv_is_sound(), "all that both have goes");
    go_on(2);
    tap_ok(met(3), "and comes back to both");
    (void)swap_out(pid, 0);
    go_on(3);
    client_ends(pid);
}

/* A page that two have goes while they have it. */
static int fork_shared(void)
{
    volatile unsigned char *memory = fresh_pages();
    const pid_t pid = fork();
    if (pid == 0) {
        step[4] = (uint64_t)getpid();
        meet(1);
        EXPECT_THAT(are_numbered(memory, PAGES, 1));
        memory[0] = 50;
        EXPECT_THAT(munmap((void *)(memory + PAGE), 10 * PAGE) == 0);
        meet(2);
        EXPECT_THAT(memory[0] == 50 && are_numbered(memory + 11 * PAGE, PAGES - 11, 12));
        _exit(0);
    }
    EXPECT_THAT(result_of(pid) == 0);
    EXPECT_THAT(are_numbered(memory, PAGES, 1));
    return 0;
}

static void test_shared(void)
{
    const pid_t pid = client("shared");
    tap_ok(met(1), "a client and its child share pages");
    tap_equal(swap_out(pid, 0), (long)PAGES, "which go to slots");
    tap_equal((long)find_pages((pid_t)step[4], step[2], PAGES), 0, "from both at once");
    go_on(1);
    tap_ok(met(2), "the child reads, writes and unmaps them");
    (void)swap_out((pid_t)step[4], 0);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    go_on(2);
    client_ends(pid);
}

/* --- What programs do with memory --------------------------------------------------------------------------------- */

static int move_and_drop(void)
{
    volatile unsigned char *memory = fresh_pages();
    meet(1);
    EXPECT_THAT(mprotect((void *)memory, PAGES * PAGE, PROT_READ) == 0);
    EXPECT_THAT(mprotect((void *)memory, PAGES * PAGE, READ_WRITE) == 0);
    volatile unsigned char *moved = mremap((void *)memory, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
    EXPECT_THAT(moved != MAP_FAILED && resident_pages((void *)moved, PAGES) == 0);
    EXPECT_THAT(are_numbered(moved, PAGES / 2, 1));
    step[2] = (uint64_t)moved;
    meet(2);
    EXPECT_THAT(madvise((void *)moved, PAGE * 8, MADV_DONTNEED) == 0);
    EXPECT_THAT(moved[0] == 0 && moved[7 * PAGE] == 0 && moved[8 * PAGE] == 9);
    EXPECT_THAT(munmap((void *)(moved + 8 * PAGE), 8 * PAGE) == 0);
    EXPECT_THAT(are_numbered(moved + 16 * PAGE, PAGES - 16, 17));
    meet(3);
    return 0;
}

static void test_moving(void)
{
    const pid_t pid = client("move");
    tap_ok(met(1) && swap_out(pid, 0) == (long)PAGES, "a client's pages go to slots");
    go_on(1);
    tap_ok(met(2) && memsrv_is_sound(), "they are moved");
    tap_ok(swap_out(pid, 0) >= 0 && find_pages(pid, step[2], PAGES) == 0, "and go from there");
    go_on(2);
    tap_ok(met(3) && memsrv_is_sound(), "some are dropped, some unmapped");
    (void)swap_out(pid, 0);
    go_on(3);
    client_ends(pid);
}

static int lock_and_spawn(void)
{
    volatile unsigned char *memory = fresh_pages();
    meet(1);
    EXPECT_THAT(mlock((void *)memory, PAGES / 2 * PAGE) == 0);
    EXPECT_THAT(resident_pages((void *)memory, PAGES) >= (long)PAGES / 2);
    EXPECT_THAT(madvise((void *)(memory + PAGES / 2 * PAGE), PAGES / 2 * PAGE, MADV_POPULATE_READ) == 0);
    EXPECT_THAT(resident_pages((void *)memory, PAGES) == (long)PAGES && are_numbered(memory, PAGES, 1));
    char **arguments = (char **)(void *)memory; /* root reads them */
    arguments[0] = (char *)memory + 4 * PAGE;
    strcpy(arguments[0], "hello");
    arguments[1] = NULL;
    meet(2);
    EXPECT_THAT(munlockall() == 0);
    meet(3);
    pid_t pid;
    EXPECT_THAT(posix_spawn(&pid, "/tests/hello", NULL, NULL, arguments, environ) == 0 && result_of(pid) == 0);
    return 0;
}

static void test_locking(void)
{
    const pid_t pid = client("lock");
    tap_ok(met(1) && swap_out(pid, 0) == (long)PAGES, "a client's pages go to slots");
    go_on(1);
    tap_ok(met(2), "mlock() and MADV_POPULATE_READ bring them back");
    (void)swap_out(pid, 0);
    tap_equal(count_results(PAGES, MEMSRV_EVICT_LOCKED), (long)PAGES / 2, "what is locked stays");
    go_on(2);
    tap_ok(met(3) && swap_out(pid, 0) >= (long)PAGES / 2, "until it is so no longer");
    go_on(3);
    client_ends(pid);
}

/* --- The pager's death -------------------------------------------------------------------------------------------- */

static void test_restart(void)
{
    const pid_t pid = client("write");
    tap_ok(met(1) && swap_out(pid, 1) == (long)PAGES, "a pager is killed while it writes to slots");
    pager_kill(pager);
    pager = pager_start();
    tap_ok(pager && paging_now().transit == 0, "the next one writes them");
    tap_ok(paging_now().swap_slots == PAGES && paging_now().swap_cache == 0, "and knows the slots");
    disk->mode = DISK_HOLD;
    go_on(1);
    while (paging_now().transit == 0)
        usleep(1000);
    pager_kill(pager);
    disk->mode = DISK_SERVE;
    pager = pager_start();
    tap_ok(pager != 0, "one is killed while it reads");
    tap_ok(met(2), "and the client sees a delay");
    go_on(2);
    tap_ok(met(3), "once more");
    go_on(3);
    client_ends(pid);
}

/* --- All at once -------------------------------------------------------------------------------------------------- */

#define ROUNDS 24u

struct part {
    volatile uint64_t *memory;
    uint64_t first;
};

/* Writes to every fourth page, over and over, and finds what it has written. */
static void *write_over(void *argument)
{
    const struct part *part = argument;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (uint64_t page = part->first; page < PAGES; page += 4) {
            volatile uint64_t *word = part->memory + page * (PAGE / 8) + 9;
            EXPECT_THAT(*word == (round == 1 ? 0 : page * 1000 + round - 1));
            *word = page * 1000 + round;
        }
        usleep(300);
    }
    return NULL;
}

static void *fork_over(void *argument)
{
    volatile uint64_t *memory = argument;
    for (unsigned round = 0; round < ROUNDS / 6; round++) {
        const pid_t pid = fork();
        EXPECT_THAT(pid >= 0);
        if (pid == 0) {
            for (uint64_t page = 0; page < PAGES; page++)
                EXPECT_THAT((memory[page * (PAGE / 8)] & 0xff) == page + 1);
            for (uint64_t page = 0; page < PAGES; page += 3)
                memory[page * (PAGE / 8) + 9] = 0;
            _exit(0);
        }
        EXPECT_THAT(result_of(pid) == 0);
    }
    return NULL;
}

static int everything(void)
{
    volatile uint64_t *memory = (volatile uint64_t *)(volatile void *)fresh_pages();
    struct part parts[4];
    pthread_t threads[5];

    step[0] = 1;
    for (uint64_t i = 0; i < 4; i++) {
        parts[i] = (struct part){memory, i};
        EXPECT_THAT(pthread_create(&threads[i], NULL, write_over, &parts[i]) == 0);
    }
    EXPECT_THAT(pthread_create(&threads[4], NULL, fork_over, (void *)memory) == 0);
    for (unsigned i = 0; i < 5; i++)
        EXPECT_THAT(pthread_join(threads[i], NULL) == 0);
    for (uint64_t page = 0; page < PAGES; page++)
        EXPECT_THAT(memory[page * (PAGE / 8) + 9] == page * 1000 + ROUNDS);
    step[0] = 2;
    return 0;
}

static void test_everything(bool kills)
{
    const pid_t pid = client("all");
    unsigned turns = 0, killed = 0;
    long written = 0;

    (void)met(1);
    for (; step[0] < 2 && step[3] == 0 && turns < 5000; turns++) {
        const long now = swap_out(pid, kills && turns % 8 == 7 ? 1 : 0);
        written += now > 0 ? now : 0;
        if (!kills || turns % 8 != 7)
            continue;
        pager_kill(pager);
        pager = pager_start();
        killed++;
    }
    tap_ok(written > 0, "threads write and fork while their pages go to slots");
    tap_diag("%ld pages in %u turns, %u pagers killed", written, turns, killed);
    client_ends(pid);
}

/* The memory by which test and clients know of each other. */
static bool share_step(bool make)
{
    const int file = shm_open("/swapping", make ? O_RDWR | O_CREAT : O_RDWR, 0600);
    if (file < 0 || (make && ftruncate(file, (off_t)PAGE) != 0))
        return false;
    void *memory = mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    step = memory;
    return memory != MAP_FAILED;
}

static void test_all(void)
{
    test_out_and_in();
    test_wanted_again();
    test_ahead();
    test_fork();
    test_shared();
    test_moving();
    test_locking();
    test_restart();
    test_everything(false);
    test_everything(true);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strchr(argv[1], '=') == NULL)
        return share_step(false) ? run_body(argv[1]) : 95;
    tap_plan(2 + 2 * 83);
    disk_make();
    tap_ok(share_step(true), "there is memory for test and clients");
    pager = pager_start();
    tap_ok(pager != 0, "a pager attaches");
    test_all();
    spawned = true;
    test_all();
    pager_kill(pager);
    return tap_done();
}
