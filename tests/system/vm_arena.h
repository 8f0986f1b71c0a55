/* SPDX-License-Identifier: MIT */
/*
 * A piece of address space of which one thread knows, page by page, what must be there: whether anything is mapped, with
 * which rights, and what was last written to it. Steps at random change memory and model alike; checks compare them.
 */
#ifndef TESTS_VM_ARENA_H
#define TESTS_VM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE        4096UL
#define ARENA_PAGES 1200U /* parts of four translation tables */

enum page_kind {
    KIND_HOLE,
    KIND_PRIVATE,
    KIND_SHARED,
    KIND_FOREIGN, /* shared with the parent, who may write to it at any moment */
};

struct page_model {
    uint64_t value; /* what the page's words are made of; 0: it was not written since it was mapped */
    uint8_t kind, protection;
    bool is_left_out, is_wiped; /* MADV_DONTFORK, MADV_WIPEONFORK */
    uint32_t additions;         /* that children have made to a shared page, or will have when they have ended */
};

struct arena {
    char *base;
    uint64_t random;
    uint32_t owner;      /* marks what is written */
    uint32_t generation; /* of what is written: each time another */
    struct page_model pages[ARENA_PAGES];
};

/* Tells on standard output what went wrong; returns false. */
bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number at random; 0 <= result < limit, for the second. */
uint64_t random_next(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t limit);

/* Makes an arena without any memory, the `number`th of all; `seed` decides what is done to it. */
void arena_init(struct arena *arena, unsigned number, uint64_t seed, uint32_t owner);

/* Makes one change or check at random. False: something was not as it must be, which was told. */
bool arena_step(struct arena *arena);

/* Compares all that was written and some of the rest, as far as it can be read, with the model; `additions`: the counters of shared pages, too. */
bool arena_check(struct arena *arena, bool additions);

/* Before a fork whose child will call arena_add(): its additions are expected. */
void arena_expect_additions(struct arena *arena);

/* In a child: adds one to each shared page that was inherited. To be called before anything is changed. */
void arena_add(struct arena *arena);

/* In a child: makes the model what a child has of the parent's memory. */
bool arena_inherit(struct arena *arena, uint64_t seed, uint32_t owner);

/* Unmaps all of it. */
bool arena_clear(struct arena *arena);

#endif
