/* SPDX-License-Identifier: MIT */
/*
 * The interrupt functions of platform.h over the I/O interrupt controllers (82093AA's data sheet). Line n has vector
 * VECTOR_LINES + n, which is the number of the interrupt as well. All lines are taken as level-triggered: an edge that
 * comes while a line is masked would be lost. Messages (MSI) have the vectors from VECTOR_MESSAGES on; a device sends them
 * to the boot CPU's local controller past the others.
 */
#include <errno.h>

#include <arch/ipi.h>

#include "arch.h"
#include "panic.h"
#include "pc.h"

#define SELECT           0x00u
#define WINDOW           0x10u
#define REGISTER_VERSION 1u
#define REGISTER_LINES   0x10u
#define LINE_LEVEL       (1u << 15)
#define LINE_MASKED      (1u << 16)
#define TARGET_SHIFT     24

#define MESSAGE_BASE         0xfee00000u /* fixed delivery, an edge */
#define MESSAGE_TARGET_SHIFT 12
#define MESSAGE_TARGET_MAX   0xffu

#define LINES_MAX       (VECTOR_MESSAGES - VECTOR_LINES)
#define PIC_FIRST_DATA  0x21u
#define PIC_SECOND_DATA 0xa1u

static struct controller {
    volatile char *registers;
    uint32_t first, count;
} controllers[IOAPIC_MAX];

static uint32_t read(const struct controller *controller, uint32_t number)
{
    device_write32(controller->registers + SELECT, number);
    return device_read32(controller->registers + WINDOW);
}

static void write(const struct controller *controller, uint32_t number, uint32_t value)
{
    device_write32(controller->registers + SELECT, number);
    device_write32(controller->registers + WINDOW, value);
}

void irq_discover(void)
{
    for (uint32_t i = 0; i < acpi.ioapic_count; i++) {
        const struct ioapic *found = &acpi.ioapics[i];
        const uint64_t page = found->base & PAGE_MASK;
        if (machine.kernel_device_count == DEVICE_REGIONS_MAX)
            panic("more than %u kernel devices", DEVICE_REGIONS_MAX);
        machine.kernel_devices[machine.kernel_device_count++] = (struct memory_region){page, PAGE_SIZE};
        device_map_range(page, PAGE_SIZE);
        controllers[i].registers = device_map(found->base);
        controllers[i].first = found->first;
        controllers[i].count = (read(&controllers[i], REGISTER_VERSION) >> 16 & 0xff) + 1;
    }
}

/* The controller of an interrupt that is a line's; NULL: it is none. */
static const struct controller *controller_of(uint32_t irq, uint32_t *line)
{
    if (irq < VECTOR_LINES || irq - VECTOR_LINES >= LINES_MAX)
        return NULL;
    for (uint32_t i = 0; i < acpi.ioapic_count; i++) {
        *line = irq - VECTOR_LINES - controllers[i].first;
        if (irq - VECTOR_LINES >= controllers[i].first && *line < controllers[i].count)
            return &controllers[i];
    }
    return NULL;
}

void irq_init(void)
{
    port_write8(PIC_FIRST_DATA, 0xff);
    port_write8(PIC_SECOND_DATA, 0xff);
    for (uint32_t i = 0; i < acpi.ioapic_count; i++) {
        for (uint32_t line = 0; line < controllers[i].count; line++)
            write(&controllers[i], REGISTER_LINES + 2 * line, LINE_MASKED);
    }
}

void irq_init_cpu(void)
{
    lapic_init_cpu();
}

uint32_t irq_take(void)
{
    const uint32_t vector = (uint32_t)arch_take_vector();

    if (panic_active)
        cpu_halt();
    if (!vector || vector == VECTOR_SPURIOUS)
        return IRQ_SPURIOUS;
    if (vector == VECTOR_TLB) {
        tlb_serve();
        lapic_end();
        return IRQ_SPURIOUS;
    }
    return vector;
}

void irq_end(uint32_t irq)
{
    (void)irq;
    lapic_end();
}

static bool is_message(uint32_t irq)
{
    return irq >= VECTOR_MESSAGES && irq < VECTOR_TIMER;
}

bool irq_valid(uint32_t irq)
{
    uint32_t line;
    return is_message(irq) || controller_of(irq, &line) != NULL;
}

int irq_message(uint32_t irq, uint64_t *address, uint32_t *data)
{
    if (!is_message(irq) || lapic_number(0) > MESSAGE_TARGET_MAX)
        return -EOPNOTSUPP;
    *address = MESSAGE_BASE | lapic_number(0) << MESSAGE_TARGET_SHIFT;
    *data = irq;
    return 0;
}

void irq_mask(uint32_t irq)
{
    uint32_t line;
    const struct controller *controller = controller_of(irq, &line);
    if (controller)
        write(controller, REGISTER_LINES + 2 * line, LINE_MASKED | LINE_LEVEL | irq);
}

void irq_unmask(uint32_t irq, uint32_t cpu)
{
    uint32_t line;
    const struct controller *controller = controller_of(irq, &line);
    if (!controller)
        return;
    write(controller, REGISTER_LINES + 2 * line + 1, lapic_number(cpu) << TARGET_SHIFT);
    write(controller, REGISTER_LINES + 2 * line, LINE_LEVEL | irq);
}

bool irq_is_ipi(uint32_t irq)
{
    return irq == VECTOR_IPI;
}

bool irq_is_timer(uint32_t irq)
{
    return irq == VECTOR_TIMER;
}
