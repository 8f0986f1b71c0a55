/* SPDX-License-Identifier: MIT */
/* The power management block: the watchdog resets the board, and tells the firmware to stay off if it was told so. */
#ifndef PLATFORM_POWER_H
#define PLATFORM_POWER_H

/* Finds the block, and notes its registers as the kernel's alone: who has them can end the machine. */
void power_discover(void);

/* Return at once; the machine ends within a millisecond. Without the block they do nothing. */
void power_off(void);
void power_reset(void);

#endif
