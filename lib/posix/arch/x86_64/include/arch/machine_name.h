/* SPDX-License-Identifier: MIT */
/*
 * What uname() calls the machine.
 */
#ifndef POSIX_ARCH_MACHINE_NAME_H
#define POSIX_ARCH_MACHINE_NAME_H

#define MACHINE_NAME "x86_64"

#endif
