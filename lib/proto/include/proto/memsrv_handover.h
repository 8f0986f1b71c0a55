/* SPDX-License-Identifier: MIT */
/*
 * The page that root hands to memsrv when it starts it: the frames that root has used so far, which memsrv must not
 * give out. Root maps it read-only at MEMSRV_HANDOVER_ADDRESS; boot information is at BOOT_INFO_ADDRESS.
 * Besides the standard slots memsrv has root's events (MEMSRV_SLOT_EVENTS, to signal) and, in SLOT_NOTIFICATION, what
 * its own threads signal when a fault stops them.
 */
#ifndef PROTO_MEMSRV_HANDOVER_H
#define PROTO_MEMSRV_HANDOVER_H

#include <quire/abi.h>

#define MEMSRV_HANDOVER_ADDRESS    0x11000UL
#define MEMSRV_HANDOVER_MAGIC      0x72766f646e6168UL
#define MEMSRV_HANDOVER_RANGES_MAX 128u

/*
 * Threads that memsrv creates signal this notification when a fault stops them. The bit follows from the number of
 * their process; processes may share one, so root asks with space_fault() which it was.
 */
#define MEMSRV_SLOT_EVENTS 12u
#define MEMSRV_EVENT_BITS  64u
static inline uint64_t memsrv_event(uint64_t pid)
{
    return 1UL << (pid % MEMSRV_EVENT_BITS);
}

struct memsrv_handover_range {
    uint64_t base, size; /* bytes, page-aligned, inside BOOT_REGION_FREE regions */
};

struct memsrv_handover {
    uint64_t magic;
    uint64_t first_free_slot; /* memsrv's table is empty from here on */
    uint64_t slot_count;      /* slots that memsrv's table has */
    uint64_t range_count;
    struct memsrv_handover_range ranges[MEMSRV_HANDOVER_RANGES_MAX];
};
_Static_assert(sizeof(struct memsrv_handover) <= PAGE_SIZE, "the handover is one page");

#endif
