/* SPDX-License-Identifier: MIT */
/*
 * Where root keeps its capabilities. Every slot that root ever uses has its number here, so root needs no allocator of
 * slots: what a process needs follows from the process's place in the process table.
 */
#ifndef ROOT_SLOTS_H
#define ROOT_SLOTS_H

#include <quire/abi.h>

#include "process.h"
#include "waits.h"

#define REPLY_COUNT 62u

enum root_slot {
    ROOT_SLOT_BASE = 64, /* boot_info.root_first_free_slot is not above this */
    ROOT_SLOT_ENDPOINT = ROOT_SLOT_BASE,
    ROOT_SLOT_EVENTS,          /* notification bound to the endpoint: a first thread of a program stopped */
    ROOT_SLOT_WATCH,           /* notification of the watcher thread: a thread of memsrv stopped */
    ROOT_SLOT_WATCHER,         /* the watcher thread */
    ROOT_SLOT_MEMSRV_ENDPOINT, /* without badge: source of everybody's capability */
    ROOT_SLOT_MEMSRV_REPLY,
    ROOT_SLOT_MEMSRV_ASPACE,
    ROOT_SLOT_CONSOLE_ENDPOINT, /* without badge; outlives every console server */
    ROOT_SLOT_CONSOLE_REPLY,
    ROOT_SLOT_CONSOLE_IRQ,
    ROOT_SLOT_FS_ENDPOINT, /* without badge; outlives every file server, until the last one is given up */
    ROOT_SLOT_FS_REPLY,
    ROOT_SLOT_FS_EVENTS,    /* notification bound to that endpoint: a program ended */
    ROOT_SLOT_BLK_ENDPOINT, /* without badge; outlives every block server, until the last one is given up */
    ROOT_SLOT_BLK_REPLY,
    ROOT_SLOT_BLK_EVENTS,     /* notification bound to that endpoint: interrupts, and ends of programs with DMA */
    ROOT_SLOT_BLK_IRQ,        /* of a disk, on its way to the server */
    ROOT_SLOT_PAGER_ENDPOINT, /* without badge; outlives every pager */
    ROOT_SLOT_PAGER_REPLY,
    ROOT_SLOT_FILES_ENDPOINT, /* where the pager asks the file server; outlives every one, as that of files does */
    ROOT_SLOT_EXEC_THREAD,    /* of a space that is going to replace another */
    ROOT_SLOT_EXEC_TABLE,
    ROOT_SLOT_SIGNALLED,  /* a thread that is not its program's first, while it gets a signal */
    ROOT_SLOT_TIMER,      /* notification of the timer thread: there is an earlier deadline */
    ROOT_SLOT_TIMER_ROOT, /* root's own endpoint, for the timer thread */
    ROOT_SLOT_TIMER_THREAD,
    ROOT_SLOT_KHUGEPAGED,      /* the thread */
    ROOT_SLOT_KHUGEPAGED_WAKE, /* its notification: settings have changed */
    ROOT_SLOT_POWER,           /* notification of the thread that ends the machine */
    ROOT_SLOT_POWER_THREAD,
    ROOT_SLOT_POWER_SERVER, /* the endpoint of the server that it asks */
    ROOT_SLOT_REPLIES = 96,
    ROOT_SLOT_PROCESSES = 160,                                 /* two a process: first thread, capability table */
    ROOT_SLOT_WAITS = ROOT_SLOT_PROCESSES + 2 * PROCESS_COUNT, /* notifications of threads that wait, one arriving */
    ROOT_SLOT_END = ROOT_SLOT_WAITS + WAITS_MAX + 1,
};
_Static_assert(ROOT_SLOT_POWER_SERVER < ROOT_SLOT_REPLIES, "single slots end before the reply objects");
_Static_assert(ROOT_SLOT_REPLIES + REPLY_COUNT <= ROOT_SLOT_PROCESSES, "reply objects end before the processes");

/* Slots that belong to an entry of the process table: its first thread, and its capability table. */
static inline uint64_t process_thread_slot(const struct process *process)
{
    return ROOT_SLOT_PROCESSES + 2 * process_index(process);
}

static inline uint64_t process_table_slot(const struct process *process)
{
    return process_thread_slot(process) + 1;
}

#endif
