/* SPDX-License-Identifier: MIT */
/* Callers that wait for the pager: see parking.h. */
#include "parking.h"

#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "caches.h"
#include "fault.h"
#include "log.h"
#include "pager.h"
#include "space.h"
#include "trace.h"

/* Threads that are there without memsrv's doing: root's own. */
#define ROOT_THREADS 8u
/* Records that are kept even if there are fewer threads: what most machines ever need. */
#define RECORDS_KEPT (2 * OBJECTS_PER_FRAME_SMALL)

static struct spinlock parking_lock;
static struct wait_table table GUARDED_BY(parking_lock);
static struct list free_records GUARDED_BY(parking_lock);  /* struct parked, waiter.link */
static struct list ready_records GUARDED_BY(parking_lock); /* those that wait no longer */
static uint64_t record_count GUARDED_BY(parking_lock);
static uint64_t free_count GUARDED_BY(parking_lock);
static uint64_t ready_count GUARDED_BY(parking_lock); /* also read without the lock, as a hint */
static uint64_t thread_count GUARDED_BY(parking_lock);

static struct kmem_cache record_cache, request_cache; /* as many of one as of the other, and requests for hints */
static struct parked worker_records[WORKERS_MAX];

static struct parked *record_of(struct list *link)
{
    return CONTAINER_OF(link, struct parked, waiter.link);
}

static void put_free(struct parked *record) REQUIRES(parking_lock)
{
    record->waiter.request = NULL;
    record->waits = 0;
    list_push_back(&free_records, &record->waiter.link);
    free_count++;
}

/* Makes one more request. ENOMEM. */
static int make_request(void)
{
    struct wait_request *request = kmem_cache_zalloc(&request_cache, worker_index());
    if (!request)
        return -ENOMEM;
    spinlock_acquire(&parking_lock);
    wait_table_add(&table, request);
    spinlock_release(&parking_lock);
    return 0;
}

/* Makes one more record, and a request. ENOMEM: a request may be there that is not needed. */
static int make_record(void)
{
    struct parked *record = kmem_cache_zalloc(&record_cache, worker_index());
    int error = record ? kernel_object_create(CAP_REPLY, 0, &record->reply) : -ENOMEM;
    if (!error)
        error = make_request();
    if (error) {
        int ignored = record ? kernel_object_destroy(&record->reply) : 0;
        ASSERT(ignored == 0);
        (void)ignored;
        if (record)
            kmem_cache_free(&record_cache, worker_index(), record);
        return -ENOMEM;
    }
    spinlock_acquire(&parking_lock);
    put_free(record);
    record_count++;
    spinlock_release(&parking_lock);
    return 0;
}

/* Takes a free record out of what there is, if that is more than is needed. */
static struct parked *take_spare(void) REQUIRES(parking_lock)
{
    if (record_count <= RECORDS_KEPT || record_count <= thread_count)
        return NULL;
    LIST_FOR_EACH (link, &free_records) {
        struct parked *record = record_of(link);
        if (record->fixed)
            continue;
        list_remove(link);
        free_count--;
        record_count--;
        return record;
    }
    return NULL;
}

/* Gives back records that are not needed any more. */
static void drop_records(void)
{
    for (;;) {
        struct wait_request *request = NULL;
        spinlock_acquire(&parking_lock);
        struct parked *record = take_spare();
        if (record)
            request = wait_table_remove(&table);
        spinlock_release(&parking_lock);
        if (!record)
            return;
        int error = kernel_object_destroy(&record->reply);
        ASSERT(error == 0);
        (void)error;
        kmem_cache_free(&record_cache, worker_index(), record);
        if (request)
            kmem_cache_free(&request_cache, worker_index(), request);
    }
}

void parking_init(void)
{
    cache_create(&record_cache, "parked", sizeof(struct parked), _Alignof(struct parked));
    cache_create(&request_cache, "wait_request", sizeof(struct wait_request), _Alignof(struct wait_request));
    spinlock_init(&parking_lock, LOCK_PARKING);
    spinlock_acquire(&parking_lock);
    wait_table_init(&table);
    list_init(&free_records);
    list_init(&ready_records);
    thread_count = ROOT_THREADS;
    spinlock_release(&parking_lock);
    int error = 0;
    for (unsigned i = 0; i < WAIT_HINTS_MAX + WORKERS_MAX && !error; i++)
        error = make_request();
    for (unsigned i = 0; i < RECORDS_KEPT && !error; i++)
        error = make_record();
    if (error)
        fatal("there is no memory for reply objects");
}

