/* SPDX-License-Identifier: MIT */
/*
 * Random bytes: ChaCha20 under a key that starts as the firmware's seed and that every request replaces, so that what
 * was given out cannot be computed from what is here later. Pure.
 */
#ifndef ROOT_ENTROPY_H
#define ROOT_ENTROPY_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTROPY_KEY_WORDS   8u
#define ENTROPY_BLOCK_WORDS 16u

struct entropy {
    uint32_t key[ENTROPY_KEY_WORDS];
    bool seeded;
};

/* Mixes `bytes` bytes of a secret in. */
void entropy_seed(struct entropy *entropy, const void *secret, size_t bytes);

/* Fills data[0, bytes). `moment` may be any number; a different one each time does no harm. ENODATA: nobody has given a
 * seed. */
MUST_CHECK int entropy_take(struct entropy *entropy, uint64_t moment, void *data, size_t bytes);

/* One block of ChaCha20 (RFC 8439): key, block counter, three words that are used once. For entropy.c and its test. */
void chacha20_block(const uint32_t key[ENTROPY_KEY_WORDS], uint32_t counter, const uint32_t nonce[3],
                    uint32_t block[ENTROPY_BLOCK_WORDS]);

#endif
