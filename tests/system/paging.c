/* SPDX-License-Identifier: MIT */
/*
 * Backed memory objects, with a pager that this program brings along: pages come when they are touched, what is written
 * is told and written back once, pages go and come again, errors reach those concerned, and a pager that is killed at
 * the worst moment costs nothing but time.
 */
#include "memory_calls.h"
#include "paging_disk.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES   64UL
#define BYTES   (PAGES * PAGE)
#define CLIENTS 6
#define BUS     99 /* exit status of a client that had a bus error */

static pid_t pager;
static uint64_t object;

static volatile uint64_t *map_object(uint64_t first, uint64_t pages, uint64_t protection, uint64_t flags)
{
    uint64_t address = 0;
    int error = memsrv_map_object(SLOT_MEMSRV, 0, pages * PAGE, protection, flags, object, first * PAGE, &address);
    return error ? NULL : (volatile uint64_t *)address;
}

static volatile uint64_t *word_of(volatile uint64_t *memory, uint64_t page, uint64_t word)
{
    return memory + page * (PAGE / 8) + word;
}

/* True if the pages hold what the disk had at first. */
static bool holds_disk(volatile uint64_t *memory, uint64_t first, uint64_t pages)
{
    for (uint64_t page = 0; page < pages; page++) {
        for (uint64_t word = 0; word < PAGE / 8; word += 73) {
            if (*word_of(memory, page, word) != disk_word(first + page, word))
                return false;
        }
    }
    return true;
}

static void on_bus(int signal)
{
    (void)signal;
    _exit(BUS);
}

/* Starts a client that runs `body`, whose result is its exit status. */
static pid_t client(int (*body)(void))
{
    const pid_t pid = fork();
    if (pid == 0) {
        signal(SIGBUS, on_bus);
        _exit(body());
    }
    return pid;
}

static int result_of(pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int run_client(int (*body)(void))
{
    return result_of(client(body));
}

static void object_begin(uint64_t bytes)
{
    tap_equal(memsrv_object_backed_create(SLOT_MEMSRV, bytes, COOKIE, &object), 0, "a backed object");
    disk->object = object;
    disk->mode = DISK_SERVE;
}

static void object_end(void)
{
    const uint64_t gone = disk->gone;
    tap_equal(memsrv_object_memory_release(SLOT_MEMSRV, object), 0, "which is given up");
    tap_ok(disk_wait(&disk->gone, gone + 1), "and the pager is told");
    tap_ok(paging_now().backed == 0 && paging_now().dirty == 0 && paging_now().transit == 0 && paging_now().parked == 0,
           "nothing of it is left");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

static int read_all(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, PROT_READ, MEMSRV_MAP_SHARED);
    return memory && holds_disk(memory, 0, PAGES) ? 0 : 1;
}

static int read_private(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, READ_WRITE, MEMSRV_MAP_PRIVATE);
    if (!memory || !holds_disk(memory, 0, PAGES))
        return 1;
    *word_of(memory, 5, 0) = 1;
    return *word_of(memory, 5, 0) == 1 && *word_of(memory, 5, 73) == disk_word(5, 73) ? 0 : 2;
}

static void *read_in_thread(void *memory)
{
    return holds_disk(memory, 0, PAGES) ? memory : NULL;
}

static int read_with_threads(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, PROT_READ, MEMSRV_MAP_SHARED);
    pthread_t threads[4];
    void *result;
    int failures = 0;

    for (int i = 0; i < 4; i++)
        failures += pthread_create(&threads[i], NULL, read_in_thread, (void *)memory) != 0;
    for (int i = 0; i < 4; i++)
        failures += pthread_join(threads[i], &result) != 0 || !result;
    return failures;
}

static int lock_all_pages(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, PROT_READ, MEMSRV_MAP_SHARED);
    if (!memory || mlock((void *)memory, BYTES) != 0 || resident_pages((void *)memory, PAGES) != (long)PAGES)
        return 1;
    return holds_disk(memory, 0, PAGES) ? 0 : 2;
}

