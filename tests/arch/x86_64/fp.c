/* SPDX-License-Identifier: MIT */
/* Floating-point registers of x86-64: see kernel_spin.h. */
#include "../../system/kernel_spin.h"

#include <arch/instructions.h>
#include <quire/abi.h>

#define ALL_FP "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
#define FP_CLOBBERS                                                                                                    \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",         \
        "xmm13", "xmm14", "xmm15"
#define CONTROL_RESET  0x1f80u
#define ROUNDING_SHIFT 13

/* What is above the 128 bits that SSE knows, if the processor and the kernel have it: from 0 with `pattern` upwards, and other
 * instructions than those of AVX leave it alone. */
static void set_upper(uint64_t pattern)
{
    if (!has_avx())
        return;
    __asm__ volatile(".irp n, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0\n\t"
                     "lea \\n(%[pattern]), %%r8\n\t"
                     "movq %%r8, %%xmm0\n\t"
                     "not %%r8\n\t"
                     "pinsrq $1, %%r8, %%xmm0\n\t"
                     "vinsertf128 $1, %%xmm0, %%ymm\\n, %%ymm\\n\n\t"
                     ".endr"
                     :
                     : [pattern] "r"(pattern)
                     : "r8", FP_CLOBBERS);
}

/* 0, or bits of them that are wrong. */
static uint64_t check_upper(uint64_t pattern)
{
    uint64_t wrong;

    if (!has_avx())
        return 0;
    __asm__ volatile("xor %[wrong], %[wrong]\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "lea \\n(%[pattern]), %%r8\n\t"
                     "vextractf128 $1, %%ymm\\n, %%xmm0\n\t"
                     "movq %%xmm0, %%r9\n\t"
                     "pextrq $1, %%xmm0, %%r10\n\t"
                     "xor %%r8, %%r9\n\t"
                     "not %%r10\n\t"
                     "xor %%r8, %%r10\n\t"
                     "or %%r9, %[wrong]\n\t"
                     "or %%r10, %[wrong]\n\t"
                     ".endr\n\t"
                     "vzeroupper"
                     : [wrong] "=&r"(wrong)
                     : [pattern] "r"(pattern)
                     : "r8", "r9", "r10", "cc", FP_CLOBBERS);
    return wrong;
}

uint64_t fp_keep(uint64_t pattern, uint64_t yields, uint64_t turns)
{
    const uint32_t control = CONTROL_RESET | (uint32_t)(pattern % 4) << ROUNDING_SHIFT, reset = CONTROL_RESET;
    uint32_t found = 0;
    uint64_t wrong;

    set_upper(~pattern);
    __asm__ volatile("ldmxcsr %[control]\n\t"
                     "mov %[pattern], %%r8\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "mov %%r8, %%r9\n\t"
                     "not %%r9\n\t"
                     "movq %%r8, %%xmm\\n\n\t"
                     "pinsrq $1, %%r9, %%xmm\\n\n\t"
                     "inc %%r8\n\t"
                     ".endr\n"
                     "1: test %[turns], %[turns]\n\t"
                     "jz 2f\n\t"
                     "dec %[turns]\n\t"
                     "jmp 1b\n"
                     "2: test %[yields], %[yields]\n\t"
                     "jz 3f\n\t"
                     "dec %[yields]\n\t"
                     "mov %[yield], %%eax\n\t"
                     "syscall\n\t"
                     "jmp 2b\n"
                     "3: mov %[pattern], %%r8\n\t"
                     "xor %[wrong], %[wrong]\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "movq %%xmm\\n, %%r9\n\t"
                     "pextrq $1, %%xmm\\n, %%r10\n\t"
                     "xor %%r8, %%r9\n\t"
                     "not %%r10\n\t"
                     "xor %%r8, %%r10\n\t"
                     "or %%r9, %[wrong]\n\t"
                     "or %%r10, %[wrong]\n\t"
                     "inc %%r8\n\t"
                     ".endr\n\t"
                     "stmxcsr %[found]\n\t"
                     "ldmxcsr %[reset]"
                     : [turns] "+&r"(turns), [yields] "+&r"(yields), [wrong] "=&r"(wrong), [found] "=m"(found)
                     : [pattern] "r"(pattern), [control] "m"(control), [reset] "m"(reset), [yield] "i"(SYS_YIELD)
                     : "rax", "rdi", "rsi", "rcx", "r11", "r8", "r9", "r10", "memory", "cc", FP_CLOBBERS);
    return wrong | (found ^ control) | check_upper(~pattern);
}

int fp_any_set(void *argument)
{
    uint64_t any;

    (void)argument;
    __asm__ volatile("xor %[any], %[any]\n\t"
                     ".irp n, " ALL_FP "\n\t"
                     "movq %%xmm\\n, %%r9\n\t"
                     "pextrq $1, %%xmm\\n, %%r10\n\t"
                     "or %%r9, %[any]\n\t"
                     "or %%r10, %[any]\n\t"
                     ".endr"
                     : [any] "=&r"(any)
                     :
                     : "r9", "r10", "cc");
    if (has_avx()) {
        uint64_t upper;
        __asm__ volatile("xor %[any], %[any]\n\t"
                         ".irp n, " ALL_FP "\n\t"
                         "vextractf128 $1, %%ymm\\n, %%xmm0\n\t"
                         "movq %%xmm0, %%r9\n\t"
                         "pextrq $1, %%xmm0, %%r10\n\t"
                         "or %%r9, %[any]\n\t"
                         "or %%r10, %[any]\n\t"
                         ".endr\n\t"
                         "vzeroupper"
                         : [any] "=&r"(upper)
                         :
                         : "r9", "r10", "cc", FP_CLOBBERS);
        any |= upper;
    }
    return any != 0;
}
