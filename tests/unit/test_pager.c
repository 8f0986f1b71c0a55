/* SPDX-License-Identifier: MIT */
/* The pager's decisions on a simulated machine: files and memory larger than memory, errors, memory that is gone. */
#include <errno.h>

#include "pager_machine.h"

static void sequential_file(void)
{
    machine_start(256, false);
    for (uint64_t i = 0; i < OBJECT_PAGES; i++)
        EXPECT(machine_file(1, i, false) == 0);
    machine_settle();
    machine_check();
    EXPECT(pager.counters.read_ahead > OBJECT_PAGES / 2 && pager.counters.reclaimed > 0);
}

static void large_file(void)
{
    machine_start(128, false);
    for (unsigned pass = 0; pass < 3; pass++) {
        for (uint64_t i = 0; i < OBJECT_PAGES; i++)
            EXPECT(machine_file(2, i, pass == 1 || i % 3 == 0) == 0);
        machine_check();
    }
    EXPECT(machine_sync(2) == 0);
    machine_settle();
    for (uint64_t i = 0; i < OBJECT_PAGES; i++)
        EXPECT(machine_file(2, i, false) == 0);
    machine_check();
}

static void sync_reaches_disk(void)
{
    machine_start(256, false);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(machine_file(3, i * 2, true) == 0);
    EXPECT(machine_sync(3) == 0);
    for (uint64_t i = 0; i < machine.frame_count; i++)
        EXPECT(machine.frames[i].state != FRAME_BACKED || !machine.frames[i].dirty);
    EXPECT(pager.counters.written >= 100 && machine_sync(3) == 0);
    machine_check();
}

static void old_pages_are_written(void)
{
    machine_start(256, false);
    for (uint64_t i = 0; i < 20; i++)
        EXPECT(machine_file(1, i, true) == 0);
    machine_settle();
    uint64_t before = pager.counters.written;
    for (unsigned second = 0; second < 60; second++) {
        machine.now += 1000000;
        pager_tick(&pager);
        machine_settle();
        EXPECT(second > 20 || pager.counters.written == before);
    }
    EXPECT(pager.counters.written == before + 20);
    machine_check();
}

static void many_pages_are_written(void)
{
    machine_start(256, false);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(machine_file(1, i, true) == 0);
    machine_settle();
    machine.now += 1000000;
    pager_tick(&pager);
    machine_settle();
    EXPECT(pager.counters.written >= 100 && machine.dirty_limit > 0 && machine.dirty_limit < 50);
    machine_check();
}

static void twice_the_memory(void)
{
    machine_start(128, true);
    for (unsigned pass = 0; pass < 4; pass++) {
        for (uint64_t i = 0; i < 256; i++)
            EXPECT(machine_anon(i, pass < 2) == 0);
        machine_check();
    }
    EXPECT(pager.counters.swapped_out > 256 && pager.counters.swapped_in > 256 && machine.killed == 0);
    machine_settle();
    machine_check();
}

static void swap_is_turned_off(void)
{
    machine_start(128, true);
    EXPECT(machine.swap_noted == SWAP_SLOTS && swap_off(&pager, 1, 1) == -ENOENT);
    for (uint64_t i = 0; i < 200; i++)
        EXPECT(machine_anon(i, true) == 0);
    EXPECT(machine_swap_off() == -ENOMEM); /* there is more than memory has room for */
    for (uint64_t i = 0; i < 200; i++)
        EXPECT(machine_anon(i, false) == 0);
    for (uint64_t i = 0; i < 150; i++) {
        EXPECT(machine_anon(i, false) == 0);
        machine_settle();
        if (machine.anon_frame[i])
            machine_anon_drop(i, i + 1);
    }
    machine_settle();
    EXPECT(machine_swap_off() == 0 && machine.swap_noted == 0 && machine.swap_returned == 1);
    EXPECT(swap_map_info(&pager.swap).total == 0 && machine_swap_off() == -ENOENT);
    for (uint64_t i = 150; i < 200; i++)
        EXPECT(machine.anon_frame[i] != 0 && machine_anon(i, false) == 0);
    machine_check();
}

