/* SPDX-License-Identifier: MIT */
/*
 * The benchmark as the first and only program of a Linux machine, started from its initial file system: what there is to be
 * done before it and after it. Started otherwise, it does none of that.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "port.h"

#define MODULES        "/modules"
#define DISK           "/disk"
#define DISK_PARTITION "/dev/vda1"
#define SWAP_PARTITION "/dev/vda2"
#define DISK_WAITS     100
#define AREAS_MAX      "1000000"

/* The machine has settled when so many loops of known length, one a pause, took no more than their own instructions. */
#define SETTLED_LOOPS 20
#define LOOPS_MAX     200
#define LOOP_ROUNDS   500000UL
#define PAUSE         (50 * 1000 * 1000L)

const char port_disk[] = DISK;

static _Noreturn void give_up(const char *what)
{
    perror(what);
    port_finish(EXIT_FAILURE);
}

static void must(int result, const char *what)
{
    if (result < 0)
        give_up(what);
}

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
}

static void open_console(void)
{
    const int console = open("/dev/console", O_RDWR);

    for (int file = 0; console >= 0 && file < 3; file++)
        dup2(console, file);
}

/* One of the rows has more areas than a process may have by default. */
static void allow_areas(void)
{
    const int file = open("/proc/sys/vm/max_map_count", O_WRONLY);

    must(file, "max_map_count");
    must((int)write(file, AREAS_MAX, sizeof(AREAS_MAX) - 1), "max_map_count");
    close(file);
}

/* Drivers that the kernel has as modules; their names are in the order in which they need each other. */
static void load_modules(void)
{
    struct dirent **entries;
    const int count = scandir(MODULES, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char path[sizeof(MODULES) + sizeof(entries[i]->d_name) + 1];
        snprintf(path, sizeof(path), MODULES "/%s", entries[i]->d_name);
        if (entries[i]->d_name[0] == '.')
            continue;
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        must(file, path);
        if (syscall(SYS_finit_module, file, "", 0) < 0 && errno != EEXIST)
            give_up(path);
        close(file);
    }
}

/* Disks are found some time after their drivers start. */
static bool find_disk(void)
{
    struct stat status;

    for (int i = 0; i < DISK_WAITS; i++) {
        if (stat(SWAP_PARTITION, &status) == 0)
            return true;
        pause_shortly();
    }
    return false;
}

static void use_disk(void)
{
    must(mkdir(DISK, 0700), DISK);
    must(mount(DISK_PARTITION, DISK, "ext2", 0, NULL), DISK_PARTITION);
    must(swapon(SWAP_PARTITION, 0), SWAP_PARTITION);
}

/* Waits until nothing but this program runs; on a machine that counts no instructions, for a while. */
static void settle(void)
{
    const uint64_t expected = 2 * LOOP_ROUNDS * (port_frequency() / 1000) / 1000000;

    for (int loop = 0, good = 0; loop < LOOPS_MAX && good < SETTLED_LOOPS; loop++) {
        pause_shortly();
        uint64_t start = port_ticks();
        port_spin(LOOP_ROUNDS);
        const uint64_t ticks = port_ticks() - start;
        good = ticks <= expected + expected / 100 ? good + 1 : 0;
    }
}

void port_prepare(void)
{
    if (getpid() != 1)
        return;
    (void)!mkdir("/dev", 0700);
    (void)!mkdir("/proc", 0700);
    (void)!mkdir("/tmp", 0700);
    must(mount("dev", "/dev", "devtmpfs", 0, NULL), "/dev");
    open_console();
    must(mount("proc", "/proc", "proc", 0, NULL), "/proc");
    must(mount("tmp", "/tmp", "tmpfs", 0, NULL), "/tmp");
    allow_areas();
    load_modules();
    /* The word is the kernel's command line's, which gives the program what the kernel does not know. */
    if (getenv("BENCH_DISK")) {
        if (!find_disk())
            give_up(SWAP_PARTITION);
        use_disk();
    }
    settle();
}

_Noreturn void port_finish(int status)
{
    fflush(NULL);
    if (getpid() == 1) {
        printf("bench-status %d\n", status);
        fflush(NULL);
        /* What was printed has to leave the machine first. */
        pause_shortly();
        reboot(RB_POWER_OFF);
    }
    exit(status);
}
