/* SPDX-License-Identifier: MIT */
/*
 * Pressure: the time that is lost for want of memory, and that programs hear of it before anybody is ended. Needs a disk,
 * for without one there is no pager.
 */
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP      (1UL << 20)
#define WINDOW_US 10000000UL
#define WATCH_BIT 4u

static _Noreturn void hog(void)
{
    for (;;) {
        volatile char *memory =
            mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            _exit(2);
        for (uint64_t at = 0; at < STEP; at += PAGE_SIZE)
            memory[at] = 1;
    }
}

static bool hog_is_ended(void)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0)
        hog();
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static uint64_t create_notification(void)
{
    uint64_t identifier;
    const uint64_t slot = slot_allocate();
    if (slot == SLOT_NONE || memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &identifier, slot) < 0)
        return SLOT_NONE;
    return slot;
}

/* The bits that the notification has been signalled for. */
static uint64_t bits_of(uint64_t notification)
{
    uint64_t bits = 0;
    return sys_wait(notification, 0, &bits) == 0 ? bits : 0;
}

struct figures {
    uint64_t ten, sixty, three_hundred, total;
};

static struct figures read_figures(uint64_t kind)
{
    struct figures read = {0};
    if (pager_pressure(SLOT_PAGER, kind, &read.ten, &read.sixty, &read.three_hundred, &read.total) < 0)
        read.total = UINT64_MAX;
    return read;
}

static void refused(uint64_t notification)
{
    tap_equal(pager_pressure_watch(SLOT_PAGER, 2, 1000, WINDOW_US, WATCH_BIT, notification), -EINVAL,
              "there are two kinds");
    tap_equal(pager_pressure_watch(SLOT_PAGER, PAGER_PRESSURE_SOME, WINDOW_US + 1, WINDOW_US, WATCH_BIT, notification),
              -EINVAL, "no window has more time than it lasts");
    tap_equal(pager_pressure_watch(SLOT_PAGER, PAGER_PRESSURE_SOME, 1000, 1000, WATCH_BIT, notification), -EINVAL,
              "a window has a least length");
}

int main(void)
{
    const uint64_t notification = create_notification();
    tap_plan(3 + 1 + 4 + 3);
    refused(notification);
    /* All of a window: that does not happen by itself before somebody is ended. */
    tap_equal(pager_pressure_watch(SLOT_PAGER, PAGER_PRESSURE_FULL, WINDOW_US, WINDOW_US, WATCH_BIT, notification), 0,
              "the test watches");
    tap_equal((long)bits_of(notification), 0, "there is nothing to tell");
    tap_ok(hog_is_ended(), "who takes all memory is ended");
    tap_equal((long)bits_of(notification), WATCH_BIT, "the watch was told before that");
    const struct figures full = read_figures(PAGER_PRESSURE_FULL); /* first, for it may be growing still */
    const struct figures some = read_figures(PAGER_PRESSURE_SOME);
    tap_ok(some.total > 0 && some.total >= full.total && full.total > 0, "time was lost: some %lu us, full %lu us",
           (unsigned long)some.total, (unsigned long)full.total);
    tap_equal(pager_pressure_watch(SLOT_PAGER, PAGER_PRESSURE_FULL, 0, 0, 0, notification), 0, "it ends to watch");
    tap_ok(hog_is_ended(), "another one is ended");
    tap_equal((long)bits_of(notification), 0, "without a word");
    return tap_done();
}
