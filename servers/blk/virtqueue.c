/* SPDX-License-Identifier: MIT */
/*
 * Order between driver and device: a virtio device that does not insist on VIRTIO_F_ORDER_PLATFORM sees memory as
 * another processor does, so the fences are those between threads.
 */
#include "virtqueue.h"

#include <errno.h>
#include <string.h>

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 };
#define USED_NO_NOTIFY 1u

static void fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static size_t available_offset(uint16_t size)
{
    return size * sizeof(struct virtqueue_descriptor);
}

/* Behind flags, index, ring and the word for events, which is not used. */
static size_t used_offset(uint16_t size)
{
    const size_t end = available_offset(size) + (3 + (size_t)size) * sizeof(uint16_t);
    return (end + VIRTQUEUE_ALIGNMENT - 1) / VIRTQUEUE_ALIGNMENT * VIRTQUEUE_ALIGNMENT;
}

int virtqueue_init(struct virtqueue *queue, struct virtqueue_memory *memory, uint64_t physical, uint16_t size,
                   bool indirect)
{
    const unsigned stride = indirect ? 1 : VIRTQUEUE_SEGMENTS_MAX;

    if (size == 0 || size > VIRTQUEUE_SIZE_MAX || (size & (size - 1)))
        return -EINVAL;
    if (size < stride)
        return -ENOSPC;
    memset(queue, 0, sizeof(*queue));
    memset(memory->rings, 0, sizeof(memory->rings));
    queue->memory = memory;
    queue->physical = physical;
    queue->size = size;
    queue->stride = (uint16_t)stride;
    queue->indirect = indirect;
    queue->descriptors = (volatile struct virtqueue_descriptor *)memory->rings;
    queue->available = (volatile struct virtqueue_available *)(memory->rings + available_offset(size));
    queue->used = (volatile struct virtqueue_used *)(memory->rings + used_offset(size));
    queue->slot_count = (uint16_t)(size / stride < VIRTQUEUE_SLOTS_MAX ? size / stride : VIRTQUEUE_SLOTS_MAX);
    for (unsigned slot = queue->slot_count; slot > 0; slot--)
        queue->free[queue->free_count++] = (uint16_t)(slot - 1);
    return 0;
}

struct virtqueue_place virtqueue_place(const struct virtqueue *queue)
{
    const uint64_t rings = queue->physical + offsetof(struct virtqueue_memory, rings);

    return (struct virtqueue_place){.descriptors = rings,
                                    .available = rings + available_offset(queue->size),
                                    .used = rings + used_offset(queue->size)};
}

/* Writes a chain to consecutive descriptors, of which the first is number `first` of its table. */
static void write_chain(volatile struct virtqueue_descriptor *chain, unsigned first,
                        const struct virtqueue_segment *segments, unsigned count, unsigned readable)
{
    for (unsigned i = 0; i < count; i++) {
        const bool last = i + 1 == count;
        chain[i].address = segments[i].address;
        chain[i].length = segments[i].length;
        chain[i].flags = (uint16_t)((last ? 0 : DESCRIPTOR_NEXT) | (i < readable ? 0 : DESCRIPTOR_WRITE));
        chain[i].next = (uint16_t)(last ? 0 : first + i + 1);
    }
}

static void write_indirect(struct virtqueue *queue, unsigned slot, const struct virtqueue_segment *segments,
                           unsigned count, unsigned readable)
{
    volatile struct virtqueue_descriptor *head = &queue->descriptors[slot];

    write_chain(queue->memory->tables[slot].descriptors, 0, segments, count, readable);
    head->address = queue->physical + offsetof(struct virtqueue_memory, tables) + slot * sizeof(struct virtqueue_table);
    head->length = (uint32_t)(count * sizeof(struct virtqueue_descriptor));
    head->flags = DESCRIPTOR_INDIRECT;
    head->next = 0;
}

int virtqueue_add(struct virtqueue *queue, const struct virtqueue_segment *segments, unsigned count, unsigned readable)
{
    ASSERT(count > 0 && count <= VIRTQUEUE_SEGMENTS_MAX && readable <= count);
    if (queue->free_count == 0)
        return -EAGAIN;
    const unsigned slot = queue->free[--queue->free_count];
    const unsigned head = slot * queue->stride;
    if (queue->indirect)
        write_indirect(queue, slot, segments, count, readable);
    else
        write_chain(&queue->descriptors[head], head, segments, count, readable);
    queue->in_flight[slot] = true;
    queue->available->ring[queue->available_index % queue->size] = (uint16_t)head;
    queue->available_index++;
    fence(); /* the chain is there before the index says so */
    queue->available->index = queue->available_index;
    return (int)slot;
}

bool virtqueue_wants_notice(const struct virtqueue *queue)
{
    fence(); /* the index is there before the device's wish is looked at */
    return !(queue->used->flags & USED_NO_NOTIFY);
}

int virtqueue_take(struct virtqueue *queue, uint32_t *length)
{
    const uint16_t waiting = (uint16_t)(queue->used->index - queue->used_index);

    if (waiting == 0)
        return -EAGAIN;
    if (waiting > virtqueue_in_flight(queue))
        return -EIO;
    fence(); /* the entry is read after the index that tells of it */
    const volatile struct virtqueue_used_element *element = &queue->used->ring[queue->used_index % queue->size];
    const uint32_t id = element->id, slot = id / queue->stride;
    *length = element->length;
    if (id % queue->stride || slot >= queue->slot_count || !queue->in_flight[slot])
        return -EIO;
    queue->used_index++;
    queue->in_flight[slot] = false;
    queue->free[queue->free_count++] = (uint16_t)slot;
    return (int)slot;
}
