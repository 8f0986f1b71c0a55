/* SPDX-License-Identifier: MIT */
/* The pager's attachment, roles, and what it is told: see pager.h. */
#include "pager.h"

#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "log.h"
#include "memory.h"
#include "object.h"
#include "pager_ring.h"
#include "parking.h"
#include "requests.h"
#include "swap.h"
#include "transit.h"

#define ROLES_ALL                                                                                                      \
    ((uint64_t)(MEMSRV_ROLE_PAGER | MEMSRV_ROLE_FILE_SERVER | MEMSRV_ROLE_RESERVE | MEMSRV_ROLE_UNEVICTABLE))

/* What is told once and may be lost. */
#define NEWS_MAX 64u

static struct spinlock pager_lock;
static uint64_t pager_pid;                                         /* atomic; 0: no space has the role */
static bool attached GUARDED_BY(pager_lock);                       /* its notification is signalled */
static uint64_t generation;                                        /* atomic: attachments so far */
static uint32_t pending;                                           /* atomic: enum pager_pending */
static struct kernel_object notification;                          /* memsrv's, the same for every pager */
static struct object *rings;                                       /* made at the first attachment */
static struct memsrv_demand news[NEWS_MAX] GUARDED_BY(pager_lock); /* a ring */
static uint64_t news_first GUARDED_BY(pager_lock)
, news_count GUARDED_BY(pager_lock);

/* Where workers without a pager write. */
static struct pager_ring unread_rings[WORKERS_MAX];

void pager_init(void)
{
    spinlock_init(&pager_lock, LOCK_PAGER);
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        workers[i].ring = &unread_rings[i];
    if (kernel_object_create(CAP_NOTIFICATION, 0, &notification))
        fatal("there is no memory for the pager's notification");
}

bool pager_is_expected(void)
{
    return __atomic_load_n(&generation, __ATOMIC_RELAXED) != 0;
}

bool pager_is_caller(const struct message *request)
{
    const uint64_t pid = __atomic_load_n(&pager_pid, __ATOMIC_RELAXED);
    return pid && caller_of(request) == pid;
}

static void signal_pager(void) REQUIRES(pager_lock)
{
    long error = sys_signal(notification.slot, MEMSRV_DEMAND_BIT);
    ASSERT(error == 0);
    (void)error;
}

void pager_signal(void)
{
    spinlock_acquire(&pager_lock);
    if (attached)
        signal_pager();
    spinlock_release(&pager_lock);
}

void pager_tell(enum pager_pending what)
{
    uint32_t before = __atomic_fetch_or(&pending, what, __ATOMIC_RELAXED);
    if (!(before & what))
        pager_signal();
}

static void add_news(const struct memsrv_demand *demand)
{
    spinlock_acquire(&pager_lock);
    if (attached) {
        if (news_count == NEWS_MAX) {
            news_first = (news_first + 1) % NEWS_MAX;
            news_count--;
        }
        news[(news_first + news_count++) % NEWS_MAX] = *demand;
        signal_pager();
    }
    spinlock_release(&pager_lock);
}

void pager_tell_gone(uint64_t object, uint64_t cookie)
{
    const struct memsrv_demand demand = {.kind = MEMSRV_DEMAND_OBJECT_GONE, .object = object, .cookie = cookie};
    add_news(&demand);
}

void pager_tell_advice(uint64_t object, uint64_t cookie, uint64_t index, uint64_t count, uint64_t advice)
{
    const struct memsrv_demand demand = {.kind = MEMSRV_DEMAND_ADVICE,
                                         .object = object,
                                         .cookie = cookie,
                                         .index = index,
                                         .count = count,
                                         .access = advice};
    add_news(&demand);
}

void pager_tell_cold(uint64_t pid, uint64_t start, uint64_t end, uint64_t advice)
{
    const struct memsrv_demand demand = {.kind = MEMSRV_DEMAND_COLD,
                                         .object = pid,
                                         .index = start >> PAGE_SHIFT,
                                         .count = (end - start) >> PAGE_SHIFT,
                                         .access = advice};
    add_news(&demand);
}

/* The space is the pager no longer. */
static void detach(uint64_t pid)
{
    spinlock_acquire(&pager_lock);
    if (pager_pid == pid) {
        __atomic_store_n(&pager_pid, 0, __ATOMIC_RELAXED);
        attached = false;
        news_count = 0;
    }
    spinlock_release(&pager_lock);
}

void pager_space_ends_locked(struct space *space)
{
    if (space->roles & MEMSRV_ROLE_PAGER)
        detach(space->pid);
    space->roles = 0;
}

/* --- Requests ----------------------------------------------------------------------------------------------------- */

