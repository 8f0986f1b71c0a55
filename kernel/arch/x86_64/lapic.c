/* SPDX-License-Identifier: MIT */
/* The local interrupt controllers, as x2APIC where the CPU has it and through registers in memory elsewhere. */
#include <arch/cpu.h>
#include <arch/ipi.h>

#include "arch.h"
#include "panic.h"
#include "platform.h"

#define FEATURE_X2APIC (1u << 21) /* leaf 1, ecx */
#define BASE_ENABLE    (1u << 11)
#define BASE_X2APIC    (1u << 10)
#define MSR_X2APIC     0x800u

#define REGISTER_TASK_PRIORITY 0x080u
#define REGISTER_END           0x0b0u
#define REGISTER_SPURIOUS      0x0f0u
#define REGISTER_COMMAND       0x300u
#define REGISTER_COMMAND_HIGH  0x310u
#define REGISTER_LINE_TIMER    0x320u
#define REGISTER_LINE_0        0x350u
#define REGISTER_LINE_1        0x360u
#define REGISTER_LINE_ERROR    0x370u
#define REGISTER_TIMER_COUNT   0x380u
#define REGISTER_TIMER_LEFT    0x390u
#define REGISTER_TIMER_DIVIDE  0x3e0u

#define SPURIOUS_ENABLE 0x100u
#define LINE_MASKED     0x10000u
#define LINE_NMI        0x400u
#define DIVIDE_BY_16    3u
#define COMMAND_FIXED   0x4000u
#define COMMAND_INIT    0x4500u
#define COMMAND_START   0x4600u
#define COMMAND_PENDING 0x1000u

static bool has_x2apic;
static volatile char *registers;
static uint32_t numbers[CPUS_MAX];

static uint32_t read(uint32_t offset)
{
    return has_x2apic ? (uint32_t)msr_read(MSR_X2APIC + (offset >> 4)) : device_read32(registers + offset);
}

static void write(uint32_t offset, uint32_t value)
{
    if (has_x2apic)
        msr_write(MSR_X2APIC + (offset >> 4), value);
    else
        device_write32(registers + offset, value);
}

static void send(uint32_t number, uint32_t command)
{
    if (has_x2apic) {
        __asm__ volatile("mfence" ::: "memory");
        msr_write(MSR_X2APIC + (REGISTER_COMMAND >> 4), (uint64_t)number << 32 | command);
        return;
    }
    write(REGISTER_COMMAND_HIGH, number << 24);
    write(REGISTER_COMMAND, command);
    while (read(REGISTER_COMMAND) & COMMAND_PENDING)
        cpu_relax();
}

void lapic_discover(void)
{
    const uint64_t base = msr_read(MSR_APIC_BASE) & 0xffffff000UL;

    has_x2apic = cpuid_read(1, 0).c & FEATURE_X2APIC;
    if (machine.kernel_device_count == DEVICE_REGIONS_MAX)
        panic("more than %u kernel devices", DEVICE_REGIONS_MAX);
    machine.kernel_devices[machine.kernel_device_count++] = (struct memory_region){base, PAGE_SIZE};
    device_map_range(base, PAGE_SIZE);
    registers = device_map(base);
}

void lapic_init_cpu(void)
{
    msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | BASE_ENABLE | (has_x2apic ? BASE_X2APIC : 0));
    write(REGISTER_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    write(REGISTER_TASK_PRIORITY, 0);
    write(REGISTER_LINE_0, LINE_MASKED);
    /* Where a PC has its NMI: one CPU is enough to report that. */
    write(REGISTER_LINE_1, arch_this_index() == 0 ? LINE_NMI : LINE_MASKED);
    write(REGISTER_LINE_ERROR, LINE_MASKED);
    write(REGISTER_TIMER_DIVIDE, DIVIDE_BY_16);
    write(REGISTER_LINE_TIMER, VECTOR_TIMER);
    write(REGISTER_TIMER_COUNT, 0);
}

void lapic_end(void)
{
    write(REGISTER_END, 0);
}

void lapic_set_number(uint32_t cpu, uint32_t number)
{
    numbers[cpu] = number;
}

uint32_t lapic_number(uint32_t cpu)
{
    return numbers[cpu];
}

void ipi_send(uint32_t cpu)
{
    send(numbers[cpu], COMMAND_FIXED | VECTOR_IPI);
}

void ipi_send_tlb(uint32_t cpu)
{
    send(numbers[cpu], COMMAND_FIXED | VECTOR_TLB);
}

void lapic_send_init(uint32_t cpu)
{
    send(numbers[cpu], COMMAND_INIT);
}

void lapic_send_start(uint32_t cpu, uint64_t page)
{
    send(numbers[cpu], COMMAND_START | (uint32_t)(page >> PAGE_SHIFT));
}

void lapic_timer_start(uint32_t count)
{
    write(REGISTER_TIMER_COUNT, count);
}

uint32_t lapic_timer_left(void)
{
    return read(REGISTER_TIMER_LEFT);
}