void parking_worker_init(struct memsrv_context *worker)
{
    struct parked *record = &worker_records[worker->index];

    record->fixed = true;
    record->reply = (struct kernel_object){.slot = worker->reply_slot, .type = CAP_REPLY};
    worker->record = record;
}

int parking_add_thread(void)
{
    spinlock_acquire(&parking_lock);
    uint64_t threads = ++thread_count;
    bool enough = record_count >= threads;
    spinlock_release(&parking_lock);
    int error = enough ? 0 : make_record();
    if (error)
        parking_remove_thread();
    return error;
}

void parking_remove_thread(void)
{
    spinlock_acquire(&parking_lock);
    thread_count--;
    bool more = record_count > RECORDS_KEPT && record_count > thread_count;
    spinlock_release(&parking_lock);
    if (more)
        drop_records();
}

/* --- Setting aside ------------------------------------------------------------------------------------------------ */

void parking_allow(struct memsrv_context *worker, const struct message *m)
{
    struct parked *record = worker->record;

    record->parkable = (m->badge & ~BADGE_RIGHTS) != PID_ROOT;
    record->message = *m;
}

/* True if the reply object still holds somebody: an answer that no message can be is refused for another reason then. */
static bool holds_caller(const struct parked *record)
{
    struct message m = {.tag = MSG_TAG(0, MSG_BUFFER_WORDS + 1, 0)};
    return sys_reply(record->reply.slot, &m) != -ESRCH;
}

/* Frees the records of those of a list of requests that were stopped or interrupted. */
static void reap(struct list *requests) REQUIRES(parking_lock)
{
    LIST_FOR_EACH_SAFE(link, requests)
    {
        struct wait_request *request = CONTAINER_OF(link, struct wait_request, order);
        LIST_FOR_EACH_SAFE(waiting, &request->waiters)
        {
            struct parked *record = record_of(waiting);
            if (holds_caller(record))
                continue;
            wait_leave(&table, &record->waiter); /* with the last, the request ends */
            put_free(record);
        }
    }
}

/* A record with a reply object that holds nobody. */
static struct parked *take_free(void) REQUIRES(parking_lock)
{
    if (list_empty(&free_records)) {
        reap(&table.asked);
        reap(&table.taken);
    }
    struct list *link = list_pop_front(&free_records);
    CHECK(link); /* threads that exist have one each, and the caller was not among those that wait */
    free_count--;
    return record_of(link);
}

int parking_wait(struct memsrv_context *worker, const struct parking_request *request)
{
    struct parked *record = worker->record;
    const struct wait_request values = {.first = request->first,
                                        .count = request->count,
                                        .cookie = request->cookie,
                                        .access = request->access,
                                        .pid = record->message.badge & ~BADGE_RIGHTS};

    if (!record->parkable) {
        parking_hint(request);
        return -EAGAIN;
    }
    spinlock_acquire(&parking_lock);
    worker->record = take_free();
    worker->reply_slot = worker->record->reply.slot;
    record->parkable = worker->record->parkable = false;
    bool tell = wait_join(&table, request->key, &values, &record->waiter);
    spinlock_release(&parking_lock);
    if (tell)
        pager_signal();
    return -EINPROGRESS;
}

void parking_hint(const struct parking_request *request)
{
    const struct wait_request values = {
        .first = request->first, .count = request->count, .cookie = request->cookie, .access = request->access};

    spinlock_acquire(&parking_lock);
    bool tell = wait_hint(&table, request->key, &values);
    spinlock_release(&parking_lock);
    if (tell)
        pager_signal();
}

/* --- Taking up again ---------------------------------------------------------------------------------------------- */

/* Those of the list are ready. */
static void add_ready(struct list *done) REQUIRES(parking_lock)
{
    struct list *link;
    while ((link = list_pop_front(done))) {
        list_push_back(&ready_records, link);
        __atomic_store_n(&ready_count, ready_count + 1, __ATOMIC_RELAXED);
    }
}

void parking_complete(uint32_t kind, uint64_t object, uint64_t first, uint64_t last, int status)
{
    struct list done;

    list_init(&done);
    spinlock_acquire(&parking_lock);
    (void)wait_complete_range(&table, kind, object, first, last, status, &done);
    add_ready(&done);
    spinlock_release(&parking_lock);
}

