/* SPDX-License-Identifier: MIT */
/* Finds functions on PCI, from bus 0 on and behind bridges, by the page of configuration that each has (PCI Express Base
 * Specification, "Enhanced Configuration Access Mechanism"). */
#include "pci.h"

#include <libfdt.h>
#include <string.h>

#include "log.h"
#include "memory.h"
#include "tree.h"

#define BUSES_MAX      256u
#define DEVICES        32u
#define FUNCTIONS      8u
#define BUS_SHIFT      20
#define DEVICE_SHIFT   15
#define FUNCTION_SHIFT 12
#define ECAM_BASE_MAX  (1UL << 46)

/* Words of the configuration. */
#define CONFIG_IDENTITY 0u
#define CONFIG_COMMAND  1u
#define CONFIG_HEADER   3u
#define CONFIG_BARS     4u
#define CONFIG_BUSES    6u /* of a bridge */

#define IDENTITY_NONE   0xffffu
#define COMMAND_MEMORY  2u
#define COMMAND_ANSWERS 3u /* in memory and at ports */
#define COMMAND_MASTER  4u
#define HEADER_SHIFT    16
#define HEADER_KIND     0x7fu
#define HEADER_MANY     0x80u
#define KIND_FUNCTION   0u
#define KIND_BRIDGE     1u
#define BAR_PORTS       1u
#define BAR_WIDTH       6u
#define BAR_WIDE        4u
#define BAR_FLAGS       0xfu

#define VIRTIO          0x1af4u
#define VIRTIO_DISK_OLD 0x1001u /* speaks both forms, or the old one alone */
#define VIRTIO_DISK     0x1042u

static struct {
    uint64_t base; /* physical, of bus `first` */
    unsigned first, last;
    bool seen[BUSES_MAX]; /* or in the list */
    uint8_t buses[BUSES_MAX];
    unsigned bus_count;
} pci;

static bool cells_of(const void *tree, int node, const char *name, uint32_t cells[], int count)
{
    int bytes = 0;
    const fdt32_t *property = fdt_getprop(tree, node, name, &bytes);

    if (!property || bytes != count * (int)sizeof(*property))
        return false;
    for (int i = 0; i < count; i++)
        cells[i] = fdt32_to_cpu(property[i]);
    return true;
}

bool pci_open(const void *tree, uint32_t *first, uint32_t *count)
{
    const int node = fdt_node_offset_by_compatible(tree, -1, "pci-host-ecam-generic");
    uint32_t buses[2], messages[2];

    if (node < 0 || !tree_registers(tree, node, &pci.base) || !cells_of(tree, node, "bus-range", buses, 2) ||
        !cells_of(tree, node, "quire,message-interrupts", messages, 2))
        return false;
    if (buses[0] > buses[1] || buses[1] >= BUSES_MAX || pci.base % PAGE_SIZE || pci.base > ECAM_BASE_MAX)
        return false;
    pci.first = buses[0];
    pci.last = buses[1];
    *first = messages[0];
    *count = messages[1];
    add_tables(SLOT_ASPACE, 1);
    return true;
}

static void add_bus(unsigned bus)
{
    if (bus < pci.first || bus > pci.last || pci.seen[bus])
        return;
    pci.seen[bus] = true;
    pci.buses[pci.bus_count++] = (uint8_t)bus;
}

/* --- A function's configuration, which is mapped at PROBE_ADDRESS ------------------------------------------------- */

static volatile uint32_t *show(uint64_t config)
{
    map_frame(SLOT_ASPACE, PROBE_ADDRESS, config >> PAGE_SHIFT,
              ENTRY_READ | ENTRY_WRITE | ENTRY_DEVICE | ENTRY_ACCESSED | ENTRY_DIRTY);
    return (volatile uint32_t *)PROBE_ADDRESS;
}

/* Which of a register's bits are the address's: the function takes no others. */
static uint32_t address_bits(volatile uint32_t *bar)
{
    const uint32_t value = *bar;

    *bar = UINT32_MAX;
    const uint32_t bits = *bar;
    *bar = value;
    return bits;
}

