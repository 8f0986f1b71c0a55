/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a pipe; see pipe.h.
 */
#include "pipe.h"

#include <errno.h>
#include <string.h>

#include "memory.h"

struct pipe *pipe_new(uint64_t number, uint64_t now)
{
    struct pipe *pipe = fs_allocate(sizeof(*pipe));

    if (!pipe)
        return NULL;
    pipe->number = number;
    pipe->created = now;
    return pipe;
}

void pipe_free(struct pipe *pipe)
{
    ASSERT(pipe->readers == 0 && pipe->writers == 0);
    for (unsigned i = 0; i < PIPE_PAGES; i++)
        if (pipe->pages[i])
            fs_page_put(pipe->pages[i]);
    fs_free(pipe);
}

/* The place in `pages` of the byte with that number. */
static unsigned page_of(uint64_t byte)
{
    return (unsigned)(byte / PAGE_SIZE % PIPE_PAGES);
}

static size_t part_of_page(uint64_t byte, size_t bytes)
{
    const size_t room = PAGE_SIZE - byte % PAGE_SIZE;
    return bytes < room ? bytes : room;
}

size_t pipe_peek(const struct pipe *pipe, void *data, size_t bytes)
{
    if (bytes > pipe_used(pipe))
        bytes = pipe_used(pipe);
    for (size_t done = 0; done < bytes;) {
        const uint64_t byte = pipe->first + done;
        const size_t part = part_of_page(byte, bytes - done);
        memcpy((char *)data + done, pipe->pages[page_of(byte)] + byte % PAGE_SIZE, part);
        done += part;
    }
    return bytes;
}

/* Gives back the page that holds byte `byte`, unless it holds others. */
static void page_give_back(struct pipe *pipe, uint64_t byte)
{
    char **page = &pipe->pages[page_of(byte)];

    if (*page)
        fs_page_put(*page);
    *page = NULL;
}

void pipe_drop(struct pipe *pipe, size_t bytes)
{
    ASSERT(bytes <= pipe_used(pipe));
    while (bytes > 0) {
        const size_t part = part_of_page(pipe->first, bytes);
        const uint64_t byte = pipe->first;
        pipe->first += part;
        bytes -= part;
        /* The page is empty when the reader leaves it, unless the writer came round to it again: then the pipe was
         * full and the page holds the last bytes. */
        const bool left = pipe->first % PAGE_SIZE == 0 || pipe->first == pipe->end;
        const bool shared = pipe->end - pipe->first > 0 && page_of(pipe->end - 1) == page_of(byte);
        if (left && !shared)
            page_give_back(pipe, byte);
    }
}

/* Sees to it that the pages for the next `bytes` bytes are there. */
static int pages_take(struct pipe *pipe, size_t bytes)
{
    for (uint64_t byte = pipe->end; byte < pipe->end + bytes; byte += part_of_page(byte, bytes)) {
        char **page = &pipe->pages[page_of(byte)];
        if (*page)
            continue;
        *page = fs_page_get();
        if (*page)
            continue;
        /* Those taken for this write hold nothing else: all but the one that the last byte so far is in. */
        for (uint64_t taken = pipe->end; taken < byte; taken += part_of_page(taken, bytes))
            if (pipe_used(pipe) == 0 || page_of(taken) != page_of(pipe->end - 1))
                page_give_back(pipe, taken);
        return -ENOSPC;
    }
    return 0;
}

int pipe_append(struct pipe *pipe, const void *data, size_t bytes)
{
    ASSERT(bytes <= pipe_room(pipe));
    const int error = pages_take(pipe, bytes);
    if (error < 0)
        return error;
    for (size_t done = 0; done < bytes;) {
        const size_t part = part_of_page(pipe->end, bytes - done);
        memcpy(pipe->pages[page_of(pipe->end)] + pipe->end % PAGE_SIZE, (const char *)data + done, part);
        pipe->end += part;
        done += part;
    }
    return 0;
}

bool pipe_check(const struct pipe *pipe)
{
    bool needed[PIPE_PAGES] = {false};

    if (pipe->end < pipe->first || pipe_used(pipe) > PIPE_BYTES)
        return false;
    for (uint64_t byte = pipe->first; byte < pipe->end; byte += PAGE_SIZE - byte % PAGE_SIZE)
        needed[page_of(byte)] = true;
    for (unsigned i = 0; i < PIPE_PAGES; i++)
        if (needed[i] != (pipe->pages[i] != NULL))
            return false;
    return true;
}
