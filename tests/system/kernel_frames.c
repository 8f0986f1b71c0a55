/* SPDX-License-Identifier: MIT */
/*
 * The rule of the frame table, broken in every way that there is to try: a frame is mapped, or a table, or holds
 * objects, and never two of these; and capabilities, addresses and ranges that are made up.
 */
#include <proto/grant.h>
#include <stdatomic.h>
#include <string.h>

#include "kernel_pool.h"
#include "kernel_test.h"

#define ADDRESS     0x200000000UL
#define READ_WRITE  (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)
#define NO_MEMORY   (500UL << (30 - PAGE_SHIFT)) /* a pfn at which no machine of the tests has memory */
#define PATIENCE_NS (10000 * NS_PER_MS)
#define HUGE_FRAMES (1UL << HUGE_PAGE_ORDER)

/* The kernel's image has more frames than this, wherever it is: a search can make such steps. */
#define KERNEL_FRAMES 16UL

static struct space space;

static void scene_open(void)
{
    space_new(&space);
    space_give_tables(&space, 4);
}

static long map_at(uint64_t address, uint64_t pfn)
{
    return space_map(&space, address, pfn << PAGE_SHIFT | READ_WRITE);
}

static long donate(uint64_t pfn)
{
    return space_item(&space, MAP_ITEM_TABLE, pfn << PAGE_SHIFT);
}

/* Tries to make every type of object in a frame; the result if all give the same, else 1. */
static long create_any(uint64_t pfn)
{
    const uint64_t slot = slot_new(), spare = frame_new();
    long first = 0;

    for (uint64_t type = CAP_THREAD; type <= CAP_TABLE; type++) {
        const uint64_t extra = type == CAP_ASPACE ? spare : 0;
        const long result = sys_object_create(SLOT_PHYSICAL, (enum cap_type)type, pfn, 0, slot, extra);
        if (type == CAP_THREAD)
            first = result;
        else if (result != first)
            first = 1;
    }
    slot_free(slot);
    frame_end(spare);
    return first;
}

static long make_space_on(uint64_t object, uint64_t top)
{
    const uint64_t slot = slot_new();
    const long result = sys_object_create(SLOT_PHYSICAL, CAP_ASPACE, object, 0, slot, top);
    slot_free(slot);
    return result;
}

/* Nobody gets at a frame of this kind: neither by mapping it nor by donating it for anything. */
static void check_closed(uint64_t pfn, long error)
{
    const uint64_t other = frame_new();
    const enum frame_type type = frame_type(pfn);
    const uint64_t references = frame_references(pfn);

    CHECK_EQ(map_at(ADDRESS, pfn), error);
    CHECK_EQ(space_item(&space, ADDRESS | MAP_ITEM_MAP | MAP_ITEM_REPLACE, pfn << PAGE_SHIFT | ENTRY_READ), error);
    CHECK_EQ(donate(pfn), error);
    CHECK_EQ(make_space_on(other, pfn), error);
    CHECK_EQ(frame_type(pfn), type);
    CHECK_EQ(frame_references(pfn), references);
    CHECK_EQ(space_entry(&space, ADDRESS), 0);
    frame_end(other);
}

static void test_tables(void)
{
    const uint64_t table = frame_new(), page = frame_new();

    scene_open();
    CHECK_EQ(donate(table), 1);
    check_closed(table, -EPERM); /* a spare one */
    check_closed(space.top, -EPERM);
    CHECK_EQ(create_any(table), -EPERM);
    CHECK_EQ(create_any(space.top), -EPERM);
    /* All spare ones in use, then none again: it is the same frame throughout. */
    CHECK_EQ(map_at(ADDRESS << 3, page), 1);
    CHECK_EQ(frame_type(table), FRAME_TABLE);
    CHECK_EQ(create_any(table), -EPERM);
    CHECK_EQ(space_unmap(&space, ADDRESS << 3, 1), 1);
    CHECK_EQ(space_unmap(&space, ADDRESS << 3, 1), 0);
    check_closed(table, -EPERM);
    space_end(&space);
    CHECK_EQ(frame_type(page), FRAME_USER);
    frame_end(page);
}

