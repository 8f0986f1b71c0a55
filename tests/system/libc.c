/* SPDX-License-Identifier: MIT */
/*
 * The C library and the system layer below it: what a program may expect to find, and how it is told what is missing.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <quire/copy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS      1000
#define BLOCK_BYTES 3000
#define SLEEP_NS    20000000L

static int constructed;
static __thread int variable = 42;
static __thread char zeros[32];

__attribute__((constructor)) static void construct(void)
{
    constructed++;
}

static void test_start(int argument_count, char **arguments)
{
    tap_ok(argument_count >= 1 && strstr(arguments[0], "libc") != NULL, "argv[0] names the program");
    tap_ok(arguments[argument_count] == NULL, "argv ends with a null");
    tap_equal(constructed, 1, "constructors run once before main");
    tap_ok(variable == 42 && memcmp(zeros, (char[32]){0}, 32) == 0, "thread-local variables have their first values");
    tap_ok(getpid() > 2, "getpid is a number of its own");
    tap_ok(((unsigned long)__builtin_frame_address(0) & 15) == 0, "the stack is aligned");
}

static void test_heap(void)
{
    unsigned char *blocks[BLOCKS];
    bool intact = true, got = true;

    for (int index = 0; index < BLOCKS; index++) {
        blocks[index] = malloc(BLOCK_BYTES);
        got = got && blocks[index];
        if (blocks[index])
            memset(blocks[index], index & 0xff, BLOCK_BYTES);
    }
    tap_ok(got, "malloc gives %d blocks", BLOCKS);
    for (int index = 0; got && index < BLOCKS; index++)
        intact = intact && blocks[index][0] == (index & 0xff) && blocks[index][BLOCK_BYTES - 1] == (index & 0xff);
    tap_ok(intact, "blocks do not overlap");
    blocks[0] = realloc(blocks[0], BLOCK_BYTES * 100);
    tap_ok(blocks[0] && blocks[0][BLOCK_BYTES - 1] == 0, "realloc keeps the contents");
    for (int index = 0; index < BLOCKS; index++)
        free(blocks[index]);
    errno = 0;
    void *volatile too_much = malloc(1UL << 46);
    tap_ok(too_much == NULL && errno == ENOMEM, "malloc of more than there can be gives ENOMEM");
}

static void test_text(void)
{
    char text[64];
    volatile double two = 2.0;

    snprintf(text, sizeof(text), "%d %5.2f %#lx %s %lld", -7, 3.14159, 0xabcUL, "text", 1LL << 40);
    tap_ok(strcmp(text, "-7  3.14 0xabc text 1099511627776") == 0, "snprintf formats: %s", text);
    tap_ok(fabs(sqrt(two) - 1.41421356) < 1e-7, "mathematics works");
    tap_ok(strtol("-123", NULL, 10) == -123 && strtod("1.5e3", NULL) == 1500.0, "numbers are read");
    tap_ok(setenv("NAME", "value", 1) == 0 && strcmp(getenv("NAME"), "value") == 0, "the environment can be changed");
}

static void test_time(void)
{
    struct timespec before, after, duration = {.tv_nsec = SLEEP_NS};
    struct timeval now;

    tap_ok(clock_gettime(CLOCK_MONOTONIC, &before) == 0, "clock_gettime works");
    tap_ok(nanosleep(&duration, NULL) == 0, "nanosleep works");
    clock_gettime(CLOCK_MONOTONIC, &after);
    const long passed = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
    tap_ok(passed >= SLEEP_NS, "nanosleep sleeps long enough (%ld ns)", passed);
    tap_ok(gettimeofday(&now, NULL) == 0 && now.tv_usec < 1000000, "gettimeofday works");
    duration.tv_nsec = -1;
    tap_ok(nanosleep(&duration, NULL) == -1 && errno == EINVAL, "nanosleep refuses nonsense");
    tap_ok(clock_gettime((clockid_t)77, &before) == -1 && errno == EINVAL, "an unknown clock gives EINVAL");
}

static void test_terminal(void)
{
    struct termios settings;
    struct winsize size = {0};
    struct stat status;

    tap_ok(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO), "standard streams are the terminal");
    tap_ok(!isatty(17) && errno == EBADF, "another file is not");
    tap_ok(fstat(STDOUT_FILENO, &status) == 0 && S_ISCHR(status.st_mode), "fstat tells a character device");
    tap_ok(tcgetattr(STDIN_FILENO, &settings) == 0 && settings.c_lflag & ICANON, "the terminal edits lines");
    tap_ok(tcsetattr(STDIN_FILENO, TCSANOW, &settings) == 0, "tcsetattr works");
    tap_ok(ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0,
           "the terminal has a size");
    tap_ok(write(17, "x", 1) == -1 && errno == EBADF, "write to another file gives EBADF");
    tap_ok(lseek(STDOUT_FILENO, 0, SEEK_SET) == -1 && errno == ESPIPE, "the terminal has no position");
}

/* Every length and alignment around the sizes at which memset() goes about it in another way. */
static bool memset_works(int value)
{
    static unsigned char bytes[1024], expected[1024];

    for (size_t start = 128; start < 128 + 66; start++) {
        for (size_t length = 0; length < 700; length += length < 300 ? 1 : 37) {
            for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = expected[i] = (unsigned char)(i * 7 + 1);
            for (size_t i = 0; i < length; i++)
                expected[start + i] = (unsigned char)value;
            if (memset(bytes + start, value, length) != bytes + start || memcmp(bytes, expected, sizeof(bytes)) != 0)
                return false;
        }
    }
    return true;
}

static bool copy_works(void)
{
    static unsigned char from[2048], to[2048];

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (unsigned char)(i * 2654435761U >> 13);
    for (size_t length = 0; length < 1500; length += 1 + length / 64) {
        const size_t start = length % 17;
        memset(to, 0, sizeof(to));
        copy_bytes(to + start, from + length % 5, length);
        if (memcmp(to + start, from + length % 5, length) != 0 || to[start + length] != 0 ||
            (start && to[start - 1] != 0))
            return false;
    }
    return true;
}

static void test_memory(void)
{
    tap_ok(memset_works(0), "memset of zeros");
    tap_ok(memset_works(0x1a5), "memset of another byte, of whose value only the low bits count");
    tap_ok(copy_works(), "copy_bytes");
}

static void test_missing(void)
{
    tap_equal(sysconf(_SC_PAGESIZE), 4096, "sysconf tells the page size");
    tap_ok(sysconf(_SC_PHYS_PAGES) > sysconf(_SC_AVPHYS_PAGES) && sysconf(_SC_AVPHYS_PAGES) > 0,
           "sysconf tells the memory");
    tap_ok(sysconf(9999) == -1 && errno == EINVAL, "sysconf of an unknown name gives EINVAL");
}

int main(int argument_count, char **arguments)
{
    tap_plan(6 + 4 + 4 + 6 + 8 + 3 + 3);
    test_start(argument_count, arguments);
    test_heap();
    test_text();
    test_time();
    test_terminal();
    test_memory();
    test_missing();
    return tap_done();
}
