/* SPDX-License-Identifier: MIT */
/* Copying many bytes. */
#ifndef QUIRE_COPY_H
#define QUIRE_COPY_H

#include <stddef.h>

/*
 * What memcpy() does, but for its result, in half as many instructions from some hundred bytes on. It uses floating-point
 * registers then, which the kernel has to save and load at the thread's next switches: worth it from a KiB on.
 */
void copy_bytes(void *restrict to, const void *restrict from, size_t bytes);

#endif