static void test_objects(void)
{
    const uint64_t slot = slot_new(), again = slot_new(), pfn = frame_new();

    scene_open();
    MUST(sys_object_create(SLOT_PHYSICAL, CAP_ENDPOINT, pfn, 3, slot, 0));
    check_closed(pfn, -EPERM);
    check_closed(space.object, -EPERM);
    CHECK_EQ(sys_object_create(SLOT_PHYSICAL, CAP_ENDPOINT, pfn, 3, again, 0), -EBUSY);
    CHECK_EQ(sys_object_create(SLOT_PHYSICAL, CAP_ENDPOINT, pfn, OBJECTS_PER_FRAME_SMALL, again, 0), -EINVAL);
    CHECK_EQ(sys_object_create(SLOT_PHYSICAL, CAP_NOTIFICATION, pfn, 4, again, 0), -EPERM);
    CHECK_EQ(sys_object_create(SLOT_PHYSICAL, CAP_ENDPOINT, pfn, 4, slot, 0), -EEXIST);
    CHECK_EQ(sys_object_create(SLOT_PHYSICAL, CAP_SLOTS, pfn, 0, SLOT_NONE, SLOT_TABLE), -EPERM);
    CHECK_EQ(frame_references(pfn), 1);
    /* Freed once, and only once. */
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, slot, NULL), 0);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, slot, NULL), -EBADF);
    space_end(&space);
    slot_free(slot), slot_free(again);
    frame_end(pfn);
}

/* A frame that is held is nobody's alone, and stays what it is. */
static void test_held(void)
{
    const uint64_t pfn = frame_new();
    uint64_t left = 9;

    scene_open();
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_DROP, pfn, 0, &left), -EINVAL);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_HOLD, pfn, 0, NULL), 0);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_HOLD, pfn, 0, NULL), -EBUSY);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_HOLD, space.top, 0, NULL), -EPERM);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_DROP, space.top, 0, &left), -EINVAL);
    CHECK_EQ(donate(pfn), -EBUSY);
    CHECK_EQ(create_any(pfn), -EBUSY);
    CHECK_EQ(map_at(ADDRESS, pfn), 1);
    CHECK_EQ(frame_references(pfn), 2);
    CHECK(space_entry(&space, ADDRESS) & ENTRY_SHARED);
    CHECK_EQ(space_item(&space, ADDRESS | MAP_ITEM_PROMOTE, ENTRY_READ | ENTRY_WRITE), -EBUSY);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_DROP, pfn, 0, &left), 0);
    CHECK_EQ(left, 1);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_DROP, pfn, 0, &left), -EINVAL);
    CHECK_EQ(space_item(&space, ADDRESS | MAP_ITEM_PROMOTE, ENTRY_READ | ENTRY_WRITE), 1);
    CHECK_EQ(space_unmap(&space, ADDRESS, 1), 1);
    CHECK_EQ(frame_references(pfn), 0);
    space_end(&space);
    frame_end(pfn);
}

static void test_mapped(void)
{
    const uint64_t pfn = frame_new();

    scene_open();
    CHECK_EQ(map_at(ADDRESS, pfn), 1);
    CHECK_EQ(map_at(ADDRESS, pfn), -EEXIST);
    CHECK_EQ(map_at(ADDRESS + PAGE_SIZE, pfn), 1);
    CHECK_EQ(frame_references(pfn), 2);
    for (unsigned left = 2; left > 0; left--) {
        CHECK_EQ(donate(pfn), -EBUSY);
        CHECK_EQ(create_any(pfn), -EBUSY);
        CHECK_EQ(make_space_on(pfn, pfn), -EBUSY);
        CHECK_EQ(sys_object_create(SLOT_PHYSICAL, CAP_SLOTS, pfn, 0, SLOT_NONE, SLOT_TABLE), -EBUSY);
        CHECK_EQ(space_unmap(&space, ADDRESS + (left - 1) * PAGE_SIZE, 1), 1);
        CHECK_EQ(space_unmap(&space, ADDRESS + (left - 1) * PAGE_SIZE, 1), 0);
        CHECK_EQ(frame_references(pfn), left - 1);
    }
    /* An object and its own table cannot share a frame either, and an error leaves nothing of the two. */
    CHECK_EQ(make_space_on(pfn, pfn), -EPERM);
    CHECK_EQ(frame_type(pfn), FRAME_USER);
    space_end(&space);
    frame_end(pfn);
}

