/* SPDX-License-Identifier: MIT */
/* Where the stacks of programs end. */
#include "layout.h"

#include <quire/syscall.h>

#include "arguments.h"
#include "stack.h"

/* How far chance moves a stack down. The IPC buffers are a GiB below STACK_TOP, so the other half is there to grow in. */
#define RANDOM_BYTES    (512UL << 20)
#define STACK_ALIGNMENT 16u

static struct entropy *source; /* NULL: nothing is left to chance */

void layout_open(const struct boot_info *info, struct entropy *entropy)
{
    source = arguments_has(info->arguments, "quire.randomize=0") ? NULL : entropy;
}

uint64_t layout_stack_end(void)
{
    uint64_t number;

    if (!source || entropy_take(source, clock_ticks(), &number, sizeof(number)) < 0)
        return STACK_TOP;
    return STACK_TOP - number % (RANDOM_BYTES / STACK_ALIGNMENT) * STACK_ALIGNMENT;
}
