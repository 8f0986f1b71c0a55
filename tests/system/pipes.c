/* SPDX-License-Identifier: MIT */
/*
 * Pipes: bytes in order, waiting, ends, atomic writes, limits; poll and select. Threads are the two sides.
 */
#define _GNU_SOURCE /* pipe2 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <proto/fs_client.h>
#include <pthread.h>
#include <quire/process.h>
#include <quire/thread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_ROOM       65536
#define STREAM_BYTES    300000
#define WRITERS         6
#define RECORDS         200
#define RECORD_BYTES    100
#define SLEEP_US        20000
#define WAITING_READERS 24
#define INHERITED       50

static void refused(long result, int wanted, const char *what)
{
    const int found = errno;
    tap_ok(result == -1 && found == wanted, "%s gives %s", what, strerror(wanted));
    if (result != -1 || found != wanted)
        tap_diag("result %ld, errno %d (%s)", result, found, strerror(found));
}

static void test_simple(void)
{
    struct stat status;
    char text[16];
    int ends[2];

    tap_ok(pipe(ends) == 0 && ends[0] != ends[1], "pipe gives two descriptors");
    tap_ok(fstat(ends[0], &status) == 0 && S_ISFIFO(status.st_mode), "of a pipe");
    tap_ok(write(ends[1], "abc", 3) == 3 && write(ends[1], "de", 2) == 2, "one end takes bytes");
    tap_ok(read(ends[0], text, sizeof(text)) == 5 && memcmp(text, "abcde", 5) == 0, "the other gives them in order");
    refused(read(ends[1], text, 1), EBADF, "read at the end to write");
    refused(write(ends[0], text, 1), EBADF, "write at the end to read");
    refused(lseek(ends[0], 0, SEEK_CUR), ESPIPE, "lseek of a pipe");
    refused(pread(ends[0], text, 1, 0), ESPIPE, "pread of a pipe");
    tap_equal(write(ends[1], text, 0), 0, "nothing can be written");
    tap_equal(fcntl(ends[0], F_GETFL), O_RDONLY, "F_GETFL tells the end");
    write(ends[1], "xy", 2);
    close(ends[1]);
    tap_ok(read(ends[0], text, 1) == 1 && read(ends[0], text, 9) == 1, "what was written is there when nobody writes");
    tap_equal(read(ends[0], text, 1), 0, "and then the end");
    close(ends[0]);
    pipe(ends);
    close(ends[0]);
    refused(write(ends[1], "x", 1), EPIPE, "write when nobody reads");
    close(ends[1]);
    pipe(ends);
    const int copy = dup(ends[1]);
    close(ends[1]);
    tap_ok(write(copy, "x", 1) == 1 && read(ends[0], text, 1) == 1, "a copy of an end keeps it open");
    close(copy);
    tap_equal(read(ends[0], text, 1), 0, "to its own end");
    close(ends[0]);
}

static void test_nonblocking(void)
{
    static char block[PIPE_ROOM];
    long filled = 0, written;
    int ends[2];

    refused(pipe2(ends, O_APPEND), EINVAL, "pipe2 with a flag that is none");
    tap_ok(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0 && fcntl(ends[1], F_GETFD) == FD_CLOEXEC, "pipe2 takes flags");
    refused(read(ends[0], block, 1), EAGAIN, "read of an empty pipe that must not wait");
    while ((written = write(ends[1], block, sizeof(block))) > 0)
        filled += written;
    tap_ok(written == -1 && errno == EAGAIN, "so does write to a full one");
    tap_equal(filled, PIPE_ROOM, "which holds 64 KiB");
    read(ends[0], block, PIPE_BUF - 1);
    refused(write(ends[1], block, PIPE_BUF), EAGAIN, "write of PIPE_BUF bytes where one has no room");
    tap_equal(write(ends[1], block, PIPE_BUF + 1), PIPE_BUF - 1, "of more, as many as fit are written");
    fcntl(ends[0], F_SETFL, 0);
    tap_ok(read(ends[0], block, 1) == 1 && fcntl(ends[1], F_GETFL) == (O_WRONLY | O_NONBLOCK),
           "each end has its own O_NONBLOCK");
    close(ends[0]);
    close(ends[1]);
}

