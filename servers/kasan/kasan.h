/* SPDX-License-Identifier: MIT */
/*
 * Builds of the servers in which the compiler has each access to memory looked at (-fsanitize=kernel-address): the archive
 * boot-kasan.cpio has them in the usual ones' places. Every 8 bytes of memory have a byte of shadow: 0, all may be used; 1 to
 * 7, so many of them; SHADOW_*, none, and why. The compiler marks what is around variables of functions and of files, heap.c what
 * is around blocks of malloc() and in those that were freed. An access that is not allowed is logged, and goes on.
 *
 * memsrv, which has no memory but what it manages itself, has its own shadow: ../memsrv/kasan.h.
 */
#ifndef KASAN_H
#define KASAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRANULE 8u /* bytes of memory to a byte of shadow */

/* The compiler's, of variables; and ours, of the heap. */
#define SHADOW_STACK_LEFT   0xf1u
#define SHADOW_STACK_MIDDLE 0xf2u
#define SHADOW_STACK_RIGHT  0xf3u
#define SHADOW_STACK_SCOPE  0xf8u
#define SHADOW_GLOBAL       0xf9u
#define SHADOW_HEAP         0xfau
#define SHADOW_HEAP_FREED   0xfdu

/* No shadow, but another fault. */
#define FAULT_DOUBLE_FREE 0u

#define TRACE_CALLERS 4u /* callers that are kept of who took or freed a block */

/* Maps the shadow; until then all may be used. A negative errno. */
int shadow_map(void);

/* The shadow's byte; 0 where there is no shadow. Any address. */
uint8_t shadow_of(uint64_t address);

/* Says of [start, start + size) that all of it may be used (0), or none, and why. `start` is a multiple of GRANULE. */
void shadow_set(uint64_t start, uint64_t size, uint8_t value);

/* Looks whether [address, address + size) may be used, and has it reported if not. */
void access_check(const void *address, uint64_t size, bool write, const uint64_t *frame);

/* The record of a call that x29 points to, of the caller of this; [0] is the one before, [1] where it goes on. */
#define CALL_FRAME() ((const uint64_t *)__builtin_frame_address(0))

/* Where the calls from `frame` on go on, innermost first. Returns how many there are, at most `room`. */
unsigned callers(const uint64_t *frame, uint64_t *places, unsigned room);

/* Logs a line under the server's name. The IPC buffer stays as it is. */
__attribute__((format(printf, 1, 2))) void kasan_log(const char *format, ...);

/* Logs an access to what has that shadow, or FAULT_*, of `size` bytes, and what is known of the address. Once for each place. */
void report_access(uint8_t shadow, uint64_t address, uint64_t size, bool write, const uint64_t *frame);

/* Logs which block of the heap, or variable of a file, an address belongs to; false: none. */
bool heap_explain(uint64_t address);
bool global_explain(uint64_t address);

/* Each server's own. */
extern const char kasan_server[];

/* Does what is not allowed, once of each kind. */
void kasan_plant(void);

#endif
