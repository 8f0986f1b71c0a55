/* SPDX-License-Identifier: MIT */
/*
 * Turning the machine off. A thread of its own asks the file server and the pager to write what they have, so root can
 * go on serving them meanwhile. If they do not come to an end, the watcher turns the machine off without them.
 */
#include "power.h"

#include <proto/fs_client.h>
#include <proto/pager_client.h>
#include <proto/pids.h>
#include <quire/syscall.h>

#include "bootstrap.h"
#include "log.h"
#include "memory.h"
#include "objects.h"
#include "own_thread.h"
#include "slots.h"

#define STACK_BYTES 8192u

static int status_at_end = -1; /* atomic; -1: nobody wants the end yet */

/* Calls `ask` with an endpoint of root's for a server, unless the server was given up. */
static void have_written(const char *name, uint64_t endpoint, int (*ask)(uint64_t endpoint))
{
    if (capability_give(SLOT_TABLE, ROOT_SLOT_POWER_SERVER, endpoint, RIGHT_SEND, PID_ROOT) < 0)
        return;
    const int error = ask(ROOT_SLOT_POWER_SERVER);
    if (error < 0)
        log_line("%s: not everything could be written: error %ld", name, (long)error);
    capability_drop(ROOT_SLOT_POWER_SERVER);
}

static int ask_fs(uint64_t endpoint)
{
    return fs_sync(endpoint, FS_SYNC_ALL);
}

static int ask_pager(uint64_t endpoint)
{
    return pager_sync_all(endpoint);
}

static void run(void)
{
    uint64_t bits;

    while (sys_wait(ROOT_SLOT_POWER, DEADLINE_NEVER, &bits) < 0)
        continue;
    if (sys_cap_query(ROOT_SLOT_FS_ENDPOINT, NULL) > 0)
        have_written("fs", ROOT_SLOT_FS_ENDPOINT, ask_fs);
    if (sys_cap_query(ROOT_SLOT_PAGER_ENDPOINT, NULL) > 0)
        have_written("pager", ROOT_SLOT_PAGER_ENDPOINT, ask_pager);
    power_off(__atomic_load_n(&status_at_end, __ATOMIC_RELAXED));
}

void power_start(void)
{
    static _Alignas(16) char stack[STACK_BYTES];
    const struct own_thread thread = {.slot = ROOT_SLOT_POWER_THREAD,
                                      .number = 4,
                                      .buffer = POWER_BUFFER_ADDRESS,
                                      .priority = PRIORITY_ROOT,
                                      .run = run,
                                      .stack_end = stack + STACK_BYTES};

    object_create(CAP_NOTIFICATION, ROOT_SLOT_POWER, 0);
    own_thread_create(&thread);
    own_thread_start(&thread);
}

void power_off_in_order(int status)
{
    int nobody = -1;

    if (!__atomic_compare_exchange_n(&status_at_end, &nobody, status, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    (void)!sys_signal(ROOT_SLOT_WATCH, WATCH_POWER_OFF);
    (void)!sys_signal(ROOT_SLOT_POWER, 1);
}

int power_status(void)
{
    return __atomic_load_n(&status_at_end, __ATOMIC_RELAXED);
}