static unsigned char byte_at(long index)
{
    return (unsigned char)((unsigned long)index * 2654435761u >> 13);
}

static int write_stream(void *argument)
{
    const int file = *(const int *)argument;
    unsigned char part[5000];
    long done = 0;

    while (done < STREAM_BYTES) {
        long bytes = 1 + done * 7 % (long)sizeof(part);
        if (bytes > STREAM_BYTES - done)
            bytes = STREAM_BYTES - done;
        for (long i = 0; i < bytes; i++)
            part[i] = byte_at(done + i);
        if (write(file, part, (size_t)bytes) != bytes)
            return 1;
        done += bytes;
    }
    return close(file);
}

/* More than a pipe holds goes through it, and whoever is ahead waits for the other. */
static void test_stream(void)
{
    struct thread *thread;
    unsigned char part[3000];
    long got = 0, bytes = 0, wrong = 0;
    int ends[2], result = -1;

    pipe(ends);
    tap_equal(thread_create(&thread, write_stream, &ends[1]), 0, "a thread writes");
    usleep(SLEEP_US); /* it fills the pipe meanwhile */
    while ((bytes = read(ends[0], part, 1 + (size_t)got % sizeof(part))) > 0) {
        for (long i = 0; i < bytes; i++)
            wrong += part[i] != byte_at(got + i);
        got += bytes;
    }
    tap_equal(bytes, 0, "another reads to the end");
    tap_equal(got, STREAM_BYTES, "every byte");
    tap_equal(wrong, 0, "in order");
    tap_ok(thread_join(thread, &result) == 0 && result == 0, "the writer has written all");
    close(ends[0]);
}

static int shared_end;

static int write_records(void *argument)
{
    char record[RECORD_BYTES];

    memset(record, 'a' + (int)(intptr_t)argument, sizeof(record));
    for (int i = 0; i < RECORDS; i++)
        if (write(shared_end, record, sizeof(record)) != (ssize_t)sizeof(record))
            return 1;
    return 0;
}

/* Writes of up to PIPE_BUF bytes do not mix. */
static void test_atomic(void)
{
    struct thread *threads[WRITERS];
    char record[RECORD_BYTES];
    int ends[2], mixed = 0, failed = 0, records = 0;

    pipe(ends);
    shared_end = ends[1];
    for (intptr_t i = 0; i < WRITERS; i++)
        if (thread_create(&threads[i], write_records, (void *)i) < 0)
            failed++;
    for (; records < WRITERS * RECORDS; records++) {
        for (size_t got = 0; got < sizeof(record);) {
            const ssize_t part = read(ends[0], record + got, sizeof(record) - got);
            if (part <= 0)
                break;
            got += (size_t)part;
        }
        for (size_t i = 1; i < sizeof(record); i++)
            mixed += record[i] != record[0];
    }
    for (int i = 0; i < WRITERS; i++) {
        int result = -1;
        failed += thread_join(threads[i], &result) != 0 || result != 0;
    }
    tap_equal(failed, 0, "%d threads write at once", WRITERS);
    tap_equal(mixed, 0, "and their records do not mix");
    close(ends[0]);
    close(ends[1]);
}

static int read_end;
static _Atomic int woken;

static int wait_for_end(void *argument)
{
    char byte;
    const ssize_t got = read(read_end, &byte, 1);

    (void)argument;
    woken += got == 0;
    return 0;
}

static int wait_for_room(void *argument)
{
    static char block[PIPE_ROOM];
    const int end = *(const int *)argument;

    (void)!write(end, block, sizeof(block));
    return write(end, block, 1) == -1 && errno == EPIPE ? 0 : 1;
}

/* More readers than may wait at the server: the others ask again and again. */
static void test_wake(void)
{
    struct thread *threads[WAITING_READERS], *writer;
    int ends[2], created = 0, result = -1;

    pipe(ends);
    read_end = ends[0];
    while (created < WAITING_READERS && thread_create(&threads[created], wait_for_end, NULL) == 0)
        created++;
    usleep(SLEEP_US);
    tap_equal(woken, 0, "%d readers wait", created);
    close(ends[1]);
    for (int i = 0; i < created; i++)
        thread_join(threads[i], NULL);
    tap_equal(woken, created, "and see the end when the last writer is gone");
    close(ends[0]);

    pipe(ends);
    tap_equal(thread_create(&writer, wait_for_room, &ends[1]), 0, "a writer waits");
    usleep(SLEEP_US);
    close(ends[0]);
    tap_ok(thread_join(writer, &result) == 0 && result == 0, "and gets EPIPE when the last reader is gone");
    close(ends[1]);
}

