/* SPDX-License-Identifier: MIT */
/*
 * Having CPUs forget translations.
 *
 * Who is asked. cpus[i].aspace says whose tables CPU i has in CR3: both change together, with the kernel lock held, and
 * whoever changes tables holds the lock, too. CR3 is loaded without identifiers, so a CPU that takes another space up
 * has forgotten all of the one before, and one that idles has the table with nothing of a user's in it. Only CPUs that
 * have the space in CR3 at that moment are asked, then.
 *
 * What is asked. There is one request at a time, under the lock: the tlb_drop functions gather it, after the entries were
 * changed, and tlb_finish() carries it out. It sets the bits of tlb_waiting, by an exchange, before which the entries' new
 * values are in memory; then it interrupts; then it waits until all bits are gone. INVLPG drops what the CPU remembers of
 * the tables on the way to an address as well, so a table is free when its address was dropped. Pages that were given
 * up are free for others only after that.
 *
 * How it is answered. A CPU that is asked runs a user, and is interrupted; or is in the kernel on its way to or from one,
 * with interrupts masked, and is interrupted before the user's next instruction; or waits for the lock, and looks at each
 * turn (arch_lock_wait()). None waits for anything but the lock with interrupts masked. The interrupt that comes after its
 * request was served finds no bit and does nothing.
 *
 * What needs it. An entry that is taken away, gets less rights or another frame. Not what comes where nothing was: a CPU
 * does not remember that. Nor what only gets more rights: who remembers less faults, finds them in the entry, and forgets
 * that one page (aspace_note_access()).
 *
 * What the CPUs write. Their walkers set PTE_ACCESSED in leaves at any time, by a compare-and-exchange: so an entry that was
 * taken away does not come back, and of a change that meets with it no more is lost than that note, which the next access
 * after the drop makes again. All other entries have the bit already. They never set PTE_MACHINE_DIRTY, as no leaf that can
 * be written is without it: notes of writes are the kernel's, under the lock, and none is lost.
 */
#include <arch/ipi.h>

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
