/* SPDX-License-Identifier: MIT */
/* What SD cards say of themselves, against registers that are put together here bit by bit. */
#include <errno.h>
#include <string.h>

#include <sd_identity.h>

#include "harness.h"

/* A register of 128 bits, as the card has it. */
static bool card[128];

static void put(unsigned low, unsigned count, uint64_t value)
{
    for (unsigned i = 0; i < count; i++)
        card[low + i] = value >> i & 1;
}

/* As a host controller shows it: without the lowest 8 bits. */
static const uint32_t *shown(void)
{
    static uint32_t words[4];

    memset(words, 0, sizeof(words));
    for (unsigned i = 8; i < 128; i++)
        words[(i - 8) / 32] |= (uint32_t)card[i] << (i - 8) % 32;
    return words;
}

static void noise(void)
{
    for (unsigned i = 0; i < 128; i++)
        card[i] = random_next() & 1;
}

static void sizes(void)
{
    uint64_t sectors;
    bool read_only;

    memset(card, 0, sizeof(card));
    put(126, 2, 1);
    put(48, 22, 15159); /* a card sold as 8 GB */
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == 0 && sectors == 15523840 && !read_only);
    put(48, 22, 0x3fffff);
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == 0 && sectors == 4096UL << 20);
    put(12, 1, 1);
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == 0 && read_only);
    put(126, 2, 2);
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == -EOPNOTSUPP);

    memset(card, 0, sizeof(card));
    put(80, 4, 10);
    put(62, 12, 4095);
    put(47, 3, 7);
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == 0 && sectors == 4UL << 20); /* 2 GiB, in bytes of 1024 */
    put(80, 4, 8);
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == -EIO);
    put(80, 4, 12);
    EXPECT(sd_read_csd(shown(), &sectors, &read_only) == -EIO);
}

static void random_sizes(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const uint64_t structure = random_below(4), size = random_next() & 0x3fffff, shift = random_below(16);
        const uint64_t multiplier = random_below(8), small = random_next() & 0xfff, protect = random_below(4);
        uint64_t sectors = 0;
        bool read_only = false;

        noise();
        put(126, 2, structure);
        put(12, 2, protect);
        if (structure == 1)
            put(48, 22, size);
        if (structure == 0) {
            put(80, 4, shift);
            put(62, 12, small);
            put(47, 3, multiplier);
        }
        const int error = sd_read_csd(shown(), &sectors, &read_only);
        EXPECT(read_only == (protect != 0));
        if (structure > 1)
            EXPECT(error == -EOPNOTSUPP);
        else if (structure == 0 && (shift < 9 || shift > 11))
            EXPECT(error == -EIO);
        else if (structure == 0)
            EXPECT(error == 0 && sectors * 512 == (small + 1) * (4UL << multiplier) * (1UL << shift));
        else
            EXPECT(error == 0 && sectors * 512 == (size + 1) * (512UL << 10));
    }
}

static void names(void)
{
    char text[SD_SERIAL_BYTES];

    memset(card, 0, sizeof(card));
    for (unsigned i = 0; i < 5; i++)
        put(96 - 8 * i, 8, (uint8_t) "AB\x01 Z"[i]);
    put(24, 32, 0xdeadbeef);
    sd_read_cid(shown(), text);
    EXPECT(strcmp(text, "AB??Z-deadbeef") == 0);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        noise();
        sd_read_cid(shown(), text);
        EXPECT(strlen(text) == 14 && text[5] == '-');
        for (unsigned i = 0; i < 14; i++)
            EXPECT(text[i] > ' ' && text[i] < 0x7f);
    }
}

static void clocks(void)
{
    EXPECT(sd_clock_divider(52000000, 400000) == 130);
    EXPECT(sd_clock_divider(50000000, 25000000) == 2 && sd_clock_divider(25000000, 25000000) == 0);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const uint32_t base = 1 + (uint32_t)random_below(255000000), wanted = 400000 + (uint32_t)random_below(50000000);
        const uint32_t divider = sd_clock_divider(base, wanted);

        EXPECT(divider % 2 == 0 && divider <= 2046);
        EXPECT((uint64_t)wanted * (divider ? divider : 1) >= base);
        EXPECT(divider <= 2 || (uint64_t)wanted * (divider - 2) < base);
    }
}

static const struct test_row rows[] = {
    {"sizes", "cards of both kinds, and such as cannot be", sizes},
    {"random_sizes", "100,000 random cards have the size that their fields say", random_sizes},
    {"names", "names are printable whatever the card says", names},
    {"clocks", "the divider is the smallest that does not make the clock too fast", clocks},
};
TEST_MAIN("sd_identity", rows)