static int write_later(void *argument)
{
    usleep(SLEEP_US);
    return write(*(const int *)argument, "x", 1) == 1 ? 0 : 1;
}

static void test_poll(void)
{
    struct timeval soon = {.tv_usec = 1000};
    struct thread *thread;
    fd_set readable, writable;
    char byte;
    int ends[2];

    pipe(ends);
    struct pollfd files[3] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}, {.fd = -1}};
    tap_ok(poll(files, 3, 0) == 1 && files[0].revents == 0 && files[1].revents == POLLOUT,
           "poll: an empty pipe can be written");
    write(ends[1], "x", 1);
    tap_ok(poll(files, 3, 0) == 2 && files[0].revents == POLLIN, "one that is not, read");
    read(ends[0], &byte, 1);
    tap_equal(poll(files, 1, 5), 0, "poll ends when its time is up");
    if (thread_create(&thread, write_later, &ends[1]) == 0) {
        tap_ok(poll(files, 1, -1) == 1 && files[0].revents == POLLIN, "or when there is something");
        thread_join(thread, NULL);
    }
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(ends[0], &readable);
    FD_SET(ends[1], &writable);
    tap_ok(select(OPEN_MAX, &readable, &writable, NULL, NULL) == 2 && FD_ISSET(ends[0], &readable),
           "select tells both");
    read(ends[0], &byte, 1);
    FD_CLR(ends[1], &writable);
    tap_ok(select(OPEN_MAX, &readable, &writable, NULL, &soon) == 0 && !FD_ISSET(ends[0], &readable),
           "and has a time limit, too");
    close(ends[1]);
    tap_ok(poll(files, 1, -1) == 1 && files[0].revents == POLLHUP, "poll tells that nobody writes");
    tap_ok(poll(files, 2, 0) == 2 && files[1].revents == POLLNVAL, "and that a descriptor is closed");
    close(ends[0]);
    pipe(ends);
    close(ends[0]);
    files[0] = (struct pollfd){.fd = ends[1], .events = POLLOUT};
    tap_ok(poll(files, 1, -1) == 1 && files[0].revents == POLLERR, "and that nobody reads");
    close(ends[1]);
    files[0] = (struct pollfd){.fd = open("/tests/pipes", O_RDONLY), .events = POLLIN};
    files[1] = (struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT};
    tap_ok(poll(files, 2, -1) == 2, "files and the terminal are always ready");
    close(files[0].fd);
}

static void *close_later(void *end)
{
    usleep(SLEEP_US);
    close(*(int *)end);
    return NULL;
}

static void note_signal(int number)
{
    (void)number;
}

