/* SPDX-License-Identifier: MIT */
/* Finds disks: the tree names virtio transports, of which only some have a device, and only some of these are disks; PCI;
 * and controllers of SD cards, with a card or without. */
#include "devices.h"

#include <libfdt.h>
#include <proto/memsrv_client.h>
#include <string.h>

#include "log.h"
#include "memory.h"
#include "objects.h"
#include "pci.h"
#include "slots.h"
#include "tree.h"

#define TRANSPORTS_MAX  64u
#define TRANSPORT_BYTES 0x200u
#define ARGUMENT_BYTES  48u

/* The first registers of a virtio transport. */
#define REGISTER_MAGIC  0u
#define REGISTER_DEVICE 2u
#define MAGIC           0x74726976u
#define DEVICE_BLOCK    2u

/* The interrupt's kind in a tree with a GIC, and where shared lines begin. */
#define INTERRUPT_SHARED       0u
#define INTERRUPT_FIRST_SHARED 32u

struct transport {
    uint64_t address; /* physical, of the registers */
    uint64_t irq;
    const char *argument; /* for the block server, without the address */
    struct pci_bar bars[BLK_BARS];
};

/* Controllers of SD cards, in the order in which they are tried. The first is the Raspberry Pi 4's own for its card; the
 * emulated board has the card in the second, which on a real one is connected to the radio. */
static const char *const sd_controllers[] = {"brcm,bcm2711-emmc2", "brcm,bcm2835-sdhci"};

static struct transport disks[BLK_DISKS_MAX];
static unsigned disk_count;

/* True if no part of the page is memory. */
static bool is_apart_from_memory(const struct boot_info *info, uint64_t page)
{
    for (uint64_t i = 0; i < info->region_count; i++) {
        const struct boot_region *region = &info->regions[i];
        if (page + PAGE_SIZE > region->base && page - region->base < region->size)
            return false;
    }
    return true;
}

/* Reads where a device's registers are, and its one interrupt. False: it is not described as those of such machines are. */
static bool read_transport(const struct boot_info *info, const void *tree, int node, struct transport *transport)
{
    int bytes = 0;
    const fdt32_t *interrupt = fdt_getprop(tree, node, "interrupts", &bytes);

    if (!interrupt || bytes != 3 * (int)sizeof(*interrupt) || fdt32_to_cpu(interrupt[0]) != INTERRUPT_SHARED ||
        !tree_registers(tree, node, &transport->address))
        return false;
    transport->irq = (uint64_t)fdt32_to_cpu(interrupt[1]) + INTERRUPT_FIRST_SHARED;
    return transport->address % sizeof(uint32_t) == 0 && transport->address < ENTRY_ADDRESS - PAGE_SIZE &&
           (transport->address & ~PAGE_MASK) <= PAGE_SIZE - TRANSPORT_BYTES &&
           is_apart_from_memory(info, transport->address & PAGE_MASK);
}

/* Puts a transport into a list that is in order of addresses. */
static void insert(struct transport list[], unsigned count, struct transport transport)
{
    unsigned place = count;

    for (; place > 0 && list[place - 1].address > transport.address; place--)
        list[place] = list[place - 1];
    list[place] = transport;
}

static unsigned find_transports(const struct boot_info *info, const void *tree, struct transport list[])
{
    unsigned count = 0;

    for (int node = fdt_node_offset_by_compatible(tree, -1, "virtio,mmio"); node >= 0 && count < TRANSPORTS_MAX;
         node = fdt_node_offset_by_compatible(tree, node, "virtio,mmio")) {
        struct transport transport = {0};
        if (fdt_parent_offset(tree, node) == 0 && read_transport(info, tree, node, &transport))
            insert(list, count++, transport);
    }
    return count;
}

static bool is_disk(const struct transport *transport)
{
    map_frame(SLOT_ASPACE, PROBE_ADDRESS, transport->address >> PAGE_SHIFT,
              ENTRY_READ | ENTRY_WRITE | ENTRY_DEVICE | ENTRY_ACCESSED | ENTRY_DIRTY);
    const volatile uint32_t *registers = (const volatile uint32_t *)(PROBE_ADDRESS + transport->address % PAGE_SIZE);
    const bool found = registers[REGISTER_MAGIC] == MAGIC && registers[REGISTER_DEVICE] == DEVICE_BLOCK;
    own_unmap(PROBE_ADDRESS, 1);
    return found;
}

/* True if there is room for one more. */
static bool add_disk(struct transport disk, const char *argument)
{
    if (disk_count == BLK_DISKS_MAX) {
        log_line("there are more disks than %lu; the others are not used", (uint64_t)BLK_DISKS_MAX);
        return false;
    }
    disk.argument = argument;
    disks[disk_count++] = disk;
    return true;
}

static void find_virtio(const struct boot_info *info, const void *tree)
{
    static struct transport transports[TRANSPORTS_MAX];
    const unsigned count = find_transports(info, tree, transports);

    if (count == 0)
        return;
    add_tables(SLOT_ASPACE, 1);
    for (unsigned i = 0; i < count; i++) {
        if (is_disk(&transports[i]) && !add_disk(transports[i], BLK_START_VIRTIO_MMIO))
            return;
    }
}

