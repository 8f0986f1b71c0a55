/* SPDX-License-Identifier: MIT */
/*
 * Machines with a lot of memory, or with holes in it: the books add up, memory from everywhere can be used, and what
 * nobody touches costs nothing. Arguments: GiB that the machine has at least, and "holes" if its zones have some.
 */
#include "server_state.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <quire/clock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TOUCHES        6000UL
#define PAGES_IN_GIB   (1UL << (30 - PAGE_SHIFT))
#define FIRMWARE_PAGES 256UL /* that a PC may keep of them for itself */
/* Of the descriptors that the machine has room for; each touched page may take a translation table besides. */
#define WRITTEN_MOST (64UL << (20 - PAGE_SHIFT))

static bool adds_up(const struct memsrv_memory *memory)
{
    return memory->total == memory->free + memory->lists + memory->user + memory->table + memory->object +
                                memory->metadata + memory->kernel + memory->root + memory->archive + memory->tree +
                                memory->firmware;
}

static struct memsrv_zone all_zones(void)
{
    struct memsrv_zone zone, sum = {0};
    size_t count;

    for (uint64_t index = 0; memsrv_zone_info(SLOT_MEMSRV, index, &zone, 1, &count) == 0; index++) {
        tap_diag("zone %s: start %lu spanned %lu present %lu managed %lu free %lu deferred %lu min %lu", zone.name,
                 (unsigned long)zone.start, (unsigned long)zone.spanned, (unsigned long)zone.present,
                 (unsigned long)zone.managed, (unsigned long)zone.free, (unsigned long)zone.deferred,
                 (unsigned long)zone.min);
        sum.present += zone.present;
        sum.managed += zone.managed;
        sum.free += zone.free;
        sum.deferred += zone.deferred;
    }
    return sum;
}

static void test_sound(const char *when)
{
    const struct memsrv_memory memory = memory_now();
    const struct memsrv_zone sum = all_zones();
    tap_ok(adds_up(&memory), "every page is in the books %s", when);
    tap_ok(sum.present == memory.total && sum.free == memory.free, "the zones agree %s", when);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound %s", when);
}

/* Touches pages that are `step` bytes apart and reads them again. */
static bool touch(volatile uint64_t *memory, uint64_t step)
{
    for (uint64_t i = 0; i < TOUCHES; i++) {
        if (memory[i * step / sizeof(*memory)] != 0)
            return false;
        memory[i * step / sizeof(*memory)] = i + 1;
    }
    for (uint64_t i = 0; i < TOUCHES; i++) {
        if (memory[i * step / sizeof(*memory)] != i + 1)
            return false;
    }
    return true;
}

static void test_touch(uint64_t step, const char *how)
{
    const struct memsrv_memory before = memory_now();
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE; /* more addresses than memory */
    void *memory = mmap(NULL, TOUCHES * step, PROT_READ | PROT_WRITE, flags, -1, 0);
    tap_ok(memory != MAP_FAILED && touch(memory, step), "%lu pages %s are separate", TOUCHES, how);
    const struct memsrv_memory during = memory_now();
    tap_equal((long)(during.user - before.user), (long)TOUCHES, "and counted");
    tap_ok(adds_up(&during), "and the books add up");
    tap_ok(munmap(memory, TOUCHES * step) == 0, "munmap");
}

int main(int argument_count, char **arguments)
{
    const uint64_t start = clock_now_ns();
    const uint64_t gibibytes = argument_count > 1 ? strtoul(arguments[1], NULL, 10) : 1;
    const bool holes = argument_count > 2 && strcmp(arguments[2], "holes") == 0;

    tap_diag("%lu ns of the machine's counter to this program", (unsigned long)start);
    tap_plan(1 + 3 + 4 + 4 + 3 + 2);
    const struct memsrv_memory memory = memory_now();
    tap_ok(memory.total + FIRMWARE_PAGES >= gibibytes * PAGES_IN_GIB, "the machine has %lu GiB",
           (unsigned long)gibibytes);
    test_sound("at first");
    test_touch(PAGE_SIZE, "side by side");
    test_touch(HUGE_PAGE_SIZE, "in a table each");
    test_sound("afterwards");

    const struct memsrv_zone sum = all_zones();
    tap_ok(sum.managed - sum.deferred <= WRITTEN_MOST + 2 * TOUCHES, "memory that nobody touched has no descriptors");
    /* Three times as many descriptors as there is memory would be those of the holes. */
    tap_ok(!holes || memory.metadata < memory.total / 32, "holes have no descriptors");
    return tap_done();
}
