/* SPDX-License-Identifier: MIT */
/* From the device tree to struct machine: console, command line, memory. */
#include "discover.h"

#include <string.h>

#include "arch.h"
#include "board.h"
#include "device_tree.h"
#include "panic.h"
#include "regions.h"

#define EXIT_ARGUMENT "quire.exit=semihosting"

struct machine machine;

void discover_kernel_device(const struct memory_region *range)
{
    uint64_t base = range->base & PAGE_MASK;
    uint64_t end = (range->base + range->size + PAGE_SIZE - 1) & PAGE_MASK;
    if (machine.kernel_device_count == DEVICE_REGIONS_MAX)
        panic("device tree: more than %u kernel devices", DEVICE_REGIONS_MAX);
    if (end <= base)
        panic("device tree: registers at the end of the address space");
    machine.kernel_devices[machine.kernel_device_count++] = (struct memory_region){base, end - base};
}

/* The UART of stdout-path, else the first that the board has a driver for. */
static const struct uart *find_console(int *node)
{
    int chosen = device_tree_find_path("/chosen");
    const char *path = chosen >= 0 ? device_tree_string(chosen, "stdout-path") : NULL;
    const struct uart *uart;

    *node = path ? device_tree_find_path(path) : -1;
    if (*node >= 0 && device_tree_enabled(*node) && (uart = uart_of_node(*node)))
        return uart;
    for (const struct uart *const *listed = board.uarts; *listed; listed++) {
        *node = device_tree_next_compatible(-1, (*listed)->compatible);
        if (*node >= 0)
            return *listed;
    }
    return NULL;
}

void discover_console(void)
{
    struct memory_region range;
    int node;
    const struct uart *uart = find_console(&node);
    if (!uart || !device_tree_range(node, 0, &range))
        return;
    if (range.size < uart->bytes || range.base % PAGE_SIZE + uart->bytes > PAGE_SIZE)
        panic("device tree: the UART's registers are not on one page");
    device_map_range(range.base & PAGE_MASK, PAGE_SIZE);
    uart_open(uart, range.base);
    machine.console_base = range.base;
    machine.console_driver = uart->driver;
    if (!device_tree_gic_interrupt(node, 0, &machine.console_irq))
        panic("device tree: the UART has no interrupt");
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text) {
        if (strncmp(text, word, length) == 0 && (!text[length] || text[length] == ' '))
            return true;
        while (*text && *text != ' ')
            text++;
        while (*text == ' ')
            text++;
    }
    return false;
}

void discover_arguments(void)
{
    static const struct {
        const char *word;
        enum panic_test kind;
    } panics[] = {{"quire.panic=message", PANIC_TEST_MESSAGE},
                  {"quire.panic=exception", PANIC_TEST_EXCEPTION},
                  {"quire.panic=read", PANIC_TEST_READ},
                  {"quire.panic=execute", PANIC_TEST_EXECUTE}};
    int chosen = device_tree_find_path("/chosen");
    const char *arguments = chosen >= 0 ? device_tree_string(chosen, "bootargs") : NULL;
    if (!arguments)
        return;
    size_t length = strlen(arguments);
    if (length >= sizeof(machine.arguments))
        panic("the command line is longer than %lu bytes", sizeof(machine.arguments) - 1);
    memcpy(machine.arguments, arguments, length + 1);
    machine.exit_semihosting = has_word(machine.arguments, EXIT_ARGUMENT);
    for (size_t i = 0; i < sizeof(panics) / sizeof(panics[0]); i++) {
        if (has_word(machine.arguments, panics[i].word))
            machine.panic_test = panics[i].kind;
    }
}

/* Cuts a range to what the direct map can show, rounded to pages: inward (RAM) or outward. False: nothing is left. */
static bool to_pages(struct memory_region range, bool outward, uint64_t *base, uint64_t *end)
{
    if (range.base >= DIRECT_SIZE || !range.size)
        return false;
    *end = range.size > DIRECT_SIZE - range.base ? DIRECT_SIZE : range.base + range.size;
    *base = outward ? range.base & PAGE_MASK : (range.base + PAGE_SIZE - 1) & PAGE_MASK;
    *end = outward ? (*end + PAGE_SIZE - 1) & PAGE_MASK : *end & PAGE_MASK;
    return *base < *end;
}

