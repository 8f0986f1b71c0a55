/* SPDX-License-Identifier: MIT */
/* The physical grant: see <proto/grant.h>. Serving thread only. */
#ifndef ROOT_GRANT_H
#define ROOT_GRANT_H

#include <base/check.h>
#include <quire/abi.h>

#include "process.h"

/* Takes the frames of the grant if the command line asks for one. Before frames_close(). Fatal if they are not there. */
void grant_prepare(const struct boot_info *info);

/* True if the command line asked for one. */
MUST_CHECK bool grant_is_given(void);

/* Gives a process the grant, if there is one. 0, or what sys_cap_copy() says. */
MUST_CHECK int grant_endow(const struct process *process);

#endif
