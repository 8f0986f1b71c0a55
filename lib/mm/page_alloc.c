/* SPDX-License-Identifier: MIT */
/* The way of a request through zones, reserves and reclaim. */
#include <string.h>

#include <mm/page_alloc.h>

void per_cpu_pages_init(struct per_cpu_pages *pages, struct zone zones[ZONE_COUNT], uint32_t cpu_count)
{
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        page_list_init(&pages->movable[type], &zones[type], MIGRATE_MOVABLE);
        page_list_init(&pages->unmovable[type], &zones[type], MIGRATE_UNMOVABLE);
        page_list_set_size(&pages->movable[type], cpu_count);
        page_list_set_size(&pages->unmovable[type], cpu_count);
    }
}

void per_cpu_pages_drain(struct per_cpu_pages *pages)
{
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        if (pages->movable[type].count)
            page_list_drain(&pages->movable[type]);
        if (pages->unmovable[type].count)
            page_list_drain(&pages->unmovable[type]);
    }
}

uint64_t per_cpu_pages_count(const struct per_cpu_pages *pages)
{
    uint64_t count = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        count += __atomic_load_n(&pages->movable[type].count, __ATOMIC_RELAXED);
        count += __atomic_load_n(&pages->unmovable[type].count, __ATOMIC_RELAXED);
    }
    return count;
}

int per_cpu_pages_check(const struct per_cpu_pages *pages)
{
    int error = 0;
    for (unsigned type = 0; type < ZONE_COUNT && !error; type++) {
        error = page_list_check(&pages->movable[type]);
        if (!error)
            error = page_list_check(&pages->unmovable[type]);
    }
    return error;
}

void page_allocator_init(struct page_allocator *allocator, struct zone zones[ZONE_COUNT],
                         const struct page_alloc_hooks *hooks, void *context)
{
    memset(allocator, 0, sizeof(*allocator));
    allocator->hooks = hooks;
    allocator->context = context;
    for (unsigned type = ZONE_COUNT; type-- > 0;) {
        struct zone_info info;
        zone_read_info(&zones[type], &info);
        if (info.managed_pages)
            allocator->zonelist.zones[allocator->zonelist.count++] = &zones[type];
    }
}

