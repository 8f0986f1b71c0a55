/* SPDX-License-Identifier: MIT */
/* Instructions that tests need and C has no words for: AArch64. */
#ifndef TEST_ARCH_INSTRUCTIONS_H
#define TEST_ARCH_INSTRUCTIONS_H

/* Each of these is the one that a thread never comes past. */
#define INSTRUCTION_UNDEFINED() __asm__ volatile("udf #7")
#define INSTRUCTION_BREAK()     __asm__ volatile("brk #7")
/* Of the kernel's timer. */
#define INSTRUCTION_PRIVILEGED() __asm__ volatile("msr cntv_ctl_el0, xzr")

/* Goes on for ever without a stack. */
#define INSTRUCTION_LOSE_STACK() __asm__ volatile("mov sp, %0\n1: b 1b" : : "r"(4096UL))

/* Loads from an address where nothing is, into the first of the general registers, which is `value` then. */
#define INSTRUCTION_LOAD_NOTHING(value)                                                                                \
    __asm__ volatile("mov x0, #16\n\tldr x0, [x0]\n\tmov %0, x0" : "=r"(value) : : "x0")
#define LOAD_BYTES 4

/* An address that no thread can jump to though `function` is one that it can call. */
#define ADDRESS_OF_NO_CODE(function) ((function) + 2)

/* Addresses that are not a user's, and of which the machine tells like of others. */
#define ADDRESSES_OF_KERNEL                                                                                            \
    {                                                                                                                  \
        0xffff800000000000, 0xffff800040000000, 0xffffffff80000000, 0xffff900008000000, USER_VA_END,                   \
            0x0001000000000000, 0xfffffffffffffff8, 0x8000000000000000, 0                                              \
    }

/* So many of the general registers wait_in_registers() fills with their number and 1000. */
#define REGISTERS_FILLED 28u
/* The flags in its loop, and all that can be set. */
#define FLAGS_IN_LOOP 0x60000000UL
#define FLAGS_ALL     0xf0000000UL

/* Fills registers and stays in a loop that the test leads it out of by setting the first one. Then the second, and one for
 * the carry flag, and the last one make the result. */
static inline int wait_in_registers(void *argument)
{
    register unsigned long x0 __asm__("x0") = 0;
    register unsigned long x1 __asm__("x1") = 0;
    (void)argument;
    __asm__ volatile(".irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
                     "25, 26, 27, 28\n\t"
                     "mov x\\n, #(\\n + 1000)\n\t"
                     ".endr\n\t"
                     "cmp x1, x1\n"
                     "1: cbz x0, 1b\n\t"
                     "cset x2, cs\n\t"
                     "add x1, x1, x2\n\t"
                     "add x1, x1, x28"
                     : "+r"(x0), "+r"(x1)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "cc");
    return (int)x1;
}

#endif
