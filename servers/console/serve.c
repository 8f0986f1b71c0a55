/* SPDX-License-Identifier: MIT */
/*
 * The operations of the console protocol, and the parked readers.
 */
#include "console.h"

#include <proto/root_client.h>
#include <quire/clock.h>
#include <signal.h>

/* A byte takes 90 us at 115200 baud. A UART that is full for this long is held up from outside. */
#define TRANSMIT_PATIENCE_NS 200000000UL

static int transmit_byte(struct console_context *console, uint8_t byte)
{
    if (console->uart->put(console->registers, byte))
        return 0;
    const uint64_t deadline = clock_now_ns() + TRANSMIT_PATIENCE_NS;
    while (clock_now_ns() < deadline) {
        if (console->uart->put(console->registers, byte))
            return 0;
    }
    return -EIO;
}

int console_transmit(struct console_context *console, const char *text, size_t bytes)
{
    for (size_t index = 0; index < bytes; index++) {
        const int error = transmit_byte(console, (uint8_t)text[index]);
        if (error < 0)
            return error;
    }
    return 0;
}

int console_tell(struct console_context *console, char code)
{
    const char control[] = {(char)FRAME_CONTROL, (char)(code | 0x80)};
    return console_transmit(console, control, sizeof(control));
}

static int write_framed(struct console_context *console, unsigned stream, const void *text, size_t bytes)
{
    uint8_t frame[FRAME_BYTES_MAX(PROTO_DATA_MAX)];
    const size_t used = frame_encode(&console->output, stream, text, bytes, frame);
    const int error = console_transmit(console, (const char *)frame, used);

    if (error < 0)
        console->output.stream = 0; /* the change of stream may be among what is lost */
    return error;
}

static int write_terminal(struct console_context *console, const char *next, size_t bytes)
{
    const char *const end = next + bytes;

    while (next < end) {
        const char *newline = console->line.raw ? NULL : memchr(next, '\n', (size_t)(end - next));
        const size_t part = (size_t)((newline ? newline : end) - next);
        int error = console_transmit(console, next, part);
        if (error == 0 && newline)
            error = console_transmit(console, "\r\n", 2);
        if (error < 0)
            return error;
        next += part + (newline ? 1 : 0);
    }
    return 0;
}

int console_handle_write_stream(struct console_context *console, const struct message *request, uint64_t stream,
                                const void *text, size_t text_bytes)
{
    (void)request;
    if (stream < CONSOLE_STREAM_OUTPUT || stream > CONSOLE_STREAM_RESULT)
        return -EINVAL;
    if (console->framed)
        return write_framed(console, (unsigned)stream, text, text_bytes);
    return write_terminal(console, text, text_bytes);
}

int console_handle_write(struct console_context *console, const struct message *request, const void *text,
                         size_t text_bytes)
{
    return console_handle_write_stream(console, request, CONSOLE_STREAM_OUTPUT, text, text_bytes);
}

static bool input_readable(const struct console_context *console)
{
    return console->framed ? frame_readable(&console->input) : line_readable(&console->line);
}

/* In framed mode input comes only if it is asked for, which a reader does that has to wait. */
static void ask_for_input(struct console_context *console)
{
    if (console->framed && frame_ask(&console->input) && console_tell(console, FRAME_WANTED) < 0)
        console->input.asked = false;
}

static void reader_remove_first(struct console_context *console)
{
    console->spare_replies[console->spare_count++] = console->readers[0].reply;
    console->reader_count--;
    memmove(console->readers, console->readers + 1, console->reader_count * sizeof(console->readers[0]));
}

/* Makes room for another reader. Whoever has waited longest may be a program that ended meanwhile, which nobody tells. */
static void reader_refuse_first(struct console_context *console)
{
    struct message answer = {0};

    console_reply_read(&answer, -EAGAIN, NULL, 0);
    (void)!sys_reply(console->readers[0].reply, &answer);
    reader_remove_first(console);
}

