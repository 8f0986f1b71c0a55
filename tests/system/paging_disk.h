/* SPDX-License-Identifier: MIT */
/*
 * A pager for tests, in a process of its own, with a disk in memory that it shares with the test: it can be told what to
 * do with demands, to do single things, and be killed at any moment.
 */
#ifndef TESTS_PAGING_DISK_H
#define TESTS_PAGING_DISK_H

#include <proto/memsrv_client.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE       4096UL
#define DISK_PAGES 512u
#define SWAP_SLOTS 4096u
#define COOKIE     0xc00c1eUL

enum disk_mode {
    DISK_SERVE, /* what is wanted is filled */
    DISK_HOLD,  /* what is wanted is begun, and not ended */
    DISK_FAIL,  /* it cannot be filled */
    DISK_IDLE,  /* demands are left where they are */
};

enum disk_command {
    DISK_NOTHING,
    DISK_CLEAN_BEGIN, /* argument: status with which to end at once; 1: do not end */
    DISK_CLEAN_END,   /* argument: status; what is in transit */
    DISK_EVICT,       /* pages of the object [first, first + count), results[] */
    DISK_HARVEST,     /* the same; results[]: 1 accessed, 2 dirty, and 4 for each mapping */
    DISK_SWAP_OUT,    /* present[first, first + count) go to slots, results[]; argument: status with which writing
                             ends; 1: it does not; result: how many were written */
    DISK_SWAP_END,    /* argument: status; what is being written to slots */
    DISK_SWAP_IN,     /* all slots are filled before anybody wants them; result: how many */
    DISK_SWAP_COUNT,  /* result: slots in use that memsrv names; -1: others than the pager knows */
};

struct disk {
    volatile enum disk_mode mode;
    volatile enum disk_command command; /* DISK_NOTHING when it is done */
    volatile long argument, result;
    volatile long reclaim_status;           /* what a demand for memory is answered with */
    volatile uint64_t object, first, count; /* the object that is worked with */
    volatile uint8_t results[DISK_PAGES];
    volatile uint64_t attached; /* pid of the pager that has attached */
    volatile uint64_t fills, demands, syncs, advices, gone, reclaims, freed;
    volatile uint64_t present[DISK_PAGES]; /* page frame numbers that the pager knows */
    volatile uint8_t used[SWAP_SLOTS];     /* swap slots */
    char pages[DISK_PAGES][PAGE];          /* of the object */
    char slots[SWAP_SLOTS][PAGE];
};

/* Shared by all processes of the test. */
extern struct disk *disk;

/* Makes the disk, filled with disk_word(), before the first fork(); fills it again. */
void disk_make(void);
void disk_reset(void);

/* What a word of a page of the disk is at first. */
uint64_t disk_word(uint64_t page, uint64_t word);

/* Starts a pager process with the roles of one; it has attached when this returns. 0: it could not be. */
pid_t pager_start(void);

/* Kills it and waits until it is gone. */
void pager_kill(pid_t pid);

/* Has the pager do something and waits until it is done. */
long pager_do(enum disk_command command, uint64_t first, uint64_t count, long argument);

/* Waits until `*value` is at least `wanted`; false: after a minute it is not. */
bool disk_wait(volatile uint64_t *value, uint64_t wanted);

#endif
