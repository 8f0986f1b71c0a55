/* SPDX-License-Identifier: MIT */
/*
 * The kernel's objects live in frames that memsrv donates and cannot see from then on, so their caches are external:
 * which places of a frame are taken is in its page descriptor.
 */
#include <errno.h>

#include <base/bits.h>
#include <base/lock.h>
#include <quire/syscall.h>

#include "caches.h"
#include "fail_alloc.h"
#include "kernel_objects.h"
#include "log.h"
#include "memory.h"

#define SLOT_MAX    (SLOTS_PER_FRAME * CAP_TABLE_FRAMES_MAX)
#define SLOT_WORDS  (SLOT_MAX / 64)
#define SLOTS_EARLY (16 * SLOTS_PER_FRAME)
/* How long a destruction is gone on with that the kernel does in parts, or that has to wait until another CPU has stopped a
 * thread (which a CPU that its host has set aside does not for a while), before the caller is told EAGAIN. */
#define DESTROY_SECONDS 10u

/* What a frame holds. */
static const struct object_kind {
    const char *name;
    uint32_t per_frame;
} kinds[CAP_TYPE_COUNT] = {
    [CAP_THREAD] = {"kernel_thread", OBJECTS_PER_FRAME_THREAD},
    [CAP_ASPACE] = {"kernel_aspace", OBJECTS_PER_FRAME_ASPACE},
    [CAP_ENDPOINT] = {"kernel_endpoint", OBJECTS_PER_FRAME_SMALL},
    [CAP_NOTIFICATION] = {"kernel_notification", OBJECTS_PER_FRAME_SMALL},
    [CAP_REPLY] = {"kernel_reply", OBJECTS_PER_FRAME_SMALL},
    [CAP_IRQ] = {"kernel_irq", OBJECTS_PER_FRAME_SMALL},
    [CAP_TABLE] = {"kernel_table", OBJECTS_PER_FRAME_TABLE},
    [CAP_SLOTS] = {"kernel_slots", 1},
};

static struct kmem_cache object_caches[CAP_TYPE_COUNT]; /* each has a lock of its own, taken after objects_lock */
static uint64_t object_pages;                           /* atomic */
static struct spinlock objects_lock;                    /* guards the slots */
static uint64_t slots_taken[SLOT_WORDS] GUARDED_BY(objects_lock); /* bit: slot is taken or does not exist */
static uint64_t slot_end GUARDED_BY(objects_lock);                /* slots that the table has */
static uint64_t slot_word_hint GUARDED_BY(objects_lock);          /* no free slot is in a word before this one */

/* --- Slots -------------------------------------------------------------------------------------------------------- */

static void mark_slot_free(uint64_t slot) REQUIRES(objects_lock)
{
    slots_taken[slot / 64] &= ~(1UL << slot % 64);
    if (slot / 64 < slot_word_hint)
        slot_word_hint = slot / 64;
}

/* Donates a frame of slots to the table in `table_slot`. */
static int grow_table(uint64_t table_slot)
{
    struct kmem_place place;
    int error = kmem_place_alloc(&object_caches[CAP_SLOTS], &place);
    if (error)
        return error;
    long result = sys_object_create(SLOT_PHYSICAL, CAP_SLOTS, page_pfn(place.page), 0, 0, table_slot);
    if (result)
        kmem_place_free(&object_caches[CAP_SLOTS], place);
    return (int)result;
}