/* Reads address register `number`; returns how many registers it takes up. */
static unsigned read_bar(volatile uint32_t *config, unsigned number, struct pci_bar *bar)
{
    volatile uint32_t *low = &config[CONFIG_BARS + number];
    const bool wide = !(*low & BAR_PORTS) && (*low & BAR_WIDTH) == BAR_WIDE && number + 1 < BLK_BARS;
    uint64_t address = *low & ~BAR_FLAGS, bits = address_bits(low) & ~BAR_FLAGS;

    *bar = (struct pci_bar){0, 0};
    if (*low & BAR_PORTS)
        return 1;
    if (wide) {
        address |= (uint64_t)low[1] << 32;
        bits |= (uint64_t)address_bits(low + 1) << 32;
    } else {
        bits |= bits ? ~(uint64_t)UINT32_MAX : 0;
    }
    const uint64_t size = ~bits + 1;
    /* What is smaller than a page may share one with others. */
    if (address && size >= PAGE_SIZE && (size & (size - 1)) == 0 && address % size == 0 && address < ECAM_BASE_MAX) {
        bar->address = address;
        bar->pages = size / PAGE_SIZE < BLK_BAR_PAGES ? (uint32_t)(size / PAGE_SIZE) : BLK_BAR_PAGES;
    }
    return wide ? 2 : 1;
}

/* Nobody may look at its registers while their addresses are found out. */
static void read_bars(volatile uint32_t *config, struct pci_bar bars[BLK_BARS])
{
    const uint32_t command = config[CONFIG_COMMAND] & 0xffff & ~(COMMAND_ANSWERS | COMMAND_MASTER);

    memset(bars, 0, BLK_BARS * sizeof(*bars));
    config[CONFIG_COMMAND] = command;
    for (unsigned i = 0; i < BLK_BARS;)
        i += read_bar(config, i, &bars[i]);
    config[CONFIG_COMMAND] = command | COMMAND_MEMORY;
}

static bool is_virtio_disk(uint32_t identity)
{
    return (identity & 0xffff) == VIRTIO && (identity >> 16 == VIRTIO_DISK || identity >> 16 == VIRTIO_DISK_OLD);
}

/* Looks at the function there. True: it is a disk, and in *function. *many: there may be others in its place. */
static bool look(uint64_t place, struct pci_function *function, bool *many)
{
    volatile uint32_t *config = show(place);
    const uint32_t identity = config[CONFIG_IDENTITY], header = config[CONFIG_HEADER] >> HEADER_SHIFT;
    bool found = false;

    *many = (identity & 0xffff) != IDENTITY_NONE && header & HEADER_MANY;
    if ((identity & 0xffff) != IDENTITY_NONE && (header & HEADER_KIND) == KIND_BRIDGE)
        add_bus(config[CONFIG_BUSES] >> 8 & 0xff);
    if (is_virtio_disk(identity) && (header & HEADER_KIND) == KIND_FUNCTION) {
        function->config = place;
        read_bars(config, function->bars);
        found = true;
    }
    own_unmap(PROBE_ADDRESS, 1);
    return found;
}

/* --- Buses -------------------------------------------------------------------------------------------------------- */

/* Adds the disks of a place on a bus to the list; returns how many there are then. */
static unsigned look_at_device(uint64_t place, struct pci_function *list, unsigned count, unsigned most)
{
    bool many = false, others;

    if (count < most && look(place, &list[count], &many))
        count++;
    for (uint64_t number = 1; many && number < FUNCTIONS && count < most; number++)
        count += look(place + (number << FUNCTION_SHIFT), &list[count], &others);
    return count;
}

unsigned pci_find_virtio_disks(struct pci_function *list, unsigned most)
{
    unsigned count = 0;

    add_bus(pci.first);
    for (unsigned i = 0; i < pci.bus_count; i++) {
        const uint64_t bus = pci.base + ((uint64_t)(pci.buses[i] - pci.first) << BUS_SHIFT);
        for (uint64_t device = 0; device < DEVICES; device++)
            count = look_at_device(bus + (device << DEVICE_SHIFT), list, count, most);
    }
    return count;
}
