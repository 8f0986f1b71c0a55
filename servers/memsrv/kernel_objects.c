/* SPDX-License-Identifier: MIT */
/*
 * Places in frames. A frame's page descriptor says what is in it: `owner` is the shelf of its type, `private_data` the
 * places that are taken, `link` is on the shelf's list while places are free.
 */
#include <errno.h>

#include <base/bits.h>
#include <base/lock.h>
#include <quire/syscall.h>

#include "kernel_objects.h"
#include "log.h"
#include "memory.h"

#define SLOT_MAX    (SLOTS_PER_FRAME * CAP_TABLE_FRAMES_MAX)
#define SLOT_WORDS  (SLOT_MAX / 64)
#define SLOTS_EARLY (16 * SLOTS_PER_FRAME)
/* How often a destruction that the kernel does in parts is gone on with before the caller is told EAGAIN. */
#define DESTROY_ROUNDS 20000u

/* Frames with objects of one type. */
struct shelf {
    uint32_t per_frame;
    uint32_t frames;
    struct list partial; /* struct page, link: frames with a free place */
};

static struct spinlock objects_lock;
static struct shelf shelves[CAP_TYPE_COUNT] GUARDED_BY(objects_lock) = {
    [CAP_THREAD] = {.per_frame = OBJECTS_PER_FRAME_THREAD},
    [CAP_ASPACE] = {.per_frame = OBJECTS_PER_FRAME_ASPACE},
    [CAP_ENDPOINT] = {.per_frame = OBJECTS_PER_FRAME_SMALL},
    [CAP_NOTIFICATION] = {.per_frame = OBJECTS_PER_FRAME_SMALL},
    [CAP_REPLY] = {.per_frame = OBJECTS_PER_FRAME_SMALL},
    [CAP_IRQ] = {.per_frame = OBJECTS_PER_FRAME_SMALL},
    [CAP_TABLE] = {.per_frame = OBJECTS_PER_FRAME_TABLE},
};
static uint64_t slots_taken[SLOT_WORDS] GUARDED_BY(objects_lock); /* bit: slot is taken or does not exist */
static uint64_t slot_end GUARDED_BY(objects_lock);                /* slots that the table has */
static uint64_t slot_word_hint GUARDED_BY(objects_lock);          /* no free slot is in a word before this one */
static uint64_t object_pages GUARDED_BY(objects_lock);

/* --- Slots -------------------------------------------------------------------------------------------------------- */

static void mark_slot_free(uint64_t slot) REQUIRES(objects_lock)
{
    slots_taken[slot / 64] &= ~(1UL << slot % 64);
    if (slot / 64 < slot_word_hint)
        slot_word_hint = slot / 64;
}

/* Makes memsrv's own table longer. */
static int grow_own_table(void) REQUIRES(objects_lock)
{
    if (slot_end + SLOTS_PER_FRAME > SLOT_MAX)
        return -ENOMEM;
    struct page *page = system_page_take(PAGE_OBJECT);
    if (!page)
        return -ENOMEM;
    long error = sys_object_create(SLOT_PHYSICAL, CAP_SLOTS, page_pfn(page), 0, 0, SLOT_TABLE);
    if (error) {
        system_page_give(page);
        return (int)error;
    }
    object_pages++;
    for (uint64_t i = 0; i < SLOTS_PER_FRAME; i++)
        mark_slot_free(slot_end + i);
    slot_end += SLOTS_PER_FRAME;
    return 0;
}

static uint64_t take_slot(void) REQUIRES(objects_lock)
{
    for (;;) {
        for (; slot_word_hint < slot_end / 64; slot_word_hint++) {
            uint64_t free_slots = ~slots_taken[slot_word_hint];
            if (free_slots) {
                unsigned bit = lowest_bit(free_slots);
                slots_taken[slot_word_hint] |= 1UL << bit;
                return slot_word_hint * 64 + bit;
            }
        }
        if (grow_own_table() != 0)
            return SLOT_NONE;
    }
}

/* --- Places ------------------------------------------------------------------------------------------------------- */

static uint64_t all_places(const struct shelf *shelf) REQUIRES(objects_lock)
{
    return (1UL << shelf->per_frame) - 1;
}

static struct page *take_frame(struct shelf *shelf) REQUIRES(objects_lock)
{
    struct list *first = list_first(&shelf->partial);
    if (first)
        return CONTAINER_OF(first, struct page, link);
    struct page *page = system_page_take(PAGE_OBJECT);
    if (!page)
        return NULL;
    page->owner = shelf;
    page->private_data = 0;
    list_push_front(&shelf->partial, &page->link);
    shelf->frames++;
    object_pages++;
    return page;
}

static bool take_place(struct kernel_object *object) REQUIRES(objects_lock)
{
    struct shelf *shelf = &shelves[object->type];
    object->frame = take_frame(shelf);
    if (!object->frame)
        return false;
    object->index = lowest_bit(~object->frame->private_data);
    object->frame->private_data |= 1UL << object->index;
    if (object->frame->private_data == all_places(shelf))
        list_remove(&object->frame->link);
    return true;
}

