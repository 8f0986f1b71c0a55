/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the kernel share: rows, checks, and the raw means that `quire.grant=physical` gives: frames that
 * nobody else knows, kernel objects in them, address spaces made by hand, and threads in those.
 *
 * Only the first thread of the program may call these, unless it says so; a test that cannot be set up ends the program.
 */
#ifndef TESTS_KERNEL_TEST_H
#define TESTS_KERNEL_TEST_H

#include <errno.h>
#include <quire/slots.h>
#include <quire/syscall.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tap.h"

#define NS_PER_MS 1000000UL

/* One line of TAP: a promise, and the function that checks it. */
struct kernel_test {
    const char *promise;
    void (*run)(void);
};

/*
 * Runs the rows in order and returns the status for main(). A row fails if one of its checks did, or if it did not give
 * back the frames and slots that it took. `only`: runs just the rows that contain this text; NULL: all.
 */
int kernel_tests_run(const struct kernel_test *tests, size_t count, const char *only);

/* Checks of the running row; any thread of the program may make them. The result is whether it holds. */
bool check_true(bool holds, const char *file, int line, const char *text);
bool check_equal(long found, long wanted, const char *file, int line, const char *text);
#define CHECK(condition)        check_true((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(found, wanted) check_equal((long)(found), (long)(wanted), __FILE__, __LINE__, #found)

/* Ends the program: the test cannot go on. */
_Noreturn void give_up(const char *file, int line, const char *text, long result);

/* For calls that only set the scene: `call` is not below zero. */
#define MUST(call)                                                                                                     \
    ({                                                                                                                 \
        long must_result = (call);                                                                                     \
        if (must_result < 0)                                                                                           \
            give_up(__FILE__, __LINE__, #call, must_result);                                                           \
        must_result;                                                                                                   \
    })

/* True if the program has the grant, which all that follows needs but where it says so. */
bool grant_present(void);

/* A frame of the grant of any content, unused; its pfn. */
uint64_t frame_new(void);
void frame_end(uint64_t pfn);

/* 512 consecutive frames that are aligned like a huge page, apart from those of frame_new(); always the same. */
uint64_t huge_block(void);

/* What SYSTEM_FRAME_INFO says. */
enum frame_type frame_type(uint64_t pfn);
uint64_t frame_references(uint64_t pfn);

/* A slot of the program's table, which is full if none is left. */
uint64_t slot_new(void);

/* A new object of a small type, a thread or a capability table without slots, in a frame of its own; its slot. */
uint64_t object_new(enum cap_type type);

/* Destroys it and gives its frame back; any slot that object_new() gave. */
void object_end(uint64_t slot);

/* A copy of a capability in a new slot, which slot_free() ends. Needs no grant. */
uint64_t capability_new(uint64_t from, uint64_t rights, uint64_t badge);

/* Takes a thread off every CPU; asks until it is stopped. Any thread, no grant. The result of the last call. */
long thread_stop(uint64_t slot);

/* THREAD_INFO. Any thread, no grant. */
struct thread_info thread_look(uint64_t slot);

/* Waits until thread `slot` is in `state`, for a second at most; true if it got there. Any thread, no grant. */
bool thread_reaches(uint64_t slot, enum thread_state state);

/* Number of CPUs, and the mask of all of them. No grant. */
unsigned cpu_count(void);
void pin(uint64_t thread, uint64_t cpus);

uint64_t now_ns(void);
void sleep_ns(uint64_t ns);

/* --- Address spaces by hand -------------------------------------------------------------------------------------- */

struct space {
    uint64_t slot;
    uint64_t object, top; /* pfns: of the object and of its first table */
    bool window;          /* set by a test that shows the window there */
};

void space_new(struct space *space);

/* Unmaps everything, takes the tables back, destroys the space. No thread may be left in it. */
void space_end(struct space *space);

/* Applies one map item, or a donation of `count` frames as tables. */
long space_item(const struct space *space, uint64_t target, uint64_t entry);
void space_give_tables(const struct space *space, unsigned count);
long space_map(const struct space *space, uint64_t address, uint64_t entry);

/* Unmaps a range; returns how many entries it had. What it took out last is in the IPC buffer. */
long space_unmap(const struct space *space, uint64_t address, uint64_t pages);

/* Takes all spare tables out of the space and gives their frames back; returns how many. */
unsigned space_take_tables(const struct space *space);

/* The entry at an address, 0 if none. */
uint64_t space_entry(const struct space *space, uint64_t address);

/* Maps the program's own code and variables at the same addresses, with the same rights, so that threads of the space
 * run functions of this program. Their stacks, IPC buffers and errno are not shared, and they have no C library. */
void space_share_program(const struct space *space);

/* The frame behind a page of the program's own, which is there; its entry. */
uint64_t own_entry(const void *address);

/* --- Threads in them --------------------------------------------------------------------------------------------- */

#define CHILDREN_MAX    12u
#define CHILD_SLOT_FREE 32u /* first empty slot of a child's table; it has SLOTS_PER_FRAME */

struct child {
    const struct space *space;
    uint64_t thread, table; /* slots of the test's table */
    uint64_t buffer, slots; /* pfns */
    uint64_t number;
    void (*function)(void *argument);
    void *argument;
};

/* A stopped thread with a capability table of its own. Children and their arguments are variables of the program, not
 * on a stack: `child` must be static. `number` is below CHILDREN_MAX and no other child's. */
void child_new(struct child *child, const struct space *space, uint64_t number, unsigned priority);

/* Has it run function(argument) in a space that shares the program, and then wait for ever. */
void child_start(struct child *child, void (*function)(void *argument), void *argument);

/* Gives the child a capability. */
void child_give(const struct child *child, uint64_t to, uint64_t from, uint64_t rights, uint64_t badge);

/* Stops and destroys it. */
void child_end(struct child *child);

#endif
