/* SPDX-License-Identifier: MIT */
/* Floating-point registers of AArch64: see kernel_spin.h. */
#include "../../system/kernel_spin.h"

#include <quire/abi.h>

#define ALL_FP                                                                                                         \
    "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, "   \
    "30, 31"
#define FP_CLOBBERS                                                                                                    \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",       \
        "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"

uint64_t fp_keep(uint64_t pattern, uint64_t yields, uint64_t turns)
{
    const uint64_t control = pattern % 4 << 22; /* rounding mode */
    uint64_t wrong, found;

    __asm__ volatile("mov x9, %[pattern]\n\t"
                     "msr fpcr, %[control]\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "mov v\\n\\().d[0], x9\n\t"
                     "mvn x10, x9\n\t"
                     "mov v\\n\\().d[1], x10\n\t"
                     "add x9, x9, #1\n\t"
                     ".endr\n"
                     "1: cbz %[turns], 2f\n\t"
                     "sub %[turns], %[turns], #1\n\t"
                     "b 1b\n"
                     "2: cbz %[yields], 3f\n\t"
                     "sub %[yields], %[yields], #1\n\t"
                     "svc %[yield]\n\t"
                     "b 2b\n"
                     "3: mov x9, %[pattern]\n\t"
                     "mov %[wrong], xzr\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "mov x10, v\\n\\().d[0]\n\t"
                     "mov x11, v\\n\\().d[1]\n\t"
                     "eor x10, x10, x9\n\t"
                     "mvn x11, x11\n\t"
                     "eor x11, x11, x9\n\t"
                     "orr %[wrong], %[wrong], x10\n\t"
                     "orr %[wrong], %[wrong], x11\n\t"
                     "add x9, x9, #1\n\t"
                     ".endr\n\t"
                     "mrs %[found], fpcr\n\t"
                     "msr fpcr, xzr"
                     : [turns] "+&r"(turns), [yields] "+&r"(yields), [wrong] "=&r"(wrong), [found] "=&r"(found)
                     : [pattern] "r"(pattern), [control] "r"(control), [yield] "i"(SYS_YIELD)
                     : "x0", "x1", "x9", "x10", "x11", "memory", "cc", FP_CLOBBERS);
    return wrong | (found ^ control);
}

int fp_any_set(void *argument)
{
    uint64_t any;

    (void)argument;
    __asm__ volatile("mov %[any], xzr\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "mov x10, v\\n\\().d[0]\n\t"
                     "mov x11, v\\n\\().d[1]\n\t"
                     "orr %[any], %[any], x10\n\t"
                     "orr %[any], %[any], x11\n\t"
                     ".endr"
                     : [any] "=&r"(any)
                     :
                     : "x10", "x11");
    return any != 0;
}
