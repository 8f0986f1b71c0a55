/* SPDX-License-Identifier: MIT */
/* The log function of platform.h over whichever UART the device tree names. */
#include "board.h"

#include "arch.h"
#include "device_tree.h"
#include "platform.h"

/* At 9600 baud a character takes a millisecond. */
#define SPINS_MAX 1000000u

static const struct uart *log_uart;
static volatile void *log_registers;

const struct uart *uart_of_node(int node)
{
    for (const struct uart *const *uart = board.uarts; *uart; uart++) {
        if (device_tree_has_string(node, "compatible", (*uart)->compatible))
            return *uart;
    }
    return NULL;
}

void uart_open(const struct uart *uart, uint64_t base)
{
    log_registers = device_map(base);
    uart->init(log_registers);
    log_uart = uart;
}

static void put(char character)
{
    for (unsigned i = 0; !log_uart->put(log_registers, character) && i < SPINS_MAX; i++)
        cpu_relax();
}

/* Before uart_open() the text is lost; characters that the device does not take in bounded time, too. */
void platform_log(const char *text, size_t bytes)
{
    if (!log_uart)
        return;
    for (; bytes; text++, bytes--) {
        if (*text == '\n')
            put('\r');
        put(*text);
    }
}

void uart_flush(void)
{
    for (unsigned i = 0; log_uart && log_uart->busy(log_registers) && i < SPINS_MAX; i++)
        cpu_relax();
}
