/* SPDX-License-Identifier: MIT */
/*
 * Files and pipes take all memory that they may: programs get ENOSPC, everything goes on, and what is removed is free
 * again.
 */
#define _GNU_SOURCE /* pipe2 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/memsrv_client.h>
#include <quire/process.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BLOCK     65536
#define MEBIBYTE  (1L << 20)
#define NEAR      2048 /* pages that lists and records may keep */
#define PIPES_MAX 100

static long free_blocks(void)
{
    struct statvfs volume;
    return statvfs("/", &volume) == 0 ? (long)volume.f_bfree : -1;
}

/* Writes until nothing more goes into the file; returns the bytes. */
static long fill(int file)
{
    static char block[BLOCK];
    long bytes = 0, written;

    memset(block, 'x', sizeof(block));
    while ((written = write(file, block, sizeof(block))) > 0)
        bytes += written;
    return bytes;
}

int main(void)
{
    const char *hello[] = {"/tests/hello", NULL};
    struct stat status;
    char byte = 0;
    int ends[2], pipes = 0, failed = 0;

    tap_plan(12);
    const long before = free_blocks();
    const int file = open("/tmp/full", O_RDWR | O_CREAT, 0600);
    const long bytes = fill(file);
    tap_equal(errno, ENOSPC, "a file of %ld MiB fills all", bytes / MEBIBYTE);
    tap_ok(fstat(file, &status) == 0 && status.st_size == bytes && status.st_blocks * 512 >= bytes, "it is as long");
    tap_ok(pread(file, &byte, 1, bytes - 1) == 1 && byte == 'x', "and can be read to its end");
    tap_ok(write(file, "x", 1) == -1 || lseek(file, 0, SEEK_END) <= bytes + 4096, "no more goes in");
    const int other = open("/tmp/other", O_RDWR | O_CREAT, 0600);
    tap_ok(other >= 0 ? write(other, &byte, 1) == -1 && errno == ENOSPC : errno == ENOSPC, "nor into another");
    while (pipes < PIPES_MAX && pipe2(ends, O_NONBLOCK) == 0) {
        pipes++;
        failed += write(ends[1], "x", 1) != 1;
    }
    tap_ok(pipes == PIPES_MAX || errno == ENFILE, "pipes do not help (%d could be made)", pipes);
    tap_ok(failed == pipes, "they take nothing");
    tap_ok(process_run(hello) == 0, "programs can be run");
    tap_ok(ftruncate(file, bytes / 2) == 0 && pwrite(file, "y", 1, bytes / 2) == 1, "a shorter file leaves room");
    tap_ok(unlink("/tmp/full") == 0 && close(file) == 0, "the file is removed");
    const long after = free_blocks();
    tap_ok(after > before - NEAR, "and its memory free again");
    tap_diag("%ld pages free before, %ld after", before, after);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
