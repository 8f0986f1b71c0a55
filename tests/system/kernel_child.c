/* SPDX-License-Identifier: MIT */
/* Address spaces made by hand, and threads in them. */
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <string.h>

#include "kernel_test.h"

/* A child's IPC buffer in its own space; stacks are variables of the program, which the space shares. */
#define BUFFERS_ADDRESS 0x700000000000UL
#define STACK_BYTES     8192u
#define SHARE_TABLES    8u

extern char __executable_start[], __bss_start[], end[];

static _Alignas(16) char stacks[CHILDREN_MAX][STACK_BYTES];

void space_new(struct space *space)
{
    const uint64_t slot = slot_new();
    const uint64_t frame = frame_new();

    space->top = frame_new();
    MUST(sys_object_create(SLOT_PHYSICAL, CAP_ASPACE, frame, 0, slot, space->top));
    space->slot = slot;
    space->object = frame;
    space->window = false;
}

void space_end(struct space *space)
{
    long result;

    (void)space_unmap(space, 0, WINDOW_BASE / PAGE_SIZE);
    if (!space->window)
        (void)space_unmap(space, WINDOW_BASE, WINDOW_SIZE / PAGE_SIZE);
    (void)space_unmap(space, WINDOW_BASE + WINDOW_SIZE, (USER_VA_END - WINDOW_BASE - WINDOW_SIZE) / PAGE_SIZE);
    (void)space_take_tables(space);
    while ((result = sys_object_destroy(SLOT_PHYSICAL, space->slot, NULL)) == -EAGAIN)
        (void)sys_yield();
    CHECK_EQ(result, 0);
    slot_free(space->slot);
    frame_end(space->top);
    frame_end(space->object);
}

long space_item(const struct space *space, uint64_t target, uint64_t entry)
{
    *(struct map_item *)ipc_buffer()->words = (struct map_item){target, entry};
    return sys_map(SLOT_PHYSICAL, space->slot, 1);
}

void space_give_tables(const struct space *space, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        MUST(space_item(space, MAP_ITEM_TABLE, frame_new() << PAGE_SHIFT));
}

long space_map(const struct space *space, uint64_t address, uint64_t entry)
{
    return space_item(space, address | MAP_ITEM_MAP, entry);
}

long space_unmap(const struct space *space, uint64_t address, uint64_t pages)
{
    const uint64_t end_address = address + pages * PAGE_SIZE;
    long count = 0;

    while (address < end_address)
        count += MUST(sys_unmap(SLOT_PHYSICAL, space->slot, address, (end_address - address) / PAGE_SIZE, 0, &address));
    return count;
}

unsigned space_take_tables(const struct space *space)
{
    unsigned taken = 0;
    long count;

    while ((count = MUST(
                sys_aspace_control(SLOT_PHYSICAL, space->slot, ASPACE_TAKE_TABLES, MSG_BUFFER_WORDS, 0, NULL))) > 0) {
        uint64_t pfns[MSG_BUFFER_WORDS];
        memcpy(pfns, ipc_buffer()->words, (size_t)count * sizeof(pfns[0]));
        for (long i = 0; i < count; i++)
            frame_end(pfns[i]);
        taken += (unsigned)count;
    }
    return taken;
}

uint64_t space_entry(const struct space *space, uint64_t address)
{
    const long count = MUST(sys_harvest(SLOT_PHYSICAL, space->slot, address, 1, 0, NULL));
    return count ? ((const struct map_result *)ipc_buffer()->words)->entry : 0;
}

uint64_t own_entry(const void *address)
{
    uint64_t entry;
    uint64_t pid;

    MUST(sys_cap_query(SLOT_MEMSRV, &pid));
    MUST(memsrv_space_entry(GRANT_SLOT_MEMSRV, pid, (uint64_t)address & PAGE_MASK, &entry));
    return entry;
}

void space_share_program(const struct space *space)
{
    space_give_tables(space, SHARE_TABLES);
    for (char *page = __executable_start; page < end; page += PAGE_SIZE) {
        uint64_t entry = own_entry(page);
        if (!entry && page + PAGE_SIZE > __bss_start) {
            volatile char *touched = page < __bss_start ? __bss_start : page;
            *touched = *touched;
            entry = own_entry(page);
        }
        if (entry)
            MUST(space_map(space, (uint64_t)page & PAGE_MASK, entry | ENTRY_ACCESSED | ENTRY_DIRTY));
    }
}

static uint64_t buffer_address(const struct child *child)
{
    return BUFFERS_ADDRESS + child->number * PAGE_SIZE;
}

void child_new(struct child *child, const struct space *space, uint64_t number, unsigned priority)
{
    *child = (struct child){.space = space, .number = number};
    child->thread = object_new(CAP_THREAD);
    child->table = object_new(CAP_TABLE);
    child->slots = frame_new();
    child->buffer = frame_new();
    MUST(sys_object_create(SLOT_PHYSICAL, CAP_SLOTS, child->slots, 0, SLOT_NONE, child->table));
    space_give_tables(space, 3);
    MUST(space_map(space, buffer_address(child),
                   child->buffer << PAGE_SHIFT | ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY));
    MUST(sys_thread_control(child->thread, THREAD_CONFIGURE, space->slot, child->table, child->buffer,
                            buffer_address(child), number));
    MUST(sys_thread_control(child->thread, THREAD_PRIORITY, priority, 0, 0, 0, 0));
}

static void child_entry(struct child *child)
{
    uint64_t bits;

    child->function(child->argument);
    for (;;)
        (void)!sys_wait(SLOT_NONE, DEADLINE_NEVER, &bits);
}

void child_start(struct child *child, void (*function)(void *argument), void *argument)
{
    child->function = function;
    child->argument = argument;
    MUST(sys_thread_control(child->thread, THREAD_START, (uint64_t)child_entry,
                            entry_stack((uint64_t)stacks[child->number] + STACK_BYTES), (uint64_t)child, 0, 0));
}

void child_give(const struct child *child, uint64_t to, uint64_t from, uint64_t rights, uint64_t badge)
{
    MUST(sys_cap_copy(child->table, to, from, rights, badge));
}

void child_end(struct child *child)
{
    uint64_t pfn = 0;

    CHECK_EQ(thread_stop(child->thread), 0);
    object_end(child->thread);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, child->table, &pfn), 1);
    CHECK_EQ(pfn, child->slots);
    object_end(child->table);
    frame_end(child->slots);
    (void)space_unmap(child->space, buffer_address(child), 1);
    frame_end(child->buffer);
}