static void slots_fail(void)
{
    machine_start(128, true);
    machine.error_percent = 50;
    for (uint64_t i = 0; pager.swap.areas[0].bad == 0; i = (i + 1) % 300) {
        int error = machine_anon(i, true);
        EXPECT(error == 0 || error == -ENOMEM || error == -EIO);
    }
    machine.error_percent = 0;
    machine_settle();
    for (uint64_t pass = 0; pass < 3; pass++) {
        for (uint64_t i = 0; i < 300; i++)
            EXPECT(machine_anon(i, pass > 0) == 0); /* what could not be written was kept */
        machine_check();
    }
    EXPECT(pager.swap.areas[0].used > 0 && pager.swap.areas[0].bad > 0);
}

/* A program says what it will not use. */
static void advised_pages(void)
{
    machine_start(256, true);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(machine_anon(i, true) == 0);
    const struct demand out = {.kind = TOLD_COLD, .object = 1, .index = 20, .count = 60, .detail = ADVICE_PAGE_OUT};
    pager_demand(&pager, &out);
    machine_settle();
    for (uint64_t i = 0; i < 100; i++)
        EXPECT((machine.anon_frame[i] == 0) == (i >= 20 && i < 80));
    const struct demand cool = {.kind = TOLD_COLD, .object = 1, .index = 90, .count = UINT64_MAX - 90, .detail = 20};
    pager_demand(&pager, &cool);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT((machine.anon_frame[i] == 0) == (i >= 20 && i < 80));
    uint64_t older = 0, cold = 0;
    for (uint64_t i = 100; cold == 0 && i < ANON_PAGES; i++) {
        EXPECT(machine_anon(i, true) == 0);
        older = cold = 0;
        for (uint64_t page = 0; page < 20; page++)
            older += machine.anon_frame[page] == 0;
        for (uint64_t page = 90; page < 100; page++)
            cold += machine.anon_frame[page] == 0;
    }
    EXPECT(cold > 0 && (older == 0 || cold == 10)); /* others were there before, but these go first */
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(machine_anon(i, false) == 0);
    machine_check();
}

static void working_set_stays(void)
{
    machine_start(256, false);
    for (unsigned pass = 0; pass < 6; pass++) {
        for (uint64_t i = 0; i < 60; i++)
            EXPECT(machine_file(1, i, false) == 0);
    }
    uint64_t before = 0;
    for (uint64_t i = 0; i < 2000; i++) { /* a stream goes by while the working set is used */
        EXPECT(machine_file(2 + i / OBJECT_PAGES % 3, i % OBJECT_PAGES, false) == 0);
        if (i == 500)
            before = pager.counters.refaults;
        if (i % 2 == 0)
            EXPECT(machine_file(1, i / 2 % 60, false) == 0);
    }
    uint32_t present = 0;
    for (uint64_t i = 0; i < 60; i++)
        present += machine.object_frame[0][i] != 0;
    EXPECT(present >= 55 && pager.counters.refaults - before < 200);
    machine_check();
}

static void out_of_memory(void)
{
    machine_start(64, false);
    machine.watchers = 1;
    int error = 0;
    for (uint64_t i = 0; i < 100 && error == 0; i++)
        error = machine_anon(i, true);
    EXPECT(error == -ENOMEM && machine.killed == 77 && pager.counters.kills == 1);
    EXPECT(pager.oom.count == 2 && oom_check(&pager.oom) == 0 && machine.warnings == 1);
    pager_tick(&pager);
    EXPECT(pager.pressure.total[PRESSURE_OF_SOME] > 0 && pressure_check(&pager.pressure, 0) == 0);
    machine_check();
}