static void add_ram(void)
{
    struct memory_region range;
    uint64_t base, end;

    for (int node = -1; (node = device_tree_next_memory(node)) >= 0;) {
        for (unsigned i = 0; device_tree_enabled(node) && device_tree_range(node, i, &range); i++) {
            if (to_pages(range, false, &base, &end) && !regions_add(machine.memory, &machine.memory_count, base, end))
                panic("device tree: more than %u pieces of memory", MEMORY_REGIONS_MAX);
        }
    }
    if (!regions_hold(machine.memory, machine.memory_count, machine.image_base,
                      machine.image_base + machine.image_size))
        panic("device tree: the kernel is not in memory");
}

static void reserve(struct memory_region range)
{
    uint64_t base, end;
    if (to_pages(range, true, &base, &end) && !regions_add(machine.reserved, &machine.reserved_count, base, end))
        panic("device tree: more than %u reserved pieces", MEMORY_REGIONS_MAX);
}

static void unreserve(uint64_t base, uint64_t end)
{
    if (base < end &&
        !regions_remove(machine.reserved, &machine.reserved_count, base & PAGE_MASK, (end + PAGE_SIZE - 1) & PAGE_MASK))
        panic("device tree: more than %u reserved pieces", MEMORY_REGIONS_MAX);
}

static void find_archive(void)
{
    uint64_t start, end;
    int chosen = device_tree_find_path("/chosen");
    if (chosen < 0 || !device_tree_number(chosen, "linux,initrd-start", &start) ||
        !device_tree_number(chosen, "linux,initrd-end", &end) || start == end)
        return;
    if (start > end || end > DIRECT_SIZE ||
        !regions_hold(machine.memory, machine.memory_count, start & PAGE_MASK, (end + PAGE_SIZE - 1) & PAGE_MASK))
        panic("device tree: the boot archive at %lx..%lx is not in memory", start, end);
    if (start < machine.image_base + machine.image_size && end > machine.image_base)
        panic("device tree: the boot archive overlaps the kernel");
    if ((start & PAGE_MASK) < machine.tree_base + machine.tree_size && end > (machine.tree_base & PAGE_MASK))
        panic("device tree: the boot archive overlaps the device tree");
    machine.archive_base = start;
    machine.archive_size = end - start;
}

/* Only what is in RAM counts, and not what the kernel was given: loaders reserve tree and archive as a courtesy. */
static void trim_reserved(void)
{
    uint64_t gap = 0;
    for (size_t i = 0; i < machine.memory_count; i++) {
        unreserve(gap, machine.memory[i].base);
        gap = machine.memory[i].base + machine.memory[i].size;
    }
    unreserve(gap, DIRECT_SIZE);
    unreserve(machine.image_base, machine.image_base + machine.image_size);
    unreserve(machine.tree_base, machine.tree_base + machine.tree_size);
    unreserve(machine.archive_base, machine.archive_base + machine.archive_size);
}

void discover_memory(void)
{
    struct memory_region range;
    int node = device_tree_find_path("/reserved-memory");

    add_ram();
    find_archive();
    for (unsigned i = 0; device_tree_reservation(i, &range); i++)
        reserve(range);
    for (int child = -1; node >= 0 && (child = device_tree_next_child(node, child)) >= 0;) {
        for (unsigned i = 0; device_tree_enabled(child) && device_tree_range(child, i, &range); i++)
            reserve(range);
    }
    trim_reserved();
}

static bool overlap(uint64_t base, uint64_t size, const struct memory_region *range)
{
    return base < range->base + range->size && range->base < base + size;
}

void discover_reserve(const struct memory_region *range)
{
    if (overlap(machine.image_base, machine.image_size, range) ||
        overlap(machine.tree_base, machine.tree_size, range) ||
        overlap(machine.archive_base, machine.archive_size, range))
        panic("memory at %lx is reserved and the kernel's", range->base);
    reserve(*range);
    trim_reserved();
}
