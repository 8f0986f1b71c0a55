/* SPDX-License-Identifier: MIT */
/*
 * A fault finds its space by its badge, its area by its address, takes a page from the worker's own list, zeroes it
 * with no lock held and travels back as the item of a map in the registers of the reply. Whatever is not like that is
 * in functions of its own, out of this path.
 */
#include <errno.h>

#include <proto/ipc.h>
#include <quire/syscall.h>

#include "areas.h"
#include "cow.h"
#include "event.h"
#include "fault.h"
#include "huge.h"
#include "log.h"
#include "map.h"
#include "memgroups.h"
#include "memory.h"
#include "object_fault.h"
#include "pager.h"
#include "pager_ring.h"
#include "parking.h"
#include "shortage.h"
#include "space_pages.h"
#include "space_tables.h"
#include "swap.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* So often in succession what a fault needs may not be there while memory is not short; then waiting would not help. */
#define TRIES_MAX 4u

/* Besides PROTO_*: what answer_other() says. */
#define NOT_OTHER (-1)

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

/* Keeps the fault for root, which is told of the stop by the kernel. */
static void refuse_as(struct space *space, struct message *m, uint32_t kind) REQUIRES(space->lock)
{
    struct fault_message fault;
    memcpy(&fault, m->words, sizeof(fault));
    struct member *thread = space_thread_find_locked(space, fault.thread);
    if (thread) {
        thread->fault_refused = true;
        thread->fault_kind = kind;
        thread->fault = fault;
    }
    event_count(worker_current(), EVENT_FAULT_REFUSED);
    answer_refuse(m);
}

static __attribute__((noinline, cold)) void refuse(struct space *space, struct message *m) REQUIRES(space->lock)
{
    const bool mapped = vma_at(&space->areas, m->words[0]) != NULL;
    refuse_as(space, m, mapped ? MEMSRV_FAULT_KIND_ACCESS : MEMSRV_FAULT_KIND_UNMAPPED);
}

