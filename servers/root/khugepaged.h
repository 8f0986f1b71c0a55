/* SPDX-License-Identifier: MIT */
/*
 * What Linux's khugepaged does: a thread below all programs that now and then has memsrv look for memory that is to have
 * huge pages and does not. How often, and at how much, is memsrv's to say (thp_info), and an operator's to set.
 */
#ifndef ROOT_KHUGEPAGED_H
#define ROOT_KHUGEPAGED_H

/* Makes the thread, while there are frames to be had. Fatal on failure. */
void khugepaged_create(void);

/* Lets it run. memsrv serves. Fatal on failure. */
void khugepaged_start(void);

/* Settings have changed: the time to sleep counts from now. */
void khugepaged_wake(void);

#endif