static void test_reading(void)
{
    pid_t clients[CLIENTS];
    int failures = 0;

    object_begin(BYTES);
    tap_equal(run_client(read_all), 0, "a client reads what the pager brings");
    tap_ok(disk->fills == PAGES && paging_now().backed == PAGES && paging_now().dirty == 0, "each page once");
    tap_equal(run_client(read_all), 0, "another finds it there");
    tap_equal(run_client(read_private), 0, "and so does one with copies of its own");
    tap_ok(disk->fills == PAGES, "without the pager");
    tap_equal(pager_do(DISK_EVICT, 0, PAGES, 0), 0, "all are evicted");
    tap_ok(paging_now().backed == 0, "and gone");
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client(i % 2 ? read_with_threads : read_private);
    for (int i = 0; i < CLIENTS; i++)
        failures += result_of(clients[i]) != 0;
    tap_ok(failures == 0, "many at once read it");
    tap_ok(disk->fills == 2 * PAGES, "and each page was brought once");
    (void)pager_do(DISK_EVICT, 0, PAGES, 0);
    tap_equal(run_client(lock_all_pages), 0, "mlock waits for all pages");
    object_end();
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

static volatile uint64_t *step; /* shared by parent and client: what the client has done, or may do */

static int write_and_wait(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, READ_WRITE, MEMSRV_MAP_SHARED);
    if (!memory)
        return 1;
    for (uint64_t page = 0; page < PAGES; page += 2)
        *word_of(memory, page, 1) = page + 7;
    if (*word_of(memory, 1, 1) != disk_word(1, 1))
        return 2;
    step[0] = 1;
    if (!disk_wait(&step[1], 1))
        return 3;
    *word_of(memory, 4, 2) = 99;
    step[0] = 2;
    if (!disk_wait(&step[1], 2))
        return 4;
    if (mprotect((void *)memory, BYTES, PROT_READ) || mprotect((void *)memory, BYTES, READ_WRITE))
        return 5;
    *word_of(memory, 6, 2) = 98;
    step[0] = 3;
    return disk_wait(&step[1], 3) ? 0 : 6;
}

static uint64_t on_disk(uint64_t page, uint64_t word)
{
    uint64_t value;
    memcpy(&value, disk->pages[page] + word * 8, sizeof(value));
    return value;
}

static void test_writing(void)
{
    object_begin(BYTES);
    step[0] = step[1] = 0;
    const pid_t pid = client(write_and_wait);
    tap_ok(disk_wait(&step[0], 1), "a client writes every other page");
    tap_equal((long)paging_now().dirty, (long)PAGES / 2, "which are dirty, the others not");
    tap_equal(pager_do(DISK_EVICT, 0, 2, 0), 0, "dirty pages");
    tap_ok(disk->results[0] == MEMSRV_EVICT_DIRTY && disk->results[1] == MEMSRV_EVICT_FREED, "are not evicted");
    tap_equal(pager_do(DISK_CLEAN_BEGIN, 0, PAGES, 0), (long)PAGES / 2, "they are written back");
    tap_ok(paging_now().dirty == 0 && on_disk(2, 1) == 9 && on_disk(3, 1) == disk_word(3, 1), "with what was written");
    tap_equal(pager_do(DISK_CLEAN_BEGIN, 0, PAGES, 0), 0, "once");
    step[1] = 1;
    tap_ok(disk_wait(&step[0], 2) && paging_now().dirty == 1, "a page written again is dirty again");
    tap_equal(pager_do(DISK_CLEAN_BEGIN, 0, PAGES, 0), 1, "and written back again");
    tap_ok(on_disk(4, 2) == 99 && on_disk(4, 1) == 11, "with both");
    step[1] = 2;
    tap_ok(disk_wait(&step[0], 3) && paging_now().dirty == 1, "mprotect gives no right to write unseen");
    tap_equal(pager_do(DISK_CLEAN_BEGIN, 0, PAGES, 1), 1, "a page is being written");
    tap_equal(pager_do(DISK_EVICT, 6, 1, 0), 0, "and meanwhile");
    tap_equal(disk->results[0], MEMSRV_EVICT_BUSY, "is not evicted");
    tap_equal(pager_do(DISK_CLEAN_END, 0, 0, -EIO), 0, "writing it fails");
    uint64_t sequence = 0;
    int64_t last = 0;
    tap_ok(memsrv_object_error(SLOT_MEMSRV, object, &sequence, &last) == 0 && sequence == 1 && last == -EIO,
           "the object tells that");
    tap_ok(paging_now().dirty == 1, "and the page is dirty still");
    step[1] = 3;
    tap_equal(result_of(pid), 0, "the client noticed nothing");
    (void)pager_do(DISK_CLEAN_BEGIN, 0, PAGES, 0);
    tap_ok(on_disk(6, 2) == 98, "it is written in the end");
    object_end();
}

