/* SPDX-License-Identifier: MIT */
/* AArch64: exception classes of the syndrome register (ESR_EL1.EC, bits 26..31). */
#include "machine.h"

#define CLASS_SHIFT 26
#define CLASS_MASK  0x3fu

enum exception_class {
    CLASS_UNKNOWN = 0x00,
    CLASS_ILLEGAL_STATE = 0x0e,
    CLASS_SYSTEM_REGISTER = 0x18,
    CLASS_INSTRUCTION_ABORT = 0x20,
    CLASS_PC_ALIGNMENT = 0x22,
    CLASS_DATA_ABORT = 0x24,
    CLASS_SP_ALIGNMENT = 0x26,
    CLASS_FLOATING_POINT = 0x2c,
    CLASS_BREAKPOINT = 0x30,
    CLASS_STEP = 0x32,
    CLASS_WATCHPOINT = 0x34,
    CLASS_BRK = 0x3c,
};

enum { SIGNAL_ILL = 4, SIGNAL_TRAP = 5, SIGNAL_BUS = 7, SIGNAL_FPE = 8 };

struct exception_kind exception_kind(uint64_t syndrome)
{
    switch ((enum exception_class)(syndrome >> CLASS_SHIFT & CLASS_MASK)) {
    case CLASS_INSTRUCTION_ABORT:
    case CLASS_DATA_ABORT:
        return (struct exception_kind){"bus error", SIGNAL_BUS, true, false};
    case CLASS_PC_ALIGNMENT:
    case CLASS_SP_ALIGNMENT:
        return (struct exception_kind){"misaligned access", SIGNAL_BUS, true, false};
    case CLASS_FLOATING_POINT:
        return (struct exception_kind){"floating-point exception", SIGNAL_FPE, false, false};
    case CLASS_BREAKPOINT:
    case CLASS_STEP:
    case CLASS_WATCHPOINT:
    case CLASS_BRK:
        return (struct exception_kind){"breakpoint", SIGNAL_TRAP, false, false};
    case CLASS_UNKNOWN:
    case CLASS_ILLEGAL_STATE:
    case CLASS_SYSTEM_REGISTER:
    default:
        return (struct exception_kind){"illegal instruction", SIGNAL_ILL, false, false};
    }
}
