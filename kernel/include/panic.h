/* SPDX-License-Identifier: MIT */
/*
 * The end of the kernel when something cannot be true: a report on the log, the other CPUs told to stop, and the machine
 * off with exit status PANIC_STATUS when an emulator listens, else halted. Lock: none needed, any may be held.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define PANIC_STATUS 101

/* The registers of a trap from the kernel itself, or of a call of panic(): see <arch/panic_frame.h>. */
struct panic_frame;

/* Reports a reason in the words of log_printf(), the caller's registers, and who called whom. */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

/* What panic() does, for the architecture's entry to it alone; the frame's pc is where it returns to. */
__attribute__((noreturn)) void panic_called(const struct panic_frame *frame, const char *format, va_list arguments);

/* Reports an exception that the kernel itself took. `frame` may be anywhere that is mapped. */
__attribute__((noreturn)) void panic_trap(const struct panic_frame *frame);

/* Panics, if the command line asks for that, in the way that it names; see enum panic_test. */
void panic_test(void);

/* True once any CPU panics: a CPU that takes an IPI then halts in irq_take(). */
extern bool panic_active;

/* Ends the kernel with the condition's text if it does not hold: QUIRE_CHECKS 1 and up. The condition must be cheap
 * and free of effects; at level 0 it is not evaluated. */
#define KERNEL_ASSERT(condition)                                                                                       \
    do {                                                                                                               \
        if (QUIRE_CHECKS >= 1 && __builtin_expect(!(condition), 0))                                                    \
            panic("%s:%d: %s: assertion %s", __FILE__, __LINE__, __func__, #condition);                                \
    } while (0)

#endif