static void give_place(const struct kernel_object *object) REQUIRES(objects_lock)
{
    struct shelf *shelf = &shelves[object->type];
    struct page *frame = object->frame;

    ASSERT(frame->private_data & 1UL << object->index);
    if (frame->private_data == all_places(shelf))
        list_push_front(&shelf->partial, &frame->link);
    frame->private_data &= ~(1UL << object->index);
    if (frame->private_data)
        return;
    list_remove(&frame->link);
    shelf->frames--;
    object_pages--;
    system_page_give(frame);
}

/* --- Objects ------------------------------------------------------------------------------------------------------ */

void kernel_objects_init(uint64_t first_free_slot, uint64_t slot_count)
{
    spinlock_init(&objects_lock);
    if (first_free_slot < SLOT_FIRST_FREE || slot_count % SLOTS_PER_FRAME || slot_count > SLOT_MAX)
        fatal("root describes memsrv's table as %lu slots, free from %lu", slot_count, first_free_slot);
    spinlock_acquire(&objects_lock);
    for (unsigned type = 0; type < CAP_TYPE_COUNT; type++)
        list_init(&shelves[type].partial);
    for (unsigned word = 0; word < SLOT_WORDS; word++)
        slots_taken[word] = UINT64_MAX;
    slot_end = slot_count;
    slot_word_hint = slot_end / 64;
    for (uint64_t slot = first_free_slot; slot < slot_end; slot++)
        mark_slot_free(slot);
    while (slot_end < SLOTS_EARLY && grow_own_table() == 0)
        continue;
    spinlock_release(&objects_lock);
}

int kernel_object_create(enum cap_type type, uint64_t extra, struct kernel_object *object)
{
    *object = (struct kernel_object){.type = type};
    spinlock_acquire(&objects_lock);
    uint64_t slot = take_slot();
    bool placed = slot != SLOT_NONE && take_place(object);
    if (slot != SLOT_NONE && !placed)
        mark_slot_free(slot);
    spinlock_release(&objects_lock);
    if (!placed)
        return -ENOMEM;

    long error = sys_object_create(SLOT_PHYSICAL, type, page_pfn(object->frame), object->index, slot, extra);
    if (!error) {
        object->slot = slot;
        return 0;
    }
    spinlock_acquire(&objects_lock);
    give_place(object);
    mark_slot_free(slot);
    spinlock_release(&objects_lock);
    return (int)error;
}

/* A table gives its frames of slots back one after the other. */
static void give_slot_frame(uint64_t pfn)
{
    spinlock_acquire(&objects_lock);
    object_pages--;
    system_page_give(page_of(pfn));
    spinlock_release(&objects_lock);
}

int kernel_object_destroy(struct kernel_object *object)
{
    long result = -EAGAIN;

    if (object->slot == SLOT_NONE)
        return 0;
    for (uint32_t round = 0; round < DESTROY_ROUNDS && (result == -EAGAIN || result > 0); round++) {
        uint64_t pfn = 0;
        result = sys_object_destroy(SLOT_PHYSICAL, object->slot, &pfn);
        if (result > 0)
            give_slot_frame(pfn);
        else if (result == -EAGAIN)
            (void)sys_yield();
    }
    if (result)
        return result > 0 ? -EAGAIN : (int)result;
    spinlock_acquire(&objects_lock);
    give_place(object);
    mark_slot_free(object->slot);
    spinlock_release(&objects_lock);
    object->slot = SLOT_NONE;
    return 0;
}

int kernel_table_grow(const struct kernel_object *table)
{
    struct page *page = system_page_take(PAGE_OBJECT);
    if (!page)
        return -ENOMEM;
    long error = sys_object_create(SLOT_PHYSICAL, CAP_SLOTS, page_pfn(page), 0, 0, table->slot);
    if (error) {
        system_page_give(page);
        return (int)error;
    }
    spinlock_acquire(&objects_lock);
    object_pages++;
    spinlock_release(&objects_lock);
    return 0;
}

uint64_t kernel_object_pages(void)
{
    spinlock_acquire(&objects_lock);
    uint64_t pages = object_pages;
    spinlock_release(&objects_lock);
    return pages;
}

static int check_shelf(struct shelf *shelf) REQUIRES(objects_lock)
{
    uint32_t count = 0;
    LIST_FOR_EACH (link, &shelf->partial) {
        const struct page *page = CONTAINER_OF(link, struct page, link);
        uint64_t taken = page->private_data;
        if (++count > shelf->frames || page->owner != shelf || !(page->flags & PAGE_OBJECT))
            return -EIO;
        if (taken == 0 || taken >= all_places(shelf))
            return -EIO;
    }
    return 0;
}

int kernel_objects_check(void)
{
    int error = 0;
    spinlock_acquire(&objects_lock);
    uint64_t frames = 0;
    for (unsigned type = 0; type < CAP_TYPE_COUNT && !error; type++) {
        if (shelves[type].per_frame)
            error = check_shelf(&shelves[type]);
        frames += shelves[type].frames;
    }
    if (frames > object_pages)
        error = -EIO;
    spinlock_release(&objects_lock);
    return error;
}
