/* SPDX-License-Identifier: MIT */
/*
 * The framing; see frame.h.
 */
#include "frame.h"

#include <string.h>

#define HIGH_BIT 0x80u

static size_t put_control(uint8_t *frame, unsigned code)
{
    frame[0] = FRAME_CONTROL;
    frame[1] = (uint8_t)(code | HIGH_BIT);
    return 2;
}

static size_t put_byte(uint8_t *frame, uint8_t byte)
{
    if (byte & HIGH_BIT) {
        frame[0] = FRAME_HIGH;
        frame[1] = byte;
        return 2;
    }
    if ((byte | HIGH_BIT) == FRAME_HIGH || (byte | HIGH_BIT) == FRAME_CONTROL)
        return put_control(frame, byte);
    frame[0] = (uint8_t)(byte | HIGH_BIT);
    return 1;
}

size_t frame_encode(struct frame_output *output, unsigned stream, const void *data, size_t bytes, uint8_t *frame)
{
    const uint8_t *next = data;
    size_t used = 0;

    if (output->stream != stream)
        used = put_control(frame, stream);
    output->stream = stream;
    for (size_t i = 0; i < bytes; i++)
        used += put_byte(frame + used, next[i]);
    return used;
}

bool frame_ask(struct frame_input *input)
{
    if (input->asked || input->complete)
        return false;
    input->asked = true;
    return true;
}

static void add(struct frame_input *input, uint8_t byte)
{
    if (input->filled < FRAME_ANSWER_MAX)
        input->answer[input->filled++] = byte;
}

void frame_input(struct frame_input *input, uint8_t byte)
{
    const bool marked = input->marked;

    if (!input->asked)
        return;
    input->marked = !marked && byte == FRAME_ANSWER_MARK;
    if (input->marked)
        return;
    if (marked && byte == FRAME_ANSWER_END) {
        input->asked = false;
        input->complete = true;
    } else if (!marked || byte == FRAME_ANSWER_MARK) {
        add(input, byte);
    }
}

bool frame_readable(const struct frame_input *input)
{
    return input->complete;
}

size_t frame_peek(const struct frame_input *input, void *data, size_t capacity)
{
    const size_t there = input->filled - input->taken;
    const size_t bytes = capacity < there ? capacity : there;

    memcpy(data, input->answer + input->taken, bytes);
    return bytes;
}

void frame_take(struct frame_input *input, size_t bytes)
{
    input->taken += bytes;
    if (input->taken < input->filled)
        return;
    input->filled = input->taken = 0;
    input->complete = false;
}
