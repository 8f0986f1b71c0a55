/* SPDX-License-Identifier: MIT */
/*
 * The file server's state, and what its files offer each other. One thread does everything.
 */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include <proto/fs_dispatch.h>

#include "disk.h"
#include "ext2.h"
#include "handles.h"
#include "tmpfs.h"
#include "tree.h"

#define WAITERS_MAX             FS_WAITING_MAX
#define WAITERS_PER_PROCESS_MAX 16u

/* A request that waits for a pipe, held by a reply object. */
struct waiter {
    uint64_t reply;
    uint64_t pid;
    struct description *description; /* referenced */
    size_t bytes;                    /* to be read at most, or to be written */
};

/* A thread that is to be told when one of its handles is ready. */
struct watch {
    uint64_t pid, thread;
    uint64_t notification; /* slot */
    size_t count;
    struct fs_readiness asked[FS_WATCH_HANDLES];
};

struct fs_context {
    struct tmpfs tmpfs; /* the boot archive's files, /tmp, /dev */
    struct tree tree;
    struct disk disk; /* if there is one: with ext2 */
    struct ext2 *ext2;
    uint64_t next_sync; /* time */
    int sync_error;     /* of the last one */
    struct handle_table table;
    uint64_t reply; /* holds the caller of the request in hand */
    uint64_t spare_replies[WAITERS_MAX];
    size_t spare_count, reply_count;    /* not in use; made so far, without `reply` */
    struct waiter waiters[WAITERS_MAX]; /* in order of arrival */
    size_t waiter_count;
    uint64_t arrival; /* empty slot, for the notification that a request may bring */
    struct watch watches[FS_WATCHES_MAX];
    size_t watch_count;
};

/* --- serve.c --- */

/* The program that a request comes from, made known if it is not. NULL: no memory. */
struct client *client_of(struct fs_context *context, const struct message *request);

/* The description behind a handle of the caller. EBADF: it is not open. */
PROTO_MUST_CHECK int description_of(struct fs_context *context, const struct message *request, uint64_t number,
                                    struct description **description);

/* Forgets the programs, among those that `events` may stand for, whose space is gone. */
void clients_ended(struct fs_context *context, uint64_t events);

/* --- serve_files.c --- */

/* Reads a file or device at an offset. The number of bytes, or a negative errno. */
PROTO_MUST_CHECK long read_here(struct fs_context *context, struct description *description, uint64_t offset,
                                void *content, size_t capacity);

/* Writes a file or device at *offset, which is moved to the end by DESCRIPTION_APPEND. As above. */
PROTO_MUST_CHECK long write_here(struct fs_context *context, struct description *description, uint64_t *offset,
                                 const void *content, size_t bytes);

/* The description of a handle that must be open for that (DESCRIPTION_READ or DESCRIPTION_WRITE). EBADF: it is not. */
PROTO_MUST_CHECK int description_for(struct fs_context *context, const struct message *request, uint64_t number,
                                     uint32_t use, struct description **description);

/* --- serve_objects.c --- */

/*
 * Grants the caller of a request the content of a file that it wants to execute, and reads how that begins: the number of
 * bytes. *object is 0 if the file is empty. *closing: how many of the caller's handles an execution closes. EACCES: not a
 * regular file, or nobody may execute it; EIO, ENOMEM.
 */
PROTO_MUST_CHECK long prepare_program(struct fs_context *context, const struct message *request, struct inode *inode,
                                      void *head, size_t capacity, uint64_t *object, uint64_t *closing);

/* --- serve_transfer.c --- */

/* Gives a program's transfer buffer back, if it has one; the program keeps what it has mapped. */
void transfer_release(struct client *client);

/* --- waiting.c --- */

/* Parks the caller of the request in hand until its pipe has what it waits for, and gives PROTO_PARKED. EBUSY: too
 * many wait. */
PROTO_MUST_CHECK int waiter_park(struct fs_context *context, const struct message *request,
                                 struct description *description, size_t bytes);

/* Answers all who need not wait any longer. Uses the IPC buffer. */
void waiters_run(struct fs_context *context);

/* Drops what threads of a program wait for. */
void waiters_forget(struct fs_context *context, uint64_t pid);

/* --- watches.c --- */

/* Tells all whose handles are ready. */
void watches_run(struct fs_context *context);

/* Drops what threads of a program watch. */
void watches_forget(struct fs_context *context, uint64_t pid);

/* --- volumes.c --- */

/* Mounts the disk's file system at the root, if there is one; what is there already covers it. */
void volumes_mount(struct fs_context *context);

/* True if there is something to be done between two requests: it is time to write, or too much is in memory. */
bool volumes_due(const struct fs_context *context);

/* Does it. Uses the IPC buffer. */
void volumes_settle(struct fs_context *context);

/* --- seed.c --- */

/* Makes the directories that there are always, the devices, and a file for each of the boot archive's. 0 or a negative
 * errno. */
PROTO_MUST_CHECK int seed(const struct tree *tree);

/* tmpfs.load of seeded files. */
PROTO_MUST_CHECK int seed_load(uint64_t source, uint64_t offset, void *data, size_t bytes);

#endif
