/* SPDX-License-Identifier: MIT */
/*
 * The file server survives nonsense, and nobody else suffers when it does not survive: it is killed here, and files can
 * be used again when it has started anew.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/fs_client.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_MESSAGES 20000
#define OPERATIONS      70
#define SLEEP_US        20000
#define TRIES_MAX       200

static uint64_t state = 88172645463325252u;

static uint64_t random_next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Sends a message as it is; returns the label of the answer. */
static int send(uint64_t operation, const uint64_t *words, size_t buffer_words)
{
    struct message message = {.tag = MSG_TAG(operation, buffer_words, 0)};

    memcpy(message.words, words, sizeof(message.words));
    const long error = sys_call(SLOT_FS, &message);
    return error < 0 ? (int)error : MSG_LABEL(message.tag);
}

static void put_text(const char *text)
{
    memset(ipc_buffer()->words, 'x', sizeof(ipc_buffer()->words));
    memcpy(ipc_buffer()->words, text, strlen(text));
}

static void test_shapes(void)
{
    static char text[PROTO_DATA_MAX];
    struct fs_status status;
    uint64_t kind;
    size_t count;

    tap_equal(send(9999, (uint64_t[6]){0}, 0), -ENOSYS, "an unknown operation");
    tap_equal(send(FS_OP_CLOSE, (uint64_t[6]){UINT64_MAX}, 0), -EBADF, "a handle that cannot be");
    tap_equal(send(FS_OP_CLOSE, (uint64_t[6]){200}, 1), -EINVAL, "data where there should be none");
    put_text("/tmp");
    tap_equal(send(FS_OP_UNLINK, (uint64_t[6]){4}, 1), -EINVAL, "a path without a zero");
    put_text("/tmp");
    tap_equal(send(FS_OP_UNLINK, (uint64_t[6]){PROTO_DATA_MAX}, 448), -EINVAL, "a long one without a zero");
    tap_equal(send(FS_OP_UNLINK, (uint64_t[6]){0}, 0), -EINVAL, "no path at all");
    tap_equal(send(FS_OP_UNLINK, (uint64_t[6]){100}, 1), -EINVAL, "less data than it says");
    tap_equal(send(FS_OP_RENAME, (uint64_t[6]){5}, 1), -EINVAL, "one path where two should be");
    tap_equal(fs_path_status(SLOT_FS, 0, "tmp", 4, &status, 1, &count), -EINVAL, "a relative path");
    tap_equal(fs_path_status(SLOT_FS, 0, "/t\0mp", 6, &status, 1, &count), -EINVAL, "a zero in a path");
    memset(text, 'a', sizeof(text) - 1);
    text[0] = '/';
    tap_equal(fs_path_status(SLOT_FS, 0, text, sizeof(text), &status, 1, &count), -ENAMETOOLONG, "too long a path");
    tap_equal(fs_open(SLOT_FS, 100, UINT64_MAX, 0, "/tmp", 5, &kind), -EINVAL, "flags that do not exist");
    tap_equal(fs_open(SLOT_FS, 100, FS_OPEN_CREATE, 0, "/tmp", 5, &kind), -EINVAL, "neither read nor write");
    tap_equal(fs_open(SLOT_FS, FS_HANDLES, FS_OPEN_READ, 0, "/tmp", 5, &kind), -EBADF, "a new handle that cannot be");
    tap_equal(fs_open(SLOT_FS, 1, FS_OPEN_READ, 0, "/tmp", 5, &kind), -EBUSY, "a new handle that is open");
    tap_equal(fs_pipe(SLOT_FS, 100, 100, 0), -EINVAL, "a pipe with one end");
    tap_equal(fs_write_at(SLOT_FS, 1, UINT64_MAX, "x", 1, &kind), -EINVAL, "an offset that cannot be");
    tap_equal(fs_write(SLOT_FS, 1, "x", 1, &kind), -EOPNOTSUPP, "writing to the console through it");
    tap_equal(fs_process_ended(SLOT_FS, 1), -EPERM, "ending a process without the right");
    tap_equal(fs_process_forked(SLOT_FS, 1), -EPERM, "or forking one");
}

