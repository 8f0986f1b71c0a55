/* SPDX-License-Identifier: MIT */
/*
 * Fills the protocol's record of what is known of a file.
 */
#ifndef FS_SERVE_STATUS_H
#define FS_SERVE_STATUS_H

#include <proto/fs_protocol.h>

#include "inode.h"
#include "pipe.h"

void status_of_inode(struct inode *inode, struct fs_status *status);
void status_of_pipe(const struct pipe *pipe, struct fs_status *status);

/* The console of a program to which nobody gave any handle. */
void status_of_console(struct fs_status *status);

#endif
