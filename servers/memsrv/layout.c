/* SPDX-License-Identifier: MIT */
/* Where things go in an address space: see layout.h. */
#include "layout.h"

#include <string.h>

#include <base/lock.h>
#include <libfdt.h>
#include <mm/random.h>
#include <quire/syscall.h>

#include "memory.h"
#include "space.h"

/* How far chance moves things, in pages: mappings down by up to 64 GiB, the heap up by up to 32 MiB. */
#define MAPPINGS_PAGES (1UL << 24)
#define HEAP_PAGES     (1UL << 13)

#define SEED_BYTES_MAX 64u

static const char argument[] = "quire.randomize=0";

/* A leaf in the lock order. */
static struct spinlock lock;
static struct random_source source;
static bool randomizes;

/* Copies a property of the device tree's node for whoever boots; returns its length, cut to what fits. */
static size_t read_property(const void *tree, const char *name, uint8_t *bytes, size_t capacity)
{
    int length = 0;
    int node = fdt_path_offset(tree, "/chosen");
    const void *property = node < 0 ? NULL : fdt_getprop(tree, node, name, &length);

    if (!property || length <= 0)
        return 0;
    size_t count = (size_t)length < capacity ? (size_t)length : capacity;
    memcpy(bytes, property, count);
    return count;
}

static bool is_asked_for(const struct boot_info *info)
{
    const char *found = strstr(info->arguments, argument);
    return !found || (found != info->arguments && found[-1] != ' ');
}

void layout_init(const struct boot_info *info)
{
    struct {
        uint8_t seed[SEED_BYTES_MAX], address_seed[sizeof(uint64_t)];
        uint64_t clock;
    } seed = {.clock = clock_ticks()};
    const void *tree = window(info->tree_base);

    spinlock_init(&lock, LOCK_LAYOUT);
    randomizes = is_asked_for(info);
    (void)read_property(tree, "rng-seed", seed.seed, sizeof(seed.seed));
    (void)read_property(tree, "kaslr-seed", seed.address_seed, sizeof(seed.address_seed));
    random_seed(&source, &seed, sizeof(seed));
}

/* A number of pages below `pages`, in bytes. */
static uint64_t chance(uint64_t pages)
{
    if (!randomizes)
        return 0;
    spinlock_acquire(&lock);
    uint64_t number = random_u64_below(&source, pages);
    spinlock_release(&lock);
    return number << PAGE_SHIFT;
}

uint64_t layout_mappings_high(void)
{
    return MAPPINGS_HIGH - chance(MAPPINGS_PAGES);
}

uint64_t layout_heap_offset(void)
{
    return chance(HEAP_PAGES);
}
