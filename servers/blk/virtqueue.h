/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue (virtio 1.2, section 2.7), from the driver's side. Pure but for the memory that it shares with the
 * device: what the device writes there is checked before it is used. One thread; no lock.
 *
 * A request is a chain of segments: those that the device reads, then those that it writes. Each of the queue's slots has room for
 * one chain, in a table of its own (VIRTQUEUE_INDIRECT) or in a fixed part of the ring's descriptors.
 */
#ifndef BLK_VIRTQUEUE_H
#define BLK_VIRTQUEUE_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX     256u
#define VIRTQUEUE_SLOTS_MAX    64u
#define VIRTQUEUE_SEGMENTS_MAX 66u
/* Where the used ring begins: the alignment that a legacy device is told. */
#define VIRTQUEUE_ALIGNMENT 4096u

struct virtqueue_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct virtqueue_descriptor) == 16, "the standard's layout");

struct virtqueue_available {
    uint16_t flags, index;
    uint16_t ring[VIRTQUEUE_SIZE_MAX];
};

struct virtqueue_used {
    uint16_t flags, index;
    struct virtqueue_used_element {
        uint32_t id, length;
    } ring[VIRTQUEUE_SIZE_MAX];
};

/* The rings, as they lie in memory for a queue of `size` entries: descriptors, available ring, at the next multiple of
 * VIRTQUEUE_ALIGNMENT the used ring. */
#define VIRTQUEUE_RING_BYTES (3 * VIRTQUEUE_ALIGNMENT)

struct virtqueue_table {
    struct virtqueue_descriptor descriptors[VIRTQUEUE_SEGMENTS_MAX];
};

/* Memory that the device sees; zeroed at first. */
struct virtqueue_memory {
    _Alignas(VIRTQUEUE_ALIGNMENT) uint8_t rings[VIRTQUEUE_RING_BYTES];
    struct virtqueue_table tables[VIRTQUEUE_SLOTS_MAX];
};

struct virtqueue {
    struct virtqueue_memory *memory;
    uint64_t physical; /* of the memory */
    uint16_t size;
    uint16_t stride; /* descriptors of a slot in the ring: 1, or a whole chain's */
    bool indirect;
    volatile struct virtqueue_descriptor *descriptors;
    volatile struct virtqueue_available *available;
    volatile struct virtqueue_used *used;
    uint16_t available_index, used_index; /* the driver's own */
    uint16_t slot_count, free_count;
    uint16_t free[VIRTQUEUE_SLOTS_MAX];
    bool in_flight[VIRTQUEUE_SLOTS_MAX];
};

struct virtqueue_segment {
    uint64_t address; /* physical */
    uint32_t length;  /* bytes */
};

/* Where the parts of a queue are, for the device. */
struct virtqueue_place {
    uint64_t descriptors, available, used; /* physical */
};

/*
 * Makes a queue of `size` entries, a power of two up to VIRTQUEUE_SIZE_MAX, in memory that the device does not use.
 * EINVAL: another size; ENOSPC: without indirect tables it has not even one slot.
 */
MUST_CHECK int virtqueue_init(struct virtqueue *queue, struct virtqueue_memory *memory, uint64_t physical,
                              uint16_t size, bool indirect);

struct virtqueue_place virtqueue_place(const struct virtqueue *queue);

/*
 * Puts a chain into a free slot and shows it to the device, which still has to be notified. The first `readable` of
 * `count` segments (at least one, at most VIRTQUEUE_SEGMENTS_MAX) are read by the device, the others written. Returns the slot;
 * EAGAIN: none is free.
 */
MUST_CHECK int virtqueue_add(struct virtqueue *queue, const struct virtqueue_segment *segments, unsigned count,
                             unsigned readable);

/* True if the device wants to be notified of what was added. */
MUST_CHECK bool virtqueue_wants_notice(const struct virtqueue *queue);

/*
 * Takes a chain that the device has done with: returns its slot, which is free again; *length is what the device claims
 * to have written, and proves nothing. EAGAIN: none; EIO: the device says what cannot be, and the queue is of no use any
 * more.
 */
MUST_CHECK int virtqueue_take(struct virtqueue *queue, uint32_t *length);

/* True if there is a free slot. */
static inline bool virtqueue_has_room(const struct virtqueue *queue)
{
    return queue->free_count > 0;
}

/* The slot that virtqueue_add() will take; there is one. */
static inline unsigned virtqueue_next_slot(const struct virtqueue *queue)
{
    return queue->free[queue->free_count - 1];
}

/* Slots that the device has. */
static inline unsigned virtqueue_in_flight(const struct virtqueue *queue)
{
    return queue->slot_count - queue->free_count;
}

#endif
