/* SPDX-License-Identifier: MIT */
/* Kernel objects of root's own. */
#include "objects.h"

#include <errno.h>
#include <quire/syscall.h>
#include <stdbool.h>
#include <stddef.h>

#include "frames.h"
#include "log.h"
#include "slots.h"

/* Reply objects lie one after the other in these frames: first the servers', then the pool. */
#define FIXED_REPLIES 5u
#define REPLY_FRAMES  ((FIXED_REPLIES + REPLY_COUNT + OBJECTS_PER_FRAME_SMALL - 1) / OBJECTS_PER_FRAME_SMALL)

static uint64_t reply_frames[REPLY_FRAMES];
static bool reply_used[REPLY_COUNT];

/* Which of the reply objects a slot holds. */
static uint64_t reply_index(uint64_t slot)
{
    if (slot == ROOT_SLOT_MEMSRV_REPLY)
        return 0;
    if (slot == ROOT_SLOT_CONSOLE_REPLY)
        return 1;
    if (slot == ROOT_SLOT_FS_REPLY)
        return 2;
    if (slot == ROOT_SLOT_BLK_REPLY)
        return 3;
    if (slot == ROOT_SLOT_PAGER_REPLY)
        return 4;
    return FIXED_REPLIES + slot - ROOT_SLOT_REPLIES;
}

static void create_at(enum cap_type type, uint64_t pfn, uint64_t index, uint64_t slot, uint64_t extra)
{
    long result = sys_object_create(SLOT_PHYSICAL, type, pfn, index, slot, extra);
    if (result < 0)
        fatal("creating an object of type %lu in slot %lu: error %ld", (uint64_t)type, slot, result);
}

static void reply_create(uint64_t slot)
{
    uint64_t index = reply_index(slot);
    create_at(CAP_REPLY, reply_frames[index / OBJECTS_PER_FRAME_SMALL], index % OBJECTS_PER_FRAME_SMALL, slot, 0);
}

void object_create(enum cap_type type, uint64_t slot, uint64_t extra)
{
    create_at(type, frame_take(), 0, slot, extra);
}

void table_grow(uint64_t table, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        create_at(CAP_SLOTS, frame_take(), 0, SLOT_NONE, table);
}

void objects_create(const struct boot_info *info)
{
    if (info->root_first_free_slot > ROOT_SLOT_BASE)
        fatal("the kernel uses %lu of root's slots", info->root_first_free_slot);
    while (sys_cap_query(ROOT_SLOT_END, NULL) == -EBADF)
        table_grow(SLOT_TABLE, 1);

    static const uint64_t endpoints[] = {ROOT_SLOT_ENDPOINT,      ROOT_SLOT_MEMSRV_ENDPOINT, ROOT_SLOT_CONSOLE_ENDPOINT,
                                         ROOT_SLOT_FS_ENDPOINT,   ROOT_SLOT_BLK_ENDPOINT,    ROOT_SLOT_PAGER_ENDPOINT,
                                         ROOT_SLOT_FILES_ENDPOINT};
    uint64_t pfn = frame_take();
    for (uint64_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        create_at(CAP_ENDPOINT, pfn, i, endpoints[i], 0);
    pfn = frame_take();
    create_at(CAP_NOTIFICATION, pfn, 0, ROOT_SLOT_EVENTS, 0);
    create_at(CAP_NOTIFICATION, pfn, 1, ROOT_SLOT_WATCH, 0);
    create_at(CAP_NOTIFICATION, pfn, 2, ROOT_SLOT_FS_EVENTS, 0);
    create_at(CAP_NOTIFICATION, pfn, 3, ROOT_SLOT_BLK_EVENTS, 0);
    long result = sys_notification_bind(ROOT_SLOT_EVENTS, ROOT_SLOT_ENDPOINT);
    if (result == 0)
        result = sys_notification_bind(ROOT_SLOT_FS_EVENTS, ROOT_SLOT_FS_ENDPOINT);
    if (result == 0)
        result = sys_notification_bind(ROOT_SLOT_BLK_EVENTS, ROOT_SLOT_BLK_ENDPOINT);
    if (result < 0)
        fatal("binding the event notifications: error %ld", result);

    for (unsigned i = 0; i < REPLY_FRAMES; i++)
        reply_frames[i] = frame_take();
    reply_create(ROOT_SLOT_MEMSRV_REPLY);
    reply_create(ROOT_SLOT_CONSOLE_REPLY);
    reply_create(ROOT_SLOT_FS_REPLY);
    reply_create(ROOT_SLOT_BLK_REPLY);
    reply_create(ROOT_SLOT_PAGER_REPLY);
    for (uint64_t i = 0; i < REPLY_COUNT; i++)
        reply_create(ROOT_SLOT_REPLIES + i);
}

int capability_give(uint64_t table, uint64_t to, uint64_t from, uint64_t rights, uint64_t badge)
{
    return (int)sys_cap_copy(table, to, from, rights, badge);
}

void capability_drop(uint64_t slot)
{
    (void)!sys_cap_delete(SLOT_TABLE, slot);
}

uint64_t reply_take(void)
{
    for (uint64_t i = 0; i < REPLY_COUNT; i++) {
        if (reply_used[i])
            continue;
        reply_used[i] = true;
        return ROOT_SLOT_REPLIES + i;
    }
    return SLOT_NONE;
}

void reply_give_back(uint64_t slot)
{
    reply_used[slot - ROOT_SLOT_REPLIES] = false;
}

void object_destroy(uint64_t slot)
{
    long result;

    do {
        result = sys_object_destroy(SLOT_PHYSICAL, slot, NULL);
    } while (result == -EAGAIN);
    if (result < 0)
        fatal("destroying the object in slot %lu: error %ld", slot, result);
}

void reply_renew(uint64_t slot)
{
    object_destroy(slot);
    reply_create(slot);
}