/* Makes `pid` the pager. EBUSY: another is. */
static int appoint(uint64_t pid)
{
    spinlock_acquire(&pager_lock);
    int error = pager_pid && pager_pid != pid ? -EBUSY : 0;
    if (!error)
        __atomic_store_n(&pager_pid, pid, __ATOMIC_RELAXED);
    spinlock_release(&pager_lock);
    return error;
}

int memsrv_handle_space_roles(struct memsrv_context *context, const struct message *request, uint64_t pid,
                              uint64_t roles)
{
    struct space *space = space_find(pid);
    int error = 0;

    if (roles & ~ROLES_ALL)
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    if (roles & MEMSRV_ROLE_PAGER)
        error = appoint(pid);
    else if (space->roles & MEMSRV_ROLE_PAGER)
        detach(pid);
    if (!error)
        space->roles = roles;
    space_leave(space);
    return error;
}

/* Makes the object with the rings, a page for each worker, and has the workers write there. */
static int make_rings(struct memsrv_context *worker)
{
    struct page *page;

    if (rings)
        return 0;
    int error = object_create(NULL, worker_count * PAGE_SIZE, true, false, &rings);
    if (!error)
        rings->kept = true;
    for (uint64_t i = 0; i < worker_count && !error; i++) {
        error = object_page(worker, rings, i, OBJECT_WRITE, &page);
        if (!error)
            __atomic_store_n(&workers[i].ring, (struct pager_ring *)(void *)page_window(page), __ATOMIC_RELAXED);
    }
    return error;
}

int memsrv_handle_pager_attach(struct memsrv_context *context, const struct message *request, uint64_t *number,
                               uint64_t *object, uint64_t *notification_slot)
{
    struct space *space;

    if (!pager_is_caller(request))
        return -EPERM;
    int error = make_rings(context);
    if (error)
        return error;
    if (!enter_own(request, &space))
        return -ESRCH;
    error = object_grant(rings, space, MEMSRV_PROTECT_READ);
    space_leave(space);
    if (error)
        return error;
    parking_ask_again();
    swap_forget_free();
    spinlock_acquire(&pager_lock);
    attached = true;
    news_count = 0;
    *number = __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
    spinlock_release(&pager_lock);
    *object = rings->id;
    *notification_slot = notification.slot;
    pager_signal();
    return 0;
}

/* What is told without being a request. */
static uint64_t take_news(struct memsrv_demand *demands, uint64_t capacity)
{
    uint64_t count = 0;

    spinlock_acquire(&pager_lock);
    for (; count < capacity && news_count; news_count--) {
        demands[count++] = news[news_first];
        news_first = (news_first + 1) % NEWS_MAX;
    }
    spinlock_release(&pager_lock);
    return count;
}

static uint64_t take_pending(struct memsrv_demand *demands, uint64_t capacity)
{
    uint64_t count = 0;

    if (capacity < 2)
        return 0;
    const uint32_t what = __atomic_exchange_n(&pending, 0, __ATOMIC_RELAXED);
    if (what & PAGER_RECLAIM)
        demands[count++] = (struct memsrv_demand){.kind = MEMSRV_DEMAND_RECLAIM, .count = 1};
    if (what & PAGER_DIRTY)
        demands[count++] = (struct memsrv_demand){.kind = MEMSRV_DEMAND_DIRTY};
    return count;
}

int memsrv_handle_pager_demands(struct memsrv_context *context, const struct message *request,
                                struct memsrv_demand *demands, size_t demands_capacity, size_t *demands_count)
{
    if (!pager_is_caller(request))
        return -EPERM;
    uint64_t count = take_pending(demands, demands_capacity);
    swap_look_through(context);
    count += swap_take_free(demands + count, demands_capacity - count);
    count += parking_take(demands + count, demands_capacity - count);
    count += take_news(demands + count, demands_capacity - count);
    /* There may be more than fit. */
    if (count == demands_capacity || swap_has_news())
        pager_signal();
    *demands_count = count;
    return 0;
}

int memsrv_handle_pager_transit(struct memsrv_context *context, const struct message *request, uint64_t cursor,
                                uint64_t *next, struct memsrv_transit *pages, size_t pages_capacity,
                                size_t *pages_count)
{
    if (!pager_is_caller(request))
        return -EPERM;
    *pages_count = transit_list(pages, pages_capacity, &cursor);
    *next = cursor;
    return 0;
}

uint64_t pager_generation(void)
{
    return __atomic_load_n(&generation, __ATOMIC_RELAXED);
}

bool pager_is_attached(void)
{
    spinlock_acquire(&pager_lock);
    bool is = attached;
    spinlock_release(&pager_lock);
    return is;
}
