/* SPDX-License-Identifier: MIT */
/* What hostile calls are made of: numbers at the edge, addresses, slots, frames. */
#include <proto/grant.h>
#include <proto/memsrv_client.h>

#include "hostile.h"
#include "kernel_pool.h"
#include "kernel_test.h"

#define HOT_FRAMES       96u /* of the grant's: used far more than the others, so that calls meet */
#define FRAMES_FOUND_MAX 48u
#define PROBES           6000u
#define MEMORY_FIRST_PFN 0x40000UL
#define PAGES_BASE       0x200000000UL /* the addresses that most calls are about */
#define PAGES            40u
#define NO_SLOT          0x7ffffffUL

#define PICK(a, ...)                                                                                                   \
    ({                                                                                                                 \
        const uint64_t pick_values[] = {__VA_ARGS__};                                                                  \
        pick_values[random_below((a), sizeof(pick_values) / sizeof(pick_values[0]))];                                  \
    })

struct found {
    uint64_t pfns[FRAMES_FOUND_MAX];
    unsigned count;
};

static struct found foreign; /* the kernel's, tables, objects: neither mappable nor donatable */
static struct found mapped;  /* not donatable, while they are in use */

uint64_t random_next(struct attacker *a)
{
    a->random ^= a->random << 13;
    a->random ^= a->random >> 7;
    a->random ^= a->random << 17;
    return a->random;
}

uint64_t random_below(struct attacker *a, uint64_t limit)
{
    return (random_next(a) >> 8) % limit;
}

bool random_one_in(struct attacker *a, uint64_t n)
{
    return random_below(a, n) == 0;
}

uint64_t any_number(struct attacker *a)
{
    const uint64_t edge =
        PICK(a, 0, 1, 2, 4, 8, 16, 32, 64, 128, 224, 256, 448, 512, 4096, 1UL << 16, 1UL << 27, 1UL << 31, 1UL << 32,
             USER_VA_END / PAGE_SIZE, USER_VA_END, 1UL << 48, 1UL << 52, 1UL << 63, UINT64_MAX);
    switch (random_below(a, 8)) {
    case 0:
        return random_next(a);
    case 1:
        return edge - 1;
    case 2:
        return edge + 1;
    case 3:
        return random_below(a, 16);
    default:
        return edge;
    }
}

uint64_t any_address(struct attacker *a)
{
    const uint64_t page = PAGES_BASE + random_below(a, PAGES) * PAGE_SIZE;

    switch (random_below(a, 16)) {
    case 0:
        return PICK(a, 0xffff800000000000UL, 0xffff800040000000UL, 0xffffffff80000000UL, 0xffff900008000000UL,
                    UINT64_MAX & PAGE_MASK, UINT64_MAX, 0, PAGE_SIZE);
    case 1:
        return PICK(a, USER_VA_END - PAGE_SIZE, USER_VA_END, USER_VA_END - HUGE_PAGE_SIZE, USER_VA_END - 1, WINDOW_BASE,
                    WINDOW_BASE - PAGE_SIZE, WINDOW_BASE + WINDOW_SIZE, WINDOW_BASE + (1UL << 30));
    case 2:
        return page + random_below(a, PAGE_SIZE);
    case 3:
    case 4:
        return PAGES_BASE + random_below(a, 4) * HUGE_PAGE_SIZE;
    case 5:
        return random_next(a);
    case 6:
        return PAGES_BASE << random_below(a, 13);
    default:
        return page;
    }
}

uint64_t any_original(struct attacker *a)
{
    return HOSTILE_ORIGINALS + random_below(a, HOSTILE_ORIGINAL_COUNT);
}

/* Each type has originals of its own, so that calls often find what they are for. */
uint64_t original_for(struct attacker *a, uint64_t type)
{
    static const struct {
        uint8_t first, count;
    } shares[CAP_TYPE_COUNT] = {
        [CAP_THREAD] = {0, 8}, [CAP_ASPACE] = {8, 5}, [CAP_ENDPOINT] = {13, 8}, [CAP_NOTIFICATION] = {21, 6},
        [CAP_REPLY] = {27, 7}, [CAP_IRQ] = {34, 2},   [CAP_TABLE] = {36, 4},
    };

    if (type >= CAP_TYPE_COUNT || shares[type].count == 0 || random_one_in(a, 16))
        return any_original(a);
    return HOSTILE_ORIGINALS + shares[type].first + random_below(a, shares[type].count);
}