/* Frames that the system lives on: of this program, of the kernel, of nobody. */
static void test_foreign(void)
{
    static uint64_t variable = 1;
    const void *const own[] = {&variable, (const void *)(uintptr_t)test_foreign, ipc_buffer()};
    struct thread_info info;
    uint64_t kernel = 0;

    scene_open();
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        const uint64_t pfn = (own_entry(own[i]) & ENTRY_ADDRESS) >> PAGE_SHIFT;
        CHECK(pfn != 0);
        CHECK_EQ(donate(pfn), -EBUSY);
        CHECK_EQ(create_any(pfn), -EBUSY);
        CHECK(frame_references(pfn) >= 1);
    }
    check_closed(NO_MEMORY, -EFAULT);
    check_closed(UINT64_MAX >> PAGE_SHIFT & ENTRY_ADDRESS >> PAGE_SHIFT, -EFAULT);
    CHECK_EQ(create_any(NO_MEMORY), -EFAULT);
    CHECK_EQ(create_any(UINT64_MAX), -EFAULT);
    for (uint64_t pfn = 0; pfn < pool_first() && !kernel; pfn += KERNEL_FRAMES)
        kernel = frame_type(pfn) == FRAME_KERNEL ? pfn : 0;
    if (CHECK(kernel != 0)) {
        check_closed(kernel, -EPERM);
        CHECK_EQ(create_any(kernel), -EPERM);
    }
    info = thread_look(SLOT_THREAD);
    CHECK_EQ(info.state, THREAD_STATE_RUNNABLE);
    space_end(&space);
}

/* A thread's buffer counts as mapped for as long as the thread has it. */
static void test_buffer(void)
{
    static struct child child;

    scene_open();
    child_new(&child, &space, 0, 8);
    CHECK_EQ(frame_references(child.buffer), 2);
    CHECK_EQ(space_unmap(&space, 0x700000000000UL, 1), 1);
    CHECK_EQ(frame_references(child.buffer), 1);
    CHECK_EQ(donate(child.buffer), -EBUSY);
    CHECK_EQ(create_any(child.buffer), -EBUSY);
    CHECK_EQ(sys_thread_control(child.thread, THREAD_CONFIGURE, space.slot, child.table, space.top, 0, 0), -EPERM);
    CHECK_EQ(sys_thread_control(child.thread, THREAD_CONFIGURE, space.slot, child.table, child.slots, 0, 0), -EPERM);
    CHECK_EQ(sys_thread_control(child.thread, THREAD_CONFIGURE, space.slot, child.table, NO_MEMORY, 0, 0), -EFAULT);
    CHECK_EQ(sys_thread_control(child.thread, THREAD_CONFIGURE, space.slot, child.table, child.buffer, 1, 0), -EINVAL);
    CHECK_EQ(sys_thread_control(child.thread, THREAD_CONFIGURE, space.slot, child.table, child.buffer, USER_VA_END, 0),
             -EINVAL);
    CHECK_EQ(frame_references(child.buffer), 1);
    child_end(&child);
    space_end(&space);
}

static void test_addresses(void)
{
    static const uint64_t bad[] = {USER_VA_END, 0xffff800040000000UL & ~0xfffUL, 0xffffffff80000000UL, 1UL << 63};
    const uint64_t pfn = frame_new();
    uint64_t next;

    scene_open();
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(map_at(bad[i], pfn), -EINVAL);
        CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, bad[i], 1, 0, &next), -EINVAL);
        CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, bad[i] - PAGE_SIZE, 2, ENTRY_READ, &next), -EINVAL);
        CHECK_EQ(sys_harvest(SLOT_PHYSICAL, space.slot, bad[i], 1, 0, &next), -EINVAL);
    }
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, ADDRESS + 1, 1, 0, &next), -EINVAL);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, 0, UINT64_MAX, 0, &next), -EINVAL);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, PAGE_SIZE, UINT64_MAX / PAGE_SIZE + 1, 0, &next), -EINVAL);
    CHECK_EQ(sys_map(SLOT_PHYSICAL, space.slot, MAP_ITEMS_MAX + 1), -EINVAL);
    CHECK_EQ(sys_map(SLOT_PHYSICAL, space.slot, UINT64_MAX), -EINVAL);
    CHECK_EQ(space_item(&space, ADDRESS | 7, pfn << PAGE_SHIFT), -EINVAL);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_LOG, 3585, 0, NULL), -EINVAL);
    CHECK_EQ(frame_references(pfn), 0);
    space_end(&space);
    frame_end(pfn);
}

