/* SPDX-License-Identifier: MIT */
/* Stopping all threads of a space for a while, and letting them go on: SIGSTOP and SIGCONT. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "memory.h"
#include "space.h"

struct halt_count {
    uint64_t stopped, running, busy;
};

/* Stops a thread that runs or waits, and counts what came of it. */
static void halt(struct member *thread, struct halt_count *count)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    const uint64_t slot = thread->object.slot;

    if (thread->halted || sys_thread_control(slot, THREAD_INFO, 0, 0, 0, 0, 0) < 0)
        return;
    if (info->state == THREAD_STATE_FAULTED || (info->state == THREAD_STATE_STOPPED && !thread->halting))
        return;
    switch (sys_thread_control(slot, THREAD_INTERRUPT, 0, 0, 0, 0, 0)) {
    case 0:
        thread->halted = true;
        thread->halting = false;
        count->stopped++;
        break;
    case -EAGAIN:
        thread->halting = true;
        count->running++;
        break;
    default:
        count->busy++;
        break;
    }
}

static void halt_all(struct space *space, uint64_t stopped, struct halt_count *count) REQUIRES(space->lock)
{
    do {
        *count = (struct halt_count){0};
        LIST_FOR_EACH (link, &space->threads) {
            struct member *thread = CONTAINER_OF(link, struct member, link);
            if (thread->name == stopped)
                thread->halted = true;
            else
                halt(thread, count);
        }
        /* Until it was stopped itself, a thread may have started another. */
    } while (count->stopped > 0);
}

int memsrv_handle_space_halt(struct memsrv_context *context, const struct message *request, uint64_t pid,
                             uint64_t stopped, uint64_t *running, uint64_t *busy)
{
    struct space *space = space_find(pid);
    struct halt_count count;

    if (!space_enter(space, pid))
        return -ESRCH;
    halt_all(space, stopped, &count);
    space_leave(space);
    *running = count.running;
    *busy = count.busy;
    return 0;
}

/* Lets a thread go on that was stopped, or that another processor is about to stop. */
static void go_on(struct member *thread)
{
    const uint64_t slot = thread->object.slot;
    long error = 0;

    while (thread->halting && (error = sys_thread_control(slot, THREAD_INTERRUPT, 0, 0, 0, 0, 0)) == -EAGAIN)
        (void)sys_yield();
    if (error == 0)
        (void)!sys_thread_control(slot, THREAD_RESUME, 0, 0, 0, 0, 0);
    thread->halted = thread->halting = false;
}

int memsrv_handle_space_continue(struct memsrv_context *context, const struct message *request, uint64_t pid)
{
    struct space *space = space_find(pid);

    if (!space_enter(space, pid))
        return -ESRCH;
    LIST_FOR_EACH (link, &space->threads) {
        struct member *thread = CONTAINER_OF(link, struct member, link);
        if (thread->halted || thread->halting)
            go_on(thread);
    }
    space_leave(space);
    return 0;
}
