/* SPDX-License-Identifier: MIT */
/* SYS_SYSTEM: the machine as a whole, for whoever has the authority over physical memory. */
#include <errno.h>

#include "kernel.h"
#include "panic.h"
#include "platform.h"
#include "trace.h"

#define CHECK_PART 4096u
_Static_assert(FRAME_SECTION_FRAMES % CHECK_PART == 0, "a part lies in one section");

static long write_log(const struct thread *caller, uint64_t bytes)
{
    if (!caller->buffer || bytes > sizeof(caller->buffer->words))
        return -EINVAL;
    platform_log((const char *)caller->buffer->words, bytes);
    return 0;
}

static long show_window(struct thread *caller, uint64_t slot)
{
    long error = 0;
    struct aspace *aspace = (struct aspace *)cap_find(caller->table, slot, CAP_ASPACE, RIGHT_CONTROL, &error);
    return error ? error : window_show(aspace);
}

static long frame_info(struct thread *caller, uint64_t pfn)
{
    const struct frame *frame = frame_find(&frames, pfn);
    context_set_second(&caller->context, frame ? frame->references : 0);
    return frame ? frame->type : FRAME_NONE;
}

static long drop_frame(struct thread *caller, uint64_t pfn)
{
    long error = frame_drop(&frames, pfn);
    context_set_second(&caller->context, error ? 0 : frame_known(&frames, pfn)->references);
    return error;
}

/* One part of the kernel's structures: first the caller's own table, then the frame table. 1: there is more. */
static long check(const struct thread *caller, uint64_t part)
{
    if (part < CAP_TABLE_FRAMES_MAX) {
        long error = cap_table_check(caller->table, (uint32_t)part);
        return error ? error : 1;
    }
    part -= CAP_TABLE_FRAMES_MAX;
    if (part >= frames.end / CHECK_PART)
        return 0;
    long error = frame_table_check(&frames, part * CHECK_PART, CHECK_PART);
    return error ? error : 1;
}

long system_control(struct thread *caller)
{
    uint64_t argument = context_argument(&caller->context, 2);
    long error = 0;

    if (!require_physical(caller, context_argument(&caller->context, 0), &error))
        return error;
    switch (context_argument(&caller->context, 1)) {
    case SYSTEM_POWER_OFF:
        panic_test();
        platform_power_off((int)argument);
    case SYSTEM_RESET:
        platform_reset();
    case SYSTEM_LOG:
        return write_log(caller, argument);
    case SYSTEM_WINDOW:
        return show_window(caller, argument);
    case SYSTEM_FRAME_INFO:
        return frame_info(caller, argument);
    case SYSTEM_KERNEL_CHECK:
        return check(caller, argument);
    case SYSTEM_TRACE:
        return trace_set(argument);
    case SYSTEM_TRACE_READ:
        return trace_read(caller, argument, context_argument(&caller->context, 3));
    case SYSTEM_FRAME_HOLD:
        return frame_hold(&frames, argument);
    case SYSTEM_FRAME_DROP:
        return drop_frame(caller, argument);
    case SYSTEM_LOAD:
        return sched_load(argument & 0xff, argument >> 8);
    default:
        return -ENOSYS;
    }
}
