/* SPDX-License-Identifier: MIT */
/* Requests of the pager's own protocol. */
#include <proto/memsrv_client.h>
#include <quire/slots.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

static uint64_t caller_of(const struct message *request)
{
    return request->badge & ~BADGE_RIGHTS;
}

/* --- Who waits ------------------------------------------------------------------------------------------------------ */

/* Parks the caller of the request in hand. NULL: too many wait. */
static struct waiter *waiter_new(struct pager_context *context)
{
    for (size_t i = 0; i < WAITERS_MAX && context->spare_count > 0; i++) {
        struct waiter *waiter = &context->waiters[i];
        if (waiter->reply != SLOT_NONE)
            continue;
        /* One part is the call that parks it, so that it is not answered before all is begun. */
        *waiter = (struct waiter){.reply = context->reply, .parts = 1};
        context->reply = context->spare_replies[--context->spare_count];
        return waiter;
    }
    return NULL;
}

static uint64_t token_of(const struct pager_context *context, const struct waiter *waiter)
{
    return (uint64_t)(waiter - context->waiters) + 1;
}

void waiter_part_ended(struct pager_context *context, uint64_t token, int status)
{
    struct waiter *waiter = &context->waiters[token - 1];
    struct message message = {0};
    if (status < 0 && waiter->status == 0)
        waiter->status = status;
    if (--waiter->parts > 0)
        return;
    message.tag = MSG_TAG(waiter->status, 0, 0);
    (void)!sys_reply(waiter->reply, &message); /* the caller may have ended */
    context->spare_replies[context->spare_count++] = waiter->reply;
    waiter->reply = SLOT_NONE;
}

/* Begins a sync that the waiter waits for. */
static void begin_part(struct pager_context *context, struct waiter *waiter, const struct object *object,
                       uint64_t first, uint64_t end, enum sync_how how)
{
    const uint64_t token = token_of(context, waiter);
    waiter->parts++;
    int error = sync_begin(&context->pager, object->number, object->cookie, first, end, how, false, token);
    if (error < 0)
        waiter_part_ended(context, token, error);
}

int pager_handle_sync(struct pager_context *context, const struct message *request, uint64_t number, uint64_t first,
                      uint64_t end, uint64_t flags)
{
    const struct object *object = object_meet(&context->pager, number);
    if ((flags & ~(uint64_t)(PAGER_SYNC_NO_FLUSH | PAGER_SYNC_NO_WAIT)) || first > end)
        return -EINVAL;
    if (!object)
        return -ENOENT;
    if (flags & PAGER_SYNC_NO_WAIT)
        return sync_begin(&context->pager, number, object->cookie, first, end, SYNC_BEGIN, false, 0);
    struct waiter *waiter = waiter_new(context);
    if (!waiter)
        return -EAGAIN;
    begin_part(context, waiter, object, first, end, flags & PAGER_SYNC_NO_FLUSH ? SYNC_WAIT : SYNC_LAST);
    waiter_part_ended(context, token_of(context, waiter), 0);
    pager_pump(&context->pager);
    return PROTO_PARKED;
}

int pager_handle_sync_all(struct pager_context *context, const struct message *request)
{
    struct pager *pager = &context->pager;
    struct waiter *waiter = waiter_new(context);
    if (!waiter)
        return -EAGAIN;
    pager->sweep = 0;
    while (!sweep_some(pager, 64))
        ;
    for (uint32_t i = 0; i < OBJECTS_MAX; i++) {
        const struct object *object = &pager->objects[i];
        if (object->number != 0 && writeback_dirty(&pager->dirty, object->number) > 0)
            begin_part(context, waiter, object, 0, UINT64_MAX, SYNC_LAST);
    }
    waiter_part_ended(context, token_of(context, waiter), 0);
    pager_pump(pager);
    return PROTO_PARKED;
}

int pager_handle_advise(struct pager_context *context, const struct message *request, uint64_t number, uint64_t first,
                        uint64_t end, uint64_t advice)
{
    const struct object *object = object_meet(&context->pager, number);
    if (advice > PAGER_ADVICE_DONT_NEED || first > end)
        return -EINVAL;
    if (!object)
        return 0;
    const struct demand demand = {.kind = TOLD_ADVICE,
                                  .object = number,
                                  .cookie = object->cookie,
                                  .index = first,
                                  .count = end - first,
                                  .detail = advice};
    return pager_room(&context->pager) > 0 ? (pager_demand(&context->pager, &demand), 0) : 0;
}

/* --- Figures -------------------------------------------------------------------------------------------------------- */

