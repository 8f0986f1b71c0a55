/* SPDX-License-Identifier: MIT */
/*
 * Devices without hardware.
 */
#include "device.h"

#include <errno.h>
#include <string.h>

size_t device_read(uint64_t device, void *data, size_t bytes)
{
    if (device == DEVICE_NULL)
        return 0;
    memset(data, 0, bytes);
    return bytes;
}

long device_write(uint64_t device, size_t bytes)
{
    return device == DEVICE_FULL ? -ENOSPC : (long)bytes;
}
