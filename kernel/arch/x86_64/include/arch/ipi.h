/* SPDX-License-Identifier: MIT */
/* Vectors of interrupts, and the interrupts that CPUs send one another: lapic.c. */
#ifndef ARCH_IPI_H
#define ARCH_IPI_H

#include <stdbool.h>
#include <stdint.h>

#define VECTOR_LINES    32u   /* of line 0; the number of an interrupt is its vector */
#define VECTOR_MESSAGES 0xb0u /* of the first message of a device, up to the timer's */
#define VECTOR_TIMER    0xefu
#define VECTOR_IPI      0xf0u
#define VECTOR_TLB      0xf1u
#define VECTOR_SPURIOUS 0xffu

/* Makes CPU `cpu` serve its TLB request. */
void ipi_send_tlb(uint32_t cpu);

/* The local interrupt controller: maps its registers where it has some (boot CPU, before kernel_main()); sets up the one
 * of this CPU; ends the interrupt that this CPU took last. */
void lapic_discover(void);
void lapic_init_cpu(void);
void lapic_end(void);

/* The number by which CPU `cpu` is called, from the machine's tables. Boot CPU, before kernel_main(). */
void lapic_set_number(uint32_t cpu, uint32_t number);
uint32_t lapic_number(uint32_t cpu);

/* Has CPU `cpu` reset itself, and start in real mode at a page below 1 MiB. */
void lapic_send_init(uint32_t cpu);
void lapic_send_start(uint32_t cpu, uint64_t page);

/* The timer: one interrupt after `count` ticks of its own; 0: none. What is left of them. */
void lapic_timer_start(uint32_t count);
uint32_t lapic_timer_left(void);

#endif
