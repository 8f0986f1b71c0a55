/* SPDX-License-Identifier: MIT */
/* Calls out of the kernel: to the firmware (SMC calling convention) and to a debugger or emulator (semihosting). */

    .text
    .macro function name
    .global \name
    .type \name, %function
\name:
    .endm

    /* x0..x3 are where the convention wants them already, and it keeps x18 and up. */
function firmware_call_hvc
    hvc #0
    ret
    .size firmware_call_hvc, . - firmware_call_hvc

function firmware_call_smc
    smc #0
    ret
    .size firmware_call_smc, . - firmware_call_smc

function semihosting_call
    hlt #0xf000
    ret
    .size semihosting_call, . - semihosting_call

    .section .note.GNU-stack, "", %progbits
