/* SPDX-License-Identifier: MIT */
/*
 * Shared memory objects and mapped files: what is written is seen by others, in other programs, too, whether through a
 * mapping or by read and write; what ftruncate() cuts off is gone from all mappings.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <proto/memsrv_client.h>
#include <quire/process.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE       4096
#define NAME       "/shared"
#define FILE_PATH  "/tmp/mapped"
#define ROUNDS     1000
#define STATUS_BUS 135 /* 128 + SIGBUS */

static void refused(long result, int wanted, const char *what)
{
    const int found = errno;
    tap_ok(result == -1 && found == wanted, "%s gives %s", what, strerror(wanted));
    if (result != -1 || found != wanted)
        tap_diag("result %ld, errno %d (%s)", result, found, strerror(found));
}

static char *map(int file, size_t bytes, int protection, int flags)
{
    char *address = mmap(NULL, bytes, protection, flags, file, 0);
    if (address == MAP_FAILED)
        tap_diag("mmap: %s", strerror(errno));
    return address;
}

static int run(const char *role)
{
    const char *child[] = {"/tests/shm", role, NULL};
    return process_run(child);
}

static void test_names(void)
{
    struct stat status;

    const int object = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
    tap_ok(object >= 0 && fstat(object, &status) == 0 && status.st_size == 0, "shm_open makes an empty object");
    tap_equal(fcntl(object, F_GETFD), FD_CLOEXEC, "which no other program gets");
    refused(shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST, "shm_open with O_EXCL again");
    refused(shm_open("/none", O_RDWR, 0), ENOENT, "shm_open of nothing");
    refused(shm_open("relative", O_RDWR | O_CREAT, 0600), EINVAL, "a name without a slash");
    refused(shm_open("/a/b", O_RDWR | O_CREAT, 0600), EINVAL, "a name with two");
    refused(shm_open("/", O_RDWR | O_CREAT, 0600), EINVAL, "a slash alone");
    refused(shm_open(NAME, O_WRONLY, 0), EINVAL, "O_WRONLY");
    tap_ok(ftruncate(object, 3 * PAGE) == 0 && fstat(object, &status) == 0 && status.st_size == 3 * PAGE,
           "ftruncate gives it a size");
    close(object);
    const int again = shm_open(NAME, O_RDONLY, 0);
    tap_ok(fstat(again, &status) == 0 && status.st_size == 3 * PAGE, "it is there after it was closed");
    tap_ok(map(again, PAGE, PROT_READ, MAP_SHARED) != MAP_FAILED, "and can be mapped to read");
    refused((long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, again, 0), EACCES,
            "mapping it to write when it is open to read");
    close(again);
}

/* Two programs take turns by a counter in shared memory. */
static int play(unsigned own)
{
    const int object = shm_open(NAME, O_RDWR, 0);
    _Atomic unsigned *turn = (_Atomic unsigned *)map(object, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

    close(object);
    for (unsigned round = own; round < 2 * ROUNDS; round += 2) {
        for (unsigned waited = 0; *turn != round; waited++) {
            if (waited > 100000)
                return 1;
            usleep(100);
        }
        *turn = round + 1;
    }
    return 0;
}

static void test_between(void)
{
    const char *child[] = {"/tests/shm", "play", NULL};
    const int64_t pid = process_spawn(child);

    tap_equal(play(0), 0, "two programs see each other's writes");
    tap_equal(process_wait((uint64_t)pid), 0, "both of them");
    const int object = shm_open(NAME, O_RDWR, 0);
    char *memory = map(object, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    strcpy(memory + 2 * PAGE, "from the parent");
    tap_equal(run("look"), 0, "a program that maps it later finds what was written");
    tap_ok(strcmp(memory + PAGE, "from the child") == 0, "and writes what stays when it has ended");
    tap_equal(shm_unlink(NAME), 0, "the name can be removed");
    refused(shm_unlink(NAME), ENOENT, "but once");
    tap_ok(strcmp(memory + PAGE, "from the child") == 0, "the memory stays while it is mapped");
    close(object);
    tap_ok(memory[2 * PAGE] == 'f' && munmap(memory, 3 * PAGE) == 0, "also when the object is closed");
}

static void test_file(void)
{
    char text[16] = {0};
    const int file = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

    write(file, "0123456789", 10);
    char *shared = map(file, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    tap_ok(memcmp(shared, "0123456789\0\0", 12) == 0, "a mapping shows the file, and zeros behind it");
    memcpy(shared + 2, "ab", 2);
    tap_ok(pread(file, text, 10, 0) == 10 && memcmp(text, "01ab456789", 10) == 0, "read sees what was written to it");
    pwrite(file, "cd", 2, 4);
    tap_ok(memcmp(shared, "01abcd6789", 10) == 0, "it shows what was written by write");
    char *private = map(file, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    private[0] = 'p';
    tap_ok(shared[0] == '0' && pread(file, text, 1, 0) == 1 && text[0] == '0',
           "a private mapping keeps writes to itself");
    shared[1] = 's';
    tap_ok(private[0] == 'p', "and has its own page then");
    tap_ok(ftruncate(file, 2 * PAGE) == 0 && shared[PAGE] == 0, "a longer file can be touched further on");
    shared[PAGE] = 'x';
    tap_ok(pread(file, text, 1, PAGE) == 1 && text[0] == 'x', "and read there");
    tap_ok(ftruncate(file, 5) == 0 && ftruncate(file, 2 * PAGE) == 0 && shared[PAGE] == 0 && shared[6] == 0 &&
               shared[4] == 'c',
           "what was cut off is gone when the file grows again");
    tap_equal(run("bus"), STATUS_BUS, "touching a page behind the end is a bus error");
    tap_ok(unlink(FILE_PATH) == 0 && close(file) == 0 && shared[4] == 'c', "a mapping outlives the file's name");
    shared[4] = 'd';
    tap_ok(shared[4] == 'd' && munmap(shared, 2 * PAGE) == 0 && munmap(private, PAGE) == 0, "and can be written");
}

static void test_program(void)
{
    int ends[2];
    const int file = open("/tests/hello", O_RDONLY);
    struct stat status;

    fstat(file, &status);
    char *program = map(file, (size_t)status.st_size, PROT_READ, MAP_PRIVATE);
    tap_ok(program != MAP_FAILED && memcmp(program, "\177ELF", 4) == 0, "the boot archive's files can be mapped");
    tap_ok(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, PAGE) != MAP_FAILED, "from any page on");
    refused((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 100), EINVAL, "mapping from within a page");
    refused((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 200, 0), EBADF, "mapping a closed descriptor");
    pipe(ends);
    refused((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ends[0], 0), ENODEV, "mapping a pipe");
    refused((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open("/tmp", O_RDONLY), 0), ENODEV, "mapping a directory");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

static int child(const char *role)
{
    if (strcmp(role, "play") == 0)
        return play(1);
    if (strcmp(role, "look") == 0) {
        const int object = shm_open(NAME, O_RDWR, 0);
        char *memory = map(object, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
        strcpy(memory + PAGE, "from the child");
        return strcmp(memory + 2 * PAGE, "from the parent");
    }
    const int file = open(FILE_PATH, O_RDWR);
    volatile char *memory = map(file, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (memory[PAGE] != 0)
        return 1;
    ftruncate(file, PAGE);
    memory[0] = 'm';
    return memory[PAGE];
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1)
        return child(arguments[1]);
    tap_plan(12 + 8 + 11 + 7);
    test_names();
    test_between();
    test_file();
    test_program();
    return tap_done();
}