static int sync_writes(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, READ_WRITE, MEMSRV_MAP_SHARED);
    *word_of(memory, 10, 3) = 1234;
    *word_of(memory, 20, 3) = 1235;
    if (msync((void *)(memory + 8 * PAGE / 8), 8 * PAGE, MS_SYNC) != 0)
        return 1;
    step[0] = on_disk(10, 3) == 1234 && on_disk(20, 3) != 1235;
    if (msync((void *)memory, BYTES, MS_SYNC) != 0)
        return 2;
    step[1] = on_disk(20, 3) == 1235;
    *word_of(memory, 30, 3) = 1;
    disk->mode = DISK_FAIL;
    return msync((void *)memory, BYTES, MS_SYNC) == -1 && errno == EIO ? 0 : 3;
}

static void test_sync(void)
{
    object_begin(BYTES);
    step[0] = step[1] = 0;
    tap_equal(run_client(sync_writes), 0, "msync() waits for the disk, and tells its errors");
    tap_ok(step[0] == 1, "it writes what it is asked for");
    tap_ok(step[1] == 1, "all of it");
    disk->mode = DISK_SERVE;
    object_end();
}

/* --- Errors, ends ------------------------------------------------------------------------------------------------- */

static int read_one(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, PROT_READ, MEMSRV_MAP_SHARED);
    return *word_of(memory, 12, 0) == disk_word(12, 0) ? 0 : 1;
}

static int lock_one(void)
{
    volatile uint64_t *memory = map_object(12, 1, PROT_READ, MEMSRV_MAP_SHARED);
    return mlock((void *)memory, PAGE) == -1 ? 7 : 0;
}

static void test_errors(void)
{
    object_begin(BYTES);
    disk->mode = DISK_FAIL;
    tap_equal(run_client(read_one), BUS, "a page that cannot be read is a bus error");
    tap_equal(run_client(lock_one), 7, "and an error of mlock()");
    disk->mode = DISK_SERVE;
    tap_equal(run_client(read_one), 0, "for then, not for ever");
    object_end();
}

/* Cuts the object off while a page behind the cut is being filled, or is waited for. */
static void test_truncation(void)
{
    object_begin(BYTES);
    disk->mode = DISK_HOLD;
    pid_t pid = client(read_one);
    while (paging_now().transit == 0)
        usleep(1000);
    tap_equal(memsrv_object_memory_resize(SLOT_MEMSRV, object, 4 * PAGE), 0,
              "the object ends before a page in transit");
    tap_equal(result_of(pid), BUS, "who waits for it gets a bus error");
    tap_equal((long)paging_now().transit, 1, "the page stays in transit");
    pager_kill(pager);
    disk->mode = DISK_IDLE;
    pager = pager_start();
    tap_ok(pager && paging_now().transit == 0 && paging_now().backed == 0, "until a pager ends that");
    tap_equal(memsrv_object_memory_resize(SLOT_MEMSRV, object, BYTES), 0, "the object is long again");
    pid = client(read_one);
    while (paging_now().parked == 0)
        usleep(1000);
    tap_equal(memsrv_object_memory_resize(SLOT_MEMSRV, object, 4 * PAGE), 0, "it ends before a page that is wanted");
    tap_equal(result_of(pid), BUS, "which is a bus error, too");
    disk->mode = DISK_SERVE;
    object_end();
}

