/* SPDX-License-Identifier: MIT */
/*
 * What root puts on a thread's stack when it gets a signal, and reads again in signal_return. The thread goes on at the
 * program's trampoline with its stack pointer, 16-byte aligned, at the frame, and with every other register 0.
 */
#ifndef PROTO_SIGNAL_FRAME_H
#define PROTO_SIGNAL_FRAME_H

#include <quire/abi.h>

struct signal_frame {
    struct signal_information { /* siginfo_t */
        int32_t signal, code;
        int32_t pid, status;
        uint64_t address, value;
        uint64_t reserved[2];
    } information;
    uint64_t handler, flags; /* of the action */
    uint64_t mask;           /* the thread's when the handler returns */
    uint64_t thread;         /* its number */
    uint64_t unused;
    struct thread_registers registers;
};
_Static_assert(sizeof(struct signal_frame) % 16 == 0, "a frame leaves the stack pointer aligned");

/* Numbers, flags and codes that root knows; they are those of <signal.h>. */
#define SIGNAL_COUNT 32u /* signals are 1 .. SIGNAL_COUNT - 1 */

#define SIGNAL_FLAG_NO_CHILD_STOP 0x00000001UL
#define SIGNAL_FLAG_NO_CHILD_WAIT 0x00000002UL
#define SIGNAL_FLAG_ON_STACK      0x08000000UL
#define SIGNAL_FLAG_NO_DEFER      0x40000000UL
#define SIGNAL_FLAG_RESET         0x80000000UL

#define SIGNAL_HANDLER_DEFAULT 0UL
#define SIGNAL_HANDLER_IGNORE  1UL

#endif
