/* SPDX-License-Identifier: MIT */
/* What a fault costs when the address space has many areas. */
#include <errno.h>
#include <sys/mman.h>

#include "port.h"
#include "rows.h"

/* Apart from any step that a tree or a cache might like: a prime. */
#define STRIDE 7919UL

/* Pages of one area each: every second one has other rights than its neighbours. */
static char *make_areas(uint64_t areas)
{
    char *memory = port_map(areas * PAGE_BYTES);

    for (uint64_t i = 0; memory && i < areas; i += 2) {
        if (mprotect(memory + i * PAGE_BYTES, PAGE_BYTES, PROT_WRITE) != 0)
            return NULL;
    }
    return memory;
}

static int faults(uint64_t areas, uint64_t count, uint64_t *ticks)
{
    char *memory = make_areas(areas);
    uint64_t done = 0, start = 0;

    if (!memory)
        return -ENOMEM;
    *ticks = 0;
    while (done < count) {
        uint64_t part = count - done < areas ? count - done : areas;
        start = port_ticks();
        for (uint64_t i = 0; i < part; i++)
            *(volatile char *)(memory + i * STRIDE % areas * PAGE_BYTES) = 1;
        *ticks += port_ticks() - start;
        done += part;
        if (madvise(memory, areas * PAGE_BYTES, MADV_DONTNEED) != 0)
            return -errno;
    }
    return munmap(memory, areas * PAGE_BYTES) == 0 ? 0 : -errno;
}

int fault_10_areas(uint64_t count, uint64_t *ticks)
{
    return faults(10, count, ticks);
}

int fault_100_areas(uint64_t count, uint64_t *ticks)
{
    return faults(100, count, ticks);
}

int fault_1000_areas(uint64_t count, uint64_t *ticks)
{
    return faults(1000, count, ticks);
}

int fault_10000_areas(uint64_t count, uint64_t *ticks)
{
    return faults(10000, count, ticks);
}

int fault_100000_areas(uint64_t count, uint64_t *ticks)
{
    return faults(100000, count, ticks);
}
