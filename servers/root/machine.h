/* SPDX-License-Identifier: MIT */
/* What root must know of the processor. Each architecture has its own machine.c behind this header. */
#ifndef ROOT_MACHINE_H
#define ROOT_MACHINE_H

#include <arch/machine.h>
#include <stdbool.h>
#include <stdint.h>

/* What a fault with FAULT_EXCEPTION was, from its raw syndrome: a word for the log, and the signal's number on Linux. */
struct exception_kind {
    const char *name;
    int signal;
    bool by_address; /* what matters is the address that was touched, not that of the instruction */
    bool unplaced;   /* the machine does not say which address it was: SI_KERNEL, as on Linux */
};
struct exception_kind exception_kind(uint64_t syndrome);

#endif
