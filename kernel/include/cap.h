/* SPDX-License-Identifier: MIT */
/*
 * Capabilities and capability tables. A capability is a slot that names an object, with rights and a badge; all slots
 * that name one object are linked, so that destroying the object empties them and no stale name is left to check for
 * when a slot is used. A table is a directory of donated frames of 128 slots.
 *
 * Pure: no other part of the kernel is called, so the host tests run these very files.
 * Lock: the kernel lock, everywhere.
 */
#ifndef KERNEL_CAP_H
#define KERNEL_CAP_H

#include <stdbool.h>
#include <stddef.h>

#include "object.h"

#define MUST_CHECK __attribute__((warn_unused_result))

struct cap {
    uint64_t word; /* object address in bits 0..47 (sign-extended), type in 48..55, rights in 56..63; 0: empty */
    uint64_t badge;
    struct cap *next;  /* further capabilities of the same object */
    struct cap **link; /* the pointer that points here */
};
_Static_assert(sizeof(struct cap) * SLOTS_PER_FRAME == PAGE_SIZE, "a frame holds SLOTS_PER_FRAME slots");

struct cap_table {
    struct object header;
    uint32_t frames; /* used entries of directory[] */
    uint32_t users;  /* threads that use this table */
    struct cap *directory[CAP_TABLE_FRAMES_MAX];
};
_Static_assert(sizeof(struct cap_table) <= PAGE_SIZE, "a table's directory is one frame");

static inline struct object *cap_object(const struct cap *cap)
{
    return (struct object *)(uintptr_t)((int64_t)(cap->word << 16) >> 16);
}

static inline enum cap_type cap_type(const struct cap *cap)
{
    return (enum cap_type)((cap->word >> 48) & 0xff);
}

static inline uint32_t cap_rights(const struct cap *cap)
{
    return (uint32_t)(cap->word >> 56);
}

/* The slot with number `slot` (untrusted), empty or not; NULL past the end of the table, and for slot 0. */
static inline struct cap *cap_slot(const struct cap_table *table, uint64_t slot)
{
    uint64_t frame = slot / SLOTS_PER_FRAME;
    if (__builtin_expect(frame >= table->frames || slot == 0, 0))
        return NULL;
    return &table->directory[frame][slot % SLOTS_PER_FRAME];
}

/* The object of a slot (untrusted) if it has this type and all of `rights`; otherwise NULL and *error is EBADF or EPERM,
 * negative. */
struct object *cap_find(const struct cap_table *table, uint64_t slot, enum cap_type type, uint32_t rights, long *error);

/* Makes the empty slot *cap name `object`. */
void cap_set(struct cap *cap, struct object *object, uint32_t rights, uint64_t badge);

/* Empties *cap; does nothing to an empty one. The object lives on. */
void cap_clear(struct cap *cap);

/*
 * Copies *from to *to with at most `rights` and, where *from has badge 0, `badge`. Nothing changes on an error.
 * EBADF: *from is empty. EEXIST: *to is not. EPERM: *from lacks RIGHT_COPY, or has another badge than asked for.
 */
MUST_CHECK long cap_copy(struct cap *to, const struct cap *from, uint32_t rights, uint64_t badge);

/* Empties up to `limit` capabilities of `object`; true when none is left. */
MUST_CHECK bool cap_revoke(struct object *object, unsigned limit);

/* Adds a zeroed frame of slots. ENOSPC: the directory is full. */
MUST_CHECK long cap_table_grow(struct cap_table *table, struct cap *slots);

/* Empties the last frame of slots and takes it out of the directory; NULL if there was none. */
struct cap *cap_table_shrink(struct cap_table *table);

/* Walks the slots of frame `index`: every capability is linked where it says and names an object of its type.
 * Returns 0, or EINVAL, negative, if something is broken. */
MUST_CHECK long cap_table_check(const struct cap_table *table, uint32_t index);

#endif
