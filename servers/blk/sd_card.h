/* SPDX-License-Identifier: MIT */
/* An SD memory card in a host controller: how it is identified (SD physical layer specification 4.2), and its addresses. */
#ifndef BLK_SD_CARD_H
#define BLK_SD_CARD_H

#include "sd_identity.h"
#include "sdhci.h"

struct sd_card {
    struct sdhci controller;
    bool counts_blocks; /* its addresses are blocks and not bytes */
    bool read_only;
    uint64_t sectors;
    char serial[SD_SERIAL_BYTES];
};

/* Resets the controller and identifies the card. ENXIO: there is no memory card; EIO, EOPNOTSUPP: it is of no use. */
MUST_CHECK int sd_card_start(struct sd_card *card, volatile void *registers);

/* Begins a transfer; as sdhci_transfer(), but for sectors. They lie on the card. */
MUST_CHECK int sd_card_transfer(struct sd_card *card, bool write, uint64_t sector, uint32_t count, uint32_t *words);

#endif
