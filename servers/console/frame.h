/* SPDX-License-Identifier: MIT */
/*
 * What the bytes on the serial line mean when a program on the host is at its other end (scripts/frames.py). Plain data
 * and no system calls, so the same file runs in host tests. One thread uses it; it has no lock.
 *
 * Outward, the kernel's log shares the line and writes whenever it wants to, in ASCII. So every byte of a frame has its
 * high bit set, and the other end tells the two apart byte by byte:
 *   FRAME_CONTROL, code    a FRAME_* code below, with its high bit set: the stream of what follows, or a message
 *   FRAME_HIGH, byte       the byte, whose high bit is its own
 *   any other byte         that byte without its high bit
 * The bytes 0x0e and 0x10, which would look like the two marks, are codes of FRAME_CONTROL.
 *
 * Inward, nothing comes unasked: FRAME_WANTED asks, and the answer is up to FRAME_ANSWER_MAX bytes and FRAME_ANSWER_MARK
 * FRAME_ANSWER_END behind them. The byte FRAME_ANSWER_MARK itself comes twice. An answer of no byte is the end of input.
 */
#ifndef CONSOLE_FRAME_H
#define CONSOLE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HIGH    0x8eu
#define FRAME_CONTROL 0x90u

/* Codes behind FRAME_CONTROL. The first are the streams' numbers in the protocol. */
#define FRAME_STREAM_MAX 3u
#define FRAME_WANTED     'w' /* a reader waits for input */
#define FRAME_STARTED    's' /* the console server runs */

#define FRAME_ANSWER_MARK 0x10u
#define FRAME_ANSWER_END  'e'
#define FRAME_ANSWER_MAX  2048u

/* The most bytes that `bytes` bytes of a stream become. */
#define FRAME_BYTES_MAX(bytes) (2 * (bytes) + 2)

struct frame_output {
    unsigned stream; /* that the other end takes bytes for; 0: it cannot be known */
};

/* Writes [data, data + bytes) of a stream, 1..FRAME_STREAM_MAX, to `frame`, which holds FRAME_BYTES_MAX(bytes) bytes.
 * Returns how many it wrote. */
size_t frame_encode(struct frame_output *output, unsigned stream, const void *data, size_t bytes, uint8_t *frame);

struct frame_input {
    bool asked;    /* an answer is on its way */
    bool complete; /* the answer is there: bytes, or the end of input */
    bool marked;   /* the last byte was FRAME_ANSWER_MARK */
    size_t filled, taken;
    uint8_t answer[FRAME_ANSWER_MAX];
};

/* True if FRAME_WANTED is due now that a reader waits; it then counts as sent. */
bool frame_ask(struct frame_input *input);

/* Takes one byte from the line. What was not asked for is dropped. */
void frame_input(struct frame_input *input, uint8_t byte);

/* True if there are bytes to take, or the end of input. */
bool frame_readable(const struct frame_input *input);

/* Copies up to `capacity` bytes to `data` and returns how many; 0 is the end of input. They stay until they are
 * taken. Requires frame_readable() and capacity > 0. */
size_t frame_peek(const struct frame_input *input, void *data, size_t capacity);

/* Takes what a frame_peek() gave: `bytes` is what it returned. */
void frame_take(struct frame_input *input, size_t bytes);

#endif
