/* SPDX-License-Identifier: MIT */
/* Unguessable numbers: see mm/random.h. */
#include <string.h>

#include <mm/random.h>

#define DOUBLE_ROUNDS 10u

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void random_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint32_t block[RANDOM_BLOCK_WORDS])
{
    static const uint32_t constant[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t state[RANDOM_BLOCK_WORDS];

    memcpy(state, constant, sizeof(constant));
    memcpy(state + 4, key, RANDOM_KEY_BYTES);
    state[12] = counter;
    memcpy(state + 13, nonce, 3 * sizeof(*nonce));
    memcpy(block, state, sizeof(state));
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
        for (unsigned column = 0; column < 4; column++)
            quarter_round(block, column, column + 4, column + 8, column + 12);
        for (unsigned column = 0; column < 4; column++)
            quarter_round(block, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4);
    }
    for (unsigned i = 0; i < RANDOM_BLOCK_WORDS; i++)
        block[i] += state[i];
}

static void next_block(struct random_source *source)
{
    const uint32_t nonce[3] = {(uint32_t)(source->counter >> 32), 0, 0};
    random_block(source->key, (uint32_t)source->counter, nonce, source->block);
    source->counter++;
    source->left = RANDOM_BLOCK_WORDS;
}

void random_seed(struct random_source *source, const void *seed, size_t bytes)
{
    const uint8_t *from = seed;
    uint8_t *key = (uint8_t *)source->key;

    memset(source, 0, sizeof(*source));
    for (size_t i = 0; i < bytes; i++) {
        key[i % RANDOM_KEY_BYTES] ^= from[i];
        /* A whole key's worth is mixed in before the next is folded over it. */
        if (i % RANDOM_KEY_BYTES == RANDOM_KEY_BYTES - 1) {
            next_block(source);
            memcpy(source->key, source->block, RANDOM_KEY_BYTES);
        }
    }
    source->left = 0;
}

uint64_t random_u64(struct random_source *source)
{
    if (source->left < 2)
        next_block(source);
    source->left -= 2;
    return (uint64_t)source->block[source->left] << 32 | source->block[source->left + 1];
}

uint64_t random_u64_below(struct random_source *source, uint64_t bound)
{
    /* Numbers of the incomplete last run of `bound` would make the low results likelier. */
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = random_u64(source);
    while (value >= limit)
        value = random_u64(source);
    return value % bound;
}