int parking_complete_token(uint64_t token, int status)
{
    struct list done;

    list_init(&done);
    spinlock_acquire(&parking_lock);
    struct wait_request *request = wait_find_token(&table, token);
    if (request)
        wait_complete(&table, request, status, &done);
    add_ready(&done);
    spinlock_release(&parking_lock);
    return request ? 0 : -ESRCH;
}

bool parking_is_ready(void)
{
    return __atomic_load_n(&ready_count, __ATOMIC_RELAXED) != 0;
}

static struct parked *take_ready(void)
{
    spinlock_acquire(&parking_lock);
    struct list *link = list_pop_front(&ready_records);
    if (link)
        __atomic_store_n(&ready_count, ready_count - 1, __ATOMIC_RELAXED);
    spinlock_release(&parking_lock);
    return link ? record_of(link) : NULL;
}

/* Makes the record's request again, with its reply object in place of the worker's own. False: it waits once more. */
static bool make_again(struct memsrv_context *worker, struct parked *record, struct message *m)
{
    struct parked *const own = worker->record;

    worker->record = record;
    worker->reply_slot = record->reply.slot;
    worker->starved = false;
    int verdict = memsrv_dispatch(worker, m);
    if (verdict == PROTO_PARKED) {
        spinlock_acquire(&parking_lock);
        put_free(worker->record);
        spinlock_release(&parking_lock);
    }
    worker->record = own;
    worker->reply_slot = own->reply.slot;
    return verdict == PROTO_REPLY;
}

static void answer(struct memsrv_context *worker, struct parked *record)
{
    struct message m = record->message;

    trace_unpark(worker, &m, record->waiter.status);
    if (!holds_caller(record)) {
        /* Nothing is done for who has gone. */
    } else if (MSG_FLAGS(m.tag) & MSG_FLAG_FAULT) {
        fault_answer_parked(&m, record->waiter.status);
    } else if (record->waiter.status) {
        proto_refuse(&m, record->waiter.status);
    } else if (!make_again(worker, record, &m)) {
        return;
    }
    record->parkable = false;
    record->resume = 0;
    record->waits = 0;
    (void)!sys_reply(record->reply.slot, &m); /* ESRCH: it has gone */
    spinlock_acquire(&parking_lock);
    put_free(record);
    spinlock_release(&parking_lock);
}

void parking_run(struct memsrv_context *worker)
{
    struct parked *record;
    while ((record = take_ready()))
        answer(worker, record);
}

/* --- What the pager is told --------------------------------------------------------------------------------------- */

/* The fault, or the request's, of who waited first. */
static uint64_t origin_of(const struct wait_request *request)
{
    return list_empty(&request->waiters) ? 0 : record_of(request->waiters.next)->message.origin;
}

uint64_t parking_take(struct memsrv_demand *demands, uint64_t capacity)
{
    uint64_t count = 0;

    spinlock_acquire(&parking_lock);
    while (count < capacity) {
        const struct wait_request *request = wait_take(&table);
        if (!request)
            break;
        demands[count++] = (struct memsrv_demand){.kind = request->key.kind,
                                                  .token = request->token,
                                                  .object = request->key.object,
                                                  .cookie = request->cookie,
                                                  .index = request->first,
                                                  .count = request->count,
                                                  .access = request->access,
                                                  .pid = request->pid,
                                                  .origin = origin_of(request)};
    }
    spinlock_release(&parking_lock);
    return count;
}

void parking_ask_again(void)
{
    spinlock_acquire(&parking_lock);
    wait_ask_again(&table);
    spinlock_release(&parking_lock);
}

void parking_read_info(uint64_t *threads, uint64_t *requests)
{
    spinlock_acquire(&parking_lock);
    *threads = table.waiters;
    *requests = table.requests;
    spinlock_release(&parking_lock);
}

int parking_check(void)
{
    uint64_t free = 0, ready = 0;

    spinlock_acquire(&parking_lock);
    int error = wait_table_check(&table);
    LIST_FOR_EACH (link, &free_records)
        free++;
    LIST_FOR_EACH (link, &ready_records)
        ready++;
    /* Each record is free, ready, waits, or is a worker's: its own, or one that it takes up again. */
    uint64_t seen = free + ready + table.waiters;
    const uint64_t all = record_count + worker_count;
    if (free != free_count || ready != ready_count || seen > all || all - seen > 2 * worker_count)
        error = -EIO;
    spinlock_release(&parking_lock);
    return error;
}
