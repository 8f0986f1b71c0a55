/* SPDX-License-Identifier: MIT */
/* The virtqueue against a device made here, an honest one and one that says anything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <virtqueue.h>

#include "harness.h"

#define PHYSICAL 0x80000000UL

static struct virtqueue_memory *memory;
static struct virtqueue queue;
/* The device's side. */
static uint16_t seen, given;

static void start(uint16_t size, bool indirect)
{
    free(memory);
    EXPECT(posix_memalign((void **)&memory, VIRTQUEUE_ALIGNMENT, sizeof(*memory)) == 0);
    memset(memory, 0xff, sizeof(*memory));
    EXPECT(virtqueue_init(&queue, memory, PHYSICAL, size, indirect) == 0);
    seen = given = 0;
}

/* Where the device finds a physical address of the queue's memory. */
static void *at(uint64_t physical, size_t bytes)
{
    EXPECT(physical >= PHYSICAL && physical - PHYSICAL <= sizeof(*memory) - bytes);
    return (uint8_t *)memory + (physical - PHYSICAL);
}

static struct virtqueue_available *available(void)
{
    return at(virtqueue_place(&queue).available, 4 + 2 * (size_t)queue.size);
}

static struct virtqueue_used *used(void)
{
    return at(virtqueue_place(&queue).used, 4 + 8 * (size_t)queue.size);
}

/* The chain that the device takes next, as segments; returns its head. */
static uint32_t device_take(struct virtqueue_segment *segments, unsigned *count, unsigned *readable)
{
    const struct virtqueue_descriptor *table = at(virtqueue_place(&queue).descriptors, 16 * (size_t)queue.size);
    EXPECT(available()->index != seen);
    const uint32_t head = available()->ring[seen++ % queue.size];
    unsigned place = head, limit = queue.size;

    if (table[head].flags & 4) {
        limit = table[head].length / 16;
        EXPECT(!(table[head].flags & 3) && table[head].length % 16 == 0 && limit <= VIRTQUEUE_SEGMENTS_MAX);
        table = at(table[head].address, table[head].length);
        place = 0;
    }
    *count = *readable = 0;
    for (;; place = table[place].next) {
        EXPECT(place < limit && *count < VIRTQUEUE_SEGMENTS_MAX && !(table[place].flags & 4));
        segments[*count] = (struct virtqueue_segment){table[place].address, table[place].length};
        if (!(table[place].flags & 2)) {
            EXPECT(*readable == *count); /* what is read comes first */
            ++*readable;
        }
        ++*count;
        if (!(table[place].flags & 1))
            return head;
    }
}

static void device_give(uint32_t id, uint32_t length)
{
    used()->ring[given % queue.size].id = id;
    used()->ring[given % queue.size].length = length;
    used()->index = ++given;
}

static unsigned random_segments(struct virtqueue_segment *segments, unsigned *readable)
{
    const unsigned count = 1 + (unsigned)random_below(VIRTQUEUE_SEGMENTS_MAX);
    for (unsigned i = 0; i < count; i++)
        segments[i] = (struct virtqueue_segment){random_next(), (uint32_t)random_next()};
    *readable = (unsigned)random_below(count + 1);
    return count;
}

static void sizes(void)
{
    start(4, true);
    EXPECT(virtqueue_init(&queue, memory, PHYSICAL, 0, true) == -EINVAL);
    EXPECT(virtqueue_init(&queue, memory, PHYSICAL, 3, true) == -EINVAL);
    EXPECT(virtqueue_init(&queue, memory, PHYSICAL, 512, true) == -EINVAL);
    EXPECT(virtqueue_init(&queue, memory, PHYSICAL, 64, false) == -ENOSPC);
    for (unsigned size = 1; size <= VIRTQUEUE_SIZE_MAX; size *= 2) {
        start((uint16_t)size, true);
        const struct virtqueue_place place = virtqueue_place(&queue);
        EXPECT(place.descriptors == PHYSICAL && place.used % VIRTQUEUE_ALIGNMENT == 0);
        EXPECT(place.available == PHYSICAL + 16 * size && place.used >= place.available + 6 + 2 * size);
        EXPECT(place.used + 6 + 8 * size <= PHYSICAL + VIRTQUEUE_RING_BYTES);
        EXPECT(queue.slot_count == (size < VIRTQUEUE_SLOTS_MAX ? size : VIRTQUEUE_SLOTS_MAX));
    }
    start(256, false);
    EXPECT(queue.slot_count == 3);
}

static void wishes(void)
{
    start(8, true);
    EXPECT(virtqueue_wants_notice(&queue));
    used()->flags = 1;
    EXPECT(!virtqueue_wants_notice(&queue));
}

