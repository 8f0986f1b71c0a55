/* SPDX-License-Identifier: MIT */
/* The programs that root itself keeps running: the console server, and the shell or the program of quire.run. */
#ifndef ROOT_SERVICES_H
#define ROOT_SERVICES_H

#include <quire/abi.h>

#include "process.h"

/* Starts them. `info` must stay. Without a shell, or if quire.run names no program, the machine is powered off. */
void services_start(const struct boot_info *info);

/* A process that root started has ended, with its status: starts a service anew, or powers off with the status of the
 * program of quire.run. Processes that are no service are ignored. `ended` is a copy. */
void service_ended(const struct process *ended);

#endif
