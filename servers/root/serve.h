/* SPDX-License-Identifier: MIT */
/* root's loop: requests of programs, and threads that stopped. */
#ifndef ROOT_SERVE_H
#define ROOT_SERVE_H

#include <quire/abi.h>

#include "entropy.h"

/* Serves for ever. `info` and `entropy` must stay. */
__attribute__((noreturn)) void serve(const struct boot_info *info, struct entropy *entropy);

#endif