/* Huge pages and small ones where the other is, and ranges that cover one in part. */
static void test_overlaps(void)
{
    const uint64_t pfn = frame_new(), huge = huge_block();
    const uint64_t entry = huge << PAGE_SHIFT | READ_WRITE | ENTRY_HUGE;
    uint64_t next;

    scene_open();
    CHECK_EQ(space_map(&space, ADDRESS + PAGE_SIZE, entry), -EINVAL);
    CHECK_EQ(space_map(&space, ADDRESS, entry + PAGE_SIZE), -EINVAL);
    CHECK_EQ(map_at(ADDRESS + PAGE_SIZE, pfn), 1);
    CHECK_EQ(space_map(&space, ADDRESS, entry), -EEXIST);
    CHECK_EQ(space_item(&space, ADDRESS | MAP_ITEM_MAP | MAP_ITEM_REPLACE, entry), -EEXIST);
    CHECK_EQ(frame_references(huge), 0);
    CHECK_EQ(space_map(&space, ADDRESS + HUGE_PAGE_SIZE, entry), 1);
    CHECK_EQ(map_at(ADDRESS + HUGE_PAGE_SIZE + PAGE_SIZE, pfn), -EEXIST);
    CHECK_EQ(frame_references(huge + HUGE_FRAMES - 1), 1);
    CHECK_EQ(donate(huge + 17), -EBUSY);
    CHECK_EQ(create_any(huge + HUGE_FRAMES - 1), -EBUSY);
    /* A part of it goes without a spare table for the rest: what lies before is done, then it stops there. */
    (void)space_take_tables(&space);
    CHECK_EQ(sys_protect(SLOT_PHYSICAL, space.slot, ADDRESS + HUGE_PAGE_SIZE, 1, 0, &next), -ENOMEM);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, ADDRESS, HUGE_FRAMES + 1, 0, &next), 1);
    CHECK_EQ(next, ADDRESS + HUGE_PAGE_SIZE);
    CHECK_EQ(frame_references(pfn), 0);
    /* With one it becomes pages, of which one goes. */
    space_give_tables(&space, 1);
    CHECK_EQ(sys_unmap(SLOT_PHYSICAL, space.slot, ADDRESS + HUGE_PAGE_SIZE + PAGE_SIZE, 1, 0, &next), 1);
    CHECK_EQ(frame_references(huge + 1), 0);
    CHECK_EQ(frame_references(huge + 2), 1);
    CHECK_EQ(space_unmap(&space, ADDRESS, 2 * HUGE_FRAMES), (long)HUGE_FRAMES - 1);
    space_give_tables(&space, 4);
    /* One frame of it is a table now: the block cannot be mapped, and no frame of it is. */
    CHECK_EQ(donate(huge + 17), 1);
    CHECK_EQ(space_map(&space, ADDRESS, entry), -EPERM);
    CHECK_EQ(frame_references(huge), 0);
    CHECK_EQ(frame_references(huge + 16), 0);
    CHECK_EQ(sys_aspace_control(SLOT_PHYSICAL, space.slot, ASPACE_TAKE_TABLES, 1, 0, NULL), 1);
    CHECK_EQ(ipc_buffer()->words[0], huge + 17);
    space_end(&space);
    frame_end(pfn);
}

static void test_forged(void)
{
    static const uint64_t beyond[] = {SLOTS_PER_FRAME, 1UL << 15, 1UL << 32, 1UL << 63, UINT64_MAX, 0xffff800040000000};
    const uint64_t weak = capability_new(SLOT_PHYSICAL, RIGHT_COPY | RIGHT_SEND, 0), end = slot_new();
    const uint64_t notification = object_new(CAP_NOTIFICATION);
    const uint64_t badged = capability_new(notification, RIGHT_SEND | RIGHT_COPY, 7);
    struct message m = {0};

    for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        CHECK_EQ(sys_system(beyond[i], SYSTEM_POWER_OFF, 0, 0, NULL), -EBADF);
        CHECK_EQ(sys_call(beyond[i], &m), -EBADF);
        CHECK_EQ(sys_reply(beyond[i], &m), -EBADF);
        CHECK_EQ(sys_cap_copy(SLOT_TABLE, beyond[i], weak, RIGHT_ALL, 0), -EBADF);
        CHECK_EQ(sys_cap_delete(SLOT_TABLE, beyond[i]), -EBADF);
        CHECK_EQ(sys_cap_query(beyond[i], NULL), -EBADF);
    }
    CHECK_EQ(sys_system(weak, SYSTEM_POWER_OFF, 0, 0, NULL), -EPERM);
    CHECK_EQ(sys_system(SLOT_TABLE, SYSTEM_POWER_OFF, 0, 0, NULL), -EBADF);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, SLOT_PHYSICAL, NULL), -EPERM);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, SLOT_TABLE, NULL), -EBUSY);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, SLOT_MEMSRV, NULL), -EPERM);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, SLOT_THREAD, NULL), -EDEADLK);
    /* No copy has more rights than its source, or another name. */
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, end, weak, RIGHT_ALL, 0), 0);
    CHECK_EQ(sys_cap_query(end, NULL) >> 8, RIGHT_COPY | RIGHT_SEND);
    CHECK_EQ(sys_cap_delete(SLOT_TABLE, end), 0);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, end, badged, RIGHT_ALL, 8), -EPERM);
    CHECK_EQ(sys_cap_copy(SLOT_TABLE, end, SLOT_MEMSRV, RIGHT_ALL, 1), -EPERM);
    CHECK_EQ(sys_wait(badged, DEADLINE_POLL, &m.tag), -EPERM);
    slot_free(weak), slot_free(end), slot_free(badged);
    object_end(notification);
}

