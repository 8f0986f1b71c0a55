/* SPDX-License-Identifier: MIT */
/*
 * Rows about files that are mapped, files on a disk, and memory that is swapped. Where devices are waited for, a thread of
 * the lowest priority uses the CPU meanwhile and tells how long, so that only what is done for the operation counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define MEMORY_PATH "/tmp/bench-mapped"
#define DISK_PATH   "/bench-file"

static char page[PAGE_BYTES];

/* Opens a file of so many pages, which it makes if it is not there. -1: that failed. */
static int open_file(const char *path, uint64_t pages)
{
    struct stat status;
    int file = open(path, O_RDWR | O_CREAT, 0600);

    if (file < 0 || fstat(file, &status) < 0)
        return -1;
    for (uint64_t done = (uint64_t)status.st_size / PAGE_BYTES; done < pages; done++) {
        if (write(file, page, sizeof(page)) != (ssize_t)sizeof(page)) {
            close(file);
            return -1;
        }
    }
    if (lseek(file, 0, SEEK_SET) == 0)
        return file;
    close(file);
    return -1;
}

/* Maps a file that is in memory and reads from each page, in order. */
static int fault_pages(const char *path, uint64_t count, uint64_t *ticks)
{
    int file = open_file(path, count);
    if (file < 0)
        return -EIO;
    const volatile char *memory = mmap(NULL, count * PAGE_BYTES, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return -errno;
    char sum = 0;
    const uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        sum = (char)(sum + memory[i * PAGE_BYTES]);
    *ticks = port_ticks() - start;
    return munmap((void *)memory, count * PAGE_BYTES) == 0 && sum == 0 ? 0 : -EIO;
}

int file_fault_page(uint64_t count, uint64_t *ticks)
{
    return fault_pages(MEMORY_PATH, count, ticks);
}

int disk_file_fault_page(uint64_t count, uint64_t *ticks)
{
    return fault_pages(DISK_PATH, count, ticks);
}

/* Reads a file page by page. */
static int read_pages(uint64_t count, uint64_t *ticks)
{
    const int file = open_file(DISK_PATH, count);
    bool good = file >= 0;

    if (!good)
        return -EIO;
    const int started = port_spinner_start();
    const uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count && good; i++)
        good = read(file, page, sizeof(page)) == (ssize_t)sizeof(page);
    *ticks = port_ticks() - start;
    if (started == 0)
        *ticks -= port_spinner_stop();
    close(file);
    return started < 0 ? started : good ? 0 : -EIO;
}

int disk_read_4k_cached(uint64_t count, uint64_t *ticks)
{
    return read_pages(count, ticks);
}

int disk_read_sequential(uint64_t count, uint64_t *ticks)
{
    return read_pages(count, ticks);
}

/* Writes to more pages than there is memory, in order, so that each has gone when it is wanted again. */
int swap_page(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = port_map(count * PAGE_BYTES);
    if (!memory)
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++)
        memory[i * PAGE_BYTES] = 1;
    const int started = port_spinner_start();
    const uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        memory[i * PAGE_BYTES]++;
    *ticks = port_ticks() - start;
    if (started == 0)
        *ticks -= port_spinner_stop();
    return munmap((void *)memory, count * PAGE_BYTES) < 0 ? -errno : started;
}
