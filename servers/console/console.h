/* SPDX-License-Identifier: MIT */
/*
 * The console server's state, and what its files offer each other. One thread does everything.
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "frame.h"
#include "line.h"
#include "uart.h"

#include <proto/console_dispatch.h>

#define CONSOLE_READERS_MAX 16u
#define CONSOLE_COLUMNS     80u /* a serial line does not tell */
#define CONSOLE_ROWS        24u

/* A reader that waits for input, held by a reply object. */
struct console_reader {
    uint64_t reply;
    size_t capacity;
};

struct console_context {
    const struct uart_driver *uart;
    volatile void *registers;
    bool framed; /* a program on the host is at the other end: `output` and `input` count, not `line` */
    struct line line;
    struct frame_output output;
    struct frame_input input;
    uint64_t notification;
    uint64_t reply; /* holds the caller of the request in hand */
    uint64_t spare_replies[CONSOLE_READERS_MAX];
    size_t spare_count;
    struct console_reader readers[CONSOLE_READERS_MAX]; /* in order of arrival */
    size_t reader_count;
    uint64_t foreground; /* the program that has read a line last; 0: input was bytes since */
};

/* Sends bytes as they are, waiting for the UART at each a bounded time. 0, or EIO if the UART stays full. */
PROTO_MUST_CHECK int console_transmit(struct console_context *console, const char *text, size_t bytes);

/* Tells the other end, in framed mode, a FRAME_* code. 0 or EIO. */
PROTO_MUST_CHECK int console_tell(struct console_context *console, char code);

/* Takes what the UART has received, lets it interrupt again and answers readers. */
void console_interrupt(struct console_context *console);

/* Answers parked readers as long as there is input. */
void console_answer_readers(struct console_context *console);

#endif