/* Past the end of what an area maps. */
static __attribute__((noinline, cold)) void refuse_bus(struct space *space, struct message *m) REQUIRES(space->lock)
{
    refuse_as(space, m, MEMSRV_FAULT_KIND_BUS);
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

/* A fault waits for the pager. */
static void count_major_locked(const struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    space->major_faults++;
    event_count(worker, EVENT_FAULT_MAJOR);
}

/* Sets the thread of fault *m aside until the pager has freed memory, or memory of a group. False: it may not be. */
static bool wait_for_memory(struct memsrv_context *worker, const struct message *m, uint32_t group)
{
    return shortage_wait(worker, m, group) == -EINPROGRESS;
}

/* If fault *m gets no memory because a memory group has no more, it waits until the pager has made room in there. False:
 * that is not the reason. */
static bool answer_full_group(struct memsrv_context *worker, struct message *m, int *verdict)
{
    const uint32_t group = worker->group_full;
    struct space *space = space_find(m->badge);

    worker->group_full = MEMGROUP_ROOT;
    if (group == MEMGROUP_ROOT || memgroups_have_room(worker, group))
        return false;
    *verdict = PROTO_REPLY;
    if (!space_enter(space, m->badge)) {
        answer_refuse(m);
        return true;
    }
    if (pager_is_expected() && wait_for_memory(worker, m, group))
        *verdict = PROTO_PARKED;
    else
        refuse_without_memory(space, m);
    space_leave(space);
    return true;
}

/* Answers fault *m once more: from the reserve, or because memory is not short and what it needs was gone by chance. */
static int answer_again(struct memsrv_context *worker, struct message *m, bool reserve)
{
    const bool before = worker->reserve;

    worker->reserve = reserve;
    worker->fault_tries++;
    const int verdict = fault_answer(worker, m);
    worker->fault_tries--;
    worker->reserve = before;
    return verdict;
}

/*
 * For fault *m there is no memory. It is repeated if there is some now; who may use the reserve gets an answer from it;
 * others wait for the pager, if there is one and memory is short, and otherwise are refused. No lock is held.
 */
static __attribute__((noinline, cold)) int answer_starving(struct memsrv_context *worker, struct message *m)
{
    struct fault_message fault;
    struct space *space = space_find(m->badge);
    int verdict = PROTO_REPLY;

    worker->fault_starves = false;
    if (answer_full_group(worker, m, &verdict))
        return verdict;
    memcpy(&fault, m->words, sizeof(fault));
    const bool helped = huge_shrink(worker);
    memcpy(m->words, &fault, sizeof(fault));
    if (helped) {
        answer_resume(m);
        return verdict;
    }
    if (!space_enter(space, m->badge)) {
        answer_refuse(m);
        return verdict;
    }
    const bool reserve = space->roles & MEMSRV_ROLE_RESERVE;
    if (reserve && !worker->reserve) {
        space_leave(space);
        return answer_again(worker, m, true);
    }
    const bool waits = !reserve && pager_is_expected(), is_short = waits && memory_is_short();
    if (waits && !is_short && worker->fault_tries < TRIES_MAX) {
        space_leave(space);
        return answer_again(worker, m, false);
    }
    if (is_short && wait_for_memory(worker, m, MEMGROUP_ROOT)) {
        count_major_locked(worker, space);
        verdict = PROTO_PARKED;
    } else
        refuse_without_memory(space, m);
    space_leave(space);
    return verdict;
}

/* True if there is an area and it allows the access. */
static inline bool is_allowed(const struct vma *area, uint64_t access)
{
    return area && !(access & (VMA_ACCESS | FAULT_EXCEPTION) & ~area->flags);
}

/* A table. NULL: there is none; *vain then says whether reclaim would help. */
static struct page *take_table(bool *vain)
{
    struct page *table = table_take();
    unsigned tries = 1;

    for (*vain = false; !table && !*vain && !memory_is_short(); tries++) {
        *vain = tries == TRIES_MAX;
        table = table_take();
    }
    return table;
}

/*
 * Makes *m a reply with one item, and the tables that are missing in front of it. The kernel had fewer than FAULT_TABLES
 * to spare when it sent the fault. If not all are to be had the kernel says whether what it has does, and the fault is
 * kept for the case that it does not.
 */
static __attribute__((noinline)) void answer_with_tables(struct memsrv_context *worker, struct space *space,
                                                         struct message *m, uint64_t target, uint64_t entry,
                                                         uint64_t spare) REQUIRES(space->lock)
{
    uint64_t *words = m->words;
    uint32_t count = 0;
    bool vain = false;

    memcpy(&worker->fault_lacking, m->words, sizeof(worker->fault_lacking));
    m->tag = MSG_TAG(FAULT_RESUME, 0, 0);

    while (spare + count < FAULT_TABLES) {
        struct page *table = take_table(&vain);
        if (!table)
            break;
        worker->fault_tables[count++] = table;
        *words++ = MAP_ITEM_TABLE;
        *words++ = page_address(table);
    }
    worker->fault_table_count = count | (spare + count < FAULT_TABLES ? FAULT_TABLES_LACK : 0);
    worker->fault_table_count |= vain ? FAULT_TABLES_VAIN : 0;
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

/* Makes *m the reply with one item. */
static inline void answer_item(struct memsrv_context *worker, struct space *space, struct message *m, uint64_t target,
                               uint64_t entry) REQUIRES(space->lock)
{
    uint64_t spare = FAULT_SPARE_TABLES(m->words[1]);

    worker->fault_address = target & PAGE_MASK;
    worker->answering = space;
    if (UNLIKELY(spare < FAULT_TABLES)) {
        answer_with_tables(worker, space, m, target, entry, spare);
        return;
    }
    m->tag = MSG_TAG(FAULT_RESUME, 0, 0);
    m->words[0] = target;
    m->words[1] = entry;
    m->words[2] = 0;
}

/* Takes a page that becomes the space's own at the address of the fault. */
static inline struct page *take(struct memsrv_context *worker, const struct space *space, const struct vma *area,
                                uint64_t address)
{
    struct page *page = space_page_take(worker, space);
    if (LIKELY(page != NULL)) {
        page->owner = space->family;
        page->index = area_index(area, address);
        worker->fault_page = page;
        pager_note_mapped(worker, page);
    }
    return page;
}

/* A fault in a mapping of a memory object. */
static __attribute__((noinline)) int answer_object(struct memsrv_context *worker, struct space *space,
                                                   struct message *m, struct vma *area) REQUIRES(space->lock)
{
    struct object_fault fault = {.address = m->words[0] & PAGE_MASK, .access = m->words[1], .entry = m->words[3]};

    space->faults++;
    parking_allow(worker, m);
    int error = object_fault_locked(worker, space, area, &fault);
    if (error == -EINPROGRESS) {
        count_major_locked(worker, space);
        return PROTO_PARKED;
    }
    parking_forbid(worker);
    if (error == -EFAULT) {
        refuse_bus(space, m);
    } else if (error == -EBUSY) {
        answer_resume(m); /* and comes again */
    } else if (error) {
        worker->fault_starves = true;
    } else if (!fault.target) {
        event_count(worker, EVENT_FAULT_OBJECT);
        answer_resume(m);
    } else {
        event_count(worker, EVENT_FAULT_OBJECT);
        worker->fault_page = fault.taken;
        worker->fault_adds = fault.adds;
        answer_item(worker, space, m, fault.target, fault.item);
    }
    return PROTO_REPLY;
}

/* The page at the address is swapped. */
static __attribute__((noinline)) int answer_swapped(struct memsrv_context *worker, struct space *space,
                                                    struct message *m, struct vma *area, uint64_t entry)
    REQUIRES(space->lock)
{
    parking_allow(worker, m);
    int error = swap_bring_locked(worker, space, area, m->words[0] & PAGE_MASK, entry, m->words[1]);
    if (error == -EINPROGRESS)
        return PROTO_PARKED;
    parking_forbid(worker);
    if (error == -ENOMEM) {
        worker->fault_starves = true;
        return PROTO_REPLY;
    }
    event_count(worker, EVENT_FAULT_SWAP);
    answer_resume(m);
    return PROTO_REPLY;
}

/*
 * Something is mapped at the address: a page that is to be copied before it is written, or that needs more rights by
 * now; or another thread's fault was faster. With several threads what the message says may be old news.
 */
static __attribute__((noinline)) int answer_present(struct memsrv_context *worker, struct space *space,
                                                    struct message *m, struct vma *area) REQUIRES(space->lock)
{
    const uint64_t address = m->words[0] & PAGE_MASK;
    uint64_t entry = entry_at(m->words[3], address);
    struct page *source;

    space->faults++;
    if (space->thread_count > 1 || swap_concerns(space)) {
        /* An answer on its way may put a copy there. What it takes the place of could then be freed, and be the kernel's,
         * while it is copied here. */
        space_wait_for_answers_locked(worker, space);
        entry = space_entry_locked(space, address);
        if (entry & ENTRY_SOFT)
            return answer_swapped(worker, space, m, area, entry);
    }
    switch (cow_decide_locked(worker, space, area, entry, m->words[1], &source)) {
    case COW_NOTHING:
        event_count(worker, EVENT_FAULT_SPURIOUS);
        answer_resume(m);
        break;
    case COW_RIGHTS:
        if (space_ready_to_change_locked(space, address, address + PAGE_SIZE, false)) {
            worker->fault_starves = true;
            break;
        }
        cow_give_rights_locked(space, area, address, entry);
        event_count(worker, EVENT_FAULT_REUSE);
        answer_resume(m);
        break;
    case COW_PROMOTE:
        event_count(worker, EVENT_FAULT_REUSE);
        answer_item(worker, space, m, address | MAP_ITEM_PROMOTE, entry_flags(area->flags));
        break;
    case COW_COPY: {
        struct page *page = take(worker, space, area, address);
        if (!page) {
            worker->fault_starves = true;
            break;
        }
        cow_copy(page, source, area);
        event_count(worker, EVENT_FAULT_COPY);
        answer_item(worker, space, m, address | COW_REPLACE, page_address(page) | entry_flags(area->flags));
        break;
    }
    }
    return PROTO_REPLY;
}

/* Nothing was written there yet: the read finds the page of zeros that all spaces share. */
static inline void answer_zeros(struct memsrv_context *worker, struct space *space, struct message *m,
                                const struct vma *area, uint64_t address) REQUIRES(space->lock)
{
    worker->fault_adds = 1;
    space->resident++;
    space->faults++;
    event_count(worker, EVENT_FAULT_ZERO);
    answer_item(worker, space, m, address | MAP_ITEM_MAP,
                page_address(zero_page) | (area->flags & (VMA_READ | VMA_EXECUTE)) | ENTRY_ACCESSED);
}

/* A first touch where a huge page may be wanted. False: a page will do, or has to. The huge page is to be zeroed. */
static bool answer_huge(struct memsrv_context *worker, struct space *space, struct message *m, struct vma *area)
    REQUIRES(space->lock)
{
    const uint64_t base = m->words[0] & ~(HUGE_PAGE_SIZE - 1), access = m->words[1];

    if (!(access & VMA_WRITE) || FAULT_LEVEL(access) == FAULT_LEVEL_PAGES || !huge_is_wanted(area, base))
        return false;
    struct page *block = huge_take(worker, space, area, base, HUGE_FAULT);
    if (!block)
        return false;
    space->faults++;
    area->touched = true;
    space->huge_entries++;
    space->resident += HUGE_PAGES;
    worker->fault_page = block;
    worker->fault_adds = HUGE_PAGES;
    event_count(worker, EVENT_FAULT_HUGE);
    answer_item(worker, space, m, base | MAP_ITEM_MAP, page_address(block) | entry_flags(area->flags) | ENTRY_HUGE);
    return true;
}

/* What is not for a single page of anonymous memory. NOT_OTHER if it is, after all, in *area. */
static __attribute__((noinline)) int answer_other(struct memsrv_context *worker, struct space *space, struct message *m,
                                                  struct vma **area) REQUIRES(space->lock)
{
    if (!*area) {
        *area = area_grow_down_locked(space, m->words[0]);
        event_add(worker, EVENT_STACK_GROWTH, *area != NULL);
    }
    if (!is_allowed(*area, m->words[1]) || ((*area)->flags & AREA_FILLED))
        refuse(space, m);
    else if ((*area)->object)
        return answer_object(worker, space, m, *area);
    else
        return !m->words[3] && answer_huge(worker, space, m, *area) ? PROTO_REPLY : NOT_OTHER;
    return PROTO_REPLY;
}

int fault_answer(struct memsrv_context *worker, struct message *m)
{
    int verdict;
    const uint64_t access = m->words[1];
    const uint64_t address = m->words[0] & PAGE_MASK;
    struct space *space = space_find(m->badge);

    if (UNLIKELY(!space_enter(space, m->badge))) {
        answer_refuse(m);
        return PROTO_REPLY;
    }
    struct vma *area = vma_at(&space->areas, m->words[0]);
    if (UNLIKELY(!is_allowed(area, access) || (area->flags & closer_look_flags) || area->object) &&
        (verdict = answer_other(worker, space, m, &area)) != NOT_OTHER) {
        space_leave(space);
        if (worker->fault_starves)
            return answer_starving(worker, m);
        if (worker->fault_adds == HUGE_PAGES)
            huge_zero(worker->fault_page);
        return verdict;
    }
    if (m->words[3]) {
        verdict = answer_present(worker, space, m, area);
        space_leave(space);
        return UNLIKELY(worker->fault_starves) ? answer_starving(worker, m) : verdict;
    }
    area->touched = true;
    if (!(access & VMA_WRITE)) {
        answer_zeros(worker, space, m, area, address);
        space_leave(space);
        return PROTO_REPLY;
    }
    struct page *page = take(worker, space, area, address);
    if (UNLIKELY(!page)) {
        space_leave(space);
        return answer_starving(worker, m);
    }
    worker->fault_adds = 1;
    space->resident++;
    space->faults++;
    event_count(worker, EVENT_FAULT_ANONYMOUS);
    answer_item(worker, space, m, address | MAP_ITEM_MAP, page_address(page) | entry_flags(area->flags));
    space_leave(space);
    page_zero(page);
    return PROTO_REPLY;
}

void fault_answer_parked(struct message *m, int status)
{
    struct space *space = space_find(m->badge);

    if (status == 0) {
        answer_resume(m);
    } else if (!space_enter(space, m->badge)) {
        answer_refuse(m);
    } else {
        if (status == -ENOMEM)
            refuse_without_memory(space, m);
        else
            refuse_bus(space, m);
        space_leave(space);
    }
}

/* Takes back the tables that the kernel has not taken. Returns how many. */
static uint32_t take_tables_back(struct memsrv_context *worker)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < (worker->fault_table_count & ~(FAULT_TABLES_LACK | FAULT_TABLES_VAIN)); i++) {
        struct page *table = worker->fault_tables[i];
        if (sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(table), 0, NULL) == FRAME_TABLE)
            continue;
        table_give(table);
        count++;
    }
    return count;
}

