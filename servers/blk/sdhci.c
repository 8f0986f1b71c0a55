/* SPDX-License-Identifier: MIT */
#include "sdhci.h"

#include <errno.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <quire/syscall.h>

#include "sd_identity.h"

/* Registers, by word. */
enum {
    BLOCKS = 0x04 / 4, /* bytes of a block, blocks << 16 */
    ARGUMENT = 0x08 / 4,
    COMMAND = 0x0c / 4, /* mode of the transfer, command << 16 */
    RESPONSE = 0x10 / 4,
    BUFFER = 0x20 / 4,
    PRESENT = 0x24 / 4,
    HOST = 0x28 / 4,  /* host control, power << 8 */
    CLOCK = 0x2c / 4, /* clock, time limit << 16, reset << 24 */
    STATUS = 0x30 / 4,
    STATUS_ENABLE = 0x34 / 4,
    SIGNAL_ENABLE = 0x38 / 4,
    CAPABILITIES = 0x40 / 4,
};

#define MODE_COUNT     (1u << 1)
#define MODE_AUTO_STOP (1u << 2) /* CMD12 after the last block */
#define MODE_READ      (1u << 4)
#define MODE_MANY      (1u << 5)
#define COMMAND_DATA   (1u << 5)
#define COMMAND_SHIFT  16u
#define COMMAND_NUMBER 24u /* with COMMAND_SHIFT */
#define READ_ONE       17u
#define READ_MANY      18u
#define WRITE_ONE      24u
#define WRITE_MANY     25u
#define STOP           12u
#define ANSWER_BUSY    0x03u /* of the answer's kind: 48 bits and busy */

#define PRESENT_COMMAND    (1u << 0) /* a command is on its way */
#define PRESENT_DATA       (1u << 1)
#define PRESENT_CAN_WRITE  (1u << 10)
#define PRESENT_CAN_READ   (1u << 11)
#define HOST_WIDE          (1u << 1)
#define HOST_POWER_3V3     (0xfu << 8)
#define CLOCK_INTERNAL     (1u << 0)
#define CLOCK_STABLE       (1u << 1)
#define CLOCK_CARD         (1u << 2)
#define CLOCK_TIME_LIMIT   (0xeu << 16) /* the longest */
#define RESET_ALL          (1u << 24)
#define RESET_COMMAND      (1u << 25)
#define RESET_DATA         (1u << 26)
#define CAPABILITIES_CLOCK 8u /* MHz, 8 bits */

#define STATUS_COMMAND_DONE  (1u << 0)
#define STATUS_TRANSFER_DONE (1u << 1)
#define STATUS_CAN_WRITE     (1u << 4)
#define STATUS_CAN_READ      (1u << 5)
#define STATUS_ERROR         (1u << 15)
#define STATUS_ERRORS        0xffff0000u
#define STATUS_NO_ANSWER     (1u << 16)
#define STATUS_ALL           (STATUS_COMMAND_DONE | STATUS_TRANSFER_DONE | STATUS_CAN_WRITE | STATUS_CAN_READ | 0x03ff0000u)

#define MEGAHERTZ            1000000u
#define CLOCK_UNKNOWN        (200 * MEGAHERTZ) /* so the card's is rather too slow than too fast */
#define CLOCK_IDENTIFICATION 400000u
#define PATIENCE_NS          1000000000UL
#define STEP_NS              50000UL
#define QUICK_LOOKS          1000u
#define BLOCK_WORDS          (SDHCI_BLOCK_BYTES / 4)

/* Waits until the bits of the register are all set (or all clear), at first without giving up the processor. */
static bool wait_for(const struct sdhci *controller, unsigned word, uint32_t bits, bool set)
{
    const uint64_t deadline = clock_now_ns() + PATIENCE_NS;

    for (unsigned looks = 0;; looks++) {
        const uint32_t value = controller->registers[word];
        if ((value & bits) == (set ? bits : 0))
            return true;
        if (clock_now_ns() > deadline)
            return false;
        if (looks > QUICK_LOOKS)
            (void)!sys_wait(SLOT_NONE, clock_now_ns() + STEP_NS, &(uint64_t){0});
    }
}

static bool reset(const struct sdhci *controller, uint32_t what)
{
    const uint32_t kept = controller->registers[CLOCK] & 0x00ffffffu;

    controller->registers[CLOCK] = (what == RESET_ALL ? 0 : kept) | what;
    return wait_for(controller, CLOCK, what, false);
}

int sdhci_set_clock(struct sdhci *controller, uint32_t hertz)
{
    volatile uint32_t *registers = controller->registers;
    const uint32_t half = sd_clock_divider(controller->base_clock, hertz) / 2;
    const uint32_t clock = (half & 0xff) << 8 | (half >> 8) << 6 | CLOCK_TIME_LIMIT | CLOCK_INTERNAL;

    registers[CLOCK] = CLOCK_TIME_LIMIT;
    registers[CLOCK] = clock;
    if (!wait_for(controller, CLOCK, CLOCK_STABLE, true))
        return -EIO;
    registers[CLOCK] = clock | CLOCK_CARD;
    return 0;
}

int sdhci_start(struct sdhci *controller, volatile void *registers)
{
    *controller = (struct sdhci){.registers = registers};
    if (!reset(controller, RESET_ALL))
        return -EIO;
    controller->base_clock = (controller->registers[CAPABILITIES] >> CAPABILITIES_CLOCK & 0xff) * MEGAHERTZ;
    if (controller->base_clock == 0)
        controller->base_clock = CLOCK_UNKNOWN;
    controller->registers[HOST] = HOST_POWER_3V3;
    controller->registers[SIGNAL_ENABLE] = 0;
    controller->registers[STATUS_ENABLE] = STATUS_ALL;
    controller->registers[STATUS] = UINT32_MAX;
    return sdhci_set_clock(controller, CLOCK_IDENTIFICATION);
}