/* Nonsense of every kind, except what would wait. */
static void test_random(void)
{
    struct stat status;
    int answered = 0;

    for (int i = 0; i < RANDOM_MESSAGES; i++) {
        uint64_t words[6], *buffer = ipc_buffer()->words;
        for (size_t j = 0; j < 6; j++)
            words[j] = random_next() >> random_next() % 64;
        if (random_next() % 4 == 0)
            words[0] = 1 + random_next() % 8;
        for (size_t j = 0; j < 8; j++)
            buffer[j] = random_next();
        if (random_next() % 2) {
            memcpy(buffer, "/tmp/r/x\0/tmp/y", 16);
            words[random_next() % 4] = random_next() % 2 ? 9 : 16;
        }
        const uint64_t operation = random_next() % OPERATIONS;
        if (operation == FS_OP_OPEN || operation == FS_OP_PIPE || operation == FS_OP_CLOSE)
            words[0] = 100 + words[0] % 100;
        if (operation == FS_OP_PIPE)
            words[1] = 100 + words[1] % 100;
        /* Reading or writing a pipe would wait. */
        if (operation == FS_OP_READ || operation == FS_OP_WRITE || operation == FS_OP_DUPLICATE)
            words[0] = random_next() % 100;
        if (operation == FS_OP_DUPLICATE)
            words[1] = 200 + words[1] % 100;
        answered += send(operation, words, random_next() % 4) <= 0;
    }
    tap_equal(answered, RANDOM_MESSAGES, "%d messages of nonsense are answered", RANDOM_MESSAGES);
    tap_ok(stat("/tmp", &status) == 0 && S_ISDIR(status.st_mode), "and files are there");
}

static uint64_t find(const char *name)
{
    struct root_process process;
    uint64_t cursor = 0;
    size_t count = 0;

    do {
        if (root_process_list(SLOT_ROOT, cursor, &cursor, &process, 1, &count) < 0 || count == 0)
            return 0;
        if (strcmp(process.name, name) == 0)
            return process.pid;
    } while (cursor != 0);
    return 0;
}

/* Memory that the server shares with a program is the server's: the program cannot take pages away that the server is
 * going to touch, which it might not get again. */
static void test_shared_memory(void)
{
    static char text[2 * PAGE_SIZE];
    const uint64_t server = find("fs");
    uint64_t object = 0, address = 0;

    tap_ok(fs_transfer_buffer(SLOT_FS, &object) == 0 &&
               memsrv_map_object(SLOT_MEMSRV, 0, FS_TRANSFER_BYTES, PROT_READ | PROT_WRITE, MEMSRV_MAP_SHARED, object,
                                 0, &address) == 0,
           "the transfer buffer is mapped");
    tap_ok(madvise((void *)address, FS_TRANSFER_BYTES, MADV_REMOVE) == -1 && errno == EPERM,
           "its pages cannot be taken away");
    tap_equal(memsrv_object_memory_discard(SLOT_MEMSRV, object, 0, FS_TRANSFER_BYTES), -ENOENT, "nor as an object's");
    tap_equal(memsrv_object_memory_resize(SLOT_MEMSRV, object, 0), -ENOENT, "nor cut off");
    tap_ok(madvise((void *)address, FS_TRANSFER_BYTES, MADV_DONTNEED) == 0 && munmap((void *)address, PAGE_SIZE) == 0,
           "what the program does to its own mapping");
    const int file = open("/tmp/shared", O_RDWR | O_CREAT | O_TRUNC, 0644);
    tap_ok(write(file, text, sizeof(text)) == sizeof(text), "does not concern others");
    char *mapped = mmap(NULL, sizeof(text), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    tap_ok(mapped != MAP_FAILED && madvise(mapped, sizeof(text), MADV_REMOVE) == -1 && errno == EPERM,
           "pages of a file cannot be taken away either");
    mapped[0] = 'm';
    tap_ok(pread(file, text, 1, 0) == 1 && text[0] == 'm' && ftruncate(file, 0) == 0 && pread(file, text, 1, 0) == 0,
           "only by the file server");
    (void)munmap(mapped, sizeof(text));
    close(file);
    tap_equal((long)find("fs"), (long)server, "which is the same");
}

/* A notification of the program's own; its slot. */
static uint64_t notification(void)
{
    const uint64_t slot = slot_allocate();
    uint64_t identifier;

    return memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &identifier, slot) == 0 ? slot : SLOT_NONE;
}

