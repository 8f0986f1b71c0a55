/* SPDX-License-Identifier: MIT */
/*
 * The frame table: one small entry for each physical frame, which says what the frame is used as. It is the heart of
 * the kernel's safety: a frame becomes a translation table or holds kernel objects only while nothing maps it, and can
 * be mapped only while it is neither. So nobody outside reaches kernel state or forges a translation.
 *
 * Pure: the host tests run this very file. Lock: the kernel lock, everywhere.
 */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include "cap.h"

struct frame {
    uint32_t references; /* user: mappings; table: entries in use; object: objects in it */
    uint8_t type;        /* enum frame_type */
    uint8_t kind;        /* object: enum cap_type */
    uint16_t sharers;    /* table: address spaces that use it, besides one */
};
_Static_assert(sizeof(struct frame) == 8, "0.2% of memory");

/* Frames [first, first + count) have entries; frames outside are FRAME_NONE. */
struct frame_table {
    struct frame *frames;
    uint64_t first, count;
};

/* The entry of a frame (untrusted pfn); NULL if it has none. */
static inline struct frame *frame_find(const struct frame_table *table, uint64_t pfn)
{
    uint64_t index = pfn - table->first;
    return __builtin_expect(index < table->count, 1) ? &table->frames[index] : NULL;
}

/* Gives the frames [pfn, pfn + count), all inside the table, a type. Boot only. */
void frame_set_range(struct frame_table *table, uint64_t pfn, uint64_t count, enum frame_type type);

/* Adds one mapping. EFAULT: no memory there. EPERM: the kernel's, a table or an object. ENOSPC: 2^32-1 mappings. */
MUST_CHECK static inline long frame_add_mapping(struct frame_table *table, uint64_t pfn);

/* Takes one mapping away; it was there. */
static inline void frame_remove_mapping(struct frame_table *table, uint64_t pfn);

/* The same for `count` consecutive frames; all or nothing. */
MUST_CHECK long frame_add_mappings(struct frame_table *table, uint64_t pfn, uint64_t count);
void frame_remove_mappings(struct frame_table *table, uint64_t pfn, uint64_t count);

/* Makes a user frame that nothing maps a translation table without entries. EFAULT, EPERM as above; EBUSY: mapped. */
MUST_CHECK long frame_take_table(struct frame_table *table, uint64_t pfn);

/* Makes a table without entries, which one space at most uses, a user frame. EBUSY: it has entries. EPERM: no table. */
MUST_CHECK long frame_return_table(struct frame_table *table, uint64_t pfn);

/*
 * Adds an object of type `kind`: to a frame of such objects, or to a user frame that nothing maps, which becomes one
 * (*fresh is then true, and the caller zeroes it before use). Errors as frame_take_table().
 */
MUST_CHECK long frame_add_object(struct frame_table *table, uint64_t pfn, enum cap_type kind, bool *fresh);

/* Takes one object away; after the last the frame is a user frame and the result is true. */
bool frame_remove_object(struct frame_table *table, uint64_t pfn);

/* Checks up to `count` entries from `first` on (index, not pfn). 0, or EINVAL, negative. */
MUST_CHECK long frame_table_check(const struct frame_table *table, uint64_t first, uint64_t count);

static inline long frame_add_mapping(struct frame_table *table, uint64_t pfn)
{
    struct frame *frame = frame_find(table, pfn);
    if (__builtin_expect(!frame || frame->type != FRAME_USER || frame->references == UINT32_MAX, 0))
        return frame_add_mappings(table, pfn, 1);
    frame->references++;
    return 0;
}

static inline void frame_remove_mapping(struct frame_table *table, uint64_t pfn)
{
    frame_find(table, pfn)->references--;
}

#endif
