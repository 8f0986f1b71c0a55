/* SPDX-License-Identifier: MIT */
/* Panic reports: what is the machine's in them. */
#include "arch.h"
#include "log.h"

#define REGISTERS_A_LINE 4u

void panic_print_cause(const struct panic_frame *frame)
{
    log_printf("exception in the kernel, class 0x%lx, address %016lx\n", frame->esr >> 26, frame->far);
    log_printf("cpu %lx esr %lx spsr %lx\n", cpu_affinity(), frame->esr, frame->spsr);
}

void panic_print_registers(const struct panic_frame *frame)
{
    for (unsigned i = 0; i < 31; i++)
        log_printf("x%u%s %016lx%c", i, i < 10 ? " " : "", frame->x[i], i % REGISTERS_A_LINE == 3 ? '\n' : ' ');
    log_printf("sp  %016lx\n", frame->sp);
}