/* Adds, takes and gives in random order; what comes out is what went in, for longer than indexes count. */
static void honest(uint16_t size, bool indirect)
{
    struct virtqueue_segment sent[VIRTQUEUE_SLOTS_MAX][VIRTQUEUE_SEGMENTS_MAX], got[VIRTQUEUE_SEGMENTS_MAX];
    unsigned counts[VIRTQUEUE_SLOTS_MAX], readable[VIRTQUEUE_SLOTS_MAX];
    uint32_t heads[VIRTQUEUE_SLOTS_MAX], lengths[VIRTQUEUE_SLOTS_MAX];
    unsigned order[VIRTQUEUE_SLOTS_MAX], waiting = 0, underway = 0, count, seen_readable;
    uint32_t length;

    start(size, indirect);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const bool full = waiting + underway == queue.slot_count;
        if (random_chance(50)) {
            struct virtqueue_segment segments[VIRTQUEUE_SEGMENTS_MAX];
            unsigned reads;
            count = random_segments(segments, &reads);
            const int slot = virtqueue_add(&queue, segments, count, reads);
            EXPECT(slot == -EAGAIN ? full : !full && slot >= 0 && slot < (int)queue.slot_count);
            if (slot < 0)
                continue;
            memcpy(sent[slot], segments, count * sizeof(segments[0]));
            counts[slot] = count;
            readable[slot] = reads;
            order[waiting++] = (unsigned)slot;
        } else if (waiting && random_chance(60)) {
            const unsigned slot = order[0];
            memmove(order, order + 1, --waiting * sizeof(order[0]));
            heads[slot] = device_take(got, &count, &seen_readable);
            EXPECT(count == counts[slot] && seen_readable == readable[slot]);
            for (unsigned i = 0; i < count; i++)
                EXPECT(got[i].address == sent[slot][i].address && got[i].length == sent[slot][i].length);
            underway++;
            lengths[slot] = (uint32_t)random_next();
            device_give(heads[slot], lengths[slot]);
            EXPECT(virtqueue_take(&queue, &length) == (int)slot && length == lengths[slot]);
            underway--;
        } else {
            EXPECT(virtqueue_take(&queue, &length) == -EAGAIN);
        }
        EXPECT(virtqueue_in_flight(&queue) == waiting + underway);
    }
}

static void honest_indirect(void)
{
    honest(64, true);
}

static void honest_direct(void)
{
    honest(256, false);
}

static void lies(void)
{
    const struct virtqueue_segment segment = {1, 1};
    uint32_t length;

    start(64, true);
    EXPECT(virtqueue_add(&queue, &segment, 1, 1) == 0);
    used()->index = 2; /* more than it was given */
    EXPECT(virtqueue_take(&queue, &length) == -EIO);
    start(64, true);
    EXPECT(virtqueue_add(&queue, &segment, 1, 1) == 0);
    device_give(1, 0); /* another than it was given */
    EXPECT(virtqueue_take(&queue, &length) == -EIO);
    start(64, true);
    EXPECT(virtqueue_add(&queue, &segment, 1, 1) == 0);
    device_give(UINT32_MAX, 0);
    EXPECT(virtqueue_take(&queue, &length) == -EIO);
    start(256, false);
    EXPECT(virtqueue_add(&queue, &segment, 1, 1) == 0);
    device_give(1, 0); /* the middle of a chain */
    EXPECT(virtqueue_take(&queue, &length) == -EIO);
    start(64, true);
    EXPECT(virtqueue_add(&queue, &segment, 1, 1) == 0 && virtqueue_add(&queue, &segment, 1, 1) == 1);
    device_give(0, 0);
    device_give(0, 0); /* the same twice */
    EXPECT(virtqueue_take(&queue, &length) == 0 && virtqueue_take(&queue, &length) == -EIO);
}

/* A device that writes anything into the ring: whatever is taken was in flight. */
static void noise(void)
{
    const struct virtqueue_segment segment = {1, 1};
    bool in_flight[VIRTQUEUE_SLOTS_MAX] = {false};
    uint32_t length;

    start(64, true);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        int slot = virtqueue_add(&queue, &segment, 1, 1);
        if (slot >= 0) {
            EXPECT(!in_flight[slot]);
            in_flight[slot] = true;
        }
        for (unsigned i = 0; i < 4; i++)
            used()->ring[random_below(queue.size)].id =
                (uint32_t)(random_chance(80) ? random_below(70) : random_next());
        used()->index = (uint16_t)(queue.used_index + random_below(4));
        slot = virtqueue_take(&queue, &length);
        EXPECT(slot == -EIO || slot == -EAGAIN || (slot >= 0 && slot < (int)queue.slot_count && in_flight[slot]));
        if (slot >= 0)
            in_flight[slot] = false;
    }
}

static const struct test_row rows[] = {
    {"sizes", "rings of each size lie in their memory", sizes},
    {"wishes", "a device that wants no notice gets none", wishes},
    {"honest_indirect", "100,000 random steps with tables of their own", honest_indirect},
    {"honest_direct", "and with chains in the ring", honest_direct},
    {"lies", "each thing that cannot be is refused", lies},
    {"noise", "whatever the device writes, only what is in flight comes back", noise},
};
TEST_MAIN("virtqueue", rows)