/* Makes memsrv's own table longer. */
static int grow_own_table(void) REQUIRES(objects_lock)
{
    if (slot_end + SLOTS_PER_FRAME > SLOT_MAX)
        return -ENOMEM;
    int error = grow_table(SLOT_TABLE);
    if (error)
        return error;
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

/* --- Frames ------------------------------------------------------------------------------------------------------- */

static struct page *get_frame(void *context, unsigned order)
{
    struct page *page = system_page_take(PAGE_OBJECT);
    if (page)
        __atomic_fetch_add(&object_pages, 1, __ATOMIC_RELAXED);
    return page;
}

static void put_frame(void *context, struct page *page, unsigned order)
{
    __atomic_fetch_sub(&object_pages, 1, __ATOMIC_RELAXED);
    system_page_give(page);
}

/* A frame goes back as soon as no object is in it: the kernel has let go of it then. */
static void init_caches(void)
{
    static const struct page_source source = {.get = get_frame, .put = put_frame};

    for (unsigned type = 0; type < CAP_TYPE_COUNT; type++) {
        if (!kinds[type].name)
            continue;
        struct kmem_cache_args args = {.flags = KMEM_EXTERNAL};
        cache_defaults(&args);
        args.name = kinds[type].name;
        args.external = kinds[type].per_frame;
        args.min_partial = 0;
        args.source = &source;
        if (kmem_cache_init(&object_caches[type], &args))
            fatal("cache %s cannot be made", args.name);
        cache_list(&object_caches[type]);
    }
}

static struct kmem_place place_of(const struct kernel_object *object)
{
    return (struct kmem_place){.page = object->frame, .index = object->index};
}

/* --- Objects ------------------------------------------------------------------------------------------------------ */

void kernel_objects_init(uint64_t first_free_slot, uint64_t slot_count)
{
    spinlock_init(&objects_lock, LOCK_KERNEL_OBJECTS);
    init_caches();
    if (first_free_slot < SLOT_FIRST_FREE || slot_count % SLOTS_PER_FRAME || slot_count > SLOT_MAX)
        fatal("root describes memsrv's table as %lu slots, free from %lu", slot_count, first_free_slot);
    spinlock_acquire(&objects_lock);
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

static void give_slot(uint64_t slot)
{
    spinlock_acquire(&objects_lock);
    mark_slot_free(slot);
    spinlock_release(&objects_lock);
}

int kernel_object_create(enum cap_type type, uint64_t extra, struct kernel_object *object)
{
    struct kmem_place place;

    *object = (struct kernel_object){.type = type};
    spinlock_acquire(&objects_lock);
    uint64_t slot = take_slot();
    spinlock_release(&objects_lock);
    if (slot == SLOT_NONE)
        return -ENOMEM;
    int error = fail_alloc_now(MEMSRV_FAIL_OBJECTS) ? -ENOMEM : kmem_place_alloc(&object_caches[type], &place);
    if (error) {
        give_slot(slot);
        return error;
    }
    long result = sys_object_create(SLOT_PHYSICAL, type, page_pfn(place.page), place.index, slot, extra);
    if (result) {
        kmem_place_free(&object_caches[type], place);
        give_slot(slot);
        return (int)result;
    }
    object->frame = place.page;
    object->index = place.index;
    object->slot = slot;
    return 0;
}

/* A table gives its frames of slots back one after the other. */
static void give_slot_frame(uint64_t pfn)
{
    kmem_place_free(&object_caches[CAP_SLOTS], (struct kmem_place){.page = page_of(pfn)});
}

int kernel_object_destroy(struct kernel_object *object)
{
    const uint64_t start = clock_ticks(), limit = DESTROY_SECONDS * clock_frequency();
    long result = -EAGAIN;

    if (object->slot == SLOT_NONE)
        return 0;
    while ((result == -EAGAIN || result > 0) && clock_ticks() - start < limit) {
        uint64_t pfn = 0;
        result = sys_object_destroy(SLOT_PHYSICAL, object->slot, &pfn);
        if (result > 0)
            give_slot_frame(pfn);
        else if (result == -EAGAIN)
            (void)sys_yield();
    }
    if (result)
        return result > 0 ? -EAGAIN : (int)result;
    kmem_place_free(&object_caches[object->type], place_of(object));
    give_slot(object->slot);
    object->slot = SLOT_NONE;
    return 0;
}

int kernel_table_grow(const struct kernel_object *table)
{
    return grow_table(table->slot);
}

uint64_t kernel_object_pages(void)
{
    return __atomic_load_n(&object_pages, __ATOMIC_RELAXED);
}