void sdhci_set_wide(struct sdhci *controller)
{
    controller->registers[HOST] |= HOST_WIDE;
}

void sdhci_set_interrupts(struct sdhci *controller, bool on)
{
    /* That a command was taken is of no interest: what follows is. */
    controller->registers[SIGNAL_ENABLE] = on ? STATUS_ALL & ~STATUS_COMMAND_DONE : 0;
}

int sdhci_stop(struct sdhci *controller)
{
    controller->busy = false;
    return reset(controller, RESET_ALL) ? 0 : -EIO;
}

/* After an error: neither a command nor data is on its way. */
static int recover(const struct sdhci *controller, uint32_t status)
{
    bool good = reset(controller, RESET_COMMAND);

    good = reset(controller, RESET_DATA) && good;
    controller->registers[STATUS] = STATUS_ALL | STATUS_ERROR;
    return good && (status & STATUS_NO_ANSWER) ? -ETIMEDOUT : -EIO;
}

/* Waits for one of the bits, or an error, and takes it. */
static int await(const struct sdhci *controller, uint32_t bit)
{
    const uint64_t deadline = clock_now_ns() + PATIENCE_NS;
    uint32_t status;

    for (unsigned looks = 0; !((status = controller->registers[STATUS]) & (bit | STATUS_ERRORS)); looks++) {
        if (clock_now_ns() > deadline)
            break;
        if (looks > QUICK_LOOKS)
            (void)!sys_wait(SLOT_NONE, clock_now_ns() + STEP_NS, &(uint64_t){0});
    }
    if (!(status & bit) || (status & STATUS_ERRORS))
        return recover(controller, status);
    controller->registers[STATUS] = bit;
    return 0;
}

int sdhci_command(struct sdhci *controller, uint32_t index, uint32_t argument, enum sdhci_answer kind,
                  uint32_t answer[4])
{
    volatile uint32_t *registers = controller->registers;
    const bool busy_after = (kind & ANSWER_BUSY) == ANSWER_BUSY;

    if (!wait_for(controller, PRESENT, PRESENT_COMMAND | (busy_after ? PRESENT_DATA : 0), false))
        return recover(controller, 0);
    registers[STATUS] = STATUS_ALL | STATUS_ERROR;
    registers[ARGUMENT] = argument;
    registers[COMMAND] = (index << 8 | (uint32_t)kind) << COMMAND_SHIFT;
    int error = await(controller, STATUS_COMMAND_DONE);
    if (!error && busy_after)
        error = await(controller, STATUS_TRANSFER_DONE);
    for (unsigned i = 0; i < 4 && !error; i++)
        answer[i] = registers[RESPONSE + i];
    return error;
}

int sdhci_transfer(struct sdhci *controller, bool write, uint32_t address, uint32_t count, uint32_t *words)
{
    volatile uint32_t *registers = controller->registers;
    const uint32_t index = write ? (count > 1 ? WRITE_MANY : WRITE_ONE) : (count > 1 ? READ_MANY : READ_ONE);
    const uint32_t mode = (write ? 0 : MODE_READ) | (count > 1 ? MODE_MANY | MODE_COUNT | MODE_AUTO_STOP : 0);

    if (!wait_for(controller, PRESENT, PRESENT_COMMAND | PRESENT_DATA, false))
        return recover(controller, 0) ? -EIO : 0;
    controller->busy = true;
    controller->failed = false;
    controller->writing = write;
    controller->blocks_left = count;
    controller->words = words;
    registers[STATUS] = STATUS_ALL | STATUS_ERROR;
    registers[BLOCKS] = count << 16 | SDHCI_BLOCK_BYTES;
    registers[ARGUMENT] = address;
    registers[COMMAND] = (index << 8 | COMMAND_DATA | SDHCI_R1) << COMMAND_SHIFT | mode;
    return 0;
}

static void move_block(struct sdhci *controller)
{
    volatile uint32_t *buffer = &controller->registers[BUFFER];

    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        if (controller->writing)
            *buffer = *controller->words++;
        else
            *controller->words++ = *buffer;
    }
    controller->blocks_left--;
}

/* The card may go on sending or waiting for data: it is told to stop. What it answers to that does not matter. */
static void give_up(struct sdhci *controller)
{
    uint32_t answer[4];

    (void)!recover(controller, 0);
    (void)!sdhci_command(controller, STOP, 0, SDHCI_R1B, answer);
    controller->failed = true;
}

bool sdhci_progress(struct sdhci *controller)
{
    volatile uint32_t *registers = controller->registers;
    uint32_t status;

    while (controller->busy && (status = registers[STATUS] & (STATUS_ALL | STATUS_ERROR))) {
        registers[STATUS] = status;
        if (status & (STATUS_ERROR | STATUS_ERRORS)) {
            give_up(controller);
            controller->busy = false;
        }
        const uint32_t ready = controller->writing ? PRESENT_CAN_WRITE : PRESENT_CAN_READ;
        while (controller->busy && controller->blocks_left > 0 && (registers[PRESENT] & ready))
            move_block(controller);
        if (controller->busy && (status & STATUS_TRANSFER_DONE)) {
            controller->failed = controller->blocks_left > 0;
            controller->busy = false;
        }
    }
    return !controller->busy;
}
