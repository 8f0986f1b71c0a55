/* SPDX-License-Identifier: MIT */
/* x86-64: vectors of exceptions, in the upper half of the syndrome. */
#include "machine.h"

#define VECTOR_SHIFT 32

enum exception_vector {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_BREAKPOINT = 3,
    VECTOR_OVERFLOW = 4,
    VECTOR_STACK = 12,
    VECTOR_PROTECTION = 13,
    VECTOR_PAGE = 14,
    VECTOR_FLOATING_POINT = 16,
    VECTOR_ALIGNMENT = 17,
    VECTOR_SIMD = 19,
};

enum { SIGNAL_ILL = 4, SIGNAL_TRAP = 5, SIGNAL_BUS = 7, SIGNAL_FPE = 8, SIGNAL_SEGV = 11 };

struct exception_kind exception_kind(uint64_t syndrome)
{
    switch ((enum exception_vector)(syndrome >> VECTOR_SHIFT)) {
    case VECTOR_DIVIDE:
        return (struct exception_kind){"division error", SIGNAL_FPE, false, false};
    case VECTOR_DEBUG:
    case VECTOR_BREAKPOINT:
        return (struct exception_kind){"breakpoint", SIGNAL_TRAP, false, false};
    case VECTOR_OVERFLOW:
    case VECTOR_PROTECTION: /* among others, an address that is not canonical */
        return (struct exception_kind){"protection violation", SIGNAL_SEGV, false, true};
    case VECTOR_STACK:
        return (struct exception_kind){"bus error", SIGNAL_BUS, false, true};
    case VECTOR_PAGE:
        return (struct exception_kind){"bus error", SIGNAL_BUS, true, false};
    case VECTOR_FLOATING_POINT:
    case VECTOR_SIMD:
        return (struct exception_kind){"floating-point exception", SIGNAL_FPE, false, false};
    case VECTOR_ALIGNMENT:
        return (struct exception_kind){"misaligned access", SIGNAL_BUS, true, false};
    default:
        return (struct exception_kind){"illegal instruction", SIGNAL_ILL, false, false};
    }
}
