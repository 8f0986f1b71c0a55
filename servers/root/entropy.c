/* SPDX-License-Identifier: MIT */
/* Random bytes. */
#include "entropy.h"

#include <errno.h>
#include <string.h>

#define DOUBLE_ROUNDS 10u

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

void chacha20_block(const uint32_t key[ENTROPY_KEY_WORDS], uint32_t counter, const uint32_t nonce[3],
                    uint32_t block[ENTROPY_BLOCK_WORDS])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t state[ENTROPY_BLOCK_WORDS];

    memcpy(state, constants, sizeof(constants));
    memcpy(state + 4, key, ENTROPY_KEY_WORDS * sizeof(*key));
    state[12] = counter;
    memcpy(state + 13, nonce, 3 * sizeof(*nonce));
    memcpy(block, state, sizeof(state));
    for (unsigned round = 0; round < DOUBLE_ROUNDS; round++) {
        for (unsigned i = 0; i < 4; i++)
            quarter_round(&block[i], &block[4 + i], &block[8 + i], &block[12 + i]);
        for (unsigned i = 0; i < 4; i++)
            quarter_round(&block[i], &block[4 + (i + 1) % 4], &block[8 + (i + 2) % 4], &block[12 + (i + 3) % 4]);
    }
    for (unsigned i = 0; i < ENTROPY_BLOCK_WORDS; i++)
        block[i] += state[i];
}

/* Replaces the key by the first half of block 0. */
static void replace_key(struct entropy *entropy, const uint32_t nonce[3])
{
    uint32_t block[ENTROPY_BLOCK_WORDS];

    chacha20_block(entropy->key, 0, nonce, block);
    memcpy(entropy->key, block, sizeof(entropy->key));
}

void entropy_seed(struct entropy *entropy, const void *secret, size_t bytes)
{
    const uint8_t *from = secret;

    for (size_t done = 0; done < bytes; done += sizeof(entropy->key)) {
        uint8_t piece[sizeof(entropy->key)] = {0};
        uint32_t words[ENTROPY_KEY_WORDS];
        const uint32_t nonce[3] = {(uint32_t)bytes, (uint32_t)done, UINT32_MAX};
        memcpy(piece, from + done, bytes - done < sizeof(piece) ? bytes - done : sizeof(piece));
        memcpy(words, piece, sizeof(words));
        for (unsigned i = 0; i < ENTROPY_KEY_WORDS; i++)
            entropy->key[i] ^= words[i];
        replace_key(entropy, nonce);
        entropy->seeded = true;
    }
}

int entropy_take(struct entropy *entropy, uint64_t moment, void *data, size_t bytes)
{
    const uint32_t nonce[3] = {(uint32_t)moment, (uint32_t)(moment >> 32), 0};
    uint8_t *to = data;
    uint32_t counter = 1;

    if (!entropy->seeded)
        return -ENODATA;
    while (bytes > 0) {
        uint32_t block[ENTROPY_BLOCK_WORDS];
        const size_t part = bytes < sizeof(block) ? bytes : sizeof(block);
        chacha20_block(entropy->key, counter++, nonce, block);
        memcpy(to, block, part);
        to += part;
        bytes -= part;
    }
    replace_key(entropy, nonce);
    return 0;
}
