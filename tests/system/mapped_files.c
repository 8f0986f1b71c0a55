/* SPDX-License-Identifier: MIT */
/*
 * Files on a disk have one copy of their content in memory: reading, writing and mapping are about the same pages, in all
 * programs. Files are cut and lose their names while they are mapped, disks fail, pagers are killed, and a file is larger than
 * memory.
 */
#include "find_process.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/blk_client.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER      "/home/mapped"
#define ROOT        "label=root"
#define PART        65536u
#define SMALL_PAGES 8u
#define LARGE_PAGES 28160u /* more than a machine of 128 MiB has for programs */
#define LARGE_BYTES (LARGE_PAGES * PAGE_SIZE)
#define SAMPLES     400u
#define WORDS       (PAGE_SIZE / sizeof(uint64_t))
#define KILLED_MIB  4u
#define KILLS       2u

static char part[PART];
static sigjmp_buf bus_error;

static void on_bus_error(int number)
{
    siglongjmp(bus_error, 1);
}

/* True if reading there gives a bus error. */
static bool is_bus_error(const volatile char *place)
{
    struct sigaction action = {.sa_handler = on_bus_error}, before;
    volatile bool caught = false;

    (void)sigaction(SIGBUS, &action, &before);
    if (sigsetjmp(bus_error, 1) == 0)
        (void)*place;
    else
        caught = true;
    (void)sigaction(SIGBUS, &before, NULL);
    return caught;
}

static int make(const char *name, uint64_t bytes)
{
    const int file = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);

    if (file >= 0 && ftruncate(file, (off_t)bytes) < 0)
        return -1;
    return file;
}

static char *map(int file, uint64_t bytes, int flags)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool drop_caches(void)
{
    uint64_t pages;
    return pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &pages) == 0;
}

/* --- One copy ------------------------------------------------------------------------------------------------------- */

/* What a program does that maps the file, too. */
static _Noreturn void other_program(void)
{
    const int file = open(FOLDER "/one", O_RDWR);
    char *memory = file < 0 ? NULL : map(file, SMALL_PAGES * PAGE_SIZE, MAP_SHARED);

    if (!memory || strcmp(memory, "written") != 0)
        _exit(1);
    strcpy(memory + PAGE_SIZE, "by another");
    if (pwrite(file, "and again", 10, 5 * PAGE_SIZE) != 10)
        _exit(2);
    _exit(0);
}

static void one_copy(void)
{
    const int file = make(FOLDER "/one", SMALL_PAGES * PAGE_SIZE);
    char *shared = map(file, SMALL_PAGES * PAGE_SIZE, MAP_SHARED);
    char *own = map(file, SMALL_PAGES * PAGE_SIZE, MAP_PRIVATE);
    char found[16] = {0};
    int status = -1;

    if (!tap_ok(shared && own, "a file is mapped, shared and private"))
        return;
    tap_ok(shared[PAGE_SIZE * 3] == 0, "what was never written reads as zeros");
    tap_ok(pwrite(file, "written", 8, 0) == 8 && strcmp(shared, "written") == 0 && strcmp(own, "written") == 0,
           "what is written is seen in mappings");
    strcpy(shared + 2 * PAGE_SIZE, "stored");
    tap_ok(pread(file, found, sizeof(found), 2 * PAGE_SIZE) == sizeof(found) && strcmp(found, "stored") == 0,
           "what is stored in a shared mapping is read");
    strcpy(own + 2 * PAGE_SIZE, "mine");
    tap_ok(strcmp(shared + 2 * PAGE_SIZE, "stored") == 0, "what is stored in a private mapping stays there");
    const pid_t child = fork();
    if (child == 0)
        other_program();
    tap_ok(waitpid(child, &status, 0) == child && status == 0, "another program maps it, too: status %d", status);
    tap_ok(strcmp(shared + PAGE_SIZE, "by another") == 0 && strcmp(shared + 5 * PAGE_SIZE, "and again") == 0,
           "what another program stores and writes is seen");
    tap_ok(msync(shared, SMALL_PAGES * PAGE_SIZE, MS_SYNC) == 0 && drop_caches() &&
               strcmp(shared + PAGE_SIZE, "by another") == 0 && strcmp(own + 2 * PAGE_SIZE, "mine") == 0,
           "pages go and come back");
    tap_ok(posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 && posix_fadvise(file, 0, 0, 99) == EINVAL,
           "advice is taken");
    (void)munmap(shared, SMALL_PAGES * PAGE_SIZE);
    (void)munmap(own, SMALL_PAGES * PAGE_SIZE);
    (void)close(file);
}

/* --- Sizes and names ------------------------------------------------------------------------------------------------ */

static bool is_zero(const char *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (memory[i])
            return false;
    return true;
}

