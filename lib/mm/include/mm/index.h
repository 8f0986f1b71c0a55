/* SPDX-License-Identifier: MIT */
/*
 * A sparse array of pointers by a 64-bit index: a radix tree of nodes with 64 slots, as high as the largest index
 * needs. Entries can carry marks, which their nodes sum up, so that the next marked entry is found without looking at
 * the others. Nodes come from callbacks, one for each 64 neighbours that have an entry, and go back when they are empty.
 *
 * In every call: the lock of whoever owns the index is held; the callbacks are called with it held. A failure changes
 * nothing.
 */
#ifndef MM_INDEX_H
#define MM_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

#define INDEX_SHIFT      6u
#define INDEX_SLOTS      (1u << INDEX_SHIFT)
#define INDEX_LEVELS_MAX 11u /* 11 * 6 bits hold 64 */

enum index_mark { INDEX_MARK_0 = 0, INDEX_MARK_1 = 1, INDEX_MARK_2 = 2, INDEX_MARK_COUNT };

struct index_node {
    void *slots[INDEX_SLOTS];         /* level 0: entries; above: nodes */
    uint64_t used;                    /* a bit for each slot that is not NULL */
    uint64_t marks[INDEX_MARK_COUNT]; /* a bit for each slot that has, or leads to, a marked entry */
    struct index_node *parent;
    uint8_t level; /* 0: its slots are entries */
    uint8_t place; /* its slot in the parent */
};

/* Where nodes come from: `get` returns memory for one, of any content, or NULL; `put` takes it back. */
struct index_source {
    void *(*get)(void *context);
    void (*put)(void *context, void *node);
    void *context;
};

struct radix_index {
    struct index_node *root;           /* NULL: no entry */
    uint64_t count;                    /* entries */
    const struct index_source *source; /* outlives the index */
};

/* Makes an empty index, which holds no memory. */
void index_init(struct radix_index *index, const struct index_source *source);

/* The entry at `key`, or NULL. */
void *index_find(const struct radix_index *index, uint64_t key);

/* The entries at [first, first + count), which does not pass the last key; NULL where there is none. */
void index_read(const struct radix_index *index, uint64_t first, uint64_t count, void *entries[]);

/* Puts an entry, not NULL, without marks. EINVAL: NULL; EEXIST: there is one; ENOMEM: no node to be had. */
MUST_CHECK int index_insert(struct radix_index *index, uint64_t key, void *entry);

/* Puts another entry, not NULL, in place of one that is there; it keeps the marks. Returns the old one; NULL, with
 * nothing done, if there was none. */
void *index_replace(struct radix_index *index, uint64_t key, void *entry);

/* Takes an entry out and returns it; NULL if there was none. */
void *index_erase(struct radix_index *index, uint64_t key);

/* The first entry with a key in [*key, last], whose key goes to *key; NULL, with *key unchanged, if there is none. */
void *index_next(const struct radix_index *index, uint64_t *key, uint64_t last);

/* The same among the entries that have `mark`. */
void *index_next_marked(const struct radix_index *index, enum index_mark mark, uint64_t *key, uint64_t last);

/* Sets or clears a mark of the entry at `key`; false if there is no entry. */
bool index_set_mark(struct radix_index *index, uint64_t key, enum index_mark mark);
bool index_clear_mark(struct radix_index *index, uint64_t key, enum index_mark mark);

/* True if there is an entry at `key` and it has `mark`. */
bool index_has_mark(const struct radix_index *index, uint64_t key, enum index_mark mark);

/* Walks the tree. 0, or EIO (negative) if levels, links, bits, marks or the count are wrong, or a node is empty or
 * higher than it need be. */
MUST_CHECK int index_check(const struct radix_index *index);

#endif
