/* SPDX-License-Identifier: MIT */
/*
 * Swapped pages of shared memory, with a pager that this program brings along: they come back to all who share them, are
 * given up, locked and cut off as other pages are.
 */
#include "memory_calls.h"
#include "paging_disk.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <quire/clock.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 32UL

/* Has the pager evict what this process maps of the memory. Returns how many pages were written. */
static long swap_out(const volatile unsigned char *memory, long status)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t entry = 0;
        int error = memsrv_space_entry(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), (uint64_t)memory + i * PAGE, &entry);
        if (!error && entry && !(entry & ENTRY_SOFT))
            disk->present[found++] = (entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
    }
    return pager_do(DISK_SWAP_OUT, 0, found, status);
}

/* All slots are free, and the pager was told. */
static bool all_free(void)
{
    const uint64_t end = clock_now_ns() + 60 * NS_PER_SECOND;
    while (clock_now_ns() < end) {
        if (paging_now().swap_slots == 0 && paging_now().swap_cache == 0 && paging_now().transit == 0)
            return true;
        usleep(2000);
    }
    return false;
}

static int status_of_child(bool (*body)(volatile unsigned char *), volatile unsigned char *memory)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(body(memory) ? 0 : 1);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool read_and_write(volatile unsigned char *memory)
{
    const bool good = are_numbered(memory, PAGES, 1);
    number_pages((unsigned char *)memory, PAGES / 2, 100);
    return good;
}

static bool is_left(volatile unsigned char *memory)
{
    return memory[0] == 0 && memory[7 * PAGE] == 0 && are_numbered(memory + 8 * PAGE, PAGES - 8, 9);
}

int main(void)
{
    tap_plan(26);
    disk_make();
    const pid_t pager = pager_start();
    tap_ok(pager != 0, "a pager attaches");
    volatile unsigned char *memory = map_pages(PAGES, READ_WRITE, SHARED);
    number_pages((unsigned char *)memory, PAGES, 1);
    tap_equal(swap_out(memory, 0), (long)PAGES, "shared pages go to slots");
    tap_ok(paging_now().swap_slots == PAGES && paging_now().swap_cache == 0 && memsrv_is_sound(),
           "and are no longer in memory");
    tap_equal(resident_pages((void *)memory, PAGES), 0, "as mincore() says");
    tap_equal(status_of_child(read_and_write, memory), 0, "a child reads them and writes to them");
    tap_ok(are_numbered(memory, PAGES / 2, 100) && are_numbered(memory + PAGES / 2 * PAGE, PAGES / 2, PAGES / 2 + 1),
           "as its parent sees");
    tap_ok(all_free() && memsrv_is_sound(), "the slots are free");

    number_pages((unsigned char *)memory, PAGES, 1);
    tap_equal(swap_out(memory, 1), (long)PAGES, "they are being written to slots");
    const pid_t reader = fork();
    if (reader == 0)
        _exit(are_numbered(memory, PAGES, 1) ? 0 : 1);
    while (paging_now().parked == 0)
        usleep(1000);
    tap_ok(paging_now().transit == PAGES && memsrv_is_sound(), "who wants one waits");
    tap_equal(pager_do(DISK_SWAP_END, 0, 0, 0), 0, "until that has ended");
    int status = -1;
    tap_ok(waitpid(reader, &status, 0) == reader && status == 0, "and has it");
    tap_ok(all_free() && are_numbered(memory, PAGES, 1), "so do others");

    tap_equal(swap_out(memory, 0), (long)PAGES, "they go once more");
    tap_equal(pager_do(DISK_SWAP_IN, 0, 0, 0), (long)PAGES, "and are read before they are wanted");
    tap_ok(paging_now().swap_cache == PAGES && memsrv_is_sound(), "so they are in the swap cache");
    tap_equal(madvise((void *)memory, 8 * PAGE, MADV_REMOVE), 0, "some are removed there");
    tap_ok(is_left(memory), "and read as zeros, the others not");
    tap_equal(status_of_child(is_left, memory), 0, "for a child, too");
    tap_ok(all_free() && memsrv_is_sound(), "the slots are free");

    number_pages((unsigned char *)memory, PAGES, 1);
    tap_equal(swap_out(memory, 0), (long)PAGES, "all go");
    tap_ok(mlock((void *)memory, PAGES * PAGE) == 0 && resident_pages((void *)memory, PAGES) == (long)PAGES,
           "mlock() brings them back");
    tap_equal(swap_out(memory, 0), 0, "and keeps them");
    tap_ok(munlock((void *)memory, PAGES * PAGE) == 0 && swap_out(memory, 1) == (long)PAGES, "until they are unlocked");
    tap_ok(munmap((void *)memory, PAGES * PAGE) == 0 && memsrv_is_sound(), "while they are written they are unmapped");
    tap_equal(pager_do(DISK_SWAP_END, 0, 0, 0), 0, "writing ends");
    tap_ok(all_free() && memsrv_is_sound(), "and nothing is left");
    pager_kill(pager);
    return tap_done();
}