static void cut(void)
{
    const int file = make(FOLDER "/cut", 0);
    bool written = true;

    memset(part, 'x', sizeof(part));
    written = write(file, part, SMALL_PAGES * PAGE_SIZE) == (ssize_t)(SMALL_PAGES * PAGE_SIZE) && fsync(file) == 0;
    char *memory = map(file, SMALL_PAGES * PAGE_SIZE, MAP_SHARED);
    if (!tap_ok(written && memory && memory[5 * PAGE_SIZE] == 'x', "a file is mapped that has content"))
        return;
    tap_ok(ftruncate(file, 2 * PAGE_SIZE + 100) == 0 && is_bus_error(memory + 5 * PAGE_SIZE),
           "behind the end of a file that was cut there is a bus error");
    tap_ok(memory[2 * PAGE_SIZE + 99] == 'x' && is_zero(memory + 2 * PAGE_SIZE + 100, PAGE_SIZE - 100),
           "the rest of the last page is zeros");
    memset(memory + 2 * PAGE_SIZE + 100, 'y', 50);
    tap_ok(ftruncate(file, SMALL_PAGES * PAGE_SIZE) == 0 && memory[2 * PAGE_SIZE + 99] == 'x' &&
               is_zero(memory + 2 * PAGE_SIZE + 100, (SMALL_PAGES - 2) * PAGE_SIZE - 100),
           "a file that becomes longer has zeros there, whatever was stored behind its end");
    tap_ok(fsync(file) == 0 && drop_caches() && memory[2 * PAGE_SIZE + 99] == 'x' &&
               is_zero(memory + 2 * PAGE_SIZE + 100, (SMALL_PAGES - 2) * PAGE_SIZE - 100),
           "the disk has that, too");
    (void)munmap(memory, SMALL_PAGES * PAGE_SIZE);
    (void)close(file);
}

/* A file without a name and a descriptor is there as long as it is mapped. */
static void unnamed(void)
{
    const int file = make(FOLDER "/unnamed", 0);

    memset(part, 'u', sizeof(part));
    const bool written = write(file, part, sizeof(part)) == (ssize_t)sizeof(part) && fsync(file) == 0;
    char *memory = map(file, sizeof(part), MAP_SHARED);
    tap_ok(written && memory && close(file) == 0 && unlink(FOLDER "/unnamed") == 0 && drop_caches(),
           "a file loses its name while it is mapped");
    /* Others take the blocks that are free now. */
    const int other = make(FOLDER "/other", 0);
    memset(part, 'o', sizeof(part));
    for (unsigned i = 0; i < 8; i++)
        (void)!write(other, part, sizeof(part));
    (void)fsync(other);
    (void)close(other);
    tap_ok(memory && memcmp(memory, memory + 1, sizeof(part) - 1) == 0 && memory[0] == 'u', "its content stays");
    if (memory)
        memory[PAGE_SIZE] = 'z';
    tap_ok(memory && msync(memory, sizeof(part), MS_SYNC) == 0 && munmap(memory, sizeof(part)) == 0,
           "it can be written to the end");
}

/* --- Disks that fail ------------------------------------------------------------------------------------------------ */

static struct blk_volume volume;

static bool inject(uint64_t fault, uint64_t operation)
{
    return blk_inject(SLOT_BLK, volume.id, fault, 1UL << operation, 0, volume.sectors) == 0;
}

static void write_errors(void)
{
    const int first = make(FOLDER "/errors", PAGE_SIZE), second = open(FOLDER "/errors", O_RDWR);

    tap_ok(fsync(first) == 0 && pwrite(first, "kept", 5, 0) == 5 && inject(BLK_FAULT_ERROR, BLK_WRITE),
           "a disk begins to fail");
    tap_ok(fsync(first) == -1 && errno == EIO, "fsync says so");
    tap_ok(inject(BLK_FAULT_NONE, BLK_WRITE) && fsync(first) == 0, "when the disk is well again so is the file");
    tap_ok(fsync(second) == -1 && errno == EIO && fsync(second) == 0, "who has it open besides learns it once");
    char found[8] = {0};
    tap_ok(drop_caches() && pread(first, found, 5, 0) == 5 && strcmp(found, "kept") == 0, "nothing was lost");
    (void)close(first);
    (void)close(second);
}

static void read_errors(void)
{
    const int file = open(FOLDER "/errors", O_RDWR);
    char *memory = map(file, PAGE_SIZE, MAP_SHARED);
    char byte = 0;

    tap_ok(memory && drop_caches() && inject(BLK_FAULT_ERROR, BLK_READ) && pread(file, &byte, 1, 0) == -1 &&
               errno == EIO,
           "what cannot be read gives EIO");
    tap_ok(is_bus_error(memory), "and a bus error where it is mapped");
    tap_ok(inject(BLK_FAULT_NONE, BLK_READ) && memory[0] == 'k' && pread(file, &byte, 1, 0) == 1 && byte == 'k',
           "later it is there");
    (void)munmap(memory, PAGE_SIZE);
    (void)close(file);
}

