/* SPDX-License-Identifier: MIT */
/*
 * Rows about files that are mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define FILE_PATH "/tmp/bench-mapped"

/* Makes a file of so many pages and maps it. NULL: that failed. */
static const volatile char *map_file(uint64_t pages)
{
    static const char page[PAGE_BYTES];
    const int file = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
    bool good = file >= 0;

    for (uint64_t i = 0; i < pages && good; i++)
        good = write(file, page, sizeof(page)) == (ssize_t)sizeof(page);
    void *memory = good ? mmap(NULL, pages * PAGE_BYTES, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
    if (file >= 0)
        close(file);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Reads from each page of a mapped file, in order. */
int file_fault_page(uint64_t count, uint64_t *ticks)
{
    const volatile char *memory = map_file(count);
    char sum = 0;

    if (!memory)
        return -EIO;
    const uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        sum = (char)(sum | memory[i * PAGE_BYTES]);
    *ticks = port_ticks() - start;
    const bool good = munmap((void *)memory, count * PAGE_BYTES) == 0 && unlink(FILE_PATH) == 0;
    return good && sum == 0 ? 0 : -EIO;
}
