/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails in places, or does not answer: who needs the page gets a bus error or EIO, and nobody else notices.
 * Needs a disk whose partition is called scratch.
 */
#include "scratch_disk.h"
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/blk_client.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS      (PAGE_SIZE / sizeof(uint64_t))
#define DISK_PAGES 1024u
#define BAD_PAGE   100u /* this one and those behind it, while something is injected */
#define BAD_PAGES  4u
#define WRITTEN    300u /* where pages are written */
#define LOST_PAGE  700u
#define ALL_PAGES  UINT64_MAX
#define READ_BIT   (1UL << BLK_READ)
#define WRITE_BIT  (1UL << BLK_WRITE)

static struct scratch_disk scratch;
static volatile uint64_t *disk;

static bool map_disk(void)
{
    const int error = scratch_disk_map(&scratch, DISK_PAGES, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE);
    disk = scratch.memory;
    return tap_equal(error, 0, "a part of the disk is mapped");
}

static int inject(uint64_t fault, uint64_t operations, uint64_t page, uint64_t pages)
{
    return blk_inject(SLOT_BLK, scratch.volume, fault, operations, page * BLK_PAGE_SECTORS, pages * BLK_PAGE_SECTORS);
}

/* Has a child read a page; what became of it. */
static int status_of_reader(uint64_t page)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        (void)disk[page * WORDS];
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static bool had_bus_error(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

static void reading(void)
{
    tap_equal(inject(BLK_FAULT_ERROR, READ_BIT, BAD_PAGE, BAD_PAGES), 0, "some pages cannot be read");
    int wrong = 0;
    for (uint64_t page = BAD_PAGE - 40; page < BAD_PAGE; page++) /* more and more is read ahead */
        wrong += status_of_reader(page) != 0;
    tap_equal(wrong, 0, "who reads those before them does not notice");
    const int status = status_of_reader(BAD_PAGE + 1);
    tap_ok(had_bus_error(status), "who reads one of them has a bus error: %x", status);
    tap_equal(status_of_reader(BAD_PAGE + BAD_PAGES), 0, "those behind them can be read");
    tap_equal(inject(BLK_FAULT_NONE, 0, 0, 0), 0, "the disk is in order again");
    tap_equal(status_of_reader(BAD_PAGE + 1), 0, "and the page can be read");
}

static void writing(void)
{
    for (uint64_t page = WRITTEN; page < WRITTEN + 8; page++)
        disk[page * WORDS] = page;
    tap_equal(inject(BLK_FAULT_ERROR, WRITE_BIT, WRITTEN + 2, 1), 0, "a page cannot be written");
    tap_equal(pager_sync(SLOT_PAGER, scratch.object, WRITTEN, WRITTEN + 8, 0), -EIO, "who waits for it gets EIO");
    tap_equal(pager_sync(SLOT_PAGER, scratch.object, WRITTEN + 3, WRITTEN + 8, 0), 0, "the others are written");
    tap_equal((long)disk[(WRITTEN + 2) * WORDS], WRITTEN + 2, "the page keeps what was written to it");
    tap_equal(msync((void *)(uintptr_t)(disk + (WRITTEN + 2) * WORDS), PAGE_SIZE, MS_SYNC) == 0 ? 0 : -errno, -EIO,
              "msync tells, too");
    (void)!inject(BLK_FAULT_NONE, 0, 0, 0);
    tap_equal(pager_sync(SLOT_PAGER, scratch.object, WRITTEN, WRITTEN + 8, 0), 0, "later it can be written");
    uint64_t dropped = 0;
    tap_ok(pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &dropped) == 0 && dropped > 0 &&
               disk[(WRITTEN + 2) * WORDS] == WRITTEN + 2,
           "and is on the disk");
}

/* The device takes a request and never answers. */
static void silence(void)
{
    tap_equal(inject(BLK_FAULT_LOSE, READ_BIT, LOST_PAGE, 1), 0, "the disk does not answer for a page");
    const int status = status_of_reader(LOST_PAGE);
    tap_ok(had_bus_error(status), "who waits for it has a bus error after a while: %x", status);
    tap_equal(status_of_reader(LOST_PAGE + 200), 0, "the disk works for others after its reset");
    (void)!inject(BLK_FAULT_NONE, 0, 0, 0);
    tap_equal(status_of_reader(LOST_PAGE), 0, "and for the page");
}

int main(void)
{
    tap_plan(1 + 6 + 7 + 4 + 1);
    if (map_disk()) {
        reading();
        writing();
        silence();
    }
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