uint64_t slot_of(struct attacker *a, enum cap_type type)
{
    return random_one_in(a, 4) ? any_slot(a) : original_for(a, type);
}

uint64_t any_copy(struct attacker *a)
{
    return HOSTILE_COPIES + random_below(a, HOSTILE_COPY_COUNT);
}

uint64_t any_slot(struct attacker *a)
{
    switch (random_below(a, 16)) {
    case 0:
        return PICK(a, 0, SLOTS_PER_FRAME, SLOTS_PER_FRAME + 1, 1UL << 15, 1UL << 32, UINT64_MAX, 1UL << 63);
    case 1:
        return PICK(a, SLOT_TABLE, SLOT_ASPACE, SLOT_PHYSICAL, SLOT_MEMSRV, SLOT_ROOT, SLOT_CONSOLE, SLOT_SERVE,
                    SLOT_REPLY, SLOT_IRQ, SLOT_NOTIFICATION, GRANT_SLOT_MEMSRV);
    case 2:
        return random_next(a) | SLOTS_PER_FRAME;
    case 3:
    case 4:
    case 5:
        return any_copy(a);
    default:
        return any_original(a);
    }
}

uint64_t useless_slot(struct attacker *a)
{
    return PICK(a, 0, SLOT_TABLE, SLOT_THREAD, SLOT_PHYSICAL, SLOTS_PER_FRAME, 1UL << 32, UINT64_MAX, NO_SLOT);
}

uint64_t any_tag(struct attacker *a)
{
    if (random_one_in(a, 8))
        return random_next(a);
    return MSG_TAG(PICK(a, 0, 1, 2, UINT32_MAX), PICK(a, 0, 0, 0, 1, 2, 6, 8, 448, 449, 511),
                   PICK(a, 0, 0, 0, 1, 4, 7));
}

static uint64_t found_one(struct attacker *a, const struct found *found)
{
    return found->count ? found->pfns[random_below(a, found->count)] : any_number(a);
}

uint64_t any_frame(struct attacker *a, bool donate)
{
    const uint64_t first = pool_first();

    switch (random_below(a, 16)) {
    case 0:
        /* Nothing is there: frames without a pool are never anybody's. */
        return PICK(a, 0, 1, MEMORY_FIRST_PFN - 1, 1UL << 27, 1UL << 36, UINT64_MAX, UINT64_MAX >> PAGE_SHIFT);
    case 1:
    case 2:
        return found_one(a, &foreign);
    case 3:
        return donate ? found_one(a, &mapped) : found_one(a, &foreign);
    case 4:
        return first ? huge_block() + PICK(a, 0, 0, 0, 1, 511) : any_number(a);
    case 5:
        return first ? first + random_below(a, GRANT_FRAMES) : any_number(a);
    default:
        return first ? first + random_below(a, HOT_FRAMES) : any_number(a);
    }
}

static void note(struct found *found, uint64_t pfn)
{
    if (found->count < FRAMES_FOUND_MAX)
        found->pfns[found->count++] = pfn;
}

void frames_find(void)
{
    static const uint64_t constant = 1;
    struct memsrv_memory memory = {0};
    struct attacker chance = {.random = 1};
    size_t count = 0;

    foreign.count = mapped.count = 0;
    if (!grant_present() || memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) < 0)
        return;
    note(&mapped, (own_entry(&constant) & ENTRY_ADDRESS) >> PAGE_SHIFT);
    note(&mapped, (own_entry(&count) & ENTRY_ADDRESS) >> PAGE_SHIFT);
    note(&mapped, (own_entry(ipc_buffer()) & ENTRY_ADDRESS) >> PAGE_SHIFT);
    for (unsigned i = 0; i < PROBES; i++) {
        /* The kernel and what boot put there lie low; what memsrv took first lies high. */
        uint64_t offset = random_below(&chance, i % 2 ? 2048 : memory.total);
        if (i % 4 == 0)
            offset = memory.total - 1 - offset % 1024;
        const uint64_t pfn = MEMORY_FIRST_PFN + offset;
        if (pfn - pool_first() < GRANT_FRAMES)
            continue;
        const enum frame_type type = frame_type(pfn);
        if (type == FRAME_KERNEL || type == FRAME_TABLE || type == FRAME_OBJECT)
            note(&foreign, pfn);
    }
}
