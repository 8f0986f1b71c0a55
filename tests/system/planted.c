/* SPDX-License-Identifier: MIT */
/*
 * Faults that memsrv is asked to make are found: by poisoned pages, by debugged caches, by the scan for leaks, and, with the
 * argument kasan, by the build in which each access is looked at.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <string.h>

#define LEAKS_AT_ONCE (PROTO_DATA_MAX / sizeof(struct memsrv_leak))
#define PLANTED_LEAKS 3u

static uint64_t reports(void)
{
    uint64_t count = 0;
    const int error = memsrv_debug_plant(GRANT_SLOT_MEMSRV, MEMSRV_PLANT_NOTHING, &count);
    return error == 0 ? count : UINT64_MAX;
}

/* Has a fault made that is to be found at once. */
static void plant(uint64_t kind, const char *what)
{
    const uint64_t before = reports();
    uint64_t after = 0;

    const int error = memsrv_debug_plant(GRANT_SLOT_MEMSRV, kind, &after);
    tap_equal(error, 0, "%s", what);
    tap_equal((long)(after - before), 1, "is found, once");
}

/* Leaks of the cache of areas; *all of any cache. */
static uint64_t count_leaks(uint64_t *all)
{
    struct memsrv_leak leaks[LEAKS_AT_ONCE];
    uint64_t objects = 0, areas = 0;
    size_t count = 0;

    const int error = memsrv_leak_scan(GRANT_SLOT_MEMSRV, &objects, all, leaks, LEAKS_AT_ONCE, &count);
    tap_ok(error == 0 && objects > 100, "a scan for leaks looks at %lu objects: %d", (unsigned long)objects, error);
    for (size_t i = 0; i < count; i++) {
        areas += strcmp(leaks[i].cache, "area") == 0;
        tap_diag("leaked: %s, %lu bytes at 0x%lx, taken at 0x%lx", leaks[i].cache, (unsigned long)leaks[i].size,
                 (unsigned long)leaks[i].address, (unsigned long)leaks[i].caller);
    }
    return areas;
}

static void test_leaks(void)
{
    uint64_t before = 0, after = 0, ignored;

    tap_equal((long)count_leaks(&before), 0, "no area is lost");
    tap_equal((long)before, 0, "and nothing else");
    for (unsigned i = 0; i < PLANTED_LEAKS; i++)
        (void)!memsrv_debug_plant(GRANT_SLOT_MEMSRV, MEMSRV_PLANT_LEAK, &ignored);
    const uint64_t areas = count_leaks(&after);
    /* What is left of an address somewhere may hide one. */
    tap_ok(areas >= PLANTED_LEAKS - 1 && areas <= PLANTED_LEAKS, "%lu of %u that were forgotten are found",
           (unsigned long)areas, PLANTED_LEAKS);
}

static void test_usual(void)
{
    uint64_t ignored;

    plant(MEMSRV_PLANT_PAGE, "a write to a free page");
    plant(MEMSRV_PLANT_SLAB_OVERRUN, "a write behind a record");
    plant(MEMSRV_PLANT_SLAB_AFTER_FREE, "a write to a free record");
    tap_equal(memsrv_debug_plant(GRANT_SLOT_MEMSRV, MEMSRV_PLANT_USE_AFTER_FREE, &ignored), -EOPNOTSUPP,
              "what only the other build notices is not made");
    tap_equal(memsrv_debug_plant(GRANT_SLOT_MEMSRV, 99, &ignored), -EINVAL, "there are no other kinds");
    tap_equal(memsrv_debug_plant(SLOT_MEMSRV, MEMSRV_PLANT_LEAK, &ignored), -EPERM, "nobody else may do that");
    test_leaks();
}

static void test_kasan(void)
{
    plant(MEMSRV_PLANT_OUT_OF_BOUNDS, "a read behind a record");
    plant(MEMSRV_PLANT_USE_AFTER_FREE, "a read of a free record");
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "kasan") == 0) {
        tap_plan(1 + 4);
        tap_equal((long)reports(), 0, "nothing was found so far");
        test_kasan();
        return tap_done();
    }
    tap_plan(1 + 6 + 3 + 5 + 1);
    tap_equal((long)reports(), 0, "nothing was found so far");
    test_usual();
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
