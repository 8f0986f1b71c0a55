/* SPDX-License-Identifier: MIT */
/* Threads of root's own. */
#include "own_thread.h"

#include <quire/syscall.h>
#include <string.h>

#include "frames.h"
#include "log.h"
#include "memory.h"
#include "objects.h"

static void check_step(const struct own_thread *thread, const char *step, long result)
{
    if (result < 0)
        fatal("thread %lu of root: %s: error %ld", thread->number, step, result);
}

void own_thread_create(const struct own_thread *thread)
{
    const uint64_t buffer = frame_take();

    own_map(thread->buffer, buffer << PAGE_SHIFT, 1, ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY);
    memset((void *)thread->buffer, 0, PAGE_SIZE);
    object_create(CAP_THREAD, thread->slot, 0);
    check_step(thread, "configuring",
               sys_thread_control(thread->slot, THREAD_CONFIGURE, SLOT_ASPACE, SLOT_TABLE, buffer, thread->buffer,
                                  thread->number));
    check_step(thread, "priority", sys_thread_control(thread->slot, THREAD_PRIORITY, thread->priority, 0, 0, 0, 0));
}

void own_thread_start(const struct own_thread *thread)
{
    check_step(thread, "starting",
               sys_thread_control(thread->slot, THREAD_START, (uint64_t)thread->run,
                                  entry_stack((uint64_t)thread->stack_end), 0, 0, 0));
}
