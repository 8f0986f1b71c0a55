/* SPDX-License-Identifier: MIT */
/* The end of what was made with the grant. Needs it. */
#ifndef TESTS_HOSTILE_END_H
#define TESTS_HOSTILE_END_H

#include <stdbool.h>
#include <stdint.h>

/* Ends every object in these slots, whatever state it is in; false if one would not end. */
bool objects_end(uint64_t first, unsigned count);

/* Frames of the grant that are not free. */
unsigned frames_in_use(void);

/* What SYSTEM_KERNEL_CHECK says of all its parts. */
bool kernel_is_sound(void);

#endif
