/* SPDX-License-Identifier: MIT */
/*
 * From what the boot loader says and ACPI's tables to a device tree, which is what the rest of the kernel and the servers
 * read on every machine. All is read before the tree is written, as nobody knows where the loader keeps what it says.
 */
#include <libfdt.h>
#include <string.h>

#include <arch/boot.h>
#include <arch/ipi.h>

#include "arch.h"
#include "loader.h"
#include "panic.h"
#include "pc.h"

#define MAPPED_END    ((uint64_t)BOOT_MAP_GIBIBYTES << 30)
#define TRANSPORT_MAX 32u
#define SEED_WORDS    8u
#define RDRAND_TRIES  10u

#define SERIAL_PORT  0x3f8u
#define SERIAL_PORTS 8u
#define SERIAL_LINE  4u

#define ISA_DMA_BYTES (16u << 20)

#define INTERRUPT_SHARED 0u
#define INTERRUPT_LEVEL  4u

/* A virtio transport that the loader's arguments name: SIZE@BASE:LINE. */
struct transport {
    uint64_t base, size;
    uint32_t line;
};

static struct {
    struct loader_information loader;
    char arguments[sizeof(machine.arguments)];
    struct transport transports[TRANSPORT_MAX];
    uint32_t transport_count;
} found;

/* Takes a transport's description from the start of `word`. False: it is something else. */
static bool take_transport(const char *word)
{
    static const char name[] = "virtio_mmio.device=";
    struct transport transport;
    char *end;

    if (strncmp(word, name, sizeof(name) - 1) != 0)
        return false;
    transport.size = strtoul(word + sizeof(name) - 1, &end, 0);
    if (*end != '@')
        return true;
    transport.base = strtoul(end + 1, &end, 0);
    if (*end != ':' || found.transport_count == TRANSPORT_MAX)
        return true;
    transport.line = (uint32_t)strtoul(end + 1, &end, 0);
    found.transports[found.transport_count++] = transport;
    return true;
}

/* Copies the arguments but for the emulator's own words. */
static void read_arguments(const char *from, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length;) {
        size_t end = i;
        while (end < length && from[end] != ' ')
            end++;
        if (end > i && !take_transport(from + i)) {
            if (used + (end - i) + 2 > sizeof(found.arguments))
                panic("the command line is longer than %lu bytes", sizeof(found.arguments) - 1);
            if (used)
                found.arguments[used++] = ' ';
            memcpy(found.arguments + used, from + i, end - i);
            used += end - i;
        }
        i = end + 1;
    }
}

static void read_information(uint64_t place, uint32_t protocol)
{
    const char *error;

    if (!place || place > MAPPED_END - PAGE_SIZE)
        panic("the boot loader's information is at %lx: out of reach", place);
    if (protocol == BOOT_PROTOCOL_MULTIBOOT2)
        error = multiboot2_read((const void *)place, MAPPED_END - place, place, &found.loader);
    else if (protocol == BOOT_PROTOCOL_PVH)
        error = pvh_read(place, MAPPED_END, &found.loader);
    else
        error = "of no known form";
    if (error)
        panic("the boot loader's information is %s", error);
    read_arguments(found.loader.arguments, found.loader.arguments_bytes);
    acpi_read(found.loader.root_pointer);
}

/* The tree's place is free memory: nothing of it is the archive's, which may lie anywhere. */
static void check_place(void)
{
    const uint64_t end = TREE_PLACE + TREE_BYTES;
    for (uint32_t i = 0; i < found.loader.memory_count; i++) {
        const struct memory_region *memory = &found.loader.memory[i];
        if (memory->base <= TRAMPOLINE_PAGE && memory->size >= end - memory->base &&
            (found.loader.archive.base >= end || found.loader.archive.base + found.loader.archive.size <= TREE_PLACE))
            return;
    }
    panic("there is no memory at %x for the device tree", TREE_PLACE);
}

/* Any error would be one of this file's. */
static void check(int error)
{
    if (error < 0)
        panic("device tree: %s", fdt_strerror(error));
}

static void put_cells(void *tree, const char *name, const uint32_t *cells, unsigned count)
{
    fdt32_t encoded[4];
    for (unsigned i = 0; i < count; i++)
        encoded[i] = cpu_to_fdt32(cells[i]);
    check(fdt_property(tree, name, encoded, (int)(count * sizeof(encoded[0]))));
}

static void put_registers(void *tree, uint64_t base, uint64_t size)
{
    put_cells(tree, "reg", (uint32_t[]){(uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32), (uint32_t)size},
              4);
}

static void put_interrupt(void *tree, uint32_t line)
{
    put_cells(tree, "interrupts", (uint32_t[]){INTERRUPT_SHARED, line, INTERRUPT_LEVEL}, 3);
}

/* Begins a node with the name of what is at `base`. */
static void begin_node(void *tree, const char *kind, uint64_t base)
{
    static const char digits[] = "0123456789abcdef";
    char name[40];
    size_t length = strlen(kind);

    memcpy(name, kind, length);
    name[length++] = '@';
    int shift = 60;
    while (shift > 0 && !(base >> shift & 0xf))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        name[length++] = digits[base >> shift & 0xf];
    name[length] = '\0';
    check(fdt_begin_node(tree, name));
}

