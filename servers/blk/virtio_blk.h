/* SPDX-License-Identifier: MIT */
/*
 * The registers of a virtio block device (virtio 1.2, section 5.2) behind a transport, a table of functions: virtio-mmio,
 * version 1 (legacy) or 2 (section 4.2), or PCI in its present form (section 4.1). Registers are volatile and what they say
 * is checked here; no function waits for long.
 */
#ifndef BLK_VIRTIO_BLK_H
#define BLK_VIRTIO_BLK_H

#include "virtqueue.h"

struct virtio_blk;

/* Where a device's registers are mapped. */
struct virtio_place {
    volatile void *registers; /* of virtio-mmio, or the page of a PCI function's configuration */
    struct virtio_bar {       /* PCI: what its address registers lead to */
        volatile uint8_t *base;
        uint32_t bytes; /* 0: not mapped */
    } bars[6];
    uint64_t message_address; /* PCI: what it writes, and where (physical), to interrupt */
    uint32_t message_data;
};

/* A device's registers. Only open() says what is wrong; all others need an open device. */
struct virtio_transport {
    /* Finds the registers, and sets `legacy`. ENODEV: it is no block device; EOPNOTSUPP: it is not of a form that is known. */
    int (*open)(struct virtio_blk *device, const struct virtio_place *place);
    uint32_t (*status)(const struct virtio_blk *device);
    void (*set_status)(const struct virtio_blk *device, uint32_t status);
    uint32_t (*features)(const struct virtio_blk *device, uint32_t half);
    void (*set_features)(const struct virtio_blk *device, uint32_t half, uint32_t features);
    uint32_t (*config)(const struct virtio_blk *device, unsigned word); /* of the block device's configuration */
    uint32_t (*generation)(const struct virtio_blk *device);            /* of that; legacy: always 0 */
    uint32_t (*queue_size_max)(const struct virtio_blk *device);
    int (*set_queue)(struct virtio_blk *device,
                     const struct virtqueue *queue); /* and lets it work. EIO: it cannot be */
    void (*notify)(const struct virtio_blk *device);
    void (*acknowledge)(const struct virtio_blk *device); /* the interrupt */
};
extern const struct virtio_transport virtio_mmio, virtio_pci;

/* What both sides agreed on, and what the device says of itself, once it has been started. */
struct virtio_blk {
    const struct virtio_transport *transport;
    volatile uint32_t *registers; /* as in struct virtio_place */
    struct {
        volatile uint8_t *common, *notify, *config;
        uint32_t notify_bytes, notify_step;
        volatile uint16_t *doorbell; /* of the queue */
    } pci;
    bool legacy;
    uint64_t features;    /* VIRTIO_BLK_* */
    uint64_t sectors;     /* of 512 bytes */
    uint32_t block_bytes; /* of a block: a power of two from 512 to 4096 */
    uint32_t segment_bytes_max;
};

enum virtio_blk_feature {
    VIRTIO_BLK_READ_ONLY = 1 << 5,
    VIRTIO_BLK_BLOCK_SIZE = 1 << 6,
    VIRTIO_BLK_FLUSH = 1 << 9,
    VIRTIO_BLK_INDIRECT = 1 << 28,
};

#define VIRTIO_BLK_SERIAL_BYTES 20u

/* What a request to the device begins with; it ends with a byte of status. */
struct virtio_blk_header {
    uint32_t type, reserved;
    uint64_t sector;
};
enum { VIRTIO_BLK_TYPE_IN = 0, VIRTIO_BLK_TYPE_OUT = 1, VIRTIO_BLK_TYPE_FLUSH = 4, VIRTIO_BLK_TYPE_GET_ID = 8 };
enum { VIRTIO_BLK_STATUS_OK = 0, VIRTIO_BLK_STATUS_IO_ERROR = 1, VIRTIO_BLK_STATUS_UNSUPPORTED = 2 };

/*
 * Resets the device, so that it uses no memory any more, and agrees with it on features. ENODEV: it is no block device;
 * EIO: it does not come to a reset; EOPNOTSUPP: it has not what is needed here, and stays reset.
 */
MUST_CHECK int virtio_blk_start(struct virtio_blk *device, const struct virtio_transport *transport,
                                const struct virtio_place *place);

/* The size of the one queue that suits both sides; 0: none does. */
MUST_CHECK uint16_t virtio_blk_queue_size(const struct virtio_blk *device);

/* Gives the device its queue and lets it work. EIO: it has refused. */
MUST_CHECK int virtio_blk_run(struct virtio_blk *device, const struct virtqueue *queue);

/* Tells it that there is something new in the queue. */
void virtio_blk_notify(const struct virtio_blk *device);

/* Withdraws its interrupt. False: it says that it is broken. */
MUST_CHECK bool virtio_blk_acknowledge(const struct virtio_blk *device);

/* Resets it for good. EIO: it does not come to a reset. */
MUST_CHECK int virtio_blk_stop(const struct virtio_blk *device);

#endif
