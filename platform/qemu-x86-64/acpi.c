/* SPDX-License-Identifier: MIT */
/*
 * The few of ACPI's tables that are needed: MADT, for CPUs and interrupt controllers, MCFG, for PCI, and FADT with what the DSDT says of
 * S5, to power off. Sizes, places and sums of all are checked; nothing of the interpreted code is run.
 */
#include <base/little_endian.h>
#include <string.h>

#include "arch.h"
#include "panic.h"
#include "pc.h"

#define MAPPED_END     ((uint64_t)BOOT_MAP_GIBIBYTES << 30)
#define TABLE_MAX      (1u << 20)
#define TABLES_MAX     128u
#define FIRMWARE_BEGIN 0xe0000UL
#define FIRMWARE_END   0x100000UL

struct root_pointer {
    char signature[8];
    uint8_t sum;
    char maker[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t bytes;
    uint64_t xsdt;
    uint8_t long_sum;
    uint8_t reserved[3];
} __attribute__((packed));

struct table {
    char signature[4];
    uint32_t bytes;
    uint8_t revision, sum;
    char maker[6], kind[8];
    uint32_t maker_revision, tool, tool_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct table) == 36, "ACPI");

struct madt {
    struct table header;
    uint32_t lapic, flags;
} __attribute__((packed));

#define MADT_LAPIC         0u
#define MADT_IOAPIC        1u
#define MADT_OVERRIDE      2u
#define MADT_X2APIC        9u
#define LAPIC_ENABLED      1u
#define OVERRIDE_BYTES     10u
#define MCFG_ENTRIES       44u
#define MCFG_ENTRY_BYTES   16u
#define FADT_DSDT          40u
#define FADT_PM1A          64u
#define FADT_END           129u
#define POWER_SLEEP_ENABLE (1u << 13)
#define POWER_TYPE_SHIFT   10

struct acpi_machine acpi;

/* Where the 4 GiB are mapped, that is where they are. */
static const void *at(uint64_t physical)
{
    return (const void *)physical;
}

static bool adds_up(const void *bytes, size_t count)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    return sum == 0;
}

/* The table at this place; NULL: there is none that is whole. */
static const struct table *table_at(uint64_t physical)
{
    if (!physical || physical > MAPPED_END - sizeof(struct table))
        return NULL;
    const struct table *table = at(physical);
    if (table->bytes < sizeof(*table) || table->bytes > TABLE_MAX || table->bytes > MAPPED_END - physical ||
        !adds_up(table, table->bytes))
        return NULL;
    return table;
}

static bool is_root_pointer(const struct root_pointer *root)
{
    return memcmp(root->signature, "RSD PTR ", sizeof(root->signature)) == 0 && adds_up(root, 20);
}

static const struct root_pointer *find_root_pointer(uint64_t place)
{
    if (place && place < MAPPED_END - sizeof(struct root_pointer) && is_root_pointer(at(place)))
        return at(place);
    for (place = FIRMWARE_BEGIN; place < FIRMWARE_END; place += 16) {
        if (is_root_pointer(at(place)))
            return at(place);
    }
    panic("ACPI: there is no root pointer");
}

/* The table with this signature among those that the root pointer leads to; NULL: there is none. */
static const struct table *find_table(const struct root_pointer *root, const char *signature)
{
    const bool wide = root->revision >= 2 && root->xsdt;
    const struct table *list = table_at(wide ? root->xsdt : root->rsdt);
    const unsigned step = wide ? 8 : 4;

    if (!list)
        panic("ACPI: the list of tables is malformed");
    const uint8_t *entries = (const uint8_t *)(list + 1);
    unsigned count = (list->bytes - (uint32_t)sizeof(*list)) / step;
    for (unsigned i = 0; i < count && i < TABLES_MAX; i++) {
        const uint64_t place = wide ? read_le64(entries + i * 8) : read_le32(entries + i * 4);
        const struct table *table = table_at(place);
        if (table && memcmp(table->signature, signature, sizeof(table->signature)) == 0)
            return table;
    }
    return NULL;
}

static void add_cpu(uint32_t number, uint32_t flags)
{
    if (!(flags & LAPIC_ENABLED) || number == acpi.cpu_numbers[0] || acpi.cpu_count == CPUS_MAX)
        return;
    acpi.cpu_numbers[acpi.cpu_count++] = number;
}

