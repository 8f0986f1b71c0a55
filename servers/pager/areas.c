/* SPDX-License-Identifier: MIT */
/* Volumes for swapped pages: those that an earlier pager used, and those that a disk has for it. */
#include <proto/blk_client.h>
#include <proto/memsrv_client.h>
#include <stdio.h>

#include "server.h"
#include "swap_header.h"

/* What partition tables say of a partition for swapped pages. */
#define TYPE_GPT "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
#define TYPE_MBR "0x82"

#define PRIORITY_FOUND (-2) /* of what was found: what is asked for is filled first */

uint32_t areas_find(const struct pager_context *context, const void *name, size_t bytes)
{
    uint32_t area = 0;
    for (; area < SWAP_AREAS_MAX; area++) {
        const struct swap_use *use = &context->pager.swap_uses[area];
        if (use->memory && strlen(use->name) == bytes && memcmp(use->name, name, bytes) == 0)
            break;
    }
    return area;
}

/* True if an area has that volume, by whatever name. */
static bool is_used(const struct pager_context *context, uint64_t volume)
{
    for (uint32_t area = 0; area < SWAP_AREAS_MAX; area++) {
        const struct swap_use *use = &context->pager.swap_uses[area];
        if (use->memory && use->open && use->volume == volume)
            return true;
    }
    return false;
}

/* The size is in front of the memory. */
static void *memory_new(uint64_t slots)
{
    const uint64_t bytes = sizeof(uint64_t) + SWAP_MAP_BYTES(slots);
    uint64_t *memory = server_memory(bytes);
    if (!memory)
        return NULL;
    *memory = bytes;
    return memory + 1;
}

void areas_memory_free(struct pager_context *context, void *memory)
{
    uint64_t *start = (uint64_t *)memory - 1;
    server_memory_free(start, *start);
}

static void note_bad(struct pager_context *context, uint32_t area, const struct swap_header_use *use)
{
    for (uint32_t i = 0; i < use->bad_count; i++)
        (void)!swap_map_set_bad(&context->pager.swap, swap_slot_make(area, use->bad[i]));
}

int areas_add(struct pager_context *context, const char *name, int32_t priority)
{
    struct swap_header_use use;
    int error = swap_header_read(name, &use);
    if (error < 0)
        return error;
    if (is_used(context, use.volume))
        return -EBUSY;
    void *memory = memory_new(use.slots);
    if (!memory)
        return -ENOMEM;
    int area = swap_on(&context->pager, use.volume, name, use.slots, priority, memory);
    if (area < 0) {
        areas_memory_free(context, memory);
        return area;
    }
    note_bad(context, (uint32_t)area, &use);
    return 0;
}

/* --- After an earlier pager ----------------------------------------------------------------------------------------- */

static void recover_slots(struct pager_context *context)
{
    uint64_t slots[PROTO_DATA_MAX / sizeof(uint64_t)], cursor = 0;
    do {
        size_t bytes = 0;
        int error = memsrv_swap_slots(SLOT_MEMSRV, cursor, &cursor, slots, sizeof(slots), &bytes);
        if (error < 0) {
            server_log("pager: cannot learn which slots are used: error %d\n", error);
            return;
        }
        for (size_t i = 0; i < bytes / sizeof(slots[0]); i++)
            swap_recovered(&context->pager, slots[i]);
    } while (cursor != 0);
}

void areas_recover(struct pager_context *context)
{
    struct memsrv_swap_note notes[MEMSRV_SWAP_AREAS];
    size_t count = 0;
    int error = memsrv_swap_areas(SLOT_MEMSRV, notes, MEMSRV_SWAP_AREAS, &count);
    for (size_t i = 0; error == 0 && i < count; i++) {
        void *memory = memory_new(notes[i].slots);
        error = memory ? swap_recover(&context->pager, (uint32_t)notes[i].area, notes[i].name, notes[i].slots,
                                      (int32_t)notes[i].priority, memory)
                       : -ENOMEM;
    }
    if (error < 0)
        server_log("pager: areas for swapped pages are lost: error %d\n", error);
    if (count > 0)
        recover_slots(context);
}

/* --- When there are disks ------------------------------------------------------------------------------------------- */

static void open_known(struct pager_context *context)
{
    struct swap_header_use use;
    for (uint32_t area = 0; area < SWAP_AREAS_MAX; area++) {
        const struct swap_use *known = &context->pager.swap_uses[area];
        if (!known->memory || known->open || swap_header_read(known->name, &use) < 0 || use.slots != known->slots)
            continue;
        swap_opened(&context->pager, area, use.volume);
        note_bad(context, area, &use);
    }
}

/* Uses a partition if its type and its first page say that it is for that. */
static void use_found(struct pager_context *context, const struct blk_volume *volume)
{
    char name[sizeof(context->pager.swap_uses[0].name)];
    if (strcmp(volume->type, TYPE_GPT) != 0 && strcmp(volume->type, TYPE_MBR) != 0)
        return;
    int length = snprintf(name, sizeof(name), volume->label[0] ? "label=%s" : "%s",
                          volume->label[0] ? volume->label : volume->name);
    if (length < 0 || (size_t)length >= sizeof(name))
        return;
    int error = areas_add(context, name, PRIORITY_FOUND);
    if (error < 0)
        server_log("pager: %s is not swapped to: error %d\n", name, error);
}

void areas_open(struct pager_context *context)
{
    struct blk_volume volumes[8];
    uint64_t cursor = 0;
    if (context->session == 0)
        return;
    open_known(context);
    if (!context->looks)
        return;
    context->looks = false;
    do {
        size_t count = 0;
        if (blk_list(SLOT_BLK, cursor, &cursor, volumes, sizeof(volumes) / sizeof(volumes[0]), &count) < 0)
            return;
        for (size_t i = 0; i < count; i++)
            use_found(context, &volumes[i]);
    } while (cursor != 0);
}
