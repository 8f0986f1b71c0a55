/* SPDX-License-Identifier: MIT */
/* The timer functions of platform.h by the virtual timer, which is EL1's whether or not there is a hypervisor. */
#include "generic_timer.h"

#include "arch.h"
#include "device_tree.h"
#include "panic.h"

#define CONTROL_ENABLE    1u
#define CONTROL_OFF       0u
#define INTERRUPT_VIRTUAL 2u /* in the node's interrupts: secure, non-secure, virtual, hypervisor */
#define GIC_FIRST_SHARED  32u
#define FREQUENCY_MAX     10000000000UL /* keeps products with nanoseconds sane */

static uint32_t timer_irq;

void generic_timer_discover(void)
{
    uint64_t frequency = REGISTER_READ(cntfrq_el0);
    int node = device_tree_next_compatible(-1, "arm,armv8-timer");

    if (node < 0 || !device_tree_gic_interrupt(node, INTERRUPT_VIRTUAL, &timer_irq) || timer_irq >= GIC_FIRST_SHARED)
        panic("device tree: no virtual timer interrupt");
    if (!frequency)
        (void)device_tree_number(node, "clock-frequency", &frequency);
    if (!frequency || frequency > FREQUENCY_MAX)
        panic("timer: frequency %lu", frequency);
    machine.timer_frequency = frequency;
}

uint32_t generic_timer_irq(void)
{
    return timer_irq;
}

bool irq_is_timer(uint32_t irq)
{
    return irq == timer_irq;
}

void timer_init_cpu(void)
{
    timer_disarm();
}

uint64_t timer_now(void)
{
    instruction_barrier();
    return REGISTER_READ(cntvct_el0);
}

void timer_arm(uint64_t deadline)
{
    REGISTER_WRITE(cntv_cval_el0, deadline);
    REGISTER_WRITE(cntv_ctl_el0, CONTROL_ENABLE);
    instruction_barrier();
}

void timer_disarm(void)
{
    REGISTER_WRITE(cntv_ctl_el0, CONTROL_OFF);
    instruction_barrier();
}
