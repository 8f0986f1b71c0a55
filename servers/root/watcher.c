/* SPDX-License-Identifier: MIT */
/* root's second thread: it waits for the end of memsrv, which is the end of the system. */
#include <proto/ipc.h>
#include <quire/syscall.h>
#include <stddef.h>

#include "bootstrap.h"
#include "log.h"
#include "machine.h"
#include "memory.h"
#include "own_thread.h"
#include "power.h"
#include "process.h"
#include "slots.h"

#define STACK_BYTES 4096u

static const char *access_name(uint64_t access)
{
    if (access & FAULT_EXECUTE)
        return "execute";
    return access & FAULT_WRITE ? "write" : "read";
}

void report_fault(const char *name, uint64_t pid, const struct fault_message *fault, bool bus)
{
    if (fault->access & FAULT_EXCEPTION)
        log_line("%s (pid %lu): %s address 0x%lx ip 0x%lx", name, pid, exception_kind(fault->entry).name,
                 fault->address, fault->instruction);
    else
        log_line("%s (pid %lu): %s address 0x%lx access %s ip 0x%lx", name, pid, bus ? "BUS" : "SEGV", fault->address,
                 access_name(fault->access), fault->instruction);
}

/* Servers have not come to an end with writing. */
static __attribute__((noreturn)) void give_up_disks(void)
{
    log_line("not everything could be written in time");
    power_off(power_status());
}

static __attribute__((noreturn)) void watch(void)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    uint64_t thread = process_thread_slot(process_find(PID_MEMSRV));
    uint64_t bits, deadline = DEADLINE_NEVER;

    for (;;) {
        const long result = sys_wait(ROOT_SLOT_WATCH, deadline, &bits);
        if (result == 0 && (bits & ~(uint64_t)WATCH_POWER_OFF))
            break;
        if (result == 0)
            deadline = clock_now() + POWER_PATIENCE_NS;
        else if (deadline != DEADLINE_NEVER && clock_now() >= deadline)
            give_up_disks();
    }
    if (sys_thread_control(thread, THREAD_INFO, 0, 0, 0, 0, 0) == 0 && info->state == THREAD_STATE_FAULTED) {
        struct fault_message fault = info->fault;
        report_fault("memsrv", PID_MEMSRV, &fault, false);
    }
    fatal("memsrv has stopped; nothing can go on without it");
}

static _Alignas(16) char stack[STACK_BYTES];

void watcher_start(void)
{
    const struct own_thread watcher = {.slot = ROOT_SLOT_WATCHER,
                                       .number = 1,
                                       .buffer = WATCHER_BUFFER_ADDRESS,
                                       .priority = PRIORITY_WATCHER,
                                       .run = watch,
                                       .stack_end = stack + STACK_BYTES};

    own_thread_create(&watcher);
    own_thread_start(&watcher);
}
