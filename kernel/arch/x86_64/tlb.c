/* SPDX-License-Identifier: MIT */
/*
 * Having other CPUs forget translations. Whoever changes tables holds the kernel lock, so there is one request at a time:
 * it is gathered by the tlb_drop functions and carried out by tlb_finish(), which waits. A CPU that is asked runs a user,
 * and is interrupted; or is on its way to or from one, and is interrupted there; or waits for the kernel lock, and looks
 * at each turn; or idles, and uses no user's translations.
 */
#include <arch/cpu.h>
#include <arch/ipi.h>
#include <arch/pagetable.h>
#include <arch/registers.h>

#include "kernel.h"

#define PAGES_MAX 32u

static struct {
    uint32_t cpus; /* mask */
    bool everything;
    uint32_t count;
    uint64_t pages[PAGES_MAX];
} request;

uint32_t tlb_waiting;

static inline void forget_page(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

/* All but the kernel's, whose translations are global and do not change. */
static inline void forget_all(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(value)::"memory");
}

static void add_page(uint32_t mask, uint64_t address)
{
    request.cpus |= mask;
    if (request.count == PAGES_MAX)
        request.everything = true;
    else
        request.pages[request.count++] = address;
}

/* The CPUs that use the space with this identifier, and *here if this one does. */
static uint32_t users_of(uint64_t identifier, bool *here)
{
    const struct cpu *self = arch_this_cpu();
    uint32_t mask = 0;

    *here = self->aspace && self->aspace->identifier == identifier;
    for (uint32_t i = 0; the_lock.needed && i < machine.cpu_count; i++) {
        if (i != self->index && cpus[i].aspace && cpus[i].aspace->identifier == identifier)
            mask |= 1u << i;
    }
    return mask;
}

/* The CPUs besides this one that use any space. */
static uint32_t all_users(void)
{
    const struct cpu *self = arch_this_cpu();
    uint32_t mask = 0;

    for (uint32_t i = 0; the_lock.needed && i < machine.cpu_count; i++)
        mask |= i != self->index && cpus[i].aspace ? 1u << i : 0;
    return mask;
}

void tlb_drop_page(uint64_t identifier, uint64_t address)
{
    bool here;
    const uint32_t mask = users_of(identifier, &here);

    if (here)
        forget_page(address);
    if (mask)
        add_page(mask, address);
}

void tlb_drop_page_everywhere(uint64_t address)
{
    const uint32_t mask = all_users();

    forget_page(address);
    if (mask)
        add_page(mask, address);
}

void tlb_drop_space(uint64_t identifier)
{
    bool here;
    const uint32_t mask = users_of(identifier, &here);

    if (here)
        forget_all();
    request.cpus |= mask;
    request.everything |= mask != 0;
}

void tlb_drop_everything(void)
{
    const uint32_t mask = all_users();

    forget_all();
    request.cpus |= mask;
    request.everything |= mask != 0;
}

void tlb_finish(void)
{
    if (__builtin_expect(!request.cpus, 1))
        return;
    __atomic_store_n(&tlb_waiting, request.cpus, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        if (request.cpus >> i & 1)
            ipi_send_tlb(i);
    }
    while (__atomic_load_n(&tlb_waiting, __ATOMIC_ACQUIRE))
        cpu_relax();
    request.cpus = request.count = 0;
    request.everything = false;
}

void tlb_serve(void)
{
    const uint32_t self = 1u << arch_this_index();

    if (!(__atomic_load_n(&tlb_waiting, __ATOMIC_ACQUIRE) & self))
        return;
    if (request.everything) {
        forget_all();
    } else {
        for (uint32_t i = 0; i < request.count; i++)
            forget_page(request.pages[i]);
    }
    __atomic_fetch_and(&tlb_waiting, ~self, __ATOMIC_ACQ_REL);
}
