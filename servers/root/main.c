/* SPDX-License-Identifier: MIT */
/*
 * root, the first program: what it does, in order. The kernel starts it with the capabilities of the whole machine; it
 * starts memsrv, hands the memory to it, and from then on starts, watches and ends everything else.
 */
#include <quire/syscall.h>

#include "archive.h"
#include "bootstrap.h"
#include "devices.h"
#include "frames.h"
#include "grant.h"
#include "khugepaged.h"
#include "layout.h"
#include "log.h"
#include "objects.h"
#include "power.h"
#include "process.h"
#include "seed.h"
#include "serve.h"
#include "services.h"
#include "slots.h"
#include "sync.h"
#include "timers.h"
#include "tree.h"

/* For ASSERT() and its kin. */
_Noreturn void check_failed(const char *file, int line, const char *expression)
{
    fatal("%s:%ld: %s does not hold", file, (long)line, expression);
}

/* root's own place in the process table names its thread and table like any other's. */
static void register_itself(void)
{
    const struct process *root = process_find(PID_ROOT);

    if (capability_give(SLOT_TABLE, process_thread_slot(root), SLOT_THREAD, RIGHT_ALL, 0) < 0)
        fatal("registering root");
}

/* The kernel starts root above everyone, so that it can give memsrv its priority. Now it takes its own. */
static void lower_priority(void)
{
    if (sys_thread_control(SLOT_THREAD, THREAD_PRIORITY, PRIORITY_ROOT, 0, 0, 0, 0) < 0)
        fatal("taking root's priority");
}

static struct entropy entropy;

static void read_tree(const struct boot_info *info)
{
    const void *tree = tree_open(info);

    seed_read(tree, &entropy);
    devices_find(info, tree);
    tree_close(info);
}

int main(void)
{
    const struct boot_info *info = (const struct boot_info *)BOOT_INFO_ADDRESS;

    if (info->magic != BOOT_INFO_MAGIC)
        fatal("the boot information is not this kernel's");
    frames_open(info);
    objects_create(info);
    register_itself();
    archive_open(info);
    watcher_start();
    timer_start();
    khugepaged_create();
    power_start();
    grant_prepare(info);
    read_tree(info);
    layout_open(info, &entropy);
    memsrv_start(info);
    khugepaged_start();
    lower_priority();
    services_start(info);
    sync_open();
    serve(info, &entropy);
}
