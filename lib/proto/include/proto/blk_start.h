/* SPDX-License-Identifier: MIT */
/*
 * How root starts the block server: with SLOT_MEMSRV, SLOT_ROOT, SLOT_DMA, SLOT_SERVE (the endpoint, with
 * RIGHT_RECEIVE), SLOT_REPLY, and SLOT_NOTIFICATION, which is bound to the endpoint and may be signalled. Each argument
 * is a disk: BLK_START_VIRTIO_MMIO, BLK_START_VIRTIO_PCI or BLK_START_SDHCI (a reader, with a card or without) and, in hexadecimal, where its registers are in the page that is mapped for it at
 * BLK_REGISTERS_ADDRESS + n * PAGE_SIZE; its interrupt is in slot BLK_SLOT_IRQ + n, the same in several if they share it.
 * On PCI that page is the function's configuration, the interrupt is a message, and the argument goes on with a digit for
 * each of the function's six address registers: how many pages from there on are mapped, at BLK_BARS_ADDRESS +
 * (n * BLK_BARS + register) * BLK_BAR_PAGES * PAGE_SIZE.
 */
#ifndef PROTO_BLK_START_H
#define PROTO_BLK_START_H

#include <quire/abi.h>

#define BLK_REGISTERS_ADDRESS 0x30000UL
#define BLK_BARS_ADDRESS      0x100000UL
#define BLK_BARS              6u
#define BLK_BAR_PAGES         8u
#define BLK_SLOT_IRQ          16u
#define BLK_DISKS_MAX         8u
#define BLK_START_VIRTIO_MMIO "virtio-mmio@"
#define BLK_START_VIRTIO_PCI  "virtio-pci@"
#define BLK_START_SDHCI       "sdhci@"

/* root signals this when a program has ended that may transfer data. The other bits are the server's. */
#define BLK_EVENT_ENDED (1UL << 63)
/* The server's own: time has passed. */
#define BLK_EVENT_TICK (1UL << 62)

_Static_assert(BLK_SLOT_IRQ + BLK_DISKS_MAX <= SLOT_FIRST_FREE, "interrupts are in standard slots");

#endif
