/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing the terminal. A program without a console, or whose console is gone, writes to the machine's log
 * instead, so that nothing it says is lost.
 */
#include "files.h"
#include "signals.h"

#include <proto/console_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>

#define TRIES_MAX 100u
#define PAUSE_NS  10000000UL

/* True if a request that failed with `error` may work a little later, `tries` having been made: the console server was
 * ended and starts again, or it has too many to wait for. Pauses, then. */
static bool worth_trying_again(int error, unsigned tries)
{
    if ((error != -EPIPE && error != -EAGAIN) || tries >= TRIES_MAX)
        return false;
    clock_sleep_until(clock_now_ns() + PAUSE_NS);
    if (error == -EPIPE)
        terminal_mode_again();
    return true;
}

/* Writes one message's worth to a stream of the console. Returns 0 or a negative errno. */
static int write_part(uint64_t stream, const char *data, size_t bytes)
{
    unsigned tries = 1;
    int error;

    /* A server that is ended while it writes may have shown a part, which then comes twice. */
    while ((error = console_write_stream(SLOT_CONSOLE, stream, data, bytes)) < 0 && worth_trying_again(error, tries))
        tries++;
    if (error == 0)
        return 0;
    return root_log(SLOT_ROOT, data, bytes) == 0 ? 0 : -EIO;
}

long console_write_bytes(enum file_kind kind, const void *data, size_t bytes)
{
    const uint64_t stream = kind == FILE_CONSOLE_ERROR ? CONSOLE_STREAM_ERROR : CONSOLE_STREAM_OUTPUT;
    size_t done = 0;

    while (done < bytes) {
        const size_t part = bytes - done < PROTO_DATA_MAX ? bytes - done : PROTO_DATA_MAX;
        const int error = write_part(stream, (const char *)data + done, part);
        if (error < 0)
            return done > 0 ? (long)done : error;
        done += part;
    }
    return (long)done;
}

long console_read_bytes(void *data, size_t bytes)
{
    const size_t capacity = bytes < PROTO_DATA_MAX ? bytes : PROTO_DATA_MAX;
    unsigned tries = 1;
    const uint64_t interruptions = signals_that_interrupt();
    size_t got = 0;
    int error;

    if (bytes == 0)
        return 0;
    while ((error = console_read(SLOT_CONSOLE, data, capacity, &got)) < 0) {
        if (error == -EINTR && interruptions != signals_that_interrupt())
            return -EINTR;
        if (error != -EINTR && !worth_trying_again(error, tries++))
            break;
    }
    return error < 0 ? -EIO : (long)got;
}
