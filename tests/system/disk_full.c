/* SPDX-License-Identifier: MIT */
/*
 * A disk without a block left. What is written says ENOSPC, what is stored in a mapping stays in memory and msync and fsync say
 * it, what was confirmed before stays, and when something goes there is room again. tests/disk/test_disk_full.py has e2fsck look
 * at the disk afterwards.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER       "/home/full"
#define PART         65536u
#define SPARSE_PAGES 96u
#define SPARSE_BYTES (SPARSE_PAGES * PAGE_SIZE)
#define FILL_MAX     (64u << 20)
#define NAMES_MAX    2000u

static char part[PART];

static bool drop_caches(void)
{
    uint64_t pages;
    return pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &pages) == 0;
}

/* True if a call has failed with that error. */
static bool says(long result, int error)
{
    return result == -1 && errno == error;
}

static int make(const char *name)
{
    return open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
}

/* Writes whole parts, and then bytes, until there is no room for any; the size, or -1: it ended otherwise. */
static long fill(int file)
{
    long size = 0, got = 0;

    memset(part, 'f', sizeof(part));
    for (size_t bytes = PART; bytes > 0; bytes /= 2) {
        while (size < (long)FILL_MAX && (got = write(file, part, bytes)) > 0)
            size += got;
        if (!says(got, ENOSPC))
            return -1;
    }
    return size;
}

/* True if a file holds `bytes` bytes of that value from a place on. */
static bool holds(int file, off_t place, size_t bytes, char value)
{
    memset(part, ~value, sizeof(part));
    if (pread(file, part, bytes, place) != (ssize_t)bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (part[i] != value)
            return false;
    return true;
}

static uint64_t free_blocks(void)
{
    struct statvfs volume;
    return statvfs(FOLDER, &volume) == 0 ? volume.f_bavail : UINT64_MAX;
}

/* --- Writing -------------------------------------------------------------------------------------------------------- */

static void writing(int kept, int sparse)
{
    char name[64];
    int error = 0;

    const int other = make(FOLDER "/other");
    tap_ok(other < 0 ? errno == ENOSPC : says(write(other, "x", 1), ENOSPC), "nothing can be written to a new file");
    for (unsigned i = 0; i < NAMES_MAX && error == 0; i++) {
        snprintf(name, sizeof(name), FOLDER "/a-directory-for-which-there-is-no-block-%u", i);
        error = mkdir(name, 0700) == 0 ? 0 : errno;
    }
    tap_equal(error, ENOSPC, "nor is there room for directories");
    tap_ok(says(pwrite(sparse, "x", 1, 5 * PAGE_SIZE + 7), ENOSPC) && holds(sparse, 5 * PAGE_SIZE, PAGE_SIZE, 0),
           "a hole cannot be written, and is one still");
    memset(part, 'o', sizeof(part));
    tap_ok(pwrite(kept, part, PAGE_SIZE, 0) == (ssize_t)PAGE_SIZE && fsync(kept) == 0,
           "what has its blocks can be overwritten");
    if (other >= 0)
        (void)close(other);
}

/* --- Storing -------------------------------------------------------------------------------------------------------- */

static bool is_stored(const char *memory)
{
    for (size_t i = 0; i < SPARSE_PAGES; i++)
        if (memory[i * PAGE_SIZE] != (char)(i + 1) || memory[i * PAGE_SIZE + 1] != 0)
            return false;
    return true;
}

static void storing(int kept, int sparse, char *memory)
{
    char byte = 0;

    for (size_t i = 0; i < SPARSE_PAGES; i++)
        memory[i * PAGE_SIZE] = (char)(i + 1);
    tap_ok(says(msync(memory, SPARSE_BYTES, MS_SYNC), ENOSPC), "msync says that there is no room for what was stored");
    tap_ok(says(fsync(sparse), ENOSPC), "so does fsync");
    tap_ok(fdatasync(kept) == 0, "another file has no part in it");
    tap_ok(drop_caches() && is_stored(memory) && pread(sparse, &byte, 1, 0) == 1 && byte == 1,
           "what was stored stays in memory");
    sync();
    tap_ok(fsync(kept) == 0 && drop_caches() && holds(kept, 0, PAGE_SIZE, 'o') &&
               holds(kept, PAGE_SIZE, PART - PAGE_SIZE, 'k'),
           "what was confirmed stays");
}

/* --- Room again ----------------------------------------------------------------------------------------------------- */

static void room_again(int filler, long size, int sparse, char *memory)
{
    tap_ok(ftruncate(filler, size / 2) == 0 && free_blocks() > 0, "a file that is cut makes room");
    tap_ok(msync(memory, SPARSE_BYTES, MS_SYNC) == 0, "what was stored can be written");
    (void)fsync(sparse); /* who has it open learns of what could not be written, once */
    tap_ok(fsync(sparse) == 0, "fsync has no more to say");
    tap_ok(munmap(memory, SPARSE_BYTES) == 0 && drop_caches(), "the mapping goes");
    memory = mmap(NULL, SPARSE_BYTES, PROT_READ, MAP_SHARED, sparse, 0);
    tap_ok(memory != MAP_FAILED && is_stored(memory), "the disk has it");
    tap_ok(fill(filler) > 0 && fsync(filler) == 0 && unlink(FOLDER "/filler") == 0 && close(filler) == 0,
           "a disk that is filled once more loses the file");
    const int again = make(FOLDER "/again");
    tap_ok(holds(sparse, 0, 1, 1) && write(again, part, sizeof(part)) == (ssize_t)sizeof(part) && fsync(again) == 0,
           "there is room for others");
    (void)close(again);
}

int main(void)
{
    tap_plan(4 + 4 + 5 + 7 + 1);
    (void)mkdir("/home", 0755);
    (void)mkdir(FOLDER, 0755);
    const int kept = make(FOLDER "/kept"), sparse = make(FOLDER "/sparse"), filler = make(FOLDER "/filler");
    memset(part, 'k', sizeof(part));
    tap_ok(write(kept, part, sizeof(part)) == (ssize_t)sizeof(part) && fsync(kept) == 0, "a file is written");
    char *memory = MAP_FAILED;
    if (ftruncate(sparse, SPARSE_BYTES) == 0)
        memory = mmap(NULL, SPARSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, sparse, 0);
    if (!tap_ok(memory != MAP_FAILED && filler >= 0, "a file that is one hole is mapped"))
        return tap_done();
    const long size = fill(filler);
    tap_ok(size > 0, "the disk is filled: %ld KiB", size >> 10);
    tap_ok(fsync(filler) == 0 && free_blocks() == 0, "what is there is written");
    writing(kept, sparse);
    storing(kept, sparse, memory);
    room_again(filler, size, sparse, memory);
    sync();
    uint64_t failures;
    tap_equal(memsrv_check(SLOT_MEMSRV, &failures), 0, "memsrv's structures are sound");
    return tap_done();
}
