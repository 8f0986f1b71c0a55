/* SPDX-License-Identifier: MIT */
/*
 * Writes files and has them written to the disk, and notes on a partition of its own what it is about to do, and what it was
 * told is done: tests/disk/test_power_cut.py takes the power away at any moment, and looks for what was confirmed. A second
 * thread makes noise: files that nobody asks for.
 */
#include "tap.h"

#include <fcntl.h>
#include <proto/blk_client.h>
#include <pthread.h>
#include <quire/dma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER     "/cut"
#define SCRATCH    "label=scratch"
#define MAGIC      0x5155495245435554u
#define ROUNDS     80u
#define FILES      10u
#define CELL       512u /* bytes of one content */
#define CELLS_MAX  200u
#define NOISE_MAX  (64u * 1024)
#define NOISE_NAME 24u

/* What is done to a file. */
enum action { MAKE = 1, OVERWRITE, STORE, APPEND, CUT, REMOVE, REPLACE };

/* A note, alone in its page on the disk. */
struct note {
    uint64_t magic, number;
    uint64_t done; /* 0: it is about to be done; 1: it was confirmed */
    uint64_t action, file, first, end, version;
};

static struct blk_volume scratch;
static struct dma_memory memory;
static uint64_t notes;
static uint64_t sizes[FILES]; /* cells; 0: no file */
static char cells[CELLS_MAX * CELL];
static volatile bool stop;

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % limit;
}

static bool note(enum action action, uint64_t file, uint64_t first, uint64_t end, uint64_t version, bool done)
{
    const struct note record = {MAGIC, notes, done, action, file, first, end, version};

    memset(memory.address, 0, PAGE_SIZE);
    memcpy(memory.address, &record, sizeof(record));
    return blk_write(SLOT_BLK, scratch.id, notes++ * BLK_PAGE_SECTORS, BLK_PAGE_SECTORS, &memory.pfn,
                     sizeof(memory.pfn)) == 0;
}

/* Fills `cells` with what cells [first, end) of a file hold in a version. */
static void fill(uint64_t file, uint64_t first, uint64_t end, uint64_t version)
{
    uint64_t *words = (uint64_t *)(void *)cells;

    for (uint64_t i = 0; i < (end - first) * CELL / sizeof(uint64_t); i++)
        words[i] = file << 48 | version << 16 | (first + i / (CELL / sizeof(uint64_t)));
}

static void name_of(char *name, const char *kind, uint64_t file)
{
    snprintf(name, NOISE_NAME, FOLDER "/%s%u", kind, (unsigned)file);
}

static bool write_cells(int file, uint64_t first, uint64_t end)
{
    const size_t bytes = (end - first) * CELL;
    return pwrite(file, cells, bytes, (off_t)(first * CELL)) == (ssize_t)bytes;
}

static bool store_cells(int file, uint64_t first, uint64_t end, uint64_t size)
{
    char *content = mmap(NULL, size * CELL, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (content == MAP_FAILED)
        return false;
    memcpy(content + first * CELL, cells, (end - first) * CELL);
    const bool done = msync(content, size * CELL, MS_SYNC) == 0;
    return munmap(content, size * CELL) == 0 && done;
}

/* Does it, and waits until it lasts. */
static bool act(enum action action, uint64_t number, uint64_t first, uint64_t end)
{
    char name[NOISE_NAME], other[NOISE_NAME];
    bool done = false;

    name_of(name, "file", number);
    name_of(other, "new", number);
    if (action == REMOVE) {
        done = unlink(name) == 0;
        sync();
        return done;
    }
    const int file = open(action == REPLACE ? other : name, O_RDWR | O_CREAT | (action == MAKE ? O_EXCL : 0), 0600);
    if (action == MAKE || action == APPEND || action == REPLACE)
        done = write_cells(file, first, end) && fsync(file) == 0;
    else if (action == OVERWRITE)
        done = write_cells(file, first, end) && fdatasync(file) == 0;
    else if (action == STORE)
        done = store_cells(file, first, end, sizes[number]);
    else if (action == CUT)
        done = ftruncate(file, (off_t)(end * CELL)) == 0 && fsync(file) == 0;
    if (action == REPLACE)
        done = done && rename(other, name) == 0 && fsync(file) == 0;
    return close(file) == 0 && done;
}

static bool step(uint64_t version)
{
    const uint64_t file = random_below(FILES), size = sizes[file];
    enum action action = size == 0 ? MAKE : (enum action)(OVERWRITE + random_below(6));
    uint64_t first = 0, end = 1 + random_below(CELLS_MAX - 1);

    if (action == APPEND && size == CELLS_MAX)
        action = OVERWRITE;
    if (action == OVERWRITE || action == STORE || action == CUT) {
        first = random_below(size);
        end = first + 1 + random_below(size - first);
    } else if (action == APPEND) {
        first = size;
        end = size + 1 + random_below(CELLS_MAX - size);
    }
    fill(file, first, end, version);
    if (!note(action, file, first, end, version, false) || !act(action, file, first, end) ||
        !note(action, file, first, end, version, true))
        return false;
    if (action != OVERWRITE && action != STORE)
        sizes[file] = action == REMOVE ? 0 : end;
    return true;
}

/* Files come, grow, become shorter and go, and nothing of that is to last. */
static void *make_noise(void *argument)
{
    static char noise[NOISE_MAX];
    char name[NOISE_NAME];

    memset(noise, 'n', sizeof(noise));
    for (unsigned i = 0; !stop; i++) {
        name_of(name, "noise", i % 5);
        const int file = open(name, O_RDWR | O_CREAT, 0600);
        (void)!pwrite(file, noise, 4096 + i * 977 % (NOISE_MAX - 4096), (off_t)(i * 313 % 100000));
        if (i % 3 == 0)
            (void)!ftruncate(file, i * 1237 % 50000);
        (void)close(file);
        if (i % 7 == 0)
            (void)unlink(name);
    }
    return argument;
}

int main(void)
{
    pthread_t thread;
    size_t count = 0;
    bool good = true;

    tap_plan(2);
    int error = blk_find(SLOT_BLK, SCRATCH, sizeof(SCRATCH) - 1, &scratch, 1, &count);
    if (error == 0)
        error = dma_memory_take(&memory, PAGE_SIZE);
    if (!tap_ok(error == 0 && count == 1 && mkdir(FOLDER, 0700) == 0 &&
                    pthread_create(&thread, NULL, make_noise, NULL) == 0,
                "there is a place for notes: %d", error))
        return tap_done();
    sync();
    for (uint64_t version = 1; version <= ROUNDS && good; version++)
        good = step(version);
    stop = true;
    (void)pthread_join(thread, NULL);
    tap_ok(good, "all was confirmed, in %lu notes", (unsigned long)notes);
    return tap_done();
}
