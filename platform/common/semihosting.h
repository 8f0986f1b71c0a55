/* SPDX-License-Identifier: MIT */
/* Semihosting: how a guest tells an emulator its exit status. */
#ifndef PLATFORM_SEMIHOSTING_H
#define PLATFORM_SEMIHOSTING_H

/* Ends the emulator with this status. Only when machine.exit_semihosting; elsewhere it is an exception. */
void semihosting_exit(int status);

#endif
