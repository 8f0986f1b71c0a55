/* SPDX-License-Identifier: MIT */
/*
 * What a platform supplies to the kernel. docs/porting.md lists the files of a platform folder; this header is the
 * contract of its functions. All run in the kernel's own address space with interrupts masked; none may block, none
 * allocates.
 */
#ifndef KERNEL_PLATFORM_H
#define KERNEL_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX           8u
#define MEMORY_REGIONS_MAX 24u
#define DEVICE_REGIONS_MAX 16u
#define IRQ_SPURIOUS       UINT32_MAX

struct memory_region {
    uint64_t base, size; /* bytes; page-aligned, not empty */
};

/* quire.panic= on the command line: how the kernel shall panic instead of powering off, to test panics. */
enum panic_test {
    PANIC_TEST_NONE,
    PANIC_TEST_MESSAGE,   /* quire.panic=message: panic() */
    PANIC_TEST_EXCEPTION, /* quire.panic=exception: a store to where nothing is */
    PANIC_TEST_READ, /* quire.panic=read: a load from the program's memory, where the machine has a guard against it */
    PANIC_TEST_EXECUTE, /* quire.panic=execute: a jump to it */
};

/* What the boot code found out about the machine. Physical addresses throughout. Filled once, constant afterwards. */
struct machine {
    struct memory_region memory[MEMORY_REGIONS_MAX]; /* RAM: sorted, not overlapping */
    size_t memory_count;
    struct memory_region reserved[MEMORY_REGIONS_MAX]; /* in RAM and not ours: firmware, /reserved-memory */
    size_t reserved_count;
    struct memory_region kernel_devices[DEVICE_REGIONS_MAX]; /* interrupt controller &c.: never mapped for users */
    size_t kernel_device_count;
    uint64_t image_base, image_size; /* this kernel, with root in it, page-aligned */
    uint64_t tree_base, tree_size;
    uint64_t archive_base, archive_size; /* 0, 0 if none */
    uint64_t console_base;               /* its registers are on one page; 0: none */
    const char *console_driver;          /* the console server's name for it */
    uint32_t console_irq;
    uint32_t cpu_count; /* that can be started; at most CPUS_MAX */
    uint64_t timer_frequency;
    bool exit_semihosting; /* quire.exit=semihosting on the command line */
    enum panic_test panic_test;
    char arguments[1024];
};

extern struct machine machine;

/* Reads the device tree at physical address `tree` (in the direct map by now) into `machine` and checks it. Panics
 * with the reason if there is no memory or no usable interrupt controller. Boot CPU, once. */
void platform_discover(uint64_t tree);

/* Log device for boot messages and panics; polled. Usable after platform_discover(). */
void platform_log(const char *text, size_t bytes);

/* Interrupt controller: once on the boot CPU, then on each CPU (the boot CPU too) before interrupts are on. */
void irq_init(void);
void irq_init_cpu(void);

/* Takes the most urgent pending interrupt of this CPU, or IRQ_SPURIOUS; irq_end() finishes it. */
uint32_t irq_take(void);
void irq_end(uint32_t irq);

/* Lines. Masked after irq_init() but for the timer's and the IPI's. irq_valid(): a line that a user may own. */
bool irq_valid(uint32_t irq);
void irq_mask(uint32_t irq);
void irq_unmask(uint32_t irq, uint32_t cpu);

/* What a device writes, and where (physical), to raise `irq`, for which irq_valid(). EOPNOTSUPP: it is a line; others
 * are messages, which come once each and are not masked. */
__attribute__((warn_unused_result)) int irq_message(uint32_t irq, uint64_t *address, uint32_t *data);

/* True if `irq` (as irq_take() gave it) is an IPI; ipi_send() makes CPU `cpu` take one. */
bool irq_is_ipi(uint32_t irq);
void ipi_send(uint32_t cpu);

/* Per-CPU timer: ticks of the counter at machine.timer_frequency since boot. timer_arm(): one interrupt at or after
 * `deadline` ticks, replacing an earlier arming; timer_disarm(): none. */
void timer_init_cpu(void);
bool irq_is_timer(uint32_t irq);
uint64_t timer_now(void);
void timer_arm(uint64_t deadline);
void timer_disarm(void);

/* Starts CPU `cpu` (1..cpu_count-1) at kernel_secondary_main(cpu) with the MMU on and its own stack. 0 or negative errno. */
__attribute__((warn_unused_result)) int cpu_start(uint32_t cpu);

/* Neither returns. Under an emulator that was told so the exit status is `status`. */
__attribute__((noreturn)) void platform_power_off(int status);
__attribute__((noreturn)) void platform_reset(void);

#endif