/* Clients that are killed while they wait leave nothing behind. */
static void test_killing_clients(void)
{
    object_begin(BYTES);
    disk->mode = DISK_IDLE;
    for (int round = 0; round < 40; round++) {
        const pid_t pid = client(round % 2 ? lock_one : read_one);
        while (paging_now().parked == 0)
            usleep(500);
        kill(pid, SIGKILL);
        if (result_of(pid) != 1000 + SIGKILL)
            tap_diag("round %d ended in another way", round);
    }
    tap_ok(memsrv_is_sound(), "forty were killed while they waited");
    disk->mode = DISK_SERVE;
    tap_equal(run_client(read_one), 0, "the page comes nonetheless");
    object_end();
}

/* --- The pager's death -------------------------------------------------------------------------------------------- */

static int write_everywhere(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, READ_WRITE, MEMSRV_MAP_SHARED);
    for (uint64_t round = 0; round < 30; round++) {
        for (uint64_t page = 0; page < PAGES; page++) {
            const uint64_t before = *word_of(memory, page, 9);
            if (round > 0 && before != page * 1000 + round - 1)
                return 1;
            *word_of(memory, page, 9) = page * 1000 + round;
        }
    }
    return 0;
}

static void test_restart(void)
{
    object_begin(BYTES);
    disk->mode = DISK_HOLD;
    pid_t pid = client(read_all);
    while (paging_now().transit == 0)
        usleep(1000);
    pager_kill(pager);
    tap_ok(paging_now().attached == 0 && paging_now().transit == 1 && paging_now().parked == 1,
           "the pager is killed with a page in transit that a client waits for");
    disk->mode = DISK_SERVE;
    pager = pager_start();
    tap_ok(pager != 0, "another one attaches");
    tap_equal(result_of(pid), 0, "and the client sees a delay");

    pid = client(write_everywhere);
    for (int round = 0; round < 12; round++) {
        usleep(3000);
        (void)pager_do(DISK_CLEAN_BEGIN, 0, PAGES, round % 3 == 0);
        (void)pager_do(DISK_EVICT, 0, PAGES, 0);
        pager_kill(pager);
        pager = pager_start();
    }
    tap_equal(result_of(pid), 0, "a client writes while pages go and come and twelve pagers are killed");
    (void)pager_do(DISK_CLEAN_BEGIN, 0, PAGES, 0);
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < PAGES; page++)
        wrong += on_disk(page, 9) != page * 1000 + 29;
    tap_equal((long)wrong, 0, "and the disk has all of it");
    object_end();
}

/* --- Harvest ------------------------------------------------------------------------------------------------------ */

static int touch_twice(void)
{
    volatile uint64_t *memory = map_object(0, PAGES, READ_WRITE, MEMSRV_MAP_SHARED);
    bool good = holds_disk(memory, 0, PAGES);
    step[0] = 1;
    good = good && disk_wait(&step[1], 1);
    good = good && *word_of(memory, 3, 0) == disk_word(3, 0);
    step[0] = 2;
    return good && disk_wait(&step[1], 2) ? 0 : 1;
}