/* For want of tables the kernel could not do what the answer to fault *m said. Another answer would lack them, too, so either
 * it waits for reclaim and happens again, or it is refused. */
static void answer_lacking(struct memsrv_context *worker, struct message *m, bool vain)
{
    struct space *space = space_find(m->badge);

    if (!space_enter(space, m->badge)) {
        answer_refuse(m);
        return;
    }
    if (vain || !pager_is_expected() || !wait_for_memory(worker, m, MEMGROUP_ROOT))
        refuse_without_memory(space, m);
    else
        count_major_locked(worker, space);
    space_leave(space);
}

void fault_retry(struct memsrv_context *worker, struct message *m, int error)
{
    struct space *space = worker->answering;
    const uint32_t adds = worker->fault_adds;
    /* Not to be repeated: the next answer would lack the same. */
    const bool hopeless = error == -ENOMEM && (worker->fault_table_count & FAULT_TABLES_LACK);
    const bool vain = worker->fault_table_count & FAULT_TABLES_VAIN;
    const uint32_t tables = take_tables_back(worker);

    if (worker->fault_page && adds == HUGE_PAGES)
        huge_give(worker, worker->fault_page);
    else if (worker->fault_page)
        user_page_give(worker, worker->fault_page);
    /* In this order: whoever waits for the answers holds the lock that the figures need. */
    __atomic_store_n(&worker->settling, space, __ATOMIC_RELAXED);
    fault_settled(worker);
    event_count(worker, EVENT_FAULT_REPEATED);
    spinlock_acquire(&space->lock);
    space->resident -= adds;
    space->huge_entries -= adds == HUGE_PAGES;
    space->tables -= tables;
    const uint64_t pid = space->pid;
    spinlock_release(&space->lock);
    __atomic_store_n(&worker->settling, NULL, __ATOMIC_RELEASE);
    if (hopeless) {
        memcpy(m->words, &worker->fault_lacking, sizeof(worker->fault_lacking));
        m->badge = pid;
        answer_lacking(worker, m, vain);
        return;
    }
    /* EEXIST: another worker mapped the page; EBUSY, ENOENT: it is not what it was when the fault was looked at; ENOMEM:
     * another thread's fault took a table. The next fault finds all that. Nothing else can happen to a page that was free. */
    if (error == -EEXIST || error == -EBUSY || error == -ENOENT || error == -ENOMEM || error == -ESRCH) {
        answer_resume(m);
    } else {
        log_line("a fault's answer was rejected: error %ld", (long)error);
        answer_refuse(m);
    }
}
