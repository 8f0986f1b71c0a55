/* SPDX-License-Identifier: MIT */
/* Starting CPUs: each resets itself (INIT) and then begins in real mode (SIPI) in the trampoline's page. */
#include <errno.h>
#include <string.h>

#include <arch/boot.h>
#include <arch/ipi.h>

#include "arch.h"
#include "pc.h"

#define RESET_US   10000u
#define RETRY_US   200000u
#define TURN_US    100u
#define ARRIVAL_US 20000000UL

void cpus_discover(void)
{
    machine.cpu_count = acpi.cpu_count;
    for (uint32_t cpu = 0; cpu < acpi.cpu_count; cpu++)
        lapic_set_number(cpu, acpi.cpu_numbers[cpu]);
    device_map_range(TRAMPOLINE_PAGE, PAGE_SIZE);
}

int cpu_start(uint32_t cpu)
{
    if (cpu < 1 || cpu >= machine.cpu_count)
        return -EINVAL;
    memcpy(device_map(TRAMPOLINE_PAGE), secondary_trampoline,
           (size_t)(secondary_trampoline_end - secondary_trampoline));
    __atomic_store_n(&secondary_index, cpu, __ATOMIC_SEQ_CST);
    lapic_send_init(cpu);
    clock_wait_us(RESET_US);
    for (uint64_t waited = 0; waited < ARRIVAL_US; waited += TURN_US) {
        if (secondary_has_arrived(cpu))
            return 0;
        /* The first may be lost; a CPU that has begun takes no notice of the second. */
        if (waited == 0 || waited == RETRY_US)
            lapic_send_start(cpu, TRAMPOLINE_PAGE);
        clock_wait_us(TURN_US);
    }
    return -ETIMEDOUT;
}
