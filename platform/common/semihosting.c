/* SPDX-License-Identifier: MIT */
/* The one semihosting call that is used, numbered as Arm's specification of semihosting has it. */
#include "semihosting.h"

#include <stdint.h>

#include "arch.h"

#define EXIT_EXTENDED           0x20u
#define REASON_APPLICATION_EXIT 0x20026u

void semihosting_exit(int status)
{
    const uint64_t block[2] = {REASON_APPLICATION_EXIT, (uint64_t)status};
    semihosting_call(EXIT_EXTENDED, block);
}
