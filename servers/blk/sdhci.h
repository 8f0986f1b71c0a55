/* SPDX-License-Identifier: MIT */
/*
 * The registers of an SD host controller (SD host controller simplified specification 3.00), accessed as whole words, as
 * Broadcom's demand. Data goes through the controller's buffer, word by word: the emulated controller of the Raspberry
 * Pi 4 has no DMA of its own. Registers are volatile, and no loop waits for them without a limit.
 */
#ifndef BLK_SDHCI_H
#define BLK_SDHCI_H

#include <base/check.h>
#include <stdbool.h>
#include <stdint.h>

#define SDHCI_BLOCK_BYTES 512u

/* What a command's answer is like; values as the command register has them. */
enum sdhci_answer {
    SDHCI_NO_ANSWER = 0x00,
    SDHCI_R1 = 0x1a, /* and R6, R7: 48 bits, checked */
    SDHCI_R1B = 0x1b,
    SDHCI_R2 = 0x09, /* 136 bits */
    SDHCI_R3 = 0x02, /* 48 bits without a checksum */
};

struct sdhci {
    volatile uint32_t *registers;
    uint32_t base_clock; /* Hz */

    /* The transfer on its way. */
    bool busy, failed;
    bool writing;
    uint32_t blocks_left; /* that have not gone through the buffer */
    uint32_t *words;      /* where the next one goes to or comes from */
};

/* Resets the controller, which ends all transfers and interrupts, gives the card power and the slow clock with which it is
 * identified. EIO: it does not come to a reset, or has no stable clock. */
MUST_CHECK int sdhci_start(struct sdhci *controller, volatile void *registers);

/* Sets the card's clock, at most so many hertz. EIO: it does not become stable. */
MUST_CHECK int sdhci_set_clock(struct sdhci *controller, uint32_t hertz);

/* Four data lines from now on. */
void sdhci_set_wide(struct sdhci *controller);

/* A command without data, carried out by waiting; answer[] gets the words that there are. ETIMEDOUT: the card does not
 * answer; EIO: something else is wrong. */
MUST_CHECK int sdhci_command(struct sdhci *controller, uint32_t index, uint32_t argument, enum sdhci_answer kind,
                             uint32_t answer[4]);

/* Begins to transfer `count` blocks (1 to 65535); words is of as many bytes, and stays until the transfer has ended.
 * `address` is in the card's units. EIO: the controller is not ready for that. */
MUST_CHECK int sdhci_transfer(struct sdhci *controller, bool write, uint32_t address, uint32_t count, uint32_t *words);

/* Does what the controller asks for, after an interrupt or at any time. True: the transfer has ended, and `failed` says
 * how; nothing else is on its way then. */
MUST_CHECK bool sdhci_progress(struct sdhci *controller);

/* Interrupts from now on, or not. */
void sdhci_set_interrupts(struct sdhci *controller, bool on);

/* Resets it for good. EIO: it does not come to a reset. */
MUST_CHECK int sdhci_stop(struct sdhci *controller);

#endif
