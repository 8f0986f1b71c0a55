/* SPDX-License-Identifier: MIT */
#include "sd_card.h"

#include <errno.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <quire/syscall.h>

/* Commands; those with APPLICATION follow a CMD55. */
enum {
    GO_IDLE = 0,
    ALL_SEND_CID = 2,
    SEND_RELATIVE_ADDRESS = 3,
    SELECT = 7,
    SEND_IF_CONDITION = 8,
    SEND_CSD = 9,
    SET_BLOCK_LENGTH = 16,
    APPLICATION = 55,
    APPLICATION_SET_WIDTH = 6,
    APPLICATION_SEND_CONDITION = 41,
};

#define IF_CONDITION       0x1aau /* 2.7 to 3.6 V, and a pattern to come back */
#define CONDITION_VOLTAGES 0x00ff8000u
#define CONDITION_HIGH     (1u << 30) /* asked: we know cards that count blocks; answered: it is one */
#define CONDITION_READY    (1u << 31)
#define WIDTH_FOUR         2u
#define ADDRESS_MASK       0xffff0000u
#define CLOCK_DEFAULT      25000000u
#define READY_PATIENCE_NS  1500000000UL
#define READY_STEP_NS      10000000UL
#define POWER_UP_NS        2000000UL

static void rest(uint64_t ns)
{
    (void)!sys_wait(SLOT_NONE, clock_now_ns() + ns, &(uint64_t){0});
}

static int application_command(struct sd_card *card, uint32_t address, uint32_t index, uint32_t argument,
                               enum sdhci_answer kind, uint32_t answer[4])
{
    int error = sdhci_command(&card->controller, APPLICATION, address, SDHCI_R1, answer);
    if (!error)
        error = sdhci_command(&card->controller, index, argument, kind, answer);
    return error;
}

/* Waits until the card is ready. ENXIO: nothing answers that is a memory card. */
static int wake(struct sd_card *card)
{
    const uint64_t deadline = clock_now_ns() + READY_PATIENCE_NS;
    uint32_t answer[4], wanted = CONDITION_VOLTAGES;

    int error = sdhci_command(&card->controller, GO_IDLE, 0, SDHCI_NO_ANSWER, answer);
    if (error)
        return error;
    /* Cards from before version 2 do not know this command and count bytes. */
    error = sdhci_command(&card->controller, SEND_IF_CONDITION, IF_CONDITION, SDHCI_R1, answer);
    if (!error)
        wanted |= CONDITION_HIGH;
    do {
        error = application_command(card, 0, APPLICATION_SEND_CONDITION, wanted, SDHCI_R3, answer);
        if (error)
            return error == -ETIMEDOUT ? -ENXIO : error;
        if (answer[0] & CONDITION_READY) {
            card->counts_blocks = answer[0] & CONDITION_HIGH;
            return 0;
        }
        rest(READY_STEP_NS);
    } while (clock_now_ns() < deadline);
    return -EIO;
}

/* Asks the card who it is and how large; it is selected then. */
static int identify(struct sd_card *card)
{
    struct sdhci *controller = &card->controller;
    uint32_t answer[4];

    int error = sdhci_command(controller, ALL_SEND_CID, 0, SDHCI_R2, answer);
    if (error)
        return error;
    sd_read_cid(answer, card->serial);
    error = sdhci_command(controller, SEND_RELATIVE_ADDRESS, 0, SDHCI_R1, answer);
    if (error)
        return error;
    const uint32_t address = answer[0] & ADDRESS_MASK;
    error = sdhci_command(controller, SEND_CSD, address, SDHCI_R2, answer);
    if (!error)
        error = sd_read_csd(answer, &card->sectors, &card->read_only);
    if (!error)
        error = sdhci_command(controller, SELECT, address, SDHCI_R1B, answer);
    if (!error && !card->counts_blocks)
        error = sdhci_command(controller, SET_BLOCK_LENGTH, SDHCI_BLOCK_BYTES, SDHCI_R1, answer);
    if (!error)
        error = application_command(card, address, APPLICATION_SET_WIDTH, WIDTH_FOUR, SDHCI_R1, answer);
    return error;
}

int sd_card_start(struct sd_card *card, volatile void *registers)
{
    *card = (struct sd_card){0};
    int error = sdhci_start(&card->controller, registers);
    if (error)
        return error;
    rest(POWER_UP_NS);
    error = wake(card);
    if (!error)
        error = identify(card);
    if (error)
        return error == -ETIMEDOUT ? -EIO : error;
    sdhci_set_wide(&card->controller);
    return sdhci_set_clock(&card->controller, CLOCK_DEFAULT);
}

int sd_card_transfer(struct sd_card *card, bool write, uint64_t sector, uint32_t count, uint32_t *words)
{
    const uint64_t address = card->counts_blocks ? sector : sector * SDHCI_BLOCK_BYTES;

    return address > UINT32_MAX ? -EIO : sdhci_transfer(&card->controller, write, (uint32_t)address, count, words);
}
