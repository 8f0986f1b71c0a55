/* SPDX-License-Identifier: MIT */
/*
 * The framing of the console's line: what is sent can be told from the log that shares the line, byte by byte, and what
 * was asked for arrives whole.
 */
#include "harness.h"

#include <frame.h>
#include <string.h>

#define BYTES_MAX 256

/* The other end, written down from the header alone. */
struct receiver {
    unsigned mark, stream;
    uint8_t streams[FRAME_STREAM_MAX + 1][2 * BYTES_MAX];
    size_t bytes[FRAME_STREAM_MAX + 1];
    uint8_t log[2 * BYTES_MAX];
    size_t log_bytes;
    unsigned wanted;
};

static void deliver(struct receiver *receiver, uint8_t byte)
{
    receiver->streams[receiver->stream][receiver->bytes[receiver->stream]++] = byte;
}

static void receive_control(struct receiver *receiver, uint8_t code)
{
    if (code >= 1 && code <= FRAME_STREAM_MAX)
        receiver->stream = code;
    else if (code == FRAME_WANTED)
        receiver->wanted++;
    else
        deliver(receiver, code);
}

static void receive(struct receiver *receiver, uint8_t byte)
{
    const unsigned mark = receiver->mark;

    if (byte < 0x80) {
        receiver->log[receiver->log_bytes++] = byte;
        return;
    }
    receiver->mark = 0;
    if (mark == FRAME_HIGH)
        deliver(receiver, byte);
    else if (mark == FRAME_CONTROL)
        receive_control(receiver, byte & 0x7f);
    else if (byte == FRAME_HIGH || byte == FRAME_CONTROL)
        receiver->mark = byte;
    else
        deliver(receiver, byte & 0x7f);
}

static void output_every_byte(void)
{
    struct receiver receiver = {0};
    struct frame_output output = {0};
    uint8_t all[BYTES_MAX], frame[FRAME_BYTES_MAX(BYTES_MAX)];

    for (unsigned i = 0; i < BYTES_MAX; i++)
        all[i] = (uint8_t)i;
    const size_t used = frame_encode(&output, 1, all, sizeof(all), frame);
    EXPECT(used <= sizeof(frame));
    for (size_t i = 0; i < used; i++)
        receive(&receiver, frame[i]);
    EXPECT(receiver.log_bytes == 0 && receiver.bytes[1] == BYTES_MAX);
    EXPECT(memcmp(receiver.streams[1], all, sizeof(all)) == 0);
    EXPECT(frame_encode(&output, 1, "plain", 5, frame) == 5);
    EXPECT(frame_encode(&output, 2, "", 0, frame) == 2);
}

/* Random pieces of random streams, with a log in between that respects nothing. */
static void output_amid_log(void)
{
    struct frame_output output = {0};
    uint8_t piece[BYTES_MAX], frame[FRAME_BYTES_MAX(BYTES_MAX)];
    const uint64_t steps = test_steps();
    struct receiver receiver = {0};

    for (test_step = 0; test_step < steps; test_step++) {
        const unsigned stream = 1 + (unsigned)random_below(FRAME_STREAM_MAX);
        const size_t bytes = random_below(random_chance(90) ? 8 : BYTES_MAX);
        size_t logged = 0;
        for (size_t i = 0; i < bytes; i++)
            piece[i] = (uint8_t)random_next();
        memset(receiver.bytes, 0, sizeof(receiver.bytes));
        receiver.log_bytes = 0;
        if (random_chance(1))
            output.stream = 0;
        const size_t used = frame_encode(&output, stream, piece, bytes, frame);
        EXPECT(used <= FRAME_BYTES_MAX(bytes));
        for (size_t i = 0; i < used; i++) {
            if (logged < BYTES_MAX && random_chance(20)) {
                receive(&receiver, (uint8_t)random_below(0x80));
                logged++;
            }
            receive(&receiver, frame[i]);
        }
        EXPECT(receiver.mark == 0 && receiver.log_bytes == logged && receiver.stream == stream);
        for (unsigned other = 0; other <= FRAME_STREAM_MAX; other++)
            EXPECT(receiver.bytes[other] == (other == stream ? bytes : 0));
        EXPECT(memcmp(receiver.streams[stream], piece, bytes) == 0);
    }
}

static void answer(struct frame_input *input, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        frame_input(input, data[i]);
        if (data[i] == FRAME_ANSWER_MARK)
            frame_input(input, data[i]);
    }
    frame_input(input, FRAME_ANSWER_MARK);
    frame_input(input, FRAME_ANSWER_END);
}

static void input_on_demand(void)
{
    static struct frame_input input;
    uint8_t data[8];

    answer(&input, (const uint8_t *)"unasked", 7);
    EXPECT(!frame_readable(&input));
    EXPECT(frame_ask(&input));
    EXPECT(!frame_ask(&input));
    frame_input(&input, 'a');
    EXPECT(!frame_readable(&input));
    answer(&input, (const uint8_t *)"b\020e", 3);
    EXPECT(frame_readable(&input) && !frame_ask(&input));
    EXPECT(frame_peek(&input, data, 3) == 3 && memcmp(data, "ab\x10", 3) == 0);
    EXPECT(frame_peek(&input, data, 3) == 3 && memcmp(data, "ab\x10", 3) == 0);
    frame_take(&input, 3);
    EXPECT(frame_readable(&input) && frame_peek(&input, data, 8) == 1 && data[0] == 'e');
    frame_take(&input, 1);
    EXPECT(!frame_readable(&input));
    EXPECT(frame_ask(&input));
    answer(&input, NULL, 0);
    EXPECT(frame_readable(&input) && frame_peek(&input, data, 8) == 0);
    frame_take(&input, 0);
    EXPECT(!frame_readable(&input) && frame_ask(&input));
}

static void input_too_much(void)
{
    static struct frame_input input;
    static uint8_t data[FRAME_ANSWER_MAX + 1];

    EXPECT(frame_ask(&input));
    answer(&input, data, sizeof(data));
    EXPECT(frame_peek(&input, data, sizeof(data)) == FRAME_ANSWER_MAX);
    frame_take(&input, FRAME_ANSWER_MAX);
    EXPECT(!frame_readable(&input));
}

/* Random bytes, asked for or not: nothing is written outside, and what is readable can be taken. */
static void input_noise(void)
{
    static struct frame_input input;
    static uint8_t data[FRAME_ANSWER_MAX];
    const uint64_t steps = test_steps();

    for (test_step = 0; test_step < steps; test_step++) {
        const bool was_readable = frame_readable(&input);
        if (random_chance(5))
            EXPECT(!frame_ask(&input) || !was_readable);
        frame_input(&input, random_chance(30) ? FRAME_ANSWER_MARK : (uint8_t)random_next());
        if (random_chance(10))
            frame_input(&input, FRAME_ANSWER_END);
        EXPECT(input.taken <= input.filled && input.filled <= FRAME_ANSWER_MAX);
        EXPECT(!(input.asked && input.complete));
        if (frame_readable(&input) && random_chance(50))
            frame_take(&input, frame_peek(&input, data, 1 + random_below(sizeof(data))));
    }
}

static const struct test_row rows[] = {
    {"output_every_byte", "every byte comes through, and none looks like the log", output_every_byte},
    {"output_amid_log", "streams and log are told apart however they are mixed", output_amid_log},
    {"input_on_demand", "input comes when asked for, whole, and ends with an empty answer", input_on_demand},
    {"input_too_much", "an answer that is too long is cut off", input_too_much},
    {"input_noise", "noise on the line does no harm", input_noise},
};

TEST_MAIN("frame", rows)
