/* SPDX-License-Identifier: MIT */
/*
 * The operations of the console protocol, and the parked readers.
 */
#include "console.h"

#include <quire/clock.h>

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

int console_handle_write(struct console_context *console, const struct message *request, const void *text,
                         size_t text_bytes)
{
    const char *next = text;
    const char *const end = next + text_bytes;

    (void)request;
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

int console_handle_read(struct console_context *console, const struct message *request, void *input,
                        size_t input_capacity, size_t *input_bytes)
{
    (void)request;
    *input_bytes = 0;
    if (input_capacity == 0)
        return 0;
    /* Who waits longer comes first, so there is input only while nobody waits. */
    if (line_readable(&console->line)) {
        *input_bytes = line_read(&console->line, input, input_capacity);
        return 0;
    }
    if (console->spare_count == 0)
        reader_refuse_first(console);
    console->readers[console->reader_count++] =
        (struct console_reader){.reply = console->reply, .capacity = input_capacity};
    console->reply = console->spare_replies[--console->spare_count];
    return PROTO_PARKED;
}

int console_handle_set_mode(struct console_context *console, const struct message *request, uint64_t mode)
{
    (void)request;
    if (mode != CONSOLE_MODE_COOKED && mode != CONSOLE_MODE_RAW)
        return -EINVAL;
    line_set_raw(&console->line, mode == CONSOLE_MODE_RAW);
    console_answer_readers(console);
    return 0;
}

int console_handle_size(struct console_context *console, const struct message *request, uint64_t *columns,
                        uint64_t *rows)
{
    (void)console, (void)request;
    *columns = CONSOLE_COLUMNS;
    *rows = CONSOLE_ROWS;
    return 0;
}

void console_answer_readers(struct console_context *console)
{
    char input[PROTO_DATA_MAX];

    while (console->reader_count > 0 && line_readable(&console->line)) {
        const struct console_reader *reader = &console->readers[0];
        const uint32_t place = line_place(&console->line);
        struct message answer = {0};
        const size_t bytes = line_read(&console->line, input, reader->capacity);
        console_reply_read(&answer, 0, input, bytes);
        /* The reader may have been ended while it waited; then the input is the next one's. */
        if (sys_reply(reader->reply, &answer) < 0)
            line_unread(&console->line, place);
        reader_remove_first(console);
    }
}

void console_interrupt(struct console_context *console)
{
    uint8_t byte;

    /* Acknowledge first: a byte that comes while the FIFO is emptied asks again. */
    console->uart->acknowledge(console->registers);
    while (console->uart->get(console->registers, &byte))
        line_input(&console->line, byte);
    if (sys_irq_ack(SLOT_IRQ) < 0)
        (void)!console_transmit(console, "console: the interrupt is gone\r\n", 32);
    console_answer_readers(console);
}
