/* SPDX-License-Identifier: MIT */
/* virtio's capabilities on PCI: a function as QEMU makes it, each kind of damage, and random damage. Whatever a function
 * says, nothing is touched but what is mapped of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "virtio_blk.h"

#define CONFIG_BYTES 4096u
#define BARS         6u

static uint8_t *config, *bars[BARS];
static struct virtio_place place;
static struct virtio_blk device;

static void put(uint32_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        config[at + i] = (uint8_t)(value >> 8 * i);
}

static void put_capability(uint32_t at, uint32_t next, uint32_t type, uint32_t bar, uint32_t offset, uint32_t length)
{
    put(at, 0x09 | next << 8 | 20u << 16 | type << 24, 4);
    put(at + 4, bar, 4);
    put(at + 8, offset, 4);
    put(at + 12, length, 4);
}

/* BAR 1 has the table of messages, BAR 4 virtio's registers. */
static void build(void)
{
    for (unsigned i = 0; i < BARS; i++) {
        const uint32_t bytes = i == 1 ? 4096 : i == 4 ? 16384 : 0;
        free(bars[i]);
        bars[i] = calloc(1, bytes ? bytes : 1);
        place.bars[i] = (struct virtio_bar){bars[i], bytes};
    }
    free(config);
    config = calloc(1, CONFIG_BYTES);
    place.registers = config;
    place.message_address = 0xfee01000;
    place.message_data = 0xb3;
    put(0, 0x10421af4, 4);
    put(6, 0x10, 2);
    put(0x34, 0x98, 1);
    put(0x98, 0x11 | 0x84u << 8, 2); /* messages */
    put(0x9c, 1, 4);
    put_capability(0x84, 0x70, 5, 0, 0, 4); /* another way to the registers, which is not used */
    put_capability(0x70, 0x60, 2, 4, 0x3000, 0x1000);
    put(0x80, 4, 4);
    put_capability(0x60, 0x50, 4, 4, 0x2000, 0x1000);
    put_capability(0x50, 0x40, 3, 4, 0x1000, 0x1000);
    put_capability(0x40, 0, 1, 4, 0, 0x1000);
}

static int open_it(void)
{
    device = (struct virtio_blk){.transport = &virtio_pci};
    return virtio_pci.open(&device, &place);
}

static uint32_t word(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static void all_is_found(void)
{
    build();
    EXPECT(open_it() == 0);
    EXPECT(device.pci.common == bars[4] && device.pci.config == bars[4] + 0x2000 &&
           device.pci.notify == bars[4] + 0x3000);
    EXPECT(device.pci.notify_step == 4 && device.pci.notify_bytes == 0x1000 && !device.legacy);
    EXPECT(word(bars[1]) == 0xfee01000 && word(bars[1] + 4) == 0 && word(bars[1] + 8) == 0xb3 &&
           word(bars[1] + 12) == 0);
    EXPECT(word(config + 0x98) >> 16 == 0x8000);  /* messages are on */
    EXPECT((word(config + 4) & 0xffff) == 0x402); /* it answers, but uses no memory yet, and no line */
}

static void expect_unusable(void)
{
    EXPECT(open_it() == -EOPNOTSUPP);
    EXPECT((word(config + 4) & 4) == 0);
}

static void other_devices(void)
{
    build();
    put(0, 0x10411af4, 4);
    EXPECT(open_it() == -ENODEV);
    build();
    put(0, 0x10428086, 4);
    EXPECT(open_it() == -ENODEV);
}

static void damage(void)
{
    build();
    put(6, 0, 2); /* no capabilities */
    expect_unusable();
    build();
    put(0x34, 0x20, 1); /* they begin in the head */
    expect_unusable();
    build();
    put(0x48, 0x4000, 4); /* common registers behind what is mapped */
    expect_unusable();
    build();
    put(0x48, 0xfffffff0, 4);
    expect_unusable();
    build();
    put(0x44, 3, 1); /* in what is not mapped */
    expect_unusable();
    build();
    put(0x44, 6, 1); /* no such address register */
    expect_unusable();
    build();
    put(0x4c, 8, 4); /* too short */
    expect_unusable();
    build();
    put(0x9c, 0x1001, 4); /* the table of messages behind what is mapped */
    expect_unusable();
    build();
    put(0x98, 0x05, 1); /* no messages of the right kind */
    expect_unusable();
}

static void circle(void)
{
    build();
    put(0x41, 0x98, 1);
    EXPECT(open_it() == 0);
    put(0x99, 0x98, 1);
    expect_unusable();
}

static void doorbell_out_of_reach(void)
{
    static struct virtqueue_memory memory;
    struct virtqueue queue;

    build();
    EXPECT(open_it() == 0);
    EXPECT(virtqueue_init(&queue, &memory, 1UL << 20, 128, true) == 0);
    EXPECT(virtio_pci.set_queue(&device, &queue) == 0);
    EXPECT((word(config + 4) & 4) == 4); /* now it may use memory */
    bars[4][0x1e] = 0xff;
    bars[4][0x1f] = 0x03; /* 0x3ff times 4 is the last that fits */
    EXPECT(virtio_pci.set_queue(&device, &queue) == 0);
    virtio_pci.notify(&device);
    bars[4][0x1f] = 0x04;
    EXPECT(virtio_pci.set_queue(&device, &queue) == -EIO);
}

static void random_damage(void)
{
    static struct virtqueue_memory memory;
    struct virtqueue queue;
    uint64_t good = 0;

    EXPECT(virtqueue_init(&queue, &memory, 1UL << 20, 128, true) == 0);
    build();
    uint8_t whole[256];
    memcpy(whole, config, sizeof(whole));
    for (test_step = 0; test_step < test_steps(); test_step++) {
        memcpy(config, whole, sizeof(whole));
        for (uint64_t i = random_below(5); i > 0; i--)
            config[random_chance(80) ? 0x34 + random_below(0x70) : random_below(256)] = (uint8_t)random_next();
        bars[4][0x1e + random_below(2)] = (uint8_t)random_next();
        if (open_it() == 0 && virtio_pci.set_queue(&device, &queue) == 0) {
            virtio_pci.notify(&device);
            (void)virtio_pci.config(&device, 5);
            virtio_pci.set_status(&device, virtio_pci.status(&device));
            good++;
        }
    }
    EXPECT(good > test_steps() / 100);
}

static const struct test_row rows[] = {
    {"all_is_found", "registers are where the capabilities say, and the message is set", all_is_found},
    {"other_devices", "other devices, and those of other makers, are none", other_devices},
    {"damage", "what is missing, too short or not mapped makes it unusable", damage},
    {"circle", "capabilities may go round in a circle", circle},
    {"doorbell_out_of_reach", "a doorbell behind what is mapped is refused", doorbell_out_of_reach},
    {"random_damage", "whatever is said, nothing is touched but what is mapped", random_damage},
};

TEST_MAIN("virtio_pci", rows)
