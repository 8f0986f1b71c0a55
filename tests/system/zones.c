/* SPDX-License-Identifier: MIT */
/*
 * The zones of a PC: their ranges, what they keep for whom, and that memory for devices comes from the one that the device
 * reaches.
 */
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <string.h>
#include <sys/mman.h>

#define DMA_END         (16UL << (20 - PAGE_SHIFT))
#define DMA32_END       (4UL << (30 - PAGE_SHIFT))
#define PROTECTION_PART 256u
#define TAKEN_MOST      256u
#define PIECE           (256UL << 10)
#define TOUCHED         (24UL << 20)

enum { DMA, DMA32, NORMAL };

static struct memsrv_zone zones[MEMSRV_ZONES];
static uint64_t taken[TAKEN_MOST];

static bool read_zones(void)
{
    for (uint64_t index = 0; index < MEMSRV_ZONES; index++) {
        size_t count = 0;
        if (memsrv_zone_info(SLOT_MEMSRV, index, &zones[index], 1, &count) < 0 || count != 1)
            return false;
    }
    return true;
}

/* The end of a zone; a zone of no pages ends where it begins. */
static uint64_t end_of(const struct memsrv_zone *zone)
{
    return zone->start + zone->spanned;
}

static void test_ranges(void)
{
    static const char *const names[MEMSRV_ZONES] = {"DMA", "DMA32", "Normal"};
    struct memsrv_memory memory = {0};
    size_t count = 0;
    bool named = true, ordered = true;

    for (unsigned i = 0; i < MEMSRV_ZONES; i++) {
        const struct memsrv_zone *zone = &zones[i];
        tap_diag(
            "zone %s: %lu to %lu, present %lu managed %lu free %lu min %lu low %lu high %lu protection %lu %lu %lu",
            zone->name, (unsigned long)zone->start, (unsigned long)end_of(zone), (unsigned long)zone->present,
            (unsigned long)zone->managed, (unsigned long)zone->free, (unsigned long)zone->min, (unsigned long)zone->low,
            (unsigned long)zone->high, (unsigned long)zone->protection[DMA], (unsigned long)zone->protection[DMA32],
            (unsigned long)zone->protection[NORMAL]);
        named = named && strcmp(zone->name, names[i]) == 0;
        ordered = ordered && (!zone->managed || (zone->min < zone->low && zone->low < zone->high));
    }
    tap_ok(named, "they are called as they should be");
    tap_ok(zones[DMA].start == 0 && end_of(&zones[DMA]) == DMA_END, "DMA ends at 16 MiB");
    tap_ok(zones[DMA].managed > 0 && zones[DMA].managed <= zones[DMA].present && zones[DMA].present <= DMA_END,
           "and has memory");
    tap_ok(zones[DMA32].start == DMA_END && end_of(&zones[DMA32]) <= DMA32_END && zones[DMA32].managed > 0,
           "DMA32 is from there to 4 GiB");
    tap_ok(zones[NORMAL].spanned == 0 || zones[NORMAL].start >= DMA32_END, "Normal is above");
    tap_ok(memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) == 0 && count == 1 &&
               memory.total == zones[DMA].present + zones[DMA32].present + zones[NORMAL].present,
           "all memory is in them");
    /* Below 4 GiB a PC has 3 GiB of memory at most. */
    tap_equal(zones[NORMAL].managed > 0, memory.total > 3UL << (30 - PAGE_SHIFT), "Normal is there if memory is");
    tap_ok(ordered, "watermarks are in order");
}

static void test_protection(void)
{
    tap_equal((long)zones[DMA].protection[DMA], 0, "who needs DMA may have all of it");
    tap_equal((long)zones[DMA].protection[DMA32], (long)(zones[DMA32].managed / PROTECTION_PART), "others leave some");
    tap_equal((long)zones[DMA].protection[NORMAL],
              (long)((zones[DMA32].managed + zones[NORMAL].managed) / PROTECTION_PART), "of DMA");
    tap_equal((long)zones[DMA32].protection[NORMAL], (long)(zones[NORMAL].managed / PROTECTION_PART), "and of DMA32");
}

