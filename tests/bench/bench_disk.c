/* SPDX-License-Identifier: MIT */
/*
 * Rows about files on a disk and memory that is swapped, for a machine with a disk and little memory. Where a
 * device is waited for, a thread of the lowest priority uses the CPU meanwhile and tells how long, so that only what is done
 * for the operation counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define DISK_PATH    "%s/bench-file"
#define LARGE_FACTOR 7 /* of what stays in memory: more than there is */

static char page[PAGE_BYTES];

/* Opens a file of at least so many pages, which it makes so long. -1: that failed. */
static int open_file(uint64_t pages)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), DISK_PATH, port_disk);
    const int file = open(path, O_RDWR | O_CREAT, 0600);
    bool good = file >= 0 && fstat(file, &status) == 0 && lseek(file, 0, SEEK_END) >= 0;

    for (uint64_t done = good ? (uint64_t)status.st_size / PAGE_BYTES : 0; good && done < pages; done++)
        good = write(file, page, sizeof(page)) == (ssize_t)sizeof(page);
    if (good && lseek(file, 0, SEEK_SET) == 0)
        return file;
    if (file >= 0)
        close(file);
    return -1;
}

/* Maps so many pages of the file. NULL: that failed. */
static volatile char *map_file(uint64_t pages, int protection)
{
    const int file = open_file(pages);
    if (file < 0)
        return NULL;
    void *memory = mmap(NULL, pages * PAGE_BYTES, protection, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Begins to count what nobody uses. Returns the ticks now. */
static uint64_t count_begin(int *error)
{
    *error = port_spinner_start();
    return port_ticks();
}

/* The ticks since then that somebody used. */
static uint64_t count_end(uint64_t start, int error)
{
    const uint64_t ticks = port_ticks() - start;
    return error < 0 ? ticks : ticks - port_spinner_stop();
}

static int disk_file_fault_page(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = map_file(count, PROT_READ);
    char sum = 0;

    if (!memory)
        return -EIO;
    const uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++)
        sum = (char)(sum | memory[i * PAGE_BYTES]);
    *ticks = port_ticks() - start;
    return munmap((void *)memory, count * PAGE_BYTES) == 0 && sum == 0 ? 0 : -EIO;
}

/* Reads the file page by page. */
static int read_pages(uint64_t count, uint64_t *ticks)
{
    const int file = open_file(count);
    bool good = file >= 0;
    int error;

    if (!good)
        return -EIO;
    const uint64_t start = count_begin(&error);
    for (uint64_t i = 0; i < count && good; i++)
        good = read(file, page, sizeof(page)) == (ssize_t)sizeof(page);
    *ticks = count_end(start, error);
    close(file);
    return good ? error : -EIO;
}

static int disk_read_4k_cached(uint64_t count, uint64_t *ticks)
{
    return read_pages(count, ticks);
}

static int disk_read_sequential(uint64_t count, uint64_t *ticks)
{
    return read_pages(count, ticks);
}

/* Writes to each page of some memory, in order. */
static int touch_pages(volatile char *memory, uint64_t count, uint64_t *ticks)
{
    int error;

    const uint64_t start = count_begin(&error);
    for (uint64_t i = 0; i < count; i++)
        memory[i * PAGE_BYTES]++;
    *ticks = count_end(start, error);
    return munmap((void *)memory, count * PAGE_BYTES) < 0 ? -EIO : error;
}

static int disk_map_write(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = map_file(count, PROT_READ | PROT_WRITE);

    return memory ? touch_pages(memory, count, ticks) : -EIO;
}

static volatile char *map_memory(uint64_t count)
{
    void *memory =
        mmap(NULL, count * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Memory is full of clean pages of a file, which make room. */
static int reclaim_page(uint64_t count, uint64_t *ticks)
{
    uint64_t ignored;
    int error = read_pages(LARGE_FACTOR * count, &ignored);
    volatile char *memory = error < 0 ? NULL : map_memory(count);

    return memory ? touch_pages(memory, count, ticks) : error < 0 ? error : -ENOMEM;
}

/* There are more pages than there is memory, so that each has gone when it is wanted again. */
static int swap_page(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = map_memory(count);

    if (!memory)
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++)
        memory[i * PAGE_BYTES] = 1;
    return touch_pages(memory, count, ticks);
}

static int scan_read(uint64_t count, uint64_t *ticks)
{
    return read_pages(count, ticks);
}

static int scan_mmap(uint64_t count, uint64_t *ticks)
{
    volatile char *memory = map_file(count, PROT_READ);
    int error;

    if (!memory)
        return -EIO;
    const uint64_t start = count_begin(&error);
    for (uint64_t i = 0; i < count; i++)
        (void)memory[i * PAGE_BYTES];
    *ticks = count_end(start, error);
    return munmap((void *)memory, count * PAGE_BYTES) < 0 ? -EIO : error;
}

const struct row disk_rows[] = {
    {"disk_file_fault_page", disk_file_fault_page, .eighths = 1},
    {"disk_read_4k_cached", disk_read_4k_cached, .eighths = 1},
    {"disk_read_sequential", disk_read_sequential, .eighths = 7},
    {"disk_map_write", disk_map_write, .eighths = 7},
    {"reclaim_page", reclaim_page, .eighths = 1},
    {0},
};

const struct row scan_rows[] = {
    {"scan_read", scan_read, .eighths = 12, .once = true},
    {"scan_mmap", scan_mmap, .eighths = 12, .once = true},
    {0},
};

const struct row swap_rows[] = {
    {"swap_working_set", swap_page, .eighths = 12, .once = true},
    {0},
};
