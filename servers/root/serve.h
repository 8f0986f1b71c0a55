/* SPDX-License-Identifier: MIT */
/* root's loop: requests of programs, and threads that stopped. */
#ifndef ROOT_SERVE_H
#define ROOT_SERVE_H

/* Serves for ever. */
__attribute__((noreturn)) void serve(void);

#endif