int pager_handle_info(struct pager_context *context, const struct message *request, struct pager_info *info,
                      size_t info_capacity, size_t *info_count)
{
    const struct pager *pager = &context->pager;
    const struct lru_vector *lists = &pager->vector;
    const struct counters *counters = &pager->counters;
    struct memory_state memory;
    uint64_t on_their_way = 0;
    if (info_capacity == 0)
        return -EINVAL;
    for (uint32_t i = 0; i < BATCHES_MAX; i++)
        on_their_way += pager->batches[i].kind == BATCH_CLEAN ? pager->batches[i].count - pager->batches[i].ended : 0;
    pager->backend.memory(context, &memory);
    *info = (struct pager_info){
        .generation = context->generation,
        .reserve = memory.reservation,
        .cached = lru_size(lists, LRU_ACTIVE_FILE) + lru_size(lists, LRU_INACTIVE_FILE),
        .dirty = memory.dirty,
        .writeback = on_their_way,
        .active_anonymous = lru_size(lists, LRU_ACTIVE_ANON),
        .inactive_anonymous = lru_size(lists, LRU_INACTIVE_ANON),
        .active_file = lru_size(lists, LRU_ACTIVE_FILE),
        .inactive_file = lru_size(lists, LRU_INACTIVE_FILE),
        .unevictable = lru_size(lists, LRU_UNEVICTABLE),
        .read = counters->read,
        .read_ahead = counters->read_ahead,
        .written = counters->written,
        .swapped_in = counters->swapped_in,
        .swapped_out = counters->swapped_out,
        .scanned = counters->scanned,
        .reclaimed = counters->reclaimed,
        .refaults = counters->refaults,
        .oom_kills = counters->kills,
        .errors = counters->errors,
    };
    *info_count = 1;
    return 0;
}

int pager_handle_check(struct pager_context *context, const struct message *request)
{
    return pager_check(&context->pager);
}

int pager_handle_drop_caches(struct pager_context *context, const struct message *request, uint64_t what,
                             uint64_t *pages)
{
    uint64_t slabs = 0;
    int error = 0;
    if (what == 0 || what > (PAGER_DROP_PAGES | PAGER_DROP_SLABS))
        return -EINVAL;
    *pages = what & PAGER_DROP_PAGES ? reclaim_drop_clean(&context->pager) : 0;
    if (what & PAGER_DROP_SLABS)
        error = memsrv_caches_shrink(SLOT_MEMSRV, &slabs);
    *pages += slabs;
    pager_pump(&context->pager);
    return error;
}

int pager_handle_oom_explain(struct pager_context *context, const struct message *request, uint64_t *pid,
                             uint64_t *score)
{
    uint32_t victim;
    *pid = *score = 0;
    if (oom_look(&context->pager, OOM_NOBODY, &victim) != OOM_KILL)
        return 0;
    *pid = context->pager.oom.tasks[victim].pid;
    *score = oom_score(&context->pager.oom, &context->pager.oom.tasks[victim]);
    return 0;
}

/* --- Settings ------------------------------------------------------------------------------------------------------- */

struct setting {
    const char *name;
    uint64_t most;
    uint64_t unit; /* of the field, in the setting's unit */
    size_t place;  /* of a field of 8 bytes in struct settings; of 4 in the policy */
    bool narrow;
};

#define POLICY(field) (offsetof(struct settings, writeback) + offsetof(struct writeback_policy, field))

static const struct setting settings[] = {
    {"swappiness", LRU_SWAPPINESS_MAX, 1, offsetof(struct settings, swappiness), false},
    {"swap_readahead_pages", SWAP_READAHEAD_PAGES, 1, offsetof(struct settings, page_cluster_pages), false},
    {"readahead_pages", BATCH_PAGES, 1, offsetof(struct settings, readahead_pages), false},
    {"dirty_ratio", 100, 1, POLICY(ratio), true},
    {"dirty_background_ratio", 100, 1, POLICY(background_ratio), true},
    {"dirty_expire_centisecs", 360000, 10, POLICY(expire_ms), false},
    {"dirty_writeback_centisecs", 360000, 10, POLICY(interval_ms), false},
};

static const struct setting *setting_find(const void *name, size_t bytes)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strlen(settings[i].name) == bytes && memcmp(settings[i].name, name, bytes) == 0)
            return &settings[i];
    }
    return NULL;
}

int pager_handle_setting_get(struct pager_context *context, const struct message *request, const void *name,
                             size_t name_bytes, uint64_t *value)
{
    const struct setting *setting = setting_find(name, name_bytes);
    uint32_t narrow;
    if (!setting)
        return -ENOENT;
    const uint8_t *field = (const uint8_t *)&context->pager.settings + setting->place;
    memcpy(value, field, sizeof(*value));
    memcpy(&narrow, field, sizeof(narrow));
    *value = (setting->narrow ? narrow : *value) / setting->unit;
    return 0;
}

int pager_handle_setting_set(struct pager_context *context, const struct message *request, uint64_t value,
                             const void *name, size_t name_bytes)
{
    const struct setting *setting = setting_find(name, name_bytes);
    if (!setting)
        return -ENOENT;
    if (value > setting->most)
        return -ERANGE;
    value *= setting->unit;
    const uint32_t narrow = (uint32_t)value;
    uint8_t *field = (uint8_t *)&context->pager.settings + setting->place;
    if (setting->narrow)
        memcpy(field, &narrow, sizeof(narrow));
    else
        memcpy(field, &value, sizeof(value));
    return 0;
}

/* --- Swap ----------------------------------------------------------------------------------------------------------- */

