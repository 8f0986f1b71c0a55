/* SPDX-License-Identifier: MIT */
/*
 * Memory that is gone, on a machine with a pager: pages of a disk make way for a program; when nothing can make way any
 * more the program that uses most is ended, and nobody else notices.
 */
#include "tap.h"

#include <proto/blk_client.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/pager_start.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH     "label=scratch"
#define CACHE_PAGES 16384UL /* 64 MiB of the disk */
#define STEP        (1UL << 20)
#define ROUNDS      3

static volatile const uint64_t *cache;

static struct pager_info info(void)
{
    struct pager_info figures = {0};
    size_t count = 0;
    (void)!pager_info(SLOT_PAGER, &figures, 1, &count);
    return figures;
}

static bool map_disk(void)
{
    struct blk_volume volume;
    uint64_t object, address = 0;
    size_t count = 0;
    int error = blk_find(SLOT_BLK, SCRATCH, sizeof(SCRATCH) - 1, &volume, 1, &count);
    if (error == 0)
        error = memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_ROLE_FILE_SERVER);
    if (error == 0)
        error = memsrv_object_backed_create(SLOT_MEMSRV, CACHE_PAGES * PAGE_SIZE, PAGER_COOKIE_OF_VOLUME(volume.id),
                                            &object);
    if (error == 0)
        error = memsrv_map_object(SLOT_MEMSRV, 0, CACHE_PAGES * PAGE_SIZE, MEMSRV_PROTECT_READ, MEMSRV_MAP_SHARED,
                                  object, 0, &address);
    cache = (volatile const uint64_t *)address;
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
    const uint64_t cached = info().cached;
    tap_ok(cached > CACHE_PAGES / 2, "the disk's pages are in memory: %lu", (unsigned long)cached);
    tap_equal(status_of_hog(80 * STEP), 0, "a program gets memory that they had");
    tap_ok(info().reclaimed > 0 && info().oom_kills == 0, "they made way: %lu", (unsigned long)info().reclaimed);
}

static void is_ended(void)
{
    for (int round = 1; round <= ROUNDS; round++) {
        const int status = status_of_hog(UINT64_MAX);
        tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a program that takes all is ended: %x", status);
        tap_equal((long)info().oom_kills, round, "by the pager");
    }
    uint64_t failures = 1;
    tap_ok(memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0, "memsrv's structures are sound");
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