static struct probe {
    uint64_t address;
    volatile uint64_t value;
    atomic_bool done;
} probe;

static void look(void *argument)
{
    struct probe *p = argument;
    p->value = *(volatile uint64_t *)p->address;
    *(volatile uint64_t *)p->address = p->value + 1;
    atomic_store(&p->done, true);
}

/* True if a thread can read and write a frame through the window, false if that is a fault. */
static bool window_shows(uint64_t pfn)
{
    static struct child child;

    probe.address = WINDOW_BASE + (pfn << PAGE_SHIFT);
    atomic_store(&probe.done, false);
    child_new(&child, &space, 0, 8);
    child_start(&child, look, &probe);
    const uint64_t end = now_ns() + PATIENCE_NS;
    enum thread_state state = THREAD_STATE_RUNNABLE;
    while (!atomic_load(&probe.done) && state != THREAD_STATE_FAULTED && now_ns() < end) {
        sleep_ns(NS_PER_MS / 10);
        state = (enum thread_state)thread_look(child.thread).state;
    }
    if (state == THREAD_STATE_FAULTED) {
        CHECK_EQ(thread_look(child.thread).fault.address, probe.address);
        CHECK_EQ(thread_look(child.thread).fault.entry, 0);
    }
    child_end(&child);
    return atomic_load(&probe.done);
}

/* The window follows the frame table: what is not a user frame is not in it, from the moment on that it is not. */
static void test_window(void)
{
    const uint64_t pfn = frame_new(), slot = slot_new();

    scene_open();
    space_share_program(&space);
    CHECK_EQ(map_at(WINDOW_BASE, pfn), 1);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_WINDOW, space.slot, 0, NULL), -EEXIST);
    CHECK_EQ(space_unmap(&space, WINDOW_BASE, 1), 1);
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_WINDOW, space.slot, 0, NULL), 0);
    space.window = true;
    CHECK_EQ(sys_system(SLOT_PHYSICAL, SYSTEM_WINDOW, space.slot, 0, NULL), -EEXIST);
    CHECK_EQ(map_at(WINDOW_BASE, pfn), -EINVAL);
    CHECK(window_shows(pfn) && window_shows(pfn));
    CHECK(!window_shows(space.top) && !window_shows(space.object) && !window_shows(NO_MEMORY));
    MUST(sys_object_create(SLOT_PHYSICAL, CAP_REPLY, pfn, 0, slot, 0));
    CHECK(!window_shows(pfn));
    MUST(sys_object_destroy(SLOT_PHYSICAL, slot, NULL));
    CHECK(window_shows(pfn));
    CHECK_EQ(donate(pfn), 1);
    CHECK(!window_shows(pfn));
    space_end(&space);
    slot_free(slot);
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a table is not mapped, not donated, holds no objects", test_tables},
        {"objects are not mapped, not donated, and freed once", test_objects},
        {"what is mapped, once or twice, is not donated", test_mapped},
        {"what is held is nobody's alone", test_held},
        {"frames of the system are closed", test_foreign},
        {"a buffer is mapped while a thread has it", test_buffer},
        {"addresses that are the kernel's, misaligned, or wrap around", test_addresses},
        {"huge pages and small ones do not overlap", test_overlaps},
        {"capabilities that are made up, too weak, or renamed", test_forged},
        {"the window shows user frames and nothing else", test_window},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
