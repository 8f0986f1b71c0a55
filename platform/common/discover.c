/* SPDX-License-Identifier: MIT */
/* From the device tree to struct machine: console, command line, memory, processors. */
#include "discover.h"

#include <string.h>

#include <arch/mmu.h>
#include <arch/registers.h>

#include "device_tree.h"
#include "log.h"
#include "panic.h"
#include "pl011.h"
#include "regions.h"

#define EXIT_ARGUMENT "quire.exit=semihosting"

struct machine machine;
uint64_t cpu_affinities[CPUS_MAX];

uint32_t discover_this_cpu(void)
{
    uint64_t affinity = cpu_affinity();
    for (uint32_t cpu = 0; cpu < machine.cpu_count; cpu++) {
        if (cpu_affinities[cpu] == affinity)
            return cpu;
    }
    panic("cpu %lx is not in the device tree", affinity);
}

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

static int find_console(void)
{
    int chosen = device_tree_find_path("/chosen");
    const char *path = chosen >= 0 ? device_tree_string(chosen, "stdout-path") : NULL;
    int node = path ? device_tree_find_path(path) : -1;
    if (node >= 0 && device_tree_has_string(node, "compatible", PL011_COMPATIBLE) && device_tree_enabled(node))
        return node;
    return device_tree_next_compatible(-1, PL011_COMPATIBLE);
}

void discover_console(void)
{
    struct memory_region range;
    int node = find_console();
    if (node < 0 || !device_tree_range(node, 0, &range))
        return;
    if (range.base % PAGE_SIZE || range.size < PL011_BYTES)
        panic("device tree: the UART's registers are not on a page of their own");
    device_map_range(range.base, PAGE_SIZE);
    pl011_init(range.base);
    machine.console_base = range.base;
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
    int chosen = device_tree_find_path("/chosen");
    const char *arguments = chosen >= 0 ? device_tree_string(chosen, "bootargs") : NULL;
    if (!arguments)
        return;
    size_t length = strlen(arguments);
    if (length >= sizeof(machine.arguments))
        panic("the command line is longer than %lu bytes", sizeof(machine.arguments) - 1);
    memcpy(machine.arguments, arguments, length + 1);
    machine.exit_semihosting = has_word(machine.arguments, EXIT_ARGUMENT);
    if (has_word(machine.arguments, "quire.panic=message"))
        machine.panic_test = PANIC_TEST_MESSAGE;
    else if (has_word(machine.arguments, "quire.panic=exception"))
        machine.panic_test = PANIC_TEST_EXCEPTION;
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

static void add_cpu(int node, bool is_boot_cpu)
{
    uint64_t affinity;
    if (!device_tree_cpu_address(node, &affinity) || affinity & ~MPIDR_AFFINITY)
        panic("device tree: a CPU's reg is not an affinity");
    if (is_boot_cpu != (affinity == cpu_affinity()))
        return;
    if (!is_boot_cpu && !device_tree_has_string(node, "enable-method", "psci"))
        return;
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        if (cpu_affinities[i] == affinity)
            panic("device tree: CPU %lx twice", affinity);
    }
    if (machine.cpu_count < CPUS_MAX)
        cpu_affinities[machine.cpu_count++] = affinity;
}

void discover_cpus(void)
{
    int cpus = device_tree_find_path("/cpus");
    for (int pass = 0; pass < 2; pass++) {
        for (int node = -1; cpus >= 0 && (node = device_tree_next_child(cpus, node)) >= 0;) {
            const char *type = device_tree_string(node, "device_type");
            if (type && strcmp(type, "cpu") == 0 && device_tree_enabled(node))
                add_cpu(node, pass == 0);
        }
        if (!machine.cpu_count)
            panic("device tree: the boot CPU %lx is not in it", cpu_affinity());
    }
}
