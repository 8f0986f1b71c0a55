/* SPDX-License-Identifier: MIT */
/*
 * Runs commands one after the other. They come on standard input before anything else: each as its length in decimal, a
 * newline, and that many bytes of words with a final zero each, as root's spawn takes them; then an end of input. What
 * follows on standard input belongs to the commands.
 *
 * For each that has ended, one line goes to the console's result stream: its number, from 1, its exit status and the
 * nanoseconds it took. A command that cannot be started counts as ended with 127 (there is no such program) or 126.
 */
#include <errno.h>
#include <proto/console_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <quire/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES        2048u
#define STATUS_NOT_FOUND  127
#define STATUS_NO_PROGRAM 126
#define STATUS_BAD_LIST   2

struct list {
    char *bytes;
    size_t used;
};

/* Reads standard input to its end. False: out of memory, or the console is gone. */
static bool read_list(struct list *list)
{
    for (;;) {
        char *bytes = realloc(list->bytes, list->used + READ_BYTES);
        if (!bytes)
            return false;
        list->bytes = bytes;
        const ssize_t got = read(STDIN_FILENO, bytes + list->used, READ_BYTES);
        if (got <= 0)
            return got == 0;
        list->used += (size_t)got;
    }
}

/* The length that stands at the list's place *at, which is moved behind its newline. -1: there is none. */
static long read_length(const struct list *list, size_t *at)
{
    long length = 0;
    size_t digits = 0;

    for (; *at < list->used && list->bytes[*at] >= '0' && list->bytes[*at] <= '9' && digits < 9; digits++)
        length = length * 10 + (list->bytes[(*at)++] - '0');
    if (digits == 0 || *at == list->used || list->bytes[(*at)++] != '\n')
        return -1;
    return (size_t)length <= list->used - *at ? length : -1;
}

/* Runs one command to its end. Returns its exit status. */
static int run(const char *words, size_t bytes)
{
    uint64_t pid;
    int status = bytes > PROTO_DATA_MAX ? -E2BIG : root_spawn(SLOT_ROOT, words, bytes, &pid);

    if (status < 0) {
        fprintf(stderr, "batch: %.*s: %s\n", (int)strnlen(words, bytes), words, strerror(-status));
        return status == -ENOENT ? STATUS_NOT_FOUND : STATUS_NO_PROGRAM;
    }
    /* Only another thread's wait could fail this one, and there is none. */
    status = process_wait(pid);
    return status < 0 ? STATUS_NO_PROGRAM : status;
}

static void tell(unsigned long number, int status, uint64_t took_ns)
{
    char line[64];

    const int length = snprintf(line, sizeof(line), "%lu %d %lu\n", number, status, (unsigned long)took_ns);
    if (console_write_stream(SLOT_CONSOLE, CONSOLE_STREAM_RESULT, line, (size_t)length) < 0)
        exit(EXIT_FAILURE);
}

int main(void)
{
    struct list list = {0};
    size_t at = 0;

    if (!read_list(&list)) {
        fprintf(stderr, "batch: the list cannot be read: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    for (unsigned long number = 1; at < list.used; number++) {
        const long length = read_length(&list, &at);
        if (length < 0) {
            fprintf(stderr, "batch: command %lu of the list is malformed\n", number);
            return STATUS_BAD_LIST;
        }
        const uint64_t start = clock_now_ns();
        const int status = run(list.bytes + at, (size_t)length);
        tell(number, status, clock_now_ns() - start);
        at += (size_t)length;
    }
    return EXIT_SUCCESS;
}
