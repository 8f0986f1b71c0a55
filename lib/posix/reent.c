/* SPDX-License-Identifier: MIT */
/*
 * The C library's state of the calling thread: errno, stdio's streams, strtok's place and the like.
 */
#include "internal.h"

#include <quire/syscall.h>
#include <reent.h>

struct _reent *__getreent(void)
{
    const struct ipc_buffer *buffer = ipc_buffer();
    const uint64_t own = buffer ? buffer->user[THREAD_WORD_REENT] : 0;
    return own ? (struct _reent *)own : _impure_ptr;
}