static void test_harvest(void)
{
    uint64_t accessed = 0;

    object_begin(BYTES);
    step[0] = step[1] = 0;
    const pid_t pid = client(touch_twice);
    tap_ok(disk_wait(&step[0], 1), "a client reads all pages");
    tap_equal(pager_do(DISK_HARVEST, 0, PAGES, 0), (long)PAGES, "which a harvest looks at");
    for (uint64_t i = 0; i < PAGES; i++)
        accessed += disk->results[i] == (1 | 1 << 2);
    tap_equal((long)accessed, (long)PAGES, "each was used, through one translation");
    step[1] = 1;
    (void)disk_wait(&step[0], 2);
    (void)pager_do(DISK_HARVEST, 0, PAGES, 0);
    accessed = 0;
    for (uint64_t i = 0; i < PAGES; i++)
        accessed += disk->results[i] & 1;
    tap_ok(accessed == 1 && (disk->results[3] & 1), "then only the one that was used again");
    step[1] = 2;
    tap_equal(result_of(pid), 0, "the client is content");
    object_end();
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */

static volatile size_t wanted_pages; /* of the client that is started next */

/* Touches as much memory, says so, and holds it for as long as the parent wants. */
static int hold_memory(void)
{
    volatile unsigned char *memory = map_pages(wanted_pages, READ_WRITE, PRIVATE | MAP_NORESERVE);
    if (!memory)
        return 1;
    for (size_t page = 0; page < wanted_pages; page++)
        memory[page * PAGE] = 1;
    step[0]++;
    while (step[1] == 0)
        usleep(1000);
    return 0;
}

static void test_memory(void)
{
    const unsigned long free = free_pages();

    step[0] = step[1] = 0;
    wanted_pages = free / 3;
    const pid_t holder = client(hold_memory);
    tap_ok(disk_wait(&step[0], 1), "a client holds a third of the memory");
    disk->mode = DISK_IDLE;
    wanted_pages = free * 4 / 5;
    pid_t pid = client(hold_memory);
    while (paging_now().parked == 0)
        usleep(1000);
    tap_ok(step[0] == 1, "another, which wants more than is left, waits");
    tap_ok(memsrv_is_sound(), "memsrv still answers");
    kill(holder, SIGKILL);
    (void)result_of(holder);
    disk->reclaim_status = 0;
    disk->mode = DISK_SERVE;
    tap_ok(disk_wait(&step[0], 2) && disk->reclaims > 0, "and goes on when there is memory");
    disk->reclaim_status = -ENOMEM;
    wanted_pages = free / 3;
    tap_ok(run_client(hold_memory) != 0 && step[0] == 2, "when the pager has none to give, it ends");
    step[1] = 1;
    tap_equal(result_of(pid), 0, "alone");
    tap_ok(paging_now().parked == 0 && memsrv_is_sound(), "nobody waits any more");
}

static void test_rights(void)
{
    uint64_t id, generation, rings, done = 0;
    struct memsrv_demand demand;
    size_t count;

    tap_equal(memsrv_pager_demands(SLOT_MEMSRV, &demand, 1, &count), -EPERM, "who is not the pager is told nothing");
    tap_equal(memsrv_pager_attach(SLOT_MEMSRV, &generation, &rings, 0), -EPERM, "and cannot become it");
    tap_equal(memsrv_fill_end(SLOT_MEMSRV, 0, &done, sizeof(done), &done), -EPERM, "or fill pages");
    tap_equal(memsrv_space_roles(SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_ROLE_PAGER), -EPERM,
              "or give itself the role");
    tap_equal(memsrv_object_backed_create(SLOT_MEMSRV, BYTES, 1, &id), -EPERM, "or make backed objects");
    tap_equal(memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), 1UL << 40), -EINVAL, "a role that is none");
    tap_equal(memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_ROLE_FILE_SERVER | MEMSRV_ROLE_RESERVE),
              0, "a file server");
    tap_equal(memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_ROLE_PAGER), -EBUSY, "one pager alone");
}

int main(void)
{
    tap_plan(111);
    disk_make();
    step = (volatile uint64_t *)(void *)map_pages(1, READ_WRITE, SHARED);
    pager = pager_start();
    tap_ok(pager != 0, "a pager attaches");
    test_rights();
    const unsigned long before = free_pages();
    test_reading();
    test_writing();
    disk_reset();
    test_errors();
    test_truncation();
    test_killing_clients();
    test_harvest();
    test_sync();
    test_restart();
    test_memory();
    pager_kill(pager);
    const unsigned long after = free_pages();
    tap_ok(after + 40 >= before, "memory is back: %lu pages before, %lu after", before, after);
    return tap_done();
}