/* Memory for a device that reaches what is below `limit`, bytes. */
static int take(uint64_t length, uint64_t limit, uint64_t *id, uint64_t *pfn)
{
    const int error = memsrv_memory_dma(SLOT_DMA, length, limit, id, pfn);
    if (error)
        tap_diag("memory_dma: %d", error);
    return error;
}

static void test_device(unsigned zone, uint64_t limit, uint64_t first, const char *what)
{
    uint64_t id, pfn;

    const int error = take(PIECE, limit, &id, &pfn);
    tap_ok(error == 0 && pfn >= first && (!limit || (pfn << PAGE_SHIFT) + PIECE <= limit), "%s", what);
    tap_ok(error == 0 && pfn >= zones[zone].start && pfn < end_of(&zones[zone]), "which is in zone %s",
           zones[zone].name);
    tap_ok(error == 0 && memsrv_object_memory_release(SLOT_MEMSRV, id) == 0, "and is given back");
}

/* All of zone DMA that there is in pieces, and back. */
static void test_all(void)
{
    unsigned count = 0;
    uint64_t pfn;
    bool inside = true, released = true;
    int error = 0;

    while (count < TAKEN_MOST &&
           (error = memsrv_memory_dma(SLOT_DMA, PIECE, DMA_END << PAGE_SHIFT, &taken[count], &pfn)) == 0) {
        inside = inside && pfn + PIECE / PAGE_SIZE <= DMA_END;
        count++;
    }
    tap_equal(error, -ENOMEM, "no more than there is");
    tap_ok(inside && count >= 1 && count <= zones[DMA].managed / (PIECE / PAGE_SIZE), "%u pieces of it, all below",
           count);
    tap_ok(memsrv_memory_dma(SLOT_DMA, PIECE, 0, &taken[count], &pfn) == 0 && pfn >= DMA_END,
           "devices that reach all memory have it from elsewhere");
    for (unsigned i = 0; i <= count; i++)
        released = memsrv_object_memory_release(SLOT_MEMSRV, taken[i]) == 0 && released;
    tap_ok(released, "and given back");
}

/* Free pages of a zone, those in page lists included. */
static uint64_t free_of(const struct memsrv_zone *zone)
{
    uint64_t pages = zone->free;
    for (unsigned i = 0; i < MEMSRV_WORKERS; i++)
        pages += zone->list_movable[i] + zone->list_unmovable[i];
    return pages;
}

/* Programs have theirs from above while there is some. */
static void test_program(void)
{
    const uint64_t free = free_of(&zones[DMA]), above = zones[DMA32].free + zones[NORMAL].free;
    char *memory = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    tap_ok(memory != MAP_FAILED && read_zones(), "memory for a program");
    tap_equal((long)free_of(&zones[DMA]), (long)free, "is not from DMA");
    tap_ok(zones[DMA32].free + zones[NORMAL].free < above, "but from above");
    tap_ok(memory != MAP_FAILED && munmap(memory, TOUCHED) == 0, "and is given back");
}

int main(void)
{
    uint64_t failures = 1;

    tap_plan(1 + 8 + 4 + 3 * 3 + 4 + 4 + 1);
    if (!tap_ok(read_zones(), "three zones"))
        return tap_done();
    test_ranges();
    test_protection();
    const unsigned highest = zones[NORMAL].managed ? NORMAL : DMA32;
    test_device(DMA, DMA_END << PAGE_SHIFT, 0, "memory below 16 MiB for a device of old");
    test_device(DMA32, DMA32_END << PAGE_SHIFT, DMA_END, "memory below 4 GiB for one with 32 address lines");
    test_device(highest, 0, DMA_END, "any memory for one that reaches all");
    test_all();
    if (!read_zones())
        tap_diag("the zones cannot be read");
    test_program();
    tap_ok(memsrv_check(SLOT_MEMSRV, &failures) == 0 && failures == 0, "memsrv's structures are sound");
    return tap_done();
}
