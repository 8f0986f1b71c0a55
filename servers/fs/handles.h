/* SPDX-License-Identifier: MIT */
/*
 * What programs have open: handles of each program, and the open file descriptions that they lead to. Pure, like the
 * file systems. One thread; no lock.
 */
#ifndef FS_HANDLES_H
#define FS_HANDLES_H

#include <base/check.h>
#include <base/list.h>
#include <stdbool.h>
#include <stdint.h>

#include "inode.h"
#include "pipe.h"

#define HANDLE_COUNT 256u

enum description_kind {
    DESCRIPTION_FILE = 1,
    DESCRIPTION_DIRECTORY = 2,
    DESCRIPTION_PIPE = 3,
    DESCRIPTION_DEVICE = 4,
    DESCRIPTION_CONSOLE = 5,
    DESCRIPTION_CONSOLE_ERROR = 6,
};

/* Flags of a description. */
#define DESCRIPTION_READ     1u
#define DESCRIPTION_WRITE    2u
#define DESCRIPTION_APPEND   4u
#define DESCRIPTION_NONBLOCK 8u

struct description {
    enum description_kind kind;
    uint32_t flags;
    unsigned references; /* handles, and requests that wait */
    uint64_t offset;
    uint64_t errors_seen; /* of inode_errors(), that were told */
    struct inode *inode;  /* referenced; NULL: a pipe, or the console of a program that nobody gave any handle */
    struct pipe *pipe;
};

struct handle {
    struct description *description; /* NULL: not open */
    bool cloexec;
};

/* A program. */
struct client {
    struct list link;
    uint64_t pid;
    uint64_t handle_end; /* no handle from here on was ever open */
    struct handle handles[HANDLE_COUNT];
    /* What it shares with the server for long reads and writes, mapped here; NULL: nothing yet. */
    char *transfer;
    uint64_t transfer_object;
};

#define CLIENT_POOL 16u

struct handle_table {
    uint64_t (*now)(void);
    struct list clients;
    struct client pool[CLIENT_POOL]; /* the records that are used first: each has room for all handles */
    struct list pool_free;
    uint64_t next_pipe;
    uint64_t descriptions, pipes; /* that exist */
    /* Some pipe has lost its last reader or its last writer, or has got or lost bytes. Whoever acts on that clears it. */
    bool pipes_changed;
};

/* Makes an empty table; `now` is the clock for pipes. */
void handles_init(struct handle_table *table, uint64_t (*now)(void));

/* The program of that number; NULL if it is not known. */
struct client *client_find(const struct handle_table *table, uint64_t pid);

/* Makes a program known, without handles. NULL: no memory. */
MUST_CHECK struct client *client_new(struct handle_table *table, uint64_t pid);

/* Closes all handles of a program and forgets it. */
void client_free(struct handle_table *table, struct client *client);

/* Lets handles 0, 1 and 2 lead to the console. ENOMEM: nothing has changed. */
MUST_CHECK int client_open_console(struct handle_table *table, struct client *client);

/* Gives `child`, which has no handles, the handles of `parent`. */
void client_fork(struct client *child, const struct client *parent);

/* How many handles are to be closed when a program executes another. */
MUST_CHECK uint64_t client_executing_count(const struct client *client);

/* Closes the handles that are to be closed when a program executes another. */
void client_close_executing(struct handle_table *table, struct client *client);

/* A description with one reference, the caller's, for an inode whose reference it takes over. NULL: no memory; then
 * the reference stays the caller's. */
MUST_CHECK struct description *description_new(struct handle_table *table, struct inode *inode, uint32_t flags);

/* Makes a pipe and a description, with one reference, for either end. ENFILE: nothing has changed. */
MUST_CHECK int description_pipe(struct handle_table *table, uint32_t flags, struct description **reader,
                                struct description **writer);

/* Gives back a reference; with the last one the description ends. */
void description_put(struct handle_table *table, struct description *description);

/* Lets a handle, which is not open, lead to a description, whose reference it takes over. */
void handle_set(struct client *client, uint64_t number, struct description *description, bool cloexec);

/* Closes a handle that is open. */
void handle_close(struct handle_table *table, struct client *client, uint64_t number);

/* True if the references of all descriptions are those of the handles, and `others` more. */
bool handles_check(const struct handle_table *table, uint64_t others);

#endif
