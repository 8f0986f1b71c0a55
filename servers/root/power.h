/* SPDX-License-Identifier: MIT */
/* The end of the machine, once what was written is on its disks. */
#ifndef ROOT_POWER_H
#define ROOT_POWER_H

#include "clock.h"

/* Makes the thread that waits for the disks: root itself waits for no server. Boot only; fatal on failure. */
void power_start(void);

/* Has everything written to the disks, and then turns the machine off with that status; after POWER_PATIENCE_NS in any
 * case. Returns at once; only the first call counts. */
void power_off_in_order(int status);

/* What the watcher's notification is signalled for besides memsrv's end (1): the machine is to end, and the watcher has it
 * end at last. */
#define WATCH_POWER_OFF   2u
#define POWER_PATIENCE_NS (20 * NS_PER_SECOND)

/* The status that was given. */
int power_status(void);

#endif