/* A group is full: has the pager make room in it. */
static void fill_group(uint64_t limit)
{
    const struct demand demand = {.kind = WANT_RECLAIM, .object = OUTER_GROUP, .count = 1, .detail = 1};
    machine.groups = true;
    machine.group_limit = limit;
    machine.group_status = 1;
    pager_demand(&pager, &demand);
    for (unsigned i = 0; i < 20 && machine.group_status == 1; i++) {
        machine_settle();
        machine.now += 1000000;
        pager_tick(&pager);
    }
}

static uint32_t present(uint64_t object, uint64_t pages)
{
    uint32_t count = 0;
    for (uint64_t i = 0; i < pages; i++)
        count += machine.object_frame[object - 1][i] != 0;
    return count;
}

static void full_group(void)
{
    machine_start(512, false);
    for (uint64_t i = 0; i < 60; i++) {
        EXPECT(machine_file(1, i, i % 3 == 0) == 0);
        EXPECT(machine_file(2, i, false) == 0);
    }
    const uint32_t before = present(1, OBJECT_PAGES), others = present(2, OBJECT_PAGES);
    fill_group(1000);
    EXPECT(machine.group_status == 0 && present(1, OBJECT_PAGES) == before); /* it has room, by now */
    fill_group(before);
    EXPECT(machine.group_status == 0 && !machine.group_killed && machine.killed == 0);
    EXPECT(present(1, OBJECT_PAGES) + 32 <= before && present(2, OBJECT_PAGES) == others);
    machine_check();
}

static void group_out_of_memory(void)
{
    machine_start(256, false);
    for (uint64_t i = 0; i < 60; i++)
        EXPECT(machine_file(2, i, false) == 0);
    const uint32_t others = present(2, OBJECT_PAGES);
    for (uint64_t i = 0; i < 40; i++)
        EXPECT(machine_anon(i, true) == 0);
    fill_group(40);
    EXPECT(machine.group_status == 0 && machine.group_killed && machine.killed == 77 && pager.counters.kills == 1);
    EXPECT(pager.oom.group == OUTER_GROUP && pager.oom.total_pages == 40 && oom_check(&pager.oom) == 0);
    EXPECT(present(2, OBJECT_PAGES) == others);
    fill_group(40); /* nobody is left in it */
    EXPECT(machine.group_status == -ENOMEM && !machine.group_killed && pager.counters.kills == 1);
    machine_check();
}

static void group_swaps(void)
{
    machine_start(256, true);
    for (uint64_t i = 0; i < 40; i++)
        EXPECT(machine_anon(i, true) == 0);
    fill_group(40);
    machine_settle();
    EXPECT(machine.group_status == 0 && machine.killed == 0 && pager.counters.swapped_out >= 32);
    for (uint64_t i = 0; i < 40; i++)
        EXPECT(machine_anon(i, false) == 0);
    machine_settle();
    machine_check();
}

static void locked_memory(void)
{
    machine_start(64, true);
    for (uint64_t i = 0; i < 20; i++) {
        EXPECT(machine_anon(i, true) == 0);
        machine.frames[machine.anon_frame[i] - 1].locked = true;
    }
    for (uint64_t i = 20; i < 200; i++)
        EXPECT(machine_anon(i, true) == 0);
    for (uint64_t i = 0; i < 20; i++)
        EXPECT(machine.anon_frame[i] != 0);
    EXPECT(lru_size(&pager.vector, LRU_UNEVICTABLE) > 0);
    machine_check();
}

static void dropped_caches(void)
{
    machine_start(256, false);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(machine_file(1, i, i < 10) == 0);
    machine_settle();
    uint32_t free_before = machine_free();
    uint64_t dropped = reclaim_drop_clean(&pager);
    EXPECT(dropped > 80 && machine_free() == free_before + dropped);
    machine_settle();
    machine_check();
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(machine_file(1, i, false) == 0);
}

