/* SPDX-License-Identifier: MIT */
/* The way out of the kernel that is a call of its own: see trap.h for the one that is a part of its callers. */
#include "trap.h"

struct thread *trap_leave(struct thread *next)
{
    return trap_end(next);
}

void trap_run(struct thread *next)
{
    arch_run(trap_end(next));
}
