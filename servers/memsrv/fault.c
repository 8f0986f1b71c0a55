/* SPDX-License-Identifier: MIT */
/*
 * A fault finds its space by its badge, its area by its address, takes a page from the worker's own list, zeroes it
 * with no lock held and travels back as the item of a map in the registers of the reply. Whatever is not like that is
 * in functions of its own, out of this path.
 */
#include <errno.h>

#include <proto/ipc.h>
#include <quire/syscall.h>

#include "fault.h"
#include "log.h"
#include "map.h"
#include "memory.h"
#include "object_fault.h"
#include "space_pages.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

_Static_assert(MSG_REGISTERS >= 2 * FAULT_TABLES, "all tables, or two and a page, fit the registers");

/* The thread goes on, nothing is mapped. */
static void answer_resume(struct message *m)
{
    m->tag = MSG_TAG(FAULT_RESUME, 0, 0);
    m->words[0] = 0;
}

static void answer_refuse(struct message *m)
{
    m->tag = MSG_TAG(FAULT_REFUSED, 0, 0);
    m->words[0] = 0;
}

static __attribute__((noinline, cold)) void refuse(struct space *space, struct message *m) REQUIRES(space->lock)
{
    if (!space->fault_refused) {
        space->fault_refused = true;
        space->fault_kind = MEMSRV_FAULT_KIND_ACCESS;
        memcpy(&space->fault, m->words, sizeof(space->fault));
    }
    answer_refuse(m);
}

/* Past the end of what an area maps. */
static __attribute__((noinline, cold)) void refuse_bus(struct space *space, struct message *m) REQUIRES(space->lock)
{
    bool first = !space->fault_refused;
    refuse(space, m);
    if (first)
        space->fault_kind = MEMSRV_FAULT_KIND_BUS;
    m->tag = MSG_TAG(FAULT_BUS_ERROR, 0, 0);
}

static __attribute__((noinline, cold)) void refuse_without_memory(struct space *space, struct message *m)
    REQUIRES(space->lock)
{
    struct fault_message fault;
    memcpy(&fault, m->words, sizeof(fault));
    log_line("no memory for pid %lu at 0x%lx", space->pid, fault.address);
    memcpy(m->words, &fault, sizeof(fault));
    refuse(space, m);
}

/* True if the area allows the access, and pages of it are taken when they are touched. */
static inline bool may_take_page(const struct vma *area, uint64_t access)
{
    return area && !(access & (VMA_ACCESS | FAULT_EXCEPTION) & ~area->flags) && !(area->flags & AREA_FILLED);
}

/*
 * Puts the tables that are missing in front of the page's item, which becomes the last. The kernel had fewer than
 * FAULT_TABLES to spare when it sent the fault.
 */
static __attribute__((noinline)) void add_tables(struct memsrv_context *worker, struct space *space, struct message *m,
                                                 uint64_t spare) REQUIRES(space->lock)
{
    uint64_t *words = m->words;
    const uint64_t target = words[0], entry = words[1];
    uint32_t count = 0;

    while (spare + count < FAULT_TABLES) {
        struct page *table = system_page_take(PAGE_TABLE);
        if (!table)
            break; /* the kernel says if what it has does not do */
        worker->fault_tables[count++] = table;
        *words++ = MAP_ITEM_TABLE;
        *words++ = page_address(table);
    }
    worker->fault_table_count = count;
    space->tables += count;
    if (count == FAULT_TABLES) {
        words = ipc_buffer()->words;
        m->tag = MSG_TAG(FAULT_RESUME, 2, 0);
    }
    words[0] = target;
    words[1] = entry;
    if (count < FAULT_TABLES - 1)
        words[2] = 0;
}

/* Makes *m the reply that maps `page` at `address`. */
static inline void answer_map(struct memsrv_context *worker, struct space *space, struct message *m,
                              const struct vma *area, struct page *page, uint64_t address) REQUIRES(space->lock)
{
    uint64_t spare = FAULT_SPARE_TABLES(m->words[1]);

    m->tag = MSG_TAG(FAULT_RESUME, 0, 0);
    m->words[0] = address | MAP_ITEM_MAP;
    m->words[1] = page_address(page) | entry_flags(area->flags);
    m->words[2] = 0;
    if (UNLIKELY(spare < FAULT_TABLES))
        add_tables(worker, space, m, spare);
}

/*
 * Something is mapped at the address already: another thread's fault was faster, or the area has got more rights
 * since the page was mapped. True if that was all and *m is the reply; false if the page is gone by now.
 */
