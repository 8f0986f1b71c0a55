/* SPDX-License-Identifier: MIT */
/*
 * Pipes: bytes between those who hold its two ends. Pure; nothing here waits. One thread; no lock.
 */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include <base/check.h>
#include <quire/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPE_PAGES     16u
#define PIPE_BYTES     (PIPE_PAGES * PAGE_SIZE)
#define PIPE_BUF_BYTES 512u /* what a write without waiting writes all or not at all */

struct pipe {
    uint64_t number;
    unsigned readers, writers; /* descriptions of either end */
    uint64_t first, end;       /* bytes ever read, and ever written */
    uint64_t created;
    char *pages[PIPE_PAGES]; /* a ring; a page is there while a byte is in it */
};

/* Makes a pipe without readers and writers. NULL: no memory. */
MUST_CHECK struct pipe *pipe_new(uint64_t number, uint64_t now);

/* Frees a pipe that has neither readers nor writers. */
void pipe_free(struct pipe *pipe);

static inline size_t pipe_used(const struct pipe *pipe)
{
    return (size_t)(pipe->end - pipe->first);
}

static inline size_t pipe_room(const struct pipe *pipe)
{
    return PIPE_BYTES - pipe_used(pipe);
}

/* Copies the first bytes, at most `bytes`; returns how many. They stay in the pipe until pipe_drop(). */
MUST_CHECK size_t pipe_peek(const struct pipe *pipe, void *data, size_t bytes);

/* Takes the first `bytes` bytes out, which are there. */
void pipe_drop(struct pipe *pipe, size_t bytes);

/* Appends the bytes, for which there is room, all or none. ENOSPC: no memory. */
MUST_CHECK int pipe_append(struct pipe *pipe, const void *data, size_t bytes);

/* True if counts and pages agree. */
bool pipe_check(const struct pipe *pipe);

#endif
