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
    uint8_t kind;        /* object: enum cap_type; user: FRAME_HELD, or 0 */
    uint16_t sharers;    /* table: address spaces that use it, besides one */
};
_Static_assert(sizeof(struct frame) == 8, "0.2% of memory");

#define FRAME_HELD 1u /* one of the references is frame_hold()'s */

/*
 * Entries come in sections of 128 MiB. A section without memory has none; one with memory has room for them from the
 * start, but they are written when the first of them is looked for: a boot costs no more on a large machine.
 */
#define FRAME_SECTION_SHIFT  15u
#define FRAME_SECTION_FRAMES (1UL << FRAME_SECTION_SHIFT)
#define FRAME_SECTION_COUNT  (WINDOW_SIZE >> (PAGE_SHIFT + FRAME_SECTION_SHIFT))
#define FRAME_SECTION_BYTES  (FRAME_SECTION_FRAMES * sizeof(struct frame))

/* What frames [pfn, pfn + count) are at first. */
struct frame_range {
    uint64_t pfn, count;
    enum frame_type type;
};

/* Frames without an entry, and those in no range, are FRAME_NONE. */
struct frame_table {
    struct frame *sections[FRAME_SECTION_COUNT]; /* written; NULL: not yet, or none */
    struct frame *room[FRAME_SECTION_COUNT];     /* where the entries are or will be; NULL: no memory there */
    const struct frame_range *ranges;            /* boot's; none overlap */
    uint32_t range_count;
    uint64_t end; /* no frame from this pfn on has an entry */
};

/* frame_find() for a frame whose section is not written: writes it if there is room for one. */
struct frame *frame_find_first(struct frame_table *table, uint64_t pfn);

/* The entry of a frame (untrusted pfn); NULL if it has none. Writes the entries of a section when needed: bounded. */
static inline struct frame *frame_find(struct frame_table *table, uint64_t pfn)
{
    uint64_t section = pfn >> FRAME_SECTION_SHIFT;
    if (__builtin_expect(section >= FRAME_SECTION_COUNT, 0))
        return NULL;
    struct frame *entries = table->sections[section];
    if (__builtin_expect(!entries, 0))
        return frame_find_first(table, pfn);
    return &entries[pfn % FRAME_SECTION_FRAMES];
}

/* The entry of a frame that frame_find() found before. */
static inline struct frame *frame_known(const struct frame_table *table, uint64_t pfn)
{
    return &table->sections[pfn >> FRAME_SECTION_SHIFT][pfn % FRAME_SECTION_FRAMES];
}

/* Gives room for entries, FRAME_SECTION_BYTES of any content, to the section of `pfn`, which has none. Boot only. */
void frame_add_room(struct frame_table *table, uint64_t pfn, struct frame *room);

/* Adds one mapping. EFAULT: no memory there. EPERM: the kernel's, a table or an object. ENOSPC: 2^32-1 mappings. */
MUST_CHECK static inline long frame_add_mapping(struct frame_table *table, uint64_t pfn);

/*
 * Holds a user frame: a reference more, which no mapping is, so that it is nobody's alone and becomes nothing else. EFAULT,
 * EPERM, ENOSPC as above; EBUSY: it is held. Ends that: EINVAL: it is not held.
 */
MUST_CHECK long frame_hold(struct frame_table *table, uint64_t pfn);
MUST_CHECK long frame_drop(struct frame_table *table, uint64_t pfn);

/* Takes one mapping away; it was there. */
static inline void frame_remove_mapping(struct frame_table *table, uint64_t pfn);

/* The same for `count` consecutive frames of one section (else EFAULT); all or nothing. */
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

/* Checks the entries of up to `count` frames from pfn `first` on, all in one section; entries not written yet have
 * nothing to check. 0, or EINVAL, negative. */
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
    frame_known(table, pfn)->references--;
}

#endif
