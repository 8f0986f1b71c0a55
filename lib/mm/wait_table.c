/* SPDX-License-Identifier: MIT */
/* Requests and who waits for them: see mm/wait_table.h. */
#include <mm/wait_table.h>

#include <errno.h>

static uint64_t bucket_of(struct wait_key key)
{
    uint64_t mixed = (key.object * 0x9e3779b97f4a7c15UL) ^ (key.index * 0xc2b2ae3d27d4eb4fUL) ^ key.kind;
    return (mixed ^ mixed >> 29 ^ mixed >> 47) % WAIT_BUCKETS;
}

static bool same_key(struct wait_key a, struct wait_key b)
{
    return a.kind == b.kind && a.object == b.object && a.index == b.index;
}

void wait_table_init(struct wait_table *table)
{
    for (unsigned i = 0; i < WAIT_BUCKETS; i++)
        list_init(&table->buckets[i]);
    list_init(&table->asked);
    list_init(&table->taken);
    list_init(&table->free);
    table->free_count = table->requests = table->waiters = table->hints = 0;
    table->next_token = 1;
}

void wait_table_add(struct wait_table *table, struct wait_request *request)
{
    list_push_back(&table->free, &request->bucket);
    table->free_count++;
}

struct wait_request *wait_table_remove(struct wait_table *table)
{
    struct list *link = list_pop_front(&table->free);
    if (!link)
        return NULL;
    table->free_count--;
    return CONTAINER_OF(link, struct wait_request, bucket);
}

struct wait_request *wait_find(struct wait_table *table, struct wait_key key)
{
    LIST_FOR_EACH (link, &table->buckets[bucket_of(key)]) {
        struct wait_request *request = CONTAINER_OF(link, struct wait_request, bucket);
        if (same_key(request->key, key))
            return request;
    }
    return NULL;
}

struct wait_request *wait_find_token(struct wait_table *table, uint64_t token)
{
    LIST_FOR_EACH (link, &table->taken) {
        struct wait_request *request = CONTAINER_OF(link, struct wait_request, order);
        if (request->token == token)
            return request;
    }
    return NULL;
}

static struct wait_request *begin(struct wait_table *table, struct wait_key key, const struct wait_request *values)
{
    struct wait_request *request = wait_table_remove(table);
    ASSERT(request);
    *request = (struct wait_request){.key = key,
                                     .token = table->next_token++,
                                     .first = values->first,
                                     .count = values->count,
                                     .cookie = values->cookie,
                                     .access = values->access,
                                     .pid = values->pid};
    list_init(&request->waiters);
    list_push_back(&table->buckets[bucket_of(key)], &request->bucket);
    list_push_back(&table->asked, &request->order);
    table->requests++;
    return request;
}

static void end(struct wait_table *table, struct wait_request *request)
{
    list_remove(&request->bucket);
    list_remove(&request->order);
    table->requests--;
    table->hints -= request->hint;
    wait_table_add(table, request);
}

bool wait_join(struct wait_table *table, struct wait_key key, const struct wait_request *values, struct waiter *waiter)
{
    struct wait_request *request = wait_find(table, key);
    const bool fresh = !request;

    ASSERT(!waiter->request);
    if (fresh)
        request = begin(table, key, values);
    request->access |= values->access;
    table->hints -= request->hint;
    request->hint = false;
    waiter->request = request;
    waiter->status = 0;
    list_push_back(&request->waiters, &waiter->link);
    table->waiters++;
    return fresh;
}

bool wait_hint(struct wait_table *table, struct wait_key key, const struct wait_request *values)
{
    if (table->hints == WAIT_HINTS_MAX || table->free_count == 0 || wait_find(table, key))
        return false;
    begin(table, key, values)->hint = true;
    table->hints++;
    return true;
}

void wait_leave(struct wait_table *table, struct waiter *waiter)
{
    struct wait_request *request = waiter->request;

    list_remove(&waiter->link);
    waiter->request = NULL;
    table->waiters--;
    if (list_empty(&request->waiters))
        end(table, request);
}

