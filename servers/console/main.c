/* SPDX-License-Identifier: MIT */
/*
 * The console server: start and main loop. One endpoint brings requests and, by a bound notification, the UART's
 * interrupt, so one thread serves both.
 */
#include "console.h"

#include <proto/console_start.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/slots.h>
#include <stdlib.h>

#define INTERRUPT_BIT 1UL

static struct console_context console;

/* There is no console to complain on before this one runs. */
static _Noreturn void fail(const char *reason)
{
    (void)!root_log(SLOT_ROOT, reason, strlen(reason));
    exit(EXIT_FAILURE);
}

static void echo_to_uart(void *context, const char *text, size_t bytes)
{
    /* Echo that the UART does not take is lost; the input is not. */
    (void)!console_transmit(context, text, bytes);
}

static uint64_t create_object(uint64_t type)
{
    uint64_t identifier;
    const uint64_t slot = slot_allocate();

    if (slot == SLOT_NONE || memsrv_object_create(SLOT_MEMSRV, type, &identifier, slot) < 0)
        fail("console: no kernel object\n");
    return slot;
}

static void start(const char *driver_name, unsigned long offset, bool framed)
{
    console.uart = uart_find(driver_name);
    if (!console.uart)
        fail("console: no driver for this UART\n");
    if (offset >= CONSOLE_REGISTERS_BYTES)
        fail("console: the registers are not in the page\n");
    console.registers = (volatile void *)(CONSOLE_REGISTERS_ADDRESS + offset);
    console.framed = framed;
    line_init(&console.line, echo_to_uart, &console);
    console.reply = SLOT_REPLY;
    while (console.spare_count < CONSOLE_READERS_MAX)
        console.spare_replies[console.spare_count++] = create_object(CAP_REPLY);
    console.notification = create_object(CAP_NOTIFICATION);
    if (sys_notification_bind(console.notification, SLOT_SERVE) < 0)
        fail("console: the notification cannot be bound\n");
    console.uart->start(console.registers);
    if (sys_irq_bind(SLOT_IRQ, console.notification, INTERRUPT_BIT) < 0)
        fail("console: the interrupt cannot be bound\n");
    /* Bytes that came before now wait without an interrupt to tell of them. */
    console_interrupt(&console);
    if (framed && console_tell(&console, FRAME_STARTED) < 0)
        fail("console: the UART takes nothing\n");
}

/* Has a message handled; true if it now holds a reply. */
static bool serve(struct message *message)
{
    if (MSG_FLAGS(message->tag) & MSG_FLAG_NOTIFICATION) {
        console_interrupt(&console);
        return false;
    }
    return console_dispatch(&console, message) == PROTO_REPLY;
}

int main(int argument_count, char **arguments)
{
    struct message message;
    bool reply = false;

    if (argument_count < 3)
        fail("console: arguments are missing\n");
    start(arguments[1], strtoul(arguments[2], NULL, 10),
          argument_count > 3 && strcmp(arguments[3], CONSOLE_START_FRAMED) == 0);
    for (;;) {
        const long error =
            reply ? sys_reply_recv(console.reply, SLOT_SERVE, &message) : sys_recv(console.reply, SLOT_SERVE, &message);
        if (error == 0) {
            reply = serve(&message);
            continue;
        }
        /* A caller that is gone needs no reply; receiving alone must work. */
        if (!reply)
            fail("console: cannot receive\n");
        reply = false;
    }
}
