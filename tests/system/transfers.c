/* SPDX-License-Identifier: MIT */
/*
 * Long reads and writes, which go through memory shared with the file server: all lengths around its limits, at the end
 * of a file and at its own offsets, by several threads, by parent and child of a fork, with what is no memory of files.
 */
#include <errno.h>
#include <fcntl.h>
#include <proto/fs_client.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define PATH    "/tmp/transfers"
#define LONGEST (3 * FS_TRANSFER_BYTES)
#define THREADS 4
#define ROUNDS  20
#define RECORD  5000L

static unsigned char written[LONGEST], found[LONGEST + 1];

static void fill(unsigned char *bytes, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)((i + seed) * 2654435761U >> 13);
}

/* Writes so many bytes to an empty file, at once, and reads them back at once, with one more asked for. */
static bool holds(int file, size_t bytes)
{
    fill(written, bytes, (unsigned)bytes);
    memset(found, 0, sizeof(found));
    return ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0 && write(file, written, bytes) == (ssize_t)bytes &&
           lseek(file, 0, SEEK_CUR) == (off_t)bytes && lseek(file, 0, SEEK_SET) == 0 &&
           read(file, found, bytes + 1) == (ssize_t)bytes && memcmp(written, found, bytes) == 0 &&
           read(file, found, sizeof(found)) == 0;
}

static void test_lengths(int file)
{
    static const size_t lengths[] = {
        PROTO_DATA_MAX - 1,    PROTO_DATA_MAX,    PROTO_DATA_MAX + 1,    4096,
        FS_TRANSFER_BYTES - 1, FS_TRANSFER_BYTES, FS_TRANSFER_BYTES + 1, FS_TRANSFER_BYTES + PROTO_DATA_MAX,
        2 * FS_TRANSFER_BYTES, LONGEST,
    };

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        tap_ok(holds(file, lengths[i]), "%zu bytes at once", lengths[i]);
}

static void test_places(int file)
{
    fill(written, LONGEST, 1);
    tap_ok(ftruncate(file, 0) == 0 && pwrite(file, written, LONGEST / 2, 12345) == LONGEST / 2, "pwrite");
    lseek(file, 7, SEEK_SET);
    tap_ok(pread(file, found, LONGEST, 12340) == LONGEST / 2 + 5 && found[4] == 0 &&
               memcmp(found + 5, written, LONGEST / 2) == 0,
           "pread gives what is there, zeros before it");
    tap_ok(lseek(file, 0, SEEK_CUR) == 7, "the offset stays");
    tap_ok(pread(file, found, LONGEST, 1L << 40) == 0, "behind the end is nothing");
    errno = 0;
    tap_ok(pwrite(file, written, LONGEST, 1L << 40) == -1 && errno == EFBIG, "a place that no file has");
    const int end = open(PATH, O_WRONLY | O_APPEND);
    tap_ok(write(end, written, LONGEST) == LONGEST && lseek(file, 0, SEEK_END) == 12345 + LONGEST / 2 + LONGEST,
           "O_APPEND writes at the end");
    errno = 0;
    tap_ok(read(end, found, LONGEST) == -1 && errno == EBADF, "what is open to write is not read");
    close(end);
}

static void test_others(void)
{
    const int directory = open("/tmp", O_RDONLY), zeros = open("/dev/zero", O_RDONLY);
    const int full = open("/dev/full", O_WRONLY);

    errno = 0;
    tap_ok(read(directory, found, LONGEST) == -1 && errno == EISDIR, "a directory");
    found[LONGEST - 1] = 1;
    tap_ok(read(zeros, found, LONGEST) == LONGEST && found[LONGEST - 1] == 0, "/dev/zero");
    errno = 0;
    tap_ok(write(full, written, LONGEST) == -1 && errno == ENOSPC, "/dev/full");
    close(directory);
    close(zeros);
    close(full);
}

/* Records of a thread's own value, each written by one call to where its offset says. */
static void *write_records(void *argument)
{
    const long number = (long)argument;
    unsigned char record[RECORD];
    const int file = open(PATH, O_RDWR | O_APPEND);
    bool good = file >= 0;

    memset(record, (int)number, sizeof(record));
    for (int round = 0; round < ROUNDS && good; round++)
        good = write(file, record, sizeof(record)) == RECORD;
    close(file);
    return good ? argument : NULL;
}

static void test_threads(int file)
{
    pthread_t threads[THREADS];
    bool good = ftruncate(file, 0) == 0;
    int status = -1;

    for (long i = 0; i < THREADS; i++)
        good &= pthread_create(&threads[i], NULL, write_records, (void *)(i + 1)) == 0;
    /* The threads may be anywhere: opening, writing, closing. */
    const pid_t child = fork();
    if (child == 0)
        _exit(write_records((void *)(THREADS + 1L)) ? 0 : 1);
    for (long i = 0; i < THREADS; i++) {
        void *result = NULL;
        good &= pthread_join(threads[i], &result) == 0 && result;
    }
    tap_ok(good && waitpid(child, &status, 0) == child && status == 0, "four threads and a child write records");
    long counts[THREADS + 2] = {0};
    unsigned char byte[RECORD];
    good = lseek(file, 0, SEEK_SET) == 0;
    for (ssize_t got; (got = read(file, byte, sizeof(byte))) > 0;)
        for (ssize_t i = 0; i < got; i++)
            counts[byte[i] <= THREADS + 1 ? byte[i] : 0]++;
    for (int i = 1; i <= THREADS + 1; i++)
        good &= counts[i] == ROUNDS * RECORD;
    tap_ok(good && counts[0] == 0, "no byte of them is lost or another's");
}

/* What a program can ask of the server itself. */
static void test_server(void)
{
    uint64_t object, again, got;

    tap_ok(fs_transfer_buffer(SLOT_FS, &object) == 0 && fs_transfer_buffer(SLOT_FS, &again) == 0 && object == again,
           "a program has one buffer");
    tap_ok(fs_transfer_read(SLOT_FS, 255, 0, 1, &got) == -EBADF &&
               fs_transfer_read(SLOT_FS, ~0UL, 0, 1, &got) == -EBADF,
           "a handle that is not open");
    const int file = open(PATH, O_RDWR);
    tap_ok(fs_transfer_read(SLOT_FS, (uint64_t)file, 1UL << 63, 1, &got) == -EINVAL, "an offset that cannot be");
    tap_ok(fs_transfer_read(SLOT_FS, (uint64_t)file, 0, ~0UL, &got) == 0 && got == FS_TRANSFER_BYTES,
           "as much as there is room for");
    close(file);
    const pid_t child = fork();
    if (child == 0) {
        const int own = open(PATH, O_RDWR);
        _exit(own >= 0 && fs_transfer_read(SLOT_FS, (uint64_t)own, 0, 1, &got) == -ENXIO ? 0 : 1);
    }
    int status = -1;
    tap_ok(waitpid(child, &status, 0) == child && status == 0, "a child has none before it asks");
}

int main(void)
{
    tap_plan(27);
    const int file = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
    test_lengths(file);
    test_places(file);
    test_others();
    test_threads(file);
    test_server();
    unlink(PATH);
    return tap_done();
}
