/* SPDX-License-Identifier: MIT */
/* Headers of swap areas: right ones, wrong ones in each field, and random bytes. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "swap_header.h"

static uint8_t page[SWAP_HEADER_BYTES];
static struct swap_header_use use;

static void put(size_t offset, uint32_t value)
{
    memcpy(page + offset, &value, sizeof(value));
}

static void make(uint32_t last, uint32_t bad)
{
    memset(page, 0, sizeof(page));
    memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
    put(1024, 1);
    put(1028, last);
    put(1032, bad);
}

static void right_ones(void)
{
    make(99, 0);
    EXPECT(swap_header_parse(page, 100, &use) == 0 && use.slots == 100 && use.bad_count == 0);
    EXPECT(swap_header_parse(page, 5000, &use) == 0 && use.slots == 100);
    make(99, 2);
    put(1536, 7);
    put(1540, 99);
    EXPECT(swap_header_parse(page, 100, &use) == 0 && use.bad_count == 2 && use.bad[0] == 7 && use.bad[1] == 99);
}

static void wrong_ones(void)
{
    make(99, 0);
    EXPECT(swap_header_parse(page, 99, &use) == -EINVAL); /* more than the volume has */
    page[sizeof(page) - 1] = '1';
    EXPECT(swap_header_parse(page, 100, &use) == -EINVAL);
    make(0, 0);
    EXPECT(swap_header_parse(page, 100, &use) == -EINVAL);
    make(99, 0);
    put(1024, 2);
    EXPECT(swap_header_parse(page, 100, &use) == -EINVAL);
    make(99, SWAP_BAD_MAX + 1);
    EXPECT(swap_header_parse(page, 100, &use) == -EINVAL);
    make(99, 1); /* the header itself is bad */
    EXPECT(swap_header_parse(page, 100, &use) == -EINVAL);
    put(1536, 100);
    EXPECT(swap_header_parse(page, 100, &use) == -EINVAL);
    make(UINT32_MAX, 0);
    EXPECT(swap_header_parse(page, UINT64_MAX, &use) == -EINVAL);
}

static void random_bytes(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        make((uint32_t)random_below(300), (uint32_t)random_below(4));
        for (unsigned i = 0; i < 3; i++)
            put(1536 + 4 * i, (uint32_t)random_below(300));
        if (random_chance(30))
            put(random_below(sizeof(page) / 4) * 4, (uint32_t)random_next());
        if (swap_header_parse(page, 200, &use) != 0)
            continue;
        EXPECT(use.slots >= 2 && use.slots <= 200 && use.bad_count <= SWAP_BAD_MAX);
        for (uint32_t i = 0; i < use.bad_count; i++)
            EXPECT(use.bad[i] > 0 && use.bad[i] < use.slots);
    }
}

static const struct test_row rows[] = {
    {"right_ones", "sizes and bad pages are read", right_ones},
    {"wrong_ones", "what does not fit is refused", wrong_ones},
    {"random_bytes", "what is accepted is within the volume", random_bytes},
};

TEST_MAIN("swap_header", rows)
