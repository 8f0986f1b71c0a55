/* SPDX-License-Identifier: MIT */
/*
 * The devices in /dev. All but the console are served here.
 */
#ifndef FS_DEVICE_H
#define FS_DEVICE_H

#include <stddef.h>
#include <stdint.h>

/* Major and minor number in one, the minor in the low byte, as Linux numbers these. */
#define DEVICE_NULL    0x103u
#define DEVICE_ZERO    0x105u
#define DEVICE_FULL    0x107u
#define DEVICE_CONSOLE 0x501u

/* Reads from a device, without end, or with it at once. Returns how many bytes. */
size_t device_read(uint64_t device, void *data, size_t bytes);

/* Writes to a device: all of it, or ENOSPC. */
__attribute__((warn_unused_result)) long device_write(uint64_t device, size_t bytes);

#endif