/* What chance the programs have begins with: from the processor, where it has a source of it. */
static void put_seed(void *tree)
{
    uint64_t seed[SEED_WORDS];

    if (!(cpuid_read(1, 0).c & FEATURE_RDRAND))
        return;
    for (unsigned i = 0; i < SEED_WORDS; i++) {
        unsigned tries = RDRAND_TRIES;
        while (!rdrand(&seed[i])) {
            if (--tries == 0)
                return;
        }
    }
    check(fdt_property(tree, "rng-seed", seed, sizeof(seed)));
    memset(seed, 0, sizeof(seed));
}

static void put_chosen(void *tree)
{
    check(fdt_begin_node(tree, "chosen"));
    check(fdt_property_string(tree, "bootargs", found.arguments));
    check(fdt_property_string(tree, "stdout-path", "/serial"));
    const struct memory_region *archive = &found.loader.archive;
    if (archive->size) {
        check(fdt_property_u64(tree, "linux,initrd-start", archive->base));
        check(fdt_property_u64(tree, "linux,initrd-end", archive->base + archive->size));
    }
    put_seed(tree);
    check(fdt_end_node(tree));
}

static void put_memory(void *tree)
{
    for (uint32_t i = 0; i < found.loader.memory_count; i++) {
        const struct memory_region *memory = &found.loader.memory[i];
        begin_node(tree, "memory", memory->base);
        check(fdt_property_string(tree, "device_type", "memory"));
        put_registers(tree, memory->base, memory->size);
        check(fdt_end_node(tree));
    }
}

static void put_devices(void *tree)
{
    check(fdt_begin_node(tree, "serial"));
    check(fdt_property_string(tree, "compatible", "ns16550a"));
    put_registers(tree, PORT_BASE + SERIAL_PORT, SERIAL_PORTS);
    put_interrupt(tree, acpi.isa_lines[SERIAL_LINE]);
    check(fdt_end_node(tree));
    for (uint32_t i = 0; i < found.transport_count; i++) {
        const struct transport *transport = &found.transports[i];
        begin_node(tree, "virtio_mmio", transport->base);
        check(fdt_property_string(tree, "compatible", "virtio,mmio"));
        put_registers(tree, transport->base, transport->size);
        put_interrupt(tree, transport->line);
        check(fdt_end_node(tree));
    }
}

/* The bus of old, whose devices have 24 address lines. Linux, too, always has a zone for them. */
static void put_isa(void *tree)
{
    check(fdt_begin_node(tree, "isa"));
    check(fdt_property_string(tree, "compatible", "isa"));
    put_cells(tree, "#address-cells", (uint32_t[]){1}, 1);
    put_cells(tree, "#size-cells", (uint32_t[]){1}, 1);
    put_cells(tree, "dma-ranges", (uint32_t[]){0, 0, 0, ISA_DMA_BYTES}, 4);
    check(fdt_end_node(tree));
}

/* PCI, if there is some, with the interrupts that its devices' messages may have. */
static void put_pci(void *tree)
{
    const uint32_t first = acpi.pci_first_bus, last = first + (uint32_t)(acpi.pci.size >> PCI_BUS_SHIFT) - 1;

    if (!acpi.pci.size)
        return;
    begin_node(tree, "pcie", acpi.pci.base);
    check(fdt_property_string(tree, "compatible", "pci-host-ecam-generic"));
    check(fdt_property_string(tree, "device_type", "pci"));
    put_registers(tree, acpi.pci.base, acpi.pci.size);
    put_cells(tree, "bus-range", (uint32_t[]){first, last}, 2);
    put_cells(tree, "quire,message-interrupts", (uint32_t[]){VECTOR_MESSAGES, VECTOR_TIMER - VECTOR_MESSAGES}, 2);
    check(fdt_end_node(tree));
}

void platform_describe(uint64_t information, uint32_t protocol)
{
    void *tree = (void *)(uint64_t)TREE_PLACE;

    read_information(information, protocol);
    check_place();
    check(fdt_create(tree, TREE_BYTES));
    check(fdt_add_reservemap_entry(tree, 0, TREE_PLACE));
    check(fdt_finish_reservemap(tree));
    check(fdt_begin_node(tree, ""));
    check(fdt_property_string(tree, "compatible", "pc"));
    put_cells(tree, "#address-cells", (uint32_t[]){2}, 1);
    put_cells(tree, "#size-cells", (uint32_t[]){2}, 1);
    put_chosen(tree);
    put_memory(tree);
    put_devices(tree);
    put_isa(tree);
    put_pci(tree);
    check(fdt_end_node(tree));
    check(fdt_finish(tree));
    machine.tree_base = TREE_PLACE;
    machine.tree_size = fdt_totalsize(tree);
    arch_allow_ports(SERIAL_PORT, SERIAL_PORTS);
}