/* Waiting in poll() for what other threads and signals do. */
static void test_watch(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
    struct pollfd files[20];
    pthread_t thread;
    int ends[2], others[2];

    pipe(ends);
    pipe(others);
    for (size_t i = 0; i < 20; i++)
        files[i] = (struct pollfd){.fd = i % 2 ? others[0] : ends[0], .events = POLLIN};
    (void)pthread_create(&thread, NULL, close_later, &ends[1]);
    tap_ok(poll(files, 2, 10000) == 1 && files[0].revents == POLLHUP && files[1].revents == 0,
           "the end of a writer ends a wait for two pipes");
    pthread_join(thread, NULL);
    (void)pthread_create(&thread, NULL, close_later, &others[1]);
    files[0].fd = files[2].fd = -1;
    tap_ok(poll(files + 1, 1, -1) == 1 && files[1].revents == POLLHUP, "without a limit of time, too");
    pthread_join(thread, NULL);
    pipe(ends);
    for (size_t i = 0; i < 20; i++)
        files[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    (void)pthread_create(&thread, NULL, close_later, &ends[1]);
    tap_ok(poll(files, 20, 10000) == 20, "more than the file server watches");
    pthread_join(thread, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    pipe(ends);
    files[0].fd = ends[0];
    (void)ualarm(SLEEP_US, 0);
    errno = 0;
    tap_ok(poll(files, 1, -1) == -1 && errno == EINTR, "a handler ends the wait, whatever its flags");
    (void)ualarm(SLEEP_US, 0);
    tap_ok(poll(NULL, 0, 5000) == -1 && errno == EINTR, "also a wait for nothing");
    tap_equal(poll(NULL, 0, 5), 0, "which ends by itself otherwise");
}

/* A child that ends with its pipes open, one thread waiting: nothing of it stays. */
static void test_end(void)
{
    const char *child[] = {"/tests/pipes", "leave", NULL};

    for (int i = 0; i < 8; i++)
        (void)!process_run(child);
    tap_equal(process_run(child), 7, "programs end with pipes open");
}

/* A child that gets this program's handles, as fork() will do it: it writes into the parent's pipe. */
static void test_inherit(void)
{
    const char *line[] = {"/tests/pipes", "inherit", NULL};
    char text[8] = {0};
    int ends[2];

    pipe(ends);
    dup2(ends[1], INHERITED);
    close(ends[1]);
    const int hidden = fcntl(INHERITED, F_DUPFD_CLOEXEC, INHERITED + 1);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(execv(line[0], (char *const *)line));
    tap_equal(fs_process_forked(SLOT_FS, (uint64_t)pid), -EEXIST, "a child gets its parent's handles, once");
    tap_equal(fs_process_forked(SLOT_FS, (uint64_t)pid + 1), -EPERM, "one that does not exist does not");
    tap_equal(fs_process_forked(SLOT_FS, 1), -EPERM, "nobody else's does");
    close(hidden);
    close(INHERITED);
    tap_ok(read(ends[0], text, sizeof(text)) == 5 && strcmp(text, "child") == 0, "the child writes to the pipe");
    tap_equal(read(ends[0], text, sizeof(text)), 0, "which ends with the child");
    tap_equal(process_wait((uint64_t)pid), 0, "and without the descriptor that was not for it");
    close(ends[0]);
}

/* fork() passes descriptors on: both ends of pipes, and offsets that are shared. */
static void test_fork(void)
{
    char text[8] = {0};
    int ends[2], status = -1;
    const int file = open("/tmp/forked", O_RDWR | O_CREAT | O_TRUNC, 0600);

    pipe(ends);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        _exit(write(ends[1], "fork", 4) == 4 && write(file, "abc", 3) == 3 ? 3 : 1);
    }
    close(ends[1]);
    tap_ok(read(ends[0], text, sizeof(text)) == 4 && strcmp(text, "fork") == 0, "a forked child writes to the pipe");
    tap_equal(read(ends[0], text, sizeof(text)), 0, "and ends");
    tap_ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3, "as it should");
    tap_equal(lseek(file, 0, SEEK_CUR), 3, "its writes moved the offset that both have");
    close(ends[0]);
    close(file);
}

static int child_inherit(void)
{
    usleep(10 * SLEEP_US); /* until the parent has done its part: fork() needs no such guess */
    if (write(INHERITED, "child", 5) != 5)
        return 1;
    return fcntl(INHERITED + 1, F_GETFD) == -1 && errno == EBADF ? 0 : 2;
}

static int child(void)
{
    struct thread *thread;
    int ends[2];

    for (int i = 0; i < 20; i++)
        pipe(ends);
    read_end = ends[0];
    if (thread_create(&thread, wait_for_end, NULL) < 0)
        return 1;
    usleep(SLEEP_US);
    return 7;
}

int main(int argument_count, char **arguments)
{
    (void)signal(SIGPIPE, SIG_IGN); /* writing to nobody is an error here */
    if (argument_count > 1)
        return strcmp(arguments[1], "inherit") == 0 ? child_inherit() : child();
    tap_plan(15 + 8 + 5 + 2 + 4 + 10 + 6 + 6 + 4 + 1);
    test_simple();
    test_nonblocking();
    test_stream();
    test_atomic();
    test_wake();
    test_poll();
    test_watch();
    test_inherit();
    test_fork();
    test_end();
    return tap_done();
}