static void count_event(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void page_alloc_read_statistics(const struct page_allocator *allocator, struct page_alloc_statistics *statistics)
{
    const struct page_alloc_statistics *from = &allocator->statistics;
    *statistics = (struct page_alloc_statistics){
        .requests = __atomic_load_n(&from->requests, __ATOMIC_RELAXED),
        .failures = __atomic_load_n(&from->failures, __ATOMIC_RELAXED),
        .slow = __atomic_load_n(&from->slow, __ATOMIC_RELAXED),
        .wakeups = __atomic_load_n(&from->wakeups, __ATOMIC_RELAXED),
        .reclaims = __atomic_load_n(&from->reclaims, __ATOMIC_RELAXED),
        .drains = __atomic_load_n(&from->drains, __ATOMIC_RELAXED),
        .fallback = __atomic_load_n(&from->fallback, __ATOMIC_RELAXED),
    };
}

enum migrate_type gfp_migrate_type(gfp_t gfp)
{
    if (gfp & GFP_FLAG_MOVABLE)
        return MIGRATE_MOVABLE;
    return gfp & GFP_FLAG_RECLAIMABLE ? MIGRATE_RECLAIMABLE : MIGRATE_UNMOVABLE;
}

/* The list that pages of a type come from and go to; NULL: they come from the zone itself. */
static struct page_list *list_for(struct per_cpu_pages *own, enum zone_type type, enum migrate_type migrate,
                                  unsigned order)
{
    if (!own || order > 0 || migrate == MIGRATE_RECLAIMABLE)
        return NULL;
    return migrate == MIGRATE_MOVABLE ? &own->movable[type] : &own->unmovable[type];
}

static bool zone_has(struct zone *zone, unsigned order, enum watermark mark, enum zone_type highest,
                     unsigned alloc_flags) EXCLUDES(zone->lock)
{
    spinlock_acquire(&zone->lock);
    bool ok = zone_watermark_ok_locked(zone, order, mark, highest, alloc_flags);
    spinlock_release(&zone->lock);
    return ok;
}

bool page_alloc_is_short(const struct page_allocator *allocator, gfp_t gfp)
{
    const struct zonelist *zonelist = &allocator->zonelist;
    const enum zone_type highest = gfp_zone(gfp);

    for (uint32_t i = 0; i < zonelist->count; i++) {
        struct zone *zone = zonelist->zones[i];
        if (zone->type <= highest && zone_has(zone, 0, WATERMARK_LOW, highest, 0))
            return false;
    }
    return true;
}

/* A request on its way. */
struct request {
    struct page_allocator *allocator;
    struct per_cpu_pages *own;
    gfp_t gfp;
    unsigned order;
};

/* One look at each zone that suits. */
static struct page *try_zones(const struct request *request, enum watermark mark, unsigned alloc_flags)
{
    const struct zonelist *zonelist = &request->allocator->zonelist;
    const enum zone_type highest = gfp_zone(request->gfp);
    const enum migrate_type migrate = gfp_migrate_type(request->gfp);
    bool first = true;

    for (uint32_t i = 0; i < zonelist->count; i++) {
        struct zone *zone = zonelist->zones[i];
        if (zone->type > highest)
            continue;
        struct page_list *list = list_for(request->own, zone->type, migrate, request->order);
        struct page *page = NULL;
        /* What is in a list is not the zone's any more, so its watermarks say nothing about it. */
        if ((list && list->count) || zone_has(zone, request->order, mark, highest, alloc_flags))
            page = list ? page_list_alloc(list) : buddy_alloc(zone, request->order, migrate);
        if (page) {
            if (!first)
                count_event(&request->allocator->statistics.fallback);
            return page;
        }
        first = false;
    }
    return NULL;
}

/* How far into the reserves the flags let a request go. */
static unsigned reserves_of(gfp_t gfp)
{
    unsigned alloc_flags = 0;
    if (gfp & GFP_FLAG_HIGH)
        alloc_flags |= ALLOC_MIN_RESERVE;
    if (!(gfp & GFP_FLAG_NOMEMALLOC)) {
        if (!(gfp & GFP_FLAG_DIRECT_RECLAIM))
            alloc_flags |= ALLOC_NON_BLOCK;
        if (gfp & GFP_FLAG_MEMALLOC)
            alloc_flags |= ALLOC_NO_WATERMARKS;
    }
    return alloc_flags;
}

static void wake_reclaim(const struct request *request)
{
    const struct page_allocator *allocator = request->allocator;
    if (!(request->gfp & GFP_FLAG_KSWAPD_RECLAIM) || !allocator->hooks->wake_reclaim)
        return;
    count_event(&request->allocator->statistics.wakeups);
    for (uint32_t i = 0; i < allocator->zonelist.count; i++) {
        struct zone *zone = allocator->zonelist.zones[i];
        if (zone->type <= gfp_zone(request->gfp))
            allocator->hooks->wake_reclaim(allocator->context, zone, request->gfp, request->order);
    }
}

/* Gives the lists' pages back, so that they can merge and everybody may have them. */
static void drain(const struct request *request)
{
    struct page_allocator *allocator = request->allocator;
    count_event(&allocator->statistics.drains);
    if (allocator->hooks->drain)
        allocator->hooks->drain(allocator->context, request->own);
    else if (request->own)
        per_cpu_pages_drain(request->own);
}

static uint64_t reclaim(const struct request *request)
{
    struct page_allocator *allocator = request->allocator;
    if (!allocator->hooks->reclaim)
        return 0;
    count_event(&allocator->statistics.reclaims);
    return allocator->hooks->reclaim(allocator->context, request->gfp, request->order);
}

static bool worth_another_round(const struct request *request, unsigned round)
{
    if ((request->gfp & GFP_FLAG_NORETRY) || round + 1 >= RECLAIM_TRIES)
        return false;
    return request->order <= COSTLY_ORDER || (request->gfp & GFP_FLAG_RETRY_MAYFAIL);
}

/* For a caller that can wait. */
static struct page *reclaim_and_try(const struct request *request, unsigned alloc_flags)
{
    for (unsigned round = 0;; round++) {
        uint64_t progress = reclaim(request);
        struct page *page = progress ? try_zones(request, WATERMARK_MIN, alloc_flags) : NULL;
        if (page)
            return page;
        if (round == 0) {
            drain(request);
            page = try_zones(request, WATERMARK_MIN, alloc_flags);
            if (page)
                return page;
        }
        if (!progress || !worth_another_round(request, round))
            return NULL;
    }
}

static void fail(const struct request *request)
{
    struct page_allocator *allocator = request->allocator;
    uint64_t failures = __atomic_add_fetch(&allocator->statistics.failures, 1, __ATOMIC_RELAXED);
    const struct alloc_failure failure = {.gfp = request->gfp, .order = request->order, .failures = failures};
    if (!(request->gfp & GFP_FLAG_NOWARN) && allocator->hooks->warn)
        allocator->hooks->warn(allocator->context, &failure);
}

static struct page *alloc_slowly(const struct request *request)
{
    const unsigned alloc_flags = reserves_of(request->gfp);

    count_event(&request->allocator->statistics.slow);
    wake_reclaim(request);
    struct page *page = try_zones(request, WATERMARK_MIN, alloc_flags);
    /* Who frees memory for others must not wait for memory itself. */
    if (!page && (request->gfp & GFP_FLAG_DIRECT_RECLAIM) && !(request->gfp & GFP_FLAG_MEMALLOC))
        page = reclaim_and_try(request, alloc_flags);
    if (!page)
        fail(request);
    return page;
}

struct page *page_alloc(struct page_allocator *allocator, struct per_cpu_pages *own, gfp_t gfp, unsigned order)
{
    const struct request request = {.allocator = allocator, .own = own, .gfp = gfp, .order = order};

    if (order > MAX_ORDER)
        return NULL;
    count_event(&allocator->statistics.requests);
    struct page *page = try_zones(&request, WATERMARK_LOW, 0);
    if (!page)
        page = alloc_slowly(&request);
    if (page && (gfp & GFP_FLAG_ZERO) && allocator->hooks->zero)
        allocator->hooks->zero(allocator->context, page, order);
    return page;
}

int page_free(struct zone zones[ZONE_COUNT], struct per_cpu_pages *own, struct page *page, unsigned order)
{
    struct page_list *list = list_for(own, (enum zone_type)page->zone, (enum migrate_type)page->migrate, order);
    return list ? page_list_free(list, page) : buddy_free(&zones[page->zone], page, order);
}