int pager_handle_swap_on(struct pager_context *context, const struct message *request, int64_t priority,
                         const void *name, size_t name_bytes)
{
    char text[sizeof(context->pager.swap_uses[0].name)] = {0};
    if (name_bytes == 0 || name_bytes >= sizeof(text) || priority < INT32_MIN || priority > INT32_MAX)
        return -EINVAL;
    memcpy(text, name, name_bytes);
    if (text[0] == '/')
        return -ENOSYS; /* files */
    if (areas_find(context, name, name_bytes) != SWAP_AREAS_MAX)
        return -EBUSY;
    return areas_add(context, text, (int32_t)priority);
}

int pager_handle_swap_off(struct pager_context *context, const struct message *request, const void *name,
                          size_t name_bytes)
{
    const uint32_t area = areas_find(context, name, name_bytes);
    if (area == SWAP_AREAS_MAX)
        return -ENOENT;
    struct waiter *waiter = waiter_new(context);
    if (!waiter)
        return -EAGAIN;
    const uint64_t token = token_of(context, waiter);
    waiter->parts++;
    int error = swap_off(&context->pager, area, token);
    if (error < 0)
        waiter_part_ended(context, token, error);
    waiter_part_ended(context, token, 0);
    pager_pump(&context->pager);
    return PROTO_PARKED;
}

int pager_handle_swap_list(struct pager_context *context, const struct message *request, struct pager_swap_area *areas,
                           size_t areas_capacity, size_t *areas_count)
{
    for (uint32_t i = 0; i < SWAP_AREAS_MAX && *areas_count < areas_capacity; i++) {
        const struct swap_area *area = &context->pager.swap.areas[i];
        if (!area->counts)
            continue;
        struct pager_swap_area *record = &areas[(*areas_count)++];
        *record =
            (struct pager_swap_area){.pages = area->slots - area->bad, .used = area->used, .priority = area->priority};
        memcpy(record->name, context->pager.swap_uses[i].name, sizeof(record->name));
    }
    return 0;
}

/* --- Pressure ------------------------------------------------------------------------------------------------------- */

int pager_handle_pressure(struct pager_context *context, const struct message *request, uint64_t kind,
                          uint64_t *percent10, uint64_t *percent60, uint64_t *percent300, uint64_t *total)
{
    struct pressure *pressure = &context->pager.pressure;
    if (kind > PAGER_PRESSURE_FULL)
        return -EINVAL;
    const enum pressure_kind of = kind == PAGER_PRESSURE_FULL ? PRESSURE_OF_FULL : PRESSURE_OF_SOME;
    pressure_update(pressure, context->pager.backend.now_us(context));
    *percent10 = pressure_average(pressure, of, 0);
    *percent60 = pressure_average(pressure, of, 1);
    *percent300 = pressure_average(pressure, of, 2);
    *total = pressure->total[of];
    return 0;
}

/* The caller's watch, or a free one; NULL: there is none. */
static struct watch *watch_of(struct pager_context *context, uint64_t pid)
{
    struct watch *found = NULL;
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        if (context->watches[i].pid == pid)
            return &context->watches[i];
        if (context->watches[i].pid == 0)
            found = &context->watches[i];
    }
    return found;
}

static void watch_end(struct watch *watch)
{
    slot_free(watch->notification);
    *watch = (struct watch){0};
}

int pager_handle_pressure_watch(struct pager_context *context, const struct message *request, uint64_t kind,
                                uint64_t stall, uint64_t window, uint64_t bits, uint64_t notification)
{
    struct watch *watch = watch_of(context, caller_of(request));
    struct pressure_watch wanted;
    if (stall == 0) {
        if (watch && watch->pid != 0)
            watch_end(watch);
        return 0;
    }
    const enum pressure_kind of = kind == PAGER_PRESSURE_FULL ? PRESSURE_OF_FULL : PRESSURE_OF_SOME;
    if (kind > PAGER_PRESSURE_FULL || bits == 0 ||
        pressure_watch_init(&wanted, &context->pager.pressure, of, stall, window,
                            context->pager.backend.now_us(context)) < 0)
        return -EINVAL;
    const uint64_t fresh = watch ? slot_allocate() : SLOT_NONE;
    if (fresh == SLOT_NONE)
        return -ENOSPC;
    if (watch->pid != 0)
        watch_end(watch);
    *watch = (struct watch){.pid = caller_of(request), .notification = notification, .bits = bits, .watch = wanted};
    context->arriving = fresh;
    ipc_buffer()->receive_slots[0] = fresh;
    return 0;
}

void watches_tell(struct pager_context *context)
{
    const uint64_t now = context->pager.backend.now_us(context);
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watch = &context->watches[i];
        if (watch->pid == 0 || !pressure_watch_update(&watch->watch, &context->pager.pressure, now))
            continue;
        if (sys_signal(watch->notification, watch->bits) < 0)
            watch_end(watch); /* the program has ended */
    }
}

uint32_t watches_warn(struct pager_context *context)
{
    uint32_t count = 0;
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watch = &context->watches[i];
        if (watch->pid == 0)
            continue;
        if (sys_signal(watch->notification, watch->bits) < 0)
            watch_end(watch);
        else
            count++;
    }
    return count;
}