static void read_madt_entry(const uint8_t *entry, unsigned bytes)
{
    switch (entry[0]) {
    case MADT_LAPIC:
        if (bytes >= 8)
            add_cpu(entry[3], read_le32(entry + 4));
        break;
    case MADT_X2APIC:
        if (bytes >= 16)
            add_cpu(read_le32(entry + 4), read_le32(entry + 8));
        break;
    case MADT_IOAPIC:
        if (bytes >= 12 && acpi.ioapic_count < IOAPIC_MAX)
            acpi.ioapics[acpi.ioapic_count++] = (struct ioapic){read_le32(entry + 4), read_le32(entry + 8)};
        break;
    case MADT_OVERRIDE:
        if (bytes >= OVERRIDE_BYTES && entry[3] < ISA_LINES)
            acpi.isa_lines[entry[3]] = read_le32(entry + 4);
        break;
    default:
        break;
    }
}

static void read_madt(const struct table *table)
{
    if (!table || table->bytes < sizeof(struct madt))
        panic("ACPI: there is no MADT");
    acpi.cpu_numbers[acpi.cpu_count++] = (uint32_t)cpu_affinity();
    for (uint32_t i = 0; i < ISA_LINES; i++)
        acpi.isa_lines[i] = i;
    const uint8_t *bytes = (const uint8_t *)table;
    for (uint32_t place = sizeof(struct madt); place + 2 <= table->bytes;) {
        const uint32_t length = bytes[place + 1];
        if (length < 2 || place + length > table->bytes)
            panic("ACPI: the MADT is malformed");
        read_madt_entry(bytes + place, length);
        place += length;
    }
    if (!acpi.ioapic_count)
        panic("ACPI: there is no I/O interrupt controller");
}

/* The sleep type of S5: in the package by that name, whose first element is a small number in one of two notations. */
static bool find_power_off(const struct table *dsdt, uint32_t *type)
{
    const uint8_t *bytes = (const uint8_t *)dsdt;
    static const uint8_t name[] = {0x08, '_', 'S', '5', '_', 0x12};

    for (uint32_t i = sizeof(*dsdt); i + sizeof(name) + 4 < dsdt->bytes; i++) {
        if (memcmp(bytes + i, name, sizeof(name)) != 0)
            continue;
        /* The length of the package takes one byte, as it is a short one; then comes the count. */
        const uint8_t *element = bytes + i + sizeof(name) + 2;
        *type = *element == 0x0a ? element[1] : *element;
        return *type < 8;
    }
    return false;
}

static void read_fadt(const struct table *table)
{
    uint32_t type;
    if (!table || table->bytes < FADT_END)
        return;
    const uint8_t *bytes = (const uint8_t *)table;
    const struct table *dsdt = table_at(read_le32(bytes + FADT_DSDT));
    const uint32_t port = read_le32(bytes + FADT_PM1A);
    if (!dsdt || !port || port > UINT16_MAX || !find_power_off(dsdt, &type))
        return;
    acpi.power_port = (uint16_t)port;
    acpi.power_off = (uint16_t)(POWER_SLEEP_ENABLE | type << POWER_TYPE_SHIFT);
}

/* Where the configuration of the first group of buses is; other groups are not used. */
static void read_mcfg(const struct table *table)
{
    for (uint32_t place = MCFG_ENTRIES; table && place + MCFG_ENTRY_BYTES <= table->bytes; place += MCFG_ENTRY_BYTES) {
        const uint8_t *entry = (const uint8_t *)table + place;
        const uint64_t base = read_le64(entry), first = entry[10], last = entry[11];
        if (read_le16(entry + 8) != 0 || last < first || base % (1UL << PCI_BUS_SHIFT) ||
            base > DIRECT_SIZE - (256UL << PCI_BUS_SHIFT))
            continue;
        acpi.pci = (struct memory_region){base + (first << PCI_BUS_SHIFT), (last - first + 1) << PCI_BUS_SHIFT};
        acpi.pci_first_bus = (uint32_t)first;
        return;
    }
}

void acpi_read(uint64_t root_pointer)
{
    const struct root_pointer *root = find_root_pointer(root_pointer);

    read_madt(find_table(root, "APIC"));
    read_mcfg(find_table(root, "MCFG"));
    read_fadt(find_table(root, "FACP"));
}
