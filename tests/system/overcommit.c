/* SPDX-License-Identifier: MIT */
/*
 * The three overcommit policies. Setting them needs the grant of quire.grant=physical.
 */
#define _GNU_SOURCE
#include "memory_calls.h"
#include "server_state.h"
#include "tap.h"

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <stdlib.h>
#include <unistd.h>

/* POSIX has withdrawn it, so a C library need not declare it. */
int brk(void *end);

#define GUESS  0
#define ALWAYS 1
#define NEVER  2
#define RATIO  50

struct overcommit {
    uint64_t policy, ratio, limit, committed;
};

static struct overcommit read_state(void)
{
    struct overcommit state = {99, 0, 0, 0};
    (void)!memsrv_overcommit_info(SLOT_MEMSRV, &state.policy, &state.ratio, &state.limit, &state.committed);
    return state;
}

static bool set(uint64_t policy, uint64_t ratio)
{
    return memsrv_overcommit_set(GRANT_SLOT_MEMSRV, policy, ratio) == 0;
}

static void test_requests(void)
{
    struct overcommit state = read_state();

    tap_ok(state.policy == GUESS && state.ratio == RATIO && state.limit > 0 && state.committed > 0,
           "the machine begins with policy 0");
    tap_equal(memsrv_overcommit_set(SLOT_MEMSRV, ALWAYS, RATIO), -EPERM, "programs may not set it");
    tap_equal(memsrv_overcommit_set(GRANT_SLOT_MEMSRV, 3, RATIO), -EINVAL, "an unknown policy gives EINVAL");
    tap_equal(memsrv_overcommit_set(GRANT_SLOT_MEMSRV, NEVER, 1001), -EINVAL, "a ratio above 1000 gives EINVAL");
}

static uint64_t committed(void)
{
    return read_state().committed;
}

/* What is counted, and that all of it is taken back. */
static void test_account(void)
{
    uint64_t before = committed();
    unsigned char *memory = map_pages(100, READ_WRITE, PRIVATE);

    tap_equal((long)(committed() - before), 100, "private writable memory is promised");
    mprotect(memory, 50 * PAGE, PROT_READ);
    tap_equal((long)(committed() - before), 100, "and stays so when it is only read");
    munmap(memory + 20 * PAGE, 10 * PAGE);
    tap_equal((long)(committed() - before), 90, "what is unmapped is not");
    munmap(memory, 100 * PAGE);
    tap_equal((long)(committed() - before), 0, "all of it");
    memory = map_pages(100, PROT_READ, PRIVATE);
    tap_equal((long)(committed() - before), 0, "what is only read is no promise");
    mprotect(memory, 10 * PAGE, READ_WRITE);
    tap_equal((long)(committed() - before), 10, "until it may be written");
    memory = mremap(memory, 10 * PAGE, 30 * PAGE, MREMAP_MAYMOVE);
    tap_equal((long)(committed() - before), 30, "it grows with mremap");
    munmap(memory, 30 * PAGE);
    tap_equal((long)(committed() - before), 0, "and goes");
    memory = map_pages(100, READ_WRITE, SHARED);
    tap_equal((long)(committed() - before), 100, "shared memory is promised as a whole");
    munmap(memory, 50 * PAGE);
    tap_equal((long)(committed() - before), 100, "as long as any of it is mapped");
    munmap(memory, 100 * PAGE);
    tap_equal((long)(committed() - before), 0, "and then no longer");
    void *old = sbrk(0);
    sbrk(64 * PAGE);
    tap_equal((long)(committed() - before), 64, "the heap is promised");
    brk(old);
    tap_equal((long)(committed() - before), 0, "while it has it");
}

static void test_always(void)
{
    const size_t pages = 1UL << 28;

    tap_ok(set(ALWAYS, RATIO), "policy 1");
    unsigned char *memory = map_pages(pages, READ_WRITE, PRIVATE);
    tap_ok(memory != NULL, "promises 1 TiB");
    memory[pages / 2 * PAGE] = 1;
    tap_ok(munmap(memory, pages * PAGE) == 0, "munmap");
}

static void test_never(void)
{
    tap_ok(set(NEVER, RATIO), "policy 2");
    struct overcommit state = read_state();
    size_t free = state.limit - state.committed;
    tap_ok(map_fails(mmap(NULL, (free + 1) * PAGE, READ_WRITE, PRIVATE, -1, 0), ENOMEM),
           "does not promise more than its limit");
    tap_ok(map_fails(mmap(NULL, (free + 1) * PAGE, READ_WRITE, PRIVATE | MAP_NORESERVE, -1, 0), ENOMEM),
           "not even with MAP_NORESERVE");
    tap_ok(map_fails(mmap(NULL, (free + 1) * PAGE, READ_WRITE, SHARED, -1, 0), ENOMEM), "nor shared memory");
    unsigned char *memory = map_pages(free / 2, READ_WRITE, PRIVATE);
    tap_ok(memory != NULL, "half of what is left can be had");
    tap_ok(map_fails(mmap(NULL, (free / 2 + 2) * PAGE, READ_WRITE, PRIVATE, -1, 0), ENOMEM), "and then not the rest");
    tap_ok(munmap(memory, free / 2 * PAGE) == 0, "munmap");
    tap_ok(read_state().committed == state.committed, "nothing is lost by failures");
    tap_ok(set(NEVER, 0) && map_fails(mmap(NULL, PAGE, READ_WRITE, PRIVATE, -1, 0), ENOMEM),
           "with ratio 0 nothing is promised");
    tap_ok(sbrk(PAGE) == (void *)-1, "no heap either");
    tap_ok(set(GUESS, RATIO), "policy 0 again");
}

int main(void)
{
    tap_plan(4 + 13 + 3 + 11 + 1);
    /* The heap moves now, not while promises are counted. */
    free(malloc(1));
    test_requests();
    test_account();
    test_always();
    test_never();
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
