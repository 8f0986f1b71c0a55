/* SPDX-License-Identifier: MIT */
/*
 * Memory that is gone, on a machine with a pager: pages of a disk make way for a program; when nothing can make way any
 * more the program that uses most is ended, and nobody else notices.
 */
#include "scratch_disk.h"
#include "server_state.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CACHE_PAGES 16384UL /* 64 MiB of the disk */
#define STEP        (1UL << 20)
#define ROUNDS      3

static volatile const uint64_t *cache;

static bool map_disk(void)
{
    struct scratch_disk scratch = {0};
    const int error = scratch_disk_map(&scratch, CACHE_PAGES, MEMSRV_PROTECT_READ);
    cache = scratch.memory;
    return tap_equal(error, 0, "a part of the disk is mapped");
}

static void fill_cache(void)
{
    for (uint64_t page = 0; page < CACHE_PAGES; page++)
        (void)cache[page * (PAGE_SIZE / sizeof(uint64_t))];
}

/* Takes memory until there is `bytes` of it, or for ever. */
static _Noreturn void hog(uint64_t bytes)
{
    for (uint64_t taken = 0; taken < bytes; taken += STEP) {
        volatile char *memory =
            mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            _exit(2);
        for (uint64_t at = 0; at < STEP; at += PAGE_SIZE)
            memory[at] = 1;
    }
    _exit(0);
}

static int status_of_hog(uint64_t bytes)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0)
        hog(bytes);
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void makes_way(void)
{
    fill_cache();
    const uint64_t cached = pager_now().cached;
    tap_ok(cached > CACHE_PAGES / 2, "the disk's pages are in memory: %lu", (unsigned long)cached);
    tap_equal(status_of_hog(80 * STEP), 0, "a program gets memory that they had");
    tap_ok(pager_now().reclaimed > 0 && pager_now().oom_kills == 0, "they made way: %lu",
           (unsigned long)pager_now().reclaimed);
}

static void is_ended(void)
{
    for (int round = 1; round <= ROUNDS; round++) {
        const int status = status_of_hog(UINT64_MAX);
        tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a program that takes all is ended: %x", status);
        tap_equal((long)pager_now().oom_kills, round, "by the pager");
    }
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    fill_cache();
    tap_equal(status_of_hog(16 * STEP), 0, "there is memory again");
}

int main(void)
{
    tap_plan(1 + 3 + 2 * ROUNDS + 2);
    if (map_disk()) {
        makes_way();
        is_ended();
    }
    return tap_done();
}
