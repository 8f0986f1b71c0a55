/* SPDX-License-Identifier: MIT */
/* root's loop: requests of programs, and threads that stopped. */
#ifndef ROOT_SERVE_H
#define ROOT_SERVE_H

#include <quire/abi.h>

#include <proto/ipc.h>

#include "entropy.h"
#include "process.h"

/* What the handlers of requests share. */
struct root_context {
    uint64_t reply; /* the reply object that holds the caller of the request */
    const struct boot_info *info;
    struct entropy *entropy;
    const struct process *caller; /* set by requests that say which thread asks; else NULL */
    uint64_t thread;
};

/* The process that a request comes from; NULL if it is gone, which only a capability that outlived it can show. */
static inline struct process *request_caller(const struct message *request)
{
    struct process *caller = process_find(request->badge & ~BADGE_PRIVILEGED);
    return caller && caller->state == PROCESS_RUNNING ? caller : NULL;
}

/* Serves for ever. `info` and `entropy` must stay. */
__attribute__((noreturn)) void serve(const struct boot_info *info, struct entropy *entropy);

#endif