static void errors(void)
{
    size_t count = 0;

    if (!tap_ok(blk_find(SLOT_BLK, ROOT, sizeof(ROOT) - 1, &volume, 1, &count) == 0 && count == 1, "the disk is found"))
        return;
    write_errors();
    read_errors();
}

/* --- Pagers that are killed ----------------------------------------------------------------------------------------- */

/* Kills the pager, if there is one at the moment. */
static bool kill_pager(void)
{
    const uint64_t pid = find_process("pager");
    return pid != 0 && root_kill(SLOT_ROOT, pid) == 0;
}

static void killed_pagers(void)
{
    const uint64_t bytes = KILLED_MIB << 20;
    const int file = make(FOLDER "/killed", 0);
    unsigned kills = 0;
    uint64_t wrong = 0;
    char byte;

    for (uint64_t offset = 0; offset < bytes; offset += PART) {
        memset(part, (int)('a' + offset / PART % 26), sizeof(part));
        wrong += write(file, part, PART) != PART;
        if (offset % (1 << 20) == 0)
            wrong += fdatasync(file) != 0;
        if (kills < KILLS && offset / PART == 8 * (kills + 1))
            kills += kill_pager();
    }
    tap_ok(wrong == 0 && kills == KILLS, "pagers are killed while a file is written: %u", kills);
    tap_ok(fsync(file) == 0 && drop_caches(), "the next one writes it");
    for (uint64_t offset = 0; offset < bytes; offset += PAGE_SIZE)
        wrong += pread(file, &byte, 1, (off_t)offset) != 1 || byte != (char)('a' + offset / PART % 26);
    tap_equal((long)wrong, 0, "all of it is there");
    (void)close(file);
    (void)unlink(FOLDER "/killed");
}

/* --- A file that is larger than memory ------------------------------------------------------------------------------ */

static uint64_t content(uint64_t page, uint64_t pass)
{
    return (page + 1) * 0x9e3779b97f4a7c15u ^ pass << 60;
}

/* Reads the file, and writes it anew. */
static uint64_t read_and_write(int file)
{
    uint64_t wrong = 0;

    for (uint64_t page = 0; page < LARGE_PAGES; page += PART / PAGE_SIZE) {
        wrong += pread(file, part, PART, (off_t)(page * PAGE_SIZE)) != PART;
        for (uint64_t i = 0; i < PART / PAGE_SIZE; i++) {
            uint64_t *words = (uint64_t *)(void *)part + i * WORDS;
            wrong += words[0] != content(page + i, 1) || words[WORDS - 1] != ~content(page + i, 1);
            words[0] = content(page + i, 2);
        }
        wrong += pwrite(file, part, PART, (off_t)(page * PAGE_SIZE)) != PART;
    }
    return wrong;
}

static void large(void)
{
    const int file = make(FOLDER "/large", LARGE_BYTES);
    volatile uint64_t *memory = (volatile uint64_t *)(void *)map(file, LARGE_BYTES, MAP_SHARED);
    uint64_t wrong = 0, state = 4711;

    if (!tap_ok(memory != NULL, "a file is mapped that is larger than memory"))
        return;
    for (uint64_t page = 0; page < LARGE_PAGES; page++) {
        memory[page * WORDS] = content(page, 1);
        memory[page * WORDS + WORDS - 1] = ~content(page, 1);
    }
    tap_equal((long)read_and_write(file), 0, "it is read as it was stored, and written");
    for (unsigned i = 0; i < SAMPLES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const uint64_t page = (state >> 33) % LARGE_PAGES;
        wrong += memory[page * WORDS] != content(page, 2) || memory[page * WORDS + WORDS - 1] != ~content(page, 1);
    }
    tap_equal((long)wrong, 0, "it is seen as it was written");
    tap_equal(msync((void *)memory, LARGE_BYTES, MS_SYNC), 0, "it is on the disk");
    (void)munmap((void *)memory, LARGE_BYTES);
    (void)close(file);
    tap_equal(unlink(FOLDER "/large"), 0, "it goes");
}

int main(void)
{
    tap_plan(9 + 5 + 3 + 1 + 5 + 3 + 3 + 5 + 1);
    (void)mkdir("/home", 0755);
    (void)mkdir(FOLDER, 0755);
    one_copy();
    cut();
    unnamed();
    errors();
    killed_pagers();
    large();
    uint64_t failures;
    tap_equal(memsrv_check(SLOT_MEMSRV, &failures), 0, "memsrv's structures are sound");
    return tap_done();
}