static bool is_on(const void *tree, int node)
{
    const char *status = fdt_getprop(tree, node, "status", NULL);
    return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

static void find_sd(const struct boot_info *info, const void *tree)
{
    for (unsigned i = 0; i < sizeof(sd_controllers) / sizeof(sd_controllers[0]); i++) {
        for (int node = fdt_node_offset_by_compatible(tree, -1, sd_controllers[i]); node >= 0;
             node = fdt_node_offset_by_compatible(tree, node, sd_controllers[i])) {
            struct transport controller = {0};
            if (is_on(tree, node) && read_transport(info, tree, node, &controller) &&
                !add_disk(controller, BLK_START_SDHCI))
                return;
        }
    }
}

/* True if all that is to be mapped is apart from memory. */
static bool bars_are_good(const struct boot_info *info, const struct pci_function *function)
{
    for (unsigned i = 0; i < BLK_BARS; i++) {
        for (uint64_t page = 0; page < function->bars[i].pages; page++) {
            if (!is_apart_from_memory(info, function->bars[i].address + page * PAGE_SIZE))
                return false;
        }
    }
    return is_apart_from_memory(info, function->config);
}

static void find_pci(const struct boot_info *info, const void *tree)
{
    struct pci_function functions[BLK_DISKS_MAX];
    uint32_t first, count;

    if (!pci_open(tree, &first, &count))
        return;
    const unsigned found = pci_find_virtio_disks(functions, BLK_DISKS_MAX);
    for (unsigned i = 0; i < found; i++) {
        struct transport disk = {.address = functions[i].config, .irq = first + i};
        memcpy(disk.bars, functions[i].bars, sizeof(disk.bars));
        if (i < count && bars_are_good(info, &functions[i]) && !add_disk(disk, BLK_START_VIRTIO_PCI))
            return;
    }
}

void devices_find(const struct boot_info *info, const void *tree)
{
    if (!tree)
        return;
    find_virtio(info, tree);
    find_pci(info, tree);
    find_sd(info, tree);
}

/* Writes a disk's argument; returns where the final zero is. */
static char *write_argument(char *place, const struct transport *disk)
{
    static const char digits[] = "0123456789abcdef";
    const size_t length = strlen(disk->argument);

    memcpy(place, disk->argument, length);
    place += length;
    for (unsigned shift = 12; shift > 0;) {
        shift -= 4;
        *place++ = digits[disk->address % PAGE_SIZE >> shift & 0xf];
    }
    for (unsigned i = 0; strcmp(disk->argument, BLK_START_VIRTIO_PCI) == 0 && i < BLK_BARS; i++)
        *place++ = digits[disk->bars[i].pages];
    *place = '\0';
    return place;
}

const char *devices_blk_arguments(const char *path, size_t *bytes)
{
    static char block[ARGUMENT_BYTES * (1 + BLK_DISKS_MAX)];
    const size_t length = strlen(path) + 1;
    char *place = block + length;

    if (disk_count == 0 || length > ARGUMENT_BYTES)
        return NULL;
    memcpy(block, path, length);
    for (unsigned i = 0; i < disk_count; i++)
        place = write_argument(place, &disks[i]) + 1;
    *bytes = (size_t)(place - block);
    return block;
}

/* Makes the object of an interrupt and gives it to all disks that have this interrupt. */
static int endow_interrupt(const struct process *process, uint64_t irq)
{
    int status = memsrv_space_irq_create(SLOT_MEMSRV, process->pid, irq, ROOT_SLOT_BLK_IRQ);

    for (unsigned i = 0; i < disk_count && status == 0; i++) {
        if (disks[i].irq == irq)
            status = capability_give(process_table_slot(process), BLK_SLOT_IRQ + i, ROOT_SLOT_BLK_IRQ, RIGHT_ALL, 0);
    }
    capability_drop(ROOT_SLOT_BLK_IRQ);
    return status;
}

static bool is_first_with_its_interrupt(unsigned number)
{
    for (unsigned i = 0; i < number; i++) {
        if (disks[i].irq == disks[number].irq)
            return false;
    }
    return true;
}

static int endow_bar(const struct process *process, unsigned number, unsigned bar)
{
    const struct pci_bar *place = &disks[number].bars[bar];
    const uint64_t address = BLK_BARS_ADDRESS + (number * BLK_BARS + bar) * BLK_BAR_PAGES * PAGE_SIZE;

    return place->pages ? memsrv_space_map_device(SLOT_MEMSRV, process->pid, address, place->address,
                                                  (uint64_t)place->pages * PAGE_SIZE)
                        : 0;
}

static int endow_disk(const struct process *process, unsigned number)
{
    int status = memsrv_space_map_device(SLOT_MEMSRV, process->pid, BLK_REGISTERS_ADDRESS + number * PAGE_SIZE,
                                         disks[number].address & PAGE_MASK, PAGE_SIZE);
    for (unsigned i = 0; i < BLK_BARS && status == 0; i++)
        status = endow_bar(process, number, i);
    if (status < 0 || !is_first_with_its_interrupt(number))
        return status;
    return endow_interrupt(process, disks[number].irq);
}

int devices_endow_blk(const struct process *process)
{
    int status = capability_give(process_table_slot(process), SLOT_NOTIFICATION, ROOT_SLOT_BLK_EVENTS, RIGHT_SEND, 0);

    for (unsigned i = 0; i < disk_count && status == 0; i++)
        status = endow_disk(process, i);
    return status;
}
