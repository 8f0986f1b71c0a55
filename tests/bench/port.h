/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark needs of the system below it beyond POSIX: a counter, the cheapest system call, and a partner in
 * another address space. port_quire.c and port_linux.c implement it; the build takes one of them.
 */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

#include <arch/bench_port.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a disk's files are, if there is one: begins each path. */
extern const char port_disk[];

/* What the system needs before programs can run, and returns when it does nothing but that. */
void port_prepare(void);

/* Ends the program, and the machine if it runs for the program only, with the status. */
_Noreturn void port_finish(int status);

/* Makes the cheapest system call there is. */
void port_null_syscall(void);

/* `length` bytes of zeros, nothing of them present yet, in pages of 4 KiB. NULL: there is no memory. */
void *port_map(size_t length);

/*
 * Starts a partner that answers each message with a message, in an address space of its own; `use_fp`: it uses
 * floating-point registers for each. One partner at a time. 0, or a negative errno: ENOTSUP, this run has no way to.
 */
int port_partner_start(bool use_fp);

/* One message there and its answer back. 0 or a negative errno. */
int port_partner_call(void);

/* Ends the partner and frees all of it. 0 or a negative errno. */
int port_partner_stop(void);

/* Bytes of memory that the system's parts have, where the system tells: programs' own memory is in none of them. */
struct port_overhead {
    uint64_t kernel, memory_server, pager;
};

/* 0 or a negative errno; ENOTSUP: the system does not tell. */
int port_read_overhead(struct port_overhead *overhead);

/* Starts a thread that uses the CPU while nobody else does. 0 or a negative errno; ENOTSUP: this run has no way to. */
int port_spinner_start(void);

/* Ends it. Returns the ticks that it has used. */
uint64_t port_spinner_stop(void);

#endif
