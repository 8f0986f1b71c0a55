/* SPDX-License-Identifier: MIT */
/* Huge pages. */
#include <errno.h>
#include <sys/mman.h>

#include "port.h"
#include "rows.h"

#ifndef MADV_HUGEPAGE
#define MADV_HUGEPAGE 14
#endif

#define HUGE_BYTES (2UL << 20)

int huge_fault(uint64_t count, uint64_t *ticks)
{
    const uint64_t bytes = (count + 1) * HUGE_BYTES;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    volatile char *first = memory + (-(uintptr_t)memory & (HUGE_BYTES - 1));
    if (madvise(memory, bytes, MADV_HUGEPAGE) != 0)
        return -errno;
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        first[i * HUGE_BYTES] = 1;
    *ticks = port_ticks() - start;
    return munmap(memory, bytes) == 0 ? 0 : -errno;
}
