/* SPDX-License-Identifier: MIT */
/* The registers of a trap from the kernel itself, or of a call of panic(): vectors.S fills it. */
#ifndef ARCH_PANIC_FRAME_H
#define ARCH_PANIC_FRAME_H

#include <stdint.h>

struct panic_frame {
    uint64_t x[31];
    uint64_t sp, elr, spsr, esr, far;
};

/* Where it happened, or where the call of panic() returns to. */
static inline uint64_t panic_frame_pc(const struct panic_frame *frame)
{
    return frame->elr;
}

/* The newest frame record: two words, the next older record and a return address. */
static inline uint64_t panic_frame_record(const struct panic_frame *frame)
{
    return frame->x[29];
}

/* The return address in a register, on machines that have one there; 0: none. */
static inline uint64_t panic_frame_link(const struct panic_frame *frame)
{
    return frame->x[30];
}

#endif
