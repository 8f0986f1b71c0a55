/* SPDX-License-Identifier: MIT */
/* The zones that commands go through: those with memory, from the lowest. */
#ifndef SHELL_ZONES_H
#define SHELL_ZONES_H

#include <proto/memsrv_client.h>

/* Shows one zone; an error ends the walk. `index` is its number for memsrv. */
typedef int zone_function(uint64_t index, const struct memsrv_zone *zone);

/* Calls `print` for each zone. Returns what it or memsrv fails with, or 0. */
int for_each_zone(zone_function *print);

/* The same; in JSON what is printed is a list. */
int list_zones(zone_function *print);

#endif