static void lost_transfers(void)
{
    machine_start(128, true);
    for (unsigned turn = 0; turn < 50; turn++) {
        for (uint64_t i = 0; i < 40; i++)
            EXPECT(machine_anon(random_below(200), true) == 0);
        for (unsigned tag = 0; tag < TRANSFERS_MAX; tag++)
            machine.transfers[tag].used = false;
        machine.in_flight = 0;
        machine.error_percent = 0;
        pager_transfers_lost(&pager);
        machine_settle();
        machine_check();
    }
}

static void step(uint64_t *failures)
{
    bool write = random_chance(40);
    int error;
    if (random_chance(50))
        error = machine_file(1 + random_below(OBJECTS), random_below(random_chance(50) ? 60 : OBJECT_PAGES), write);
    else
        error = machine_anon(random_below(random_chance(50) ? 60 : 800), write);
    *failures += error < 0;
    EXPECT(error == 0 || error == -EIO || error == -EAGAIN || (error == -ENOMEM && machine.error_percent));
    if (random_chance(1))
        (void)machine_sync(1 + random_below(OBJECTS));
    if (random_chance(1))
        (void)reclaim_drop_clean(&pager);
    if (random_chance(5))
        (void)machine_end_transfer();
}

static void random_run(void)
{
    uint64_t failures = 0;
    machine_start(200, true);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        step(&failures);
        if (test_step % 500 == 0)
            machine_check();
    }
    EXPECT(failures == 0 && machine.killed == 0);
    for (uint64_t object = 1; object <= OBJECTS; object++)
        EXPECT(machine_sync(object) == 0);
    machine_settle();
    machine_check();
}

static void random_errors(void)
{
    uint64_t failures = 0;
    machine_start(200, true);
    machine.error_percent = 5;
    for (test_step = 0; test_step < test_steps() / 4; test_step++) {
        step(&failures);
        if (test_step % 500 == 0)
            machine_check();
    }
    EXPECT(failures > 0 && machine.errors > 0);
    machine.error_percent = 0;
    for (uint64_t object = 1; object <= OBJECTS; object++) {
        (void)machine_sync(object);
        EXPECT(machine_sync(object) == 0);
    }
    for (uint64_t i = 0; i < 800; i++)
        EXPECT(machine_anon(i, false) == 0);
    machine_check();
}

static const struct test_row rows[] = {
    {"sequential_file", "a file is read ahead, and makes way for itself", sequential_file},
    {"large_file", "a file larger than memory is read and written", large_file},
    {"sync_reaches_disk", "after a sync nothing is dirty", sync_reaches_disk},
    {"old_pages_are_written", "what is dirty for long is written, and not sooner", old_pages_are_written},
    {"many_pages_are_written", "what is dirty is written when it is much", many_pages_are_written},
    {"swap_is_turned_off", "everything comes back from a swap area, if there is room", swap_is_turned_off},
    {"advised_pages", "pages that a program will not use go, or are the next to go", advised_pages},
    {"slots_fail", "slots that cannot be written lose no page, and are not used again", slots_fail},
    {"twice_the_memory", "a program uses twice the memory there is", twice_the_memory},
    {"working_set_stays", "what is used again and again survives a stream", working_set_stays},
    {"out_of_memory", "a process is ended when nothing can go, and then an error is the answer", out_of_memory},
    {"full_group", "a full group gives up pages of its own, and nobody else does", full_group},
    {"group_out_of_memory", "when they do not help, one of the group is ended", group_out_of_memory},
    {"group_swaps", "its programs' pages can be swapped", group_swaps},
    {"locked_memory", "locked pages stay and are not looked at again", locked_memory},
    {"dropped_caches", "clean pages go on request", dropped_caches},
    {"lost_transfers", "what a dead disk server had is asked of the next one", lost_transfers},
    {"random_run", "no content is ever wrong, and all that is asked for comes", random_run},
    {"random_errors", "errors of the disk cost who asked, and nothing else", random_errors},
};

TEST_MAIN("pager", rows)
