/* SPDX-License-Identifier: MIT */
/* Panic reports: what is the machine's in them. */
#include "arch.h"
#include "log.h"
#include "panic.h"

#define GENERAL 15u

void panic_print_cause(const struct panic_frame *frame)
{
    log_printf("exception in the kernel, vector %lu, error %lx, address %016lx\n", frame->registers.vector,
               frame->registers.error, frame->address);
    log_printf("cpu %lx flags %lx\n", cpu_affinity(), frame->registers.flags);
}

void panic_print_registers(const struct panic_frame *frame)
{
    static const char *const names[GENERAL] = {"rdi", "rsi", "rdx", "r10", "r8",  "r9",  "r12", "r13",
                                               "r14", "r15", "rax", "rbx", "rbp", "rcx", "r11"};
    for (unsigned i = 0; i < GENERAL; i++)
        log_printf("%s%s %016lx%c", names[i], names[i][2] ? "" : " ", frame->registers.x[i], i % 4 == 3 ? '\n' : ' ');
    log_printf("rsp %016lx\n", frame->registers.sp);
}
