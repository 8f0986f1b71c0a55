/* SPDX-License-Identifier: MIT */
/* How memsrv comes to life without a memsrv: root builds its objects, address space and first memory by hand. */
#ifndef ROOT_BOOTSTRAP_H
#define ROOT_BOOTSTRAP_H

#include <quire/abi.h>
#include <stdbool.h>

/*
 * Priorities: a server is above its clients and memsrv above all, so that a fault is served before anything else
 * happens. The watcher is above memsrv, because it speaks when memsrv cannot.
 */
enum root_priority {
    PRIORITY_KHUGEPAGED = 4, /* below all programs: when nobody has anything to do */
    PRIORITY_CLIENT = 16,
    PRIORITY_SHELL = 20,
    PRIORITY_FS = 36,
    PRIORITY_CONSOLE = 40,
    PRIORITY_PAGER = 41,
    PRIORITY_BLK = 42,
    PRIORITY_ROOT = 44,
    PRIORITY_MEMSRV = 48,
    PRIORITY_WATCHER = 49,
};

/*
 * Builds memsrv from the boot archive, hands over the memory and starts it: frames_close() has happened afterwards.
 * SLOT_MEMSRV of root's table is then root's privileged endpoint. Needs objects_create() and archive_open(). Fatal on
 * any failure.
 */
void memsrv_start(const struct boot_info *info);

/* Creates the thread that waits for a thread of memsrv to stop, says so and powers off: root itself may be waiting
 * for an answer of memsrv just then. Before memsrv_start(). Fatal on any failure. */
void watcher_start(void);

/* Logs what stopped a thread, as thread_info tells it, in one line: program, process number, access, address. `bus`: it
 * touched what is past the end of a memory object. */
void report_fault(const char *name, uint64_t pid, const struct fault_message *fault, bool bus);

#endif
