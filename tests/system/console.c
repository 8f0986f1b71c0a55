/* SPDX-License-Identifier: MIT */
/*
 * Messages that no honest client sends to the console server: it answers each with an error and goes on.
 */
#include "find_process.h"
#include "tap.h"

#include <proto/console_client.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES    50000
#define RANDOM_SEED 20260101u

/* Sends a request as it is and returns the status of the answer. */
static int call(int32_t label, unsigned words, uint64_t first)
{
    struct message m = {.tag = MSG_TAG(label, words, 0), .words = {first}};
    const long error = sys_call(SLOT_CONSOLE, &m);
    return error < 0 ? (int)error : MSG_LABEL(m.tag);
}

static uint64_t next_random(void)
{
    static uint64_t state = RANDOM_SEED;
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return state >> 16;
}

static void test_errors(void)
{
    char text[8];
    size_t bytes = 99;

    tap_equal(call(0, 0, 0), -ENOSYS, "operation 0 gives ENOSYS");
    tap_equal(call(-1, 0, 0), -ENOSYS, "operation -1 gives ENOSYS");
    tap_equal(call(INT32_MAX, 0, 0), -ENOSYS, "the last operation gives ENOSYS");
    tap_equal(call(CONSOLE_OP_WRITE, 1, 100), -EINVAL, "a write of more bytes than it carries gives EINVAL");
    tap_equal(call(CONSOLE_OP_WRITE, 0, UINT64_MAX), -EINVAL, "a write of 2^64-1 bytes gives EINVAL");
    tap_equal(call(CONSOLE_OP_WRITE, 0, 0), 0, "a write of nothing works");
    tap_equal(call(CONSOLE_OP_READ, 3, 8), -EINVAL, "a read that carries data gives EINVAL");
    tap_ok(console_read(SLOT_CONSOLE, text, 0, &bytes) == 0 && bytes == 0, "a read of nothing gives nothing");
    tap_equal(console_write_stream(SLOT_CONSOLE, 0, "", 0), -EINVAL, "stream 0 gives EINVAL");
    tap_equal(console_write_stream(SLOT_CONSOLE, 4, "", 0), -EINVAL, "stream 4 gives EINVAL");
    tap_equal(console_write_stream(SLOT_CONSOLE, UINT64_MAX, "x", 1), -EINVAL, "stream 2^64-1 gives EINVAL");
    tap_equal(console_write_stream(SLOT_CONSOLE, CONSOLE_STREAM_RESULT, "", 0), 0, "stream 3 takes nothing as well");
    tap_equal(console_set_mode(SLOT_CONSOLE, 2), -EINVAL, "mode 2 gives EINVAL");
    tap_equal(console_set_mode(SLOT_CONSOLE, UINT64_MAX), -EINVAL, "mode 2^64-1 gives EINVAL");
}

/* Any operation but reads, which would wait, and writes, which would show. */
static void test_random(void)
{
    int unknown = 0;

    for (int count = 0; count < MESSAGES; count++) {
        const int32_t label = (int32_t)next_random();
        if (label == CONSOLE_OP_READ || label == CONSOLE_OP_WRITE || label == CONSOLE_OP_WRITE_STREAM)
            continue;
        const int status = call(label % 16 == 0 ? (int32_t)(next_random() % 8 + 3) : label,
                                (unsigned)(next_random() % (MSG_BUFFER_WORDS + 1)), next_random());
        unknown += status < 0;
    }
    tap_diag("seed %u, %d messages, %d answered with an error", RANDOM_SEED, MESSAGES, unknown);
    tap_ok(unknown > 0, "random messages are answered");
}

int main(void)
{
    char most[PROTO_DATA_MAX];
    const uint64_t before = find_process("console");

    tap_plan(18);
    tap_ok(before != 0, "there is a console server");
    test_errors();
    test_random();
    tap_equal(console_set_mode(SLOT_CONSOLE, CONSOLE_MODE_COOKED), 0, "the console still answers");
    memset(most, ' ', sizeof(most));
    most[sizeof(most) - 1] = '\n';
    fflush(stdout);
    tap_ok(console_write(SLOT_CONSOLE, most, sizeof(most)) == 0 && find_process("console") == before,
           "it is the same as before, and takes the largest write");
    return tap_done();
}
