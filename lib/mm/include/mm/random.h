/* SPDX-License-Identifier: MIT */
/*
 * Numbers that cannot be guessed by who has not seen the seed: ChaCha20 in counter mode. Whoever owns the source has
 * the lock.
 */
#ifndef MM_RANDOM_H
#define MM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_KEY_BYTES   32u
#define RANDOM_BLOCK_WORDS 16u

struct random_source {
    uint32_t key[RANDOM_KEY_BYTES / sizeof(uint32_t)];
    uint64_t counter; /* of blocks */
    uint32_t block[RANDOM_BLOCK_WORDS];
    uint32_t left; /* words of the block that were not given out */
};

/* The ChaCha20 block of a key, a counter and a nonce of three words. */
void random_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint32_t block[RANDOM_BLOCK_WORDS]);

/* Begins anew: the key is mixed from `bytes` of seed; more seed than a key holds is folded. */
void random_seed(struct random_source *source, const void *seed, size_t bytes);

/* The next number. */
uint64_t random_u64(struct random_source *source);

/* A number below `bound`, which is not 0; all are equally likely. */
uint64_t random_u64_below(struct random_source *source, uint64_t bound);

#endif