/* No program can take all watches, and what it leaves behind goes. */
static void test_watches(void)
{
    struct fs_readiness asked[FS_WATCH_HANDLES + 1];
    const uint64_t slot = notification();
    uint64_t ready, bits;
    int files[2], made = 0, error = 0;

    pipe(files);
    for (size_t i = 0; i <= FS_WATCH_HANDLES; i++)
        asked[i] = (struct fs_readiness){.number = (uint64_t)files[0], .events = FS_READY_IN};
    tap_equal(fs_watch(SLOT_FS, 1, asked, FS_WATCH_HANDLES + 1, slot, &ready), -EINVAL, "a watch of too many handles");
    tap_equal(fs_watch(SLOT_FS, 1, asked, 0, slot, &ready), -EINVAL, "or of none");
    tap_equal(fs_watch(SLOT_FS, 1, asked, 1, SLOT_NONE, &ready), -EINVAL, "or without a notification");
    for (uint64_t thread = 0; error == 0 && thread < 2 * FS_WATCHES_MAX; thread++) {
        error = fs_watch(SLOT_FS, thread, asked, 1, slot, &ready);
        made += error == 0 && !ready;
    }
    tap_ok(error == -EBUSY && made == FS_WATCHES_MAX / 4, "a program has %d watches at most", made);
    tap_equal(fs_watch(SLOT_FS, 3, asked, FS_WATCH_HANDLES, slot, &ready), 0, "another takes the place of the last");
    write(files[1], "x", 1);
    tap_ok(sys_wait(slot, DEADLINE_NEVER, &bits) == 0 && bits == 1, "all are told");
    tap_ok(fs_watch(SLOT_FS, 3, asked, 1, slot, &ready) == 0 && ready == 1, "what is ready is not watched");
    tap_equal(fs_watch_end(SLOT_FS, 77), 0, "a watch that is not there ends");
    close(files[0]);
    close(files[1]);
    slot_free(slot);
}

static int ends[2];

static int wait_at_pipe(void *argument)
{
    char byte;

    (void)argument;
    return read(ends[0], &byte, 1) == -1 ? errno : 0;
}

static void test_restart(void)
{
    struct thread *thread;
    int result = -1;
    char byte;

    const int file = open("/tmp/lost", O_RDWR | O_CREAT, 0644);
    write(file, "x", 1);
    pipe(ends);
    tap_equal(thread_create(&thread, wait_at_pipe, NULL), 0, "a thread waits at a pipe");
    usleep(SLEEP_US);
    const uint64_t old = find("fs");
    tap_ok(old != 0 && root_kill(SLOT_ROOT, old) == 0, "the file server is killed");
    tap_equal(thread_join(thread, &result), 0, "the thread goes on");
    tap_ok(result == EIO || result == EBADF, "with an error");
    tap_ok(find("fs") > old, "another server takes its place");
    const int again = open("/tests/hello", O_RDONLY);
    tap_ok(again > ends[1] && read(again, &byte, 1) == 1 && byte == 0x7f, "which opens files");
    tap_ok(pread(file, &byte, 1, 0) == -1 && (errno == EBADF || errno == EIO), "old descriptors give an error");
    tap_ok(write(ends[1], &byte, 1) == -1 && errno != EAGAIN, "those of pipes, too");
    tap_ok(access("/tmp/lost", F_OK) == -1 && errno == ENOENT, "what was only in memory is lost");
    tap_ok(close(file) == 0 && close(again) == 0, "all can be closed");
    tap_equal(open("/tmp/new", O_RDWR | O_CREAT, 0644), file, "and their numbers are used again");
}

int main(void)
{
    tap_plan(20 + 2 + 9 + 8 + 11);
    test_shapes();
    test_random();
    test_shared_memory();
    test_watches();
    test_restart();
    return tap_done();
}
