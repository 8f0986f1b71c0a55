/* SPDX-License-Identifier: MIT */
/* What the tests of the memory calls share. */
#ifndef TESTS_MEMORY_CALLS_H
#define TESTS_MEMORY_CALLS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE       4096UL
#define READ_WRITE (PROT_READ | PROT_WRITE)
#define PRIVATE    (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED     (MAP_SHARED | MAP_ANONYMOUS)

/* `pages` pages somewhere; NULL on an error. */
static inline unsigned char *map_pages(size_t pages, int protection, int flags)
{
    void *memory = mmap(NULL, pages * PAGE, protection, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* True if a call that gave `result` failed with `error`. */
static inline bool fails(long result, int error)
{
    return result == -1 && errno == error;
}

/* The same for mmap() and mremap(). */
static inline bool map_fails(const void *result, int error)
{
    return result == MAP_FAILED && errno == error;
}

/* Writes the number of each page, from `first` on, to its first byte. */
static inline void number_pages(unsigned char *memory, size_t pages, unsigned first)
{
    for (size_t i = 0; i < pages; i++)
        memory[i * PAGE] = (unsigned char)(first + i);
}

/* True if the pages hold these numbers. */
static inline bool are_numbered(const volatile unsigned char *memory, size_t pages, unsigned first)
{
    for (size_t i = 0; i < pages; i++) {
        if (memory[i * PAGE] != (unsigned char)(first + i))
            return false;
    }
    return true;
}

/* How many of the pages are in memory; -1 if mincore() says no. At most 256 are looked at. */
static inline long resident_pages(void *memory, size_t pages)
{
    unsigned char vector[256];
    long count = 0;
    if (pages > sizeof(vector) || mincore(memory, pages * PAGE, vector) != 0)
        return -1;
    for (size_t i = 0; i < pages; i++)
        count += vector[i] & 1;
    return count;
}

#endif
