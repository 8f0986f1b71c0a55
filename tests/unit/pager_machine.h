/* SPDX-License-Identifier: MIT */
/*
 * A machine for the pager's decisions: frames, objects with backing, one program's anonymous memory, a disk whose
 * transfers end in any order and may fail. A page's content is one number. What the program reads is compared with what
 * it wrote.
 */
#ifndef UNIT_PAGER_MACHINE_H
#define UNIT_PAGER_MACHINE_H

#include "harness.h"
#include "pager.h"

#define FIRST_PFN    500u
#define FRAMES_MAX   512u
#define OBJECTS      4u
#define OBJECT_PAGES 600u
#define ANON_PAGES   1200u
#define SWAP_SLOTS   1400u
#define FILE_VOLUME  1u
#define SWAP_VOLUME  2u
#define OUTER_GROUP  1u
#define INNER_GROUP  2u /* in it: object 1, and the program's memory */
#define OTHER_GROUP  3u /* the other objects */
#define HOLE_MODULUS 7u /* every so manieth page of a file has no block yet at the start */

enum frame_state { FRAME_FREE, FRAME_BACKED, FRAME_ANON, FRAME_FILLING, FRAME_SWAPPING_OUT, FRAME_SWAPPING_IN };

struct frame {
    enum frame_state state;
    bool accessed, dirty, writing, locked;
    uint64_t object, index; /* or the anonymous page; or the slot that it comes from */
    uint64_t slot;
    uint64_t content;
};

struct machine {
    struct frame frames[FRAMES_MAX];
    uint32_t frame_count;
    uint32_t object_frame[OBJECTS][OBJECT_PAGES]; /* frame + 1; 0: not there */
    bool allocated[OBJECTS][OBJECT_PAGES];        /* has a block */
    uint64_t disk[OBJECTS * OBJECT_PAGES];
    uint64_t swap[SWAP_SLOTS];
    uint32_t anon_frame[ANON_PAGES]; /* frame + 1 */
    uint64_t anon_slot[ANON_PAGES];
    uint64_t expected_file[OBJECTS][OBJECT_PAGES], expected_anon[ANON_PAGES];
    struct {
        bool used;
        enum transfer_operation operation;
        uint64_t volume, block, pfns[TRANSFER_PAGES];
        uint32_t count;
    } transfers[TRANSFERS_MAX];
    unsigned in_flight, most_in_flight;
    unsigned error_percent; /* of transfers that fail */
    unsigned errors;        /* that failed */
    bool waits;             /* the program waits for memory */
    int reclaim_status;     /* 1: none was told yet */
    int bus_error;          /* what the last failed fill said */
    uint64_t now;
    uint64_t dirty_limit;
    uint64_t killed;
    uint32_t watchers; /* who watch for pressure, and are warned before anybody is ended */
    uint32_t warnings;
    bool groups;          /* there are some */
    uint64_t group_limit; /* of the outer one */
    int group_status;     /* 1: none was told yet */
    bool group_killed;
    uint64_t demands_ended; /* the last token that was told the end */
    uint64_t swap_noted;    /* slots of the area, for the next pager */
    unsigned swap_returned; /* times that the area's memory was given back */
    int last_demand_status;
};

extern struct machine machine;
extern struct pager pager;

/* Begins to empty the swap area, and goes on until the pager says how that ended. */
int machine_swap_off(void);

/* The program gives up anonymous pages [first, end). */
void machine_anon_drop(uint64_t first, uint64_t end);

/* Starts a machine with so many frames, a pager, and a swap area if `swap`. */
void machine_start(uint32_t frames, bool swap);
void machine_stop(void);

/* Ends one transfer at random. False: none is on its way. */
bool machine_end_transfer(void);
void machine_settle(void); /* ends all */

/* The program reads or writes a page, and waits as long as it takes. 0; EIO: it could not be read; ENOMEM. Ends the test if
 * a content is wrong or nothing goes on any more. */
int machine_file(uint64_t object, uint64_t index, bool write);
int machine_anon(uint64_t page, bool write);

/* Writes all that is dirty; returns what the pager said. */
int machine_sync(uint64_t object);

/* Frames that are free, and whether memsrv's and the pager's ideas agree. */
uint32_t machine_free(void);
void machine_check(void);

/* Takes a free frame, unless only `reserve` are left: NULL then. */
struct frame *machine_frame_take(uint32_t reserve);
uint64_t machine_pfn_of(const struct frame *frame);

/* What is written next: each content is there once. */
extern uint64_t machine_next_content;

/* True if the page of the slot is in memory. */
bool machine_in_swap_cache(uint64_t slot);

/* Parts of the pager's backend that are used in more than one file. */
int machine_page_uses(void *context, uint64_t pfn, struct page_use *uses, uint32_t max, uint32_t *found,
                      uint64_t *next);
void machine_groups(void *context, struct group_state *states, uint32_t max);
int machine_group_pages(void *context, uint32_t group, uint64_t pfn, struct page_use *uses, uint32_t max,
                        uint32_t *found, uint64_t *next);
void machine_group_end(void *context, uint32_t group, int status, bool killed);

#endif
