/* SPDX-License-Identifier: MIT */
/* Instructions that tests need and C has no words for: x86-64. */
#ifndef TEST_ARCH_INSTRUCTIONS_H
#define TEST_ARCH_INSTRUCTIONS_H

#include <stdbool.h>

/* The processor has AVX, and the kernel has turned it on. */
static inline bool has_avx(void)
{
    unsigned a = 1, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if ((c >> 27 & 3) != 3)
        return false;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & 6) == 6;
}

/* Each of these is the one that a thread never comes past. The breakpoint is the kind that is told of before it. */
#define INSTRUCTION_UNDEFINED()  __asm__ volatile("ud2")
#define INSTRUCTION_BREAK()      __asm__ volatile("int3")
#define INSTRUCTION_PRIVILEGED() __asm__ volatile("hlt")

/* Goes on for ever without a stack. */
#define INSTRUCTION_LOSE_STACK() __asm__ volatile("mov %0, %%rsp\n1: jmp 1b" : : "r"(4096UL))

/* Loads from an address where nothing is, into the first of the general registers, which is `value` then. */
#define INSTRUCTION_LOAD_NOTHING(value)                                                                                \
    __asm__ volatile("mov $16, %%edi\n\tmov (%%rdi), %%rdi\n\tmov %%rdi, %0" : "=r"(value) : : "rdi")
#define LOAD_BYTES 3

/* An address that no thread can jump to though `function` is one that it can call: it is not canonical. */
#define ADDRESS_OF_NO_CODE(function) ((function) | 1UL << 62)

/* Addresses that are not a user's, and of which the machine tells like of others: canonical ones. */
#define ADDRESSES_OF_KERNEL                                                                                            \
    {                                                                                                                  \
        0xffff800000000000, 0xffff800040000000, 0xffffffff80000000, 0xffff900008000000, 0xfffffffffffffff8, 0          \
    }

/* So many of the general registers wait_in_registers() fills with their number and 1000. */
#define REGISTERS_FILLED 11u
/* The flags in its loop, and all that can be set. */
#define FLAGS_IN_LOOP 0x44UL
#define FLAGS_ALL     0xcd5UL

/* Fills registers and stays in a loop that the test leads it out of by setting the first one. Then the second, and one for
 * the carry flag, and the last one make the result. */
static inline int wait_in_registers(void *argument)
{
    unsigned long result = 0;
    (void)argument;
    __asm__ volatile("xor %%edi, %%edi\n\t"
                     "mov $1001, %%esi\n\t"
                     "mov $1002, %%edx\n\t"
                     "mov $1003, %%r10d\n\t"
                     "mov $1004, %%r8d\n\t"
                     "mov $1005, %%r9d\n\t"
                     "mov $1006, %%r12d\n\t"
                     "mov $1007, %%r13d\n\t"
                     "mov $1008, %%r14d\n\t"
                     "mov $1009, %%r15d\n\t"
                     "mov $1010, %%eax\n\t"
                     "mov $1011, %%ebx\n\t"
                     "cmp %%esi, %%esi\n"
                     "1: mov %%rdi, %%rcx\n\t"
                     "jrcxz 1b\n\t"
                     "adc $0, %%rsi\n\t"
                     "add %%rbx, %%rsi\n\t"
                     "cld"
                     : "=S"(result)
                     :
                     : "rdi", "rdx", "r10", "r8", "r9", "r12", "r13", "r14", "r15", "rax", "rbx", "rcx", "r11", "cc");
    return (int)result;
}

#endif
