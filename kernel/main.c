/* SPDX-License-Identifier: MIT */
/* The C side of boot: from a machine that platform_discover() described to root running and every CPU on line. */

#include "boot.h"
#include "kernel.h"
#include "log.h"
#include "panic.h"
#include "start.h"

uint8_t kernel_stacks[CPUS_MAX][KERNEL_STACK_SIZE] __attribute__((aligned(4096)));
extern char __root_start[], __root_end[];

static struct cpu *init_cpu(uint32_t index)
{
    struct cpu *cpu = &cpus[index];
    cpu->index = index;
    cpu->stack_top = kernel_stacks[index] + KERNEL_STACK_SIZE;
    arch_cpu_init(cpu);
    irq_init_cpu();
    timer_init_cpu();
    return cpu;
}

_Noreturn void kernel_secondary_main(uint32_t index)
{
    /* The boot CPU holds the lock until all are started. */
    kernel_lock();
    init_cpu(index);
    trap_run(NULL);
}

static void start_cpus(void)
{
    the_lock.needed = machine.cpu_count > 1;
    kernel_lock();
    for (uint32_t i = 1; i < machine.cpu_count; i++) {
        int error = cpu_start(i);
        if (error)
            log_printf("cpu %u does not start: error %d\n", i, -error);
        else
            started_cpus |= 1u << i;
    }
}

_Noreturn void kernel_main(void)
{
    uint64_t root_base = kernel_virtual_to_physical(__root_start);

    irq_init();
    init_cpu(0);
    boot_memory_init(root_base, (uint64_t)(__root_end - __root_start));
    start_cpus();
    struct thread *root = boot_create_root(root_base);
    log_printf("quire: %lu MiB, %u CPUs\n", boot_memory_pages() >> (20 - PAGE_SHIFT), machine.cpu_count);
    sched_wake(root);
    trap_run(sched_next(NULL));
}