/* After ^C: who has read a line last is in the foreground, with its process group; if nobody has, it is who does so next. A wait that
 * ends thereby is noticed when there is input, as the end of a program is. */
static void interrupt_foreground(struct console_context *console)
{
    uint64_t group, session;

    if (!console->line.interrupted || !console->foreground)
        return;
    console->line.interrupted = false;
    if (root_group_get(SLOT_ROOT, console->foreground, &group, &session) == 0)
        (void)!root_signal_send(SLOT_ROOT, -(int64_t)group, SIGINT, 0, 0, 0);
}

int console_handle_read(struct console_context *console, const struct message *request, void *input,
                        size_t input_capacity, size_t *input_bytes)
{
    *input_bytes = 0;
    if (input_capacity == 0)
        return 0;
    console->foreground = console->framed || console->line.raw ? 0 : request->badge;
    interrupt_foreground(console);
    /* Who waits longer comes first, so there is input only while nobody waits. */
    if (input_readable(console)) {
        if (console->framed) {
            *input_bytes = frame_peek(&console->input, input, input_capacity);
            frame_take(&console->input, *input_bytes);
        } else {
            *input_bytes = line_read(&console->line, input, input_capacity);
        }
        return 0;
    }
    if (console->spare_count == 0)
        reader_refuse_first(console);
    console->readers[console->reader_count++] =
        (struct console_reader){.reply = console->reply, .capacity = input_capacity};
    console->reply = console->spare_replies[--console->spare_count];
    ask_for_input(console);
    return PROTO_PARKED;
}

int console_handle_set_mode(struct console_context *console, const struct message *request, uint64_t mode)
{
    (void)request;
    if (mode != CONSOLE_MODE_COOKED && mode != CONSOLE_MODE_RAW)
        return -EINVAL;
    if (console->framed)
        return -ENOTTY;
    line_set_raw(&console->line, mode == CONSOLE_MODE_RAW);
    console_answer_readers(console);
    return 0;
}

int console_handle_size(struct console_context *console, const struct message *request, uint64_t *columns,
                        uint64_t *rows)
{
    (void)request;
    if (console->framed)
        return -ENOTTY;
    *columns = CONSOLE_COLUMNS;
    *rows = CONSOLE_ROWS;
    return 0;
}

/* Answers the reader that waits longest. It may have been ended while it waited; then the input is the next one's. */
static void answer_first_reader(struct console_context *console)
{
    char input[PROTO_DATA_MAX];
    const struct console_reader *reader = &console->readers[0];
    const uint32_t place = line_place(&console->line);
    struct message answer = {0};
    const size_t bytes = console->framed ? frame_peek(&console->input, input, reader->capacity)
                                         : line_read(&console->line, input, reader->capacity);

    console_reply_read(&answer, 0, input, bytes);
    const bool given = sys_reply(reader->reply, &answer) >= 0;
    if (given && console->framed)
        frame_take(&console->input, bytes);
    else if (!given && !console->framed)
        line_unread(&console->line, place);
    reader_remove_first(console);
}

void console_answer_readers(struct console_context *console)
{
    while (console->reader_count > 0 && input_readable(console))
        answer_first_reader(console);
    if (console->reader_count > 0)
        ask_for_input(console);
}

void console_interrupt(struct console_context *console)
{
    uint8_t byte;

    /* Acknowledge first: a byte that comes while the FIFO is emptied asks again. */
    console->uart->acknowledge(console->registers);
    while (console->uart->get(console->registers, &byte)) {
        if (console->framed)
            frame_input(&console->input, byte);
        else
            line_input(&console->line, byte);
    }
    interrupt_foreground(console);
    if (sys_irq_ack(SLOT_IRQ) < 0)
        (void)!console_transmit(console, "console: the interrupt is gone\r\n", 32);
    console_answer_readers(console);
}
