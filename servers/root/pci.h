/* SPDX-License-Identifier: MIT */
/*
 * PCI as root sees it at start: which functions there are, and where their registers are. The firmware has given all of
 * them their places; root changes none. What functions say of themselves is checked.
 */
#ifndef ROOT_PCI_H
#define ROOT_PCI_H

#include <base/check.h>
#include <proto/blk_start.h>
#include <stdbool.h>

/* What one of a function's address registers leads to: whole pages from there on, BLK_BAR_PAGES at most; 0: nothing that
 * can be mapped. */
struct pci_bar {
    uint64_t address; /* physical */
    uint32_t pages;
};

struct pci_function {
    uint64_t config; /* physical, of its page of configuration */
    struct pci_bar bars[BLK_BARS];
};

/* Looks for PCI in the device tree, and prepares for the calls below; *first and *count are the interrupts that messages
 * may have. False: there is none, or none whose devices can send messages. Before frames_close(). */
MUST_CHECK bool pci_open(const void *tree, uint32_t *first, uint32_t *count);

/* Finds virtio's block devices, `most` at most, in the order of buses and of places there; returns how many. They answer in
 * memory then, and use none themselves until somebody lets them. After pci_open(), before frames_close(). */
MUST_CHECK unsigned pci_find_virtio_disks(struct pci_function *list, unsigned most);

#endif