void wait_complete(struct wait_table *table, struct wait_request *request, int status, struct list *done)
{
    struct list *link;

    while ((link = list_pop_front(&request->waiters))) {
        struct waiter *waiter = CONTAINER_OF(link, struct waiter, link);
        waiter->request = NULL;
        waiter->status = status;
        list_push_back(done, link);
        table->waiters--;
    }
    end(table, request);
}

/* wait_complete() for the requests of one of the two lists. */
static uint64_t complete_listed(struct wait_table *table, struct list *list, const struct wait_key *key, uint64_t last,
                                int status, struct list *done)
{
    uint64_t count = 0;

    LIST_FOR_EACH_SAFE(link, list)
    {
        struct wait_request *request = CONTAINER_OF(link, struct wait_request, order);
        if (request->key.kind != key->kind || request->key.object != key->object || request->key.index < key->index ||
            request->key.index > last)
            continue;
        wait_complete(table, request, status, done);
        count++;
    }
    return count;
}

uint64_t wait_complete_range(struct wait_table *table, uint32_t kind, uint64_t object, uint64_t first, uint64_t last,
                             int status, struct list *done)
{
    const struct wait_key key = {kind, object, first};

    if (table->requests == 0)
        return 0;
    if (first == last) {
        struct wait_request *request = wait_find(table, key);
        if (request)
            wait_complete(table, request, status, done);
        return request != NULL;
    }
    return complete_listed(table, &table->asked, &key, last, status, done) +
           complete_listed(table, &table->taken, &key, last, status, done);
}

struct wait_request *wait_take(struct wait_table *table)
{
    struct list *link = list_pop_front(&table->asked);
    if (!link)
        return NULL;
    struct wait_request *request = CONTAINER_OF(link, struct wait_request, order);
    request->taken = true;
    list_push_back(&table->taken, link);
    return request;
}

void wait_ask_again(struct wait_table *table)
{
    struct list *link;

    /* From the newest on, each in front: what was taken is older than all that is asked. */
    while ((link = list_last(&table->taken))) {
        list_remove(link);
        CONTAINER_OF(link, struct wait_request, order)->taken = false;
        list_push_front(&table->asked, link);
    }
}

/* --- The walker --------------------------------------------------------------------------------------------------- */

static bool request_ok(const struct wait_request *request, uint64_t *waiters)
{
    uint64_t count = 0;

    LIST_FOR_EACH (link, (struct list *)&request->waiters) {
        if (CONTAINER_OF(link, struct waiter, link)->request != request)
            return false;
        count++;
    }
    *waiters += count;
    return (count == 0) == request->hint;
}

static bool list_ok(const struct wait_table *table, const struct list *list, bool taken, uint64_t *requests,
                    uint64_t *waiters, uint64_t *hints)
{
    LIST_FOR_EACH (link, (struct list *)list) {
        struct wait_request *request = CONTAINER_OF(link, struct wait_request, order);
        if (request->taken != taken || !request_ok(request, waiters) ||
            wait_find((struct wait_table *)table, request->key) != request)
            return false;
        ++*requests;
        *hints += request->hint;
    }
    return true;
}

int wait_table_check(const struct wait_table *table)
{
    uint64_t requests = 0, waiters = 0, hints = 0, free = 0, hashed = 0;

    if (!list_ok(table, &table->asked, false, &requests, &waiters, &hints) ||
        !list_ok(table, &table->taken, true, &requests, &waiters, &hints))
        return -EIO;
    LIST_FOR_EACH (link, (struct list *)&table->free)
        free++;
    for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
        LIST_FOR_EACH (link, (struct list *)&table->buckets[i])
            hashed++;
    }
    return requests == table->requests && hashed == requests && waiters == table->waiters && hints == table->hints &&
                   free == table->free_count
               ? 0
               : -EIO;
}