static __attribute__((noinline, cold)) bool answer_present(struct space *space, struct message *m,
                                                           const struct vma *area) REQUIRES(space->lock)
{
    uint64_t address = m->words[0] & PAGE_MASK;
    uint64_t entry = space_entry_locked(space, address);
    if (!entry)
        return false;
    if ((m->words[1] & VMA_ACCESS) & ~entry)
        space_protect_locked(space, address, address + PAGE_SIZE, area->flags & VMA_ACCESS);
    answer_resume(m);
    return true;
}

/* A fault in a mapping of a memory object. */
static __attribute__((noinline)) void answer_object(struct memsrv_context *worker, struct space *space,
                                                    struct message *m, struct vma *area) REQUIRES(space->lock)
{
    const uint64_t spare = FAULT_SPARE_TABLES(m->words[1]);
    struct object_fault fault = {
        .address = m->words[0] & PAGE_MASK, .access = m->words[1], .entry = m->words[3]};
    int error = object_fault_locked(worker, space, area, &fault);

    if (error == -EFAULT) {
        refuse_bus(space, m);
    } else if (error) {
        refuse_without_memory(space, m);
    } else if (!fault.page) {
        answer_resume(m);
    } else {
        worker->fault_page = fault.page;
        worker->fault_replaces = fault.replaces;
        worker->answering = space;
        m->tag = MSG_TAG(FAULT_RESUME, 0, 0);
        m->words[0] = fault.address | MAP_ITEM_MAP | (fault.replaces ? MAP_ITEM_REPLACE : 0);
        m->words[1] = page_address(fault.page) | fault.rights;
        m->words[2] = 0;
        if (spare < FAULT_TABLES)
            add_tables(worker, space, m, spare);
    }
}

void fault_answer(struct memsrv_context *worker, struct message *m)
{
    const uint64_t access = m->words[1];
    const uint64_t address = m->words[0] & PAGE_MASK;
    struct space *space = space_find(m->badge);

    if (UNLIKELY(!space_enter(space, m->badge))) {
        answer_refuse(m);
        return;
    }
    struct vma *area = vma_at(&space->areas, m->words[0]);
    if (UNLIKELY(!area))
        area = area_grow_down_locked(space, m->words[0]);
    if (UNLIKELY(!may_take_page(area, access))) {
        refuse(space, m);
        space_leave(space);
        return;
    }
    if (UNLIKELY(area->object != NULL)) {
        answer_object(worker, space, m, area);
        space_leave(space);
        return;
    }
    if (UNLIKELY(m->words[3] != 0) && answer_present(space, m, area)) {
        space_leave(space);
        return;
    }
    struct page *page = page_take(worker);
    if (UNLIKELY(!page)) {
        refuse_without_memory(space, m);
        space_leave(space);
        return;
    }
    page->owner = space;
    page->index = address;
    area->touched = true;
    space->resident++;
    worker->fault_page = page;
    worker->fault_replaces = false;
    worker->answering = space;
    answer_map(worker, space, m, area, page, address);
    space_leave(space);
    page_zero(page);
}

/* Takes back the tables that the kernel has not taken. Returns how many. */
static uint32_t take_tables_back(struct memsrv_context *worker)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < worker->fault_table_count; i++) {
        struct page *table = worker->fault_tables[i];
        if (sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(table), 0, NULL) == FRAME_TABLE)
            continue;
        system_page_give(table);
        count++;
    }
    return count;
}

void fault_retry(struct memsrv_context *worker, struct message *m, int error)
{
    struct page *page = worker->fault_page;

    if (page) {
        struct space *space = worker->answering;
        const struct object_fault fault = {.page = page, .replaces = worker->fault_replaces};
        uint32_t tables = take_tables_back(worker);
        /* In this order: whoever waits for the answers holds the lock that the figures need. */
        __atomic_store_n(&worker->settling, space, __ATOMIC_RELAXED);
        fault_settled(worker);
        spinlock_acquire(&space->lock);
        object_fault_undo_locked(worker, space, &fault);
        space->tables -= tables;
        spinlock_release(&space->lock);
        __atomic_store_n(&worker->settling, NULL, __ATOMIC_RELEASE);
    }
    /* EEXIST: another worker mapped the page; ENOMEM: a table was missing, the next fault brings it. Nothing else can
     * happen to a page that was free. */
    if (error == -EEXIST || error == -ENOMEM || error == -ESRCH) {
        answer_resume(m);
    } else {
        log_line("a fault's answer was rejected: error %ld", (long)error);
        answer_refuse(m);
    }
}
