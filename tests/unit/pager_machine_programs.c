/* SPDX-License-Identifier: MIT */
/* The program that runs on the simulated machine of the pager's tests, and waits for the pager as a real one would. */
#include <errno.h>

#include "pager_machine.h"

/* Lets time pass until something has happened. */
static void go_on(void)
{
    if (machine_end_transfer())
        return;
    machine.now += 1000000;
    pager_tick(&pager);
}

static void demand(enum demand_kind kind, uint64_t object, uint64_t index, uint64_t count)
{
    const struct demand wanted = {.kind = kind,
                                  .token = 99,
                                  .object = object,
                                  .cookie = 1000 + object,
                                  .index = index,
                                  .count = count,
                                  .detail = 1};
    while (pager_room(&pager) == 0)
        go_on();
    pager_demand(&pager, &wanted);
}

static void touch(struct frame *frame, uint64_t *expected, bool write)
{
    EXPECT(frame->content == *expected);
    frame->accessed = true;
    if (!write)
        return;
    frame->content = *expected = machine_next_content++;
    frame->dirty = true;
}

int machine_file(uint64_t object, uint64_t index, bool write)
{
    const uint32_t *place = &machine.object_frame[object - 1][index];
    machine.bus_error = 0;
    for (unsigned turns = 0; !*place || machine.frames[*place - 1].state != FRAME_BACKED; turns++) {
        EXPECT(turns < 20000);
        if (machine.bus_error && !*place)
            return machine.bus_error;
        if (!*place && turns % 50 == 0)
            demand(WANT_FILL, object, index, 1);
        else
            go_on();
    }
    touch(&machine.frames[*place - 1], &machine.expected_file[object - 1][index], write);
    return 0;
}

/* A frame for the program, which waits for one. */
static struct frame *frame_wait(void)
{
    struct frame *frame;
    for (unsigned turns = 0; !(frame = machine_frame_take(machine.frame_count / 32)); turns++) {
        EXPECT(turns < 20000);
        if (turns == 0 || machine.reclaim_status == 0) {
            machine.reclaim_status = 1;
            machine.waits = true;
            demand(WANT_RECLAIM, 0, 0, LRU_BATCH);
        } else if (machine.reclaim_status < 0) {
            break;
        } else {
            go_on();
        }
    }
    machine.waits = false;
    machine.reclaim_status = 1;
    return frame;
}

static int anon_first(uint64_t page)
{
    struct frame *frame = frame_wait();
    if (!frame)
        return -ENOMEM;
    *frame = (struct frame){.state = FRAME_ANON, .index = page};
    machine.anon_frame[page] = (uint32_t)(frame - machine.frames) + 1;
    pager_mapped(&pager, machine_pfn_of(frame));
    return 0;
}

int machine_anon(uint64_t page, bool write)
{
    machine.bus_error = 0;
    if (!machine.anon_frame[page] && !machine.anon_slot[page] && anon_first(page) < 0)
        return -ENOMEM;
    for (unsigned turns = 0; !machine.anon_frame[page]; turns++) {
        EXPECT(turns < 20000);
        if (machine.bus_error && !machine_in_swap_cache(machine.anon_slot[page]))
            return machine.bus_error;
        if (!machine_in_swap_cache(machine.anon_slot[page]) && turns % 50 == 0)
            demand(WANT_SWAP_IN, 0, machine.anon_slot[page], 1);
        else
            go_on();
    }
    touch(&machine.frames[machine.anon_frame[page] - 1], &machine.expected_anon[page], write);
    return 0;
}

void machine_anon_drop(uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++) {
        EXPECT(!machine.anon_slot[i]);
        if (machine.anon_frame[i])
            machine.frames[machine.anon_frame[i] - 1].state = FRAME_FREE;
        machine.anon_frame[i] = 0;
        machine.expected_anon[i] = 0;
    }
}

int machine_swap_off(void)
{
    machine.demands_ended = 0;
    int error = swap_off(&pager, 0, 98);
    if (error < 0)
        return error;
    EXPECT(swap_off(&pager, 0, 97) == -EBUSY);
    pager_pump(&pager);
    for (unsigned turns = 0; machine.demands_ended == 0; turns++) {
        EXPECT(turns < 20000);
        go_on();
        if (turns % 100 == 99) {
            machine.now += 1000000;
            pager_tick(&pager);
        }
    }
    EXPECT(machine.demands_ended == 98);
    return machine.last_demand_status;
}

int machine_sync(uint64_t object)
{
    machine.demands_ended = 0;
    demand(WANT_SYNC, object, 0, UINT64_MAX);
    for (unsigned turns = 0; machine.demands_ended == 0; turns++) {
        EXPECT(turns < 20000);
        go_on();
    }
    EXPECT(machine.demands_ended == 99);
    return machine.last_demand_status;
}
