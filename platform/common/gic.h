/* SPDX-License-Identifier: MIT */
/*
 * Arm's generic interrupt controller, versions 2 and 3, behind the interrupt functions of platform.h. gic.c chooses the
 * version by the device tree; each version is a table of operations. Interrupts 0..15 are software-generated (0 is the
 * IPI), 16..31 each CPU's own, from 32 on shared and routed to one CPU at a time.
 */
#ifndef PLATFORM_GIC_H
#define PLATFORM_GIC_H

#include "platform.h"

#define GIC_RANGES_MAX    6u
#define GIC_IPI           0u
#define GIC_FIRST_PRIVATE 16u
#define GIC_FIRST_SHARED  32u
#define GIC_LINES_MAX     1020u
#define GIC_PRIORITY      0xa0u
#define GIC_PRIORITY_MASK 0xf0u

/* What the device tree says; physical addresses. Constant after gic_discover(). */
struct gic_description {
    struct memory_region ranges[GIC_RANGES_MAX]; /* distributor; then CPU interface (2) or redistributors (3) */
    size_t range_count;
    size_t redistributor_count; /* ranges that are redistributors, from ranges[1] */
    uint64_t stride;            /* of redistributors; 0: by the hardware's own word */
    uint32_t lines;             /* set by init(): interrupts there are */
};
extern struct gic_description gic;

struct gic_operations {
    void (*init)(void);                              /* distributor: every shared line masked; sets gic.lines */
    void (*init_cpu)(uint32_t cpu, uint32_t enable); /* this CPU: private lines in the bit mask `enable` are on */
    uint32_t (*take)(void);
    void (*end)(uint32_t irq);
    void (*mask)(uint32_t irq); /* below gic.lines; a private line: this CPU's */
    void (*unmask)(uint32_t irq, uint32_t cpu);
    void (*send)(uint32_t cpu); /* the IPI */
};
extern const struct gic_operations gic_v2, gic_v3;

/* Finds the controller in the device tree, maps its registers and notes them as the kernel's. Panics if there is none. */
void gic_discover(void);

#endif
