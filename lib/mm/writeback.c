/* SPDX-License-Identifier: MIT */
/* Limits of dirty pages, their order by age, and runs of them on the device. */
#include <errno.h>
#include <stddef.h>

#include <mm/writeback.h>

void writeback_policy_init(struct writeback_policy *policy)
{
    *policy = (struct writeback_policy){.background_ratio = WRITEBACK_BACKGROUND_RATIO,
                                        .ratio = WRITEBACK_RATIO,
                                        .expire_ms = WRITEBACK_EXPIRE_MS,
                                        .interval_ms = WRITEBACK_INTERVAL_MS};
}

struct writeback_limits writeback_limits(const struct writeback_policy *policy, uint64_t dirtyable)
{
    struct writeback_limits limits = {.background = policy->background_pages, .hard = policy->pages};
    if (limits.hard == 0)
        limits.hard = dirtyable * policy->ratio / 100;
    if (limits.background == 0)
        limits.background = dirtyable * policy->background_ratio / 100;
    if (limits.hard < 2)
        limits.hard = 2;
    if (limits.background == 0)
        limits.background = 1;
    if (limits.background >= limits.hard)
        limits.background = limits.hard / 2;
    return limits;
}

uint32_t writeback_pause(const struct writeback_limits *limits, uint64_t dirty)
{
    uint64_t free_run = (limits->background + limits->hard) / 2;
    if (dirty <= free_run)
        return 0;
    if (dirty >= limits->hard)
        return WRITEBACK_PAUSE_MAX_MS;
    return (uint32_t)(1 + (dirty - free_run) * (WRITEBACK_PAUSE_MAX_MS - 1) / (limits->hard - free_run));
}

int writeback_set_init(struct writeback_set *set, struct writeback_entry *entries, uint32_t *buckets, uint32_t count)
{
    if (count == 0 || count == WRITEBACK_NONE)
        return -EINVAL;
    *set = (struct writeback_set){
        .entries = entries, .buckets = buckets, .count = count, .first = WRITEBACK_NONE, .last = WRITEBACK_NONE};
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct writeback_entry){.next = i + 1 < count ? i + 1 : WRITEBACK_NONE};
        buckets[i] = WRITEBACK_NONE;
    }
    return 0;
}

static uint32_t *bucket_of(const struct writeback_set *set, uint64_t object)
{
    uint64_t hash = object * 0x9e3779b97f4a7c15u;
    return &set->buckets[(hash >> 32) % set->count];
}

/* The object's entry; WRITEBACK_NONE: it has no dirty pages. */
static uint32_t find(const struct writeback_set *set, uint64_t object)
{
    uint32_t place = *bucket_of(set, object);
    while (place != WRITEBACK_NONE && set->entries[place].object != object)
        place = set->entries[place].chain;
    return place;
}

/* Puts an entry last: it is the youngest. */
static void link_last(struct writeback_set *set, uint32_t place)
{
    set->entries[place].next = WRITEBACK_NONE;
    set->entries[place].previous = set->last;
    if (set->last == WRITEBACK_NONE)
        set->first = place;
    else
        set->entries[set->last].next = place;
    set->last = place;
}

static void unlink_entry(struct writeback_set *set, uint32_t place)
{
    const struct writeback_entry *entry = &set->entries[place];
    if (entry->previous == WRITEBACK_NONE)
        set->first = entry->next;
    else
        set->entries[entry->previous].next = entry->next;
    if (entry->next == WRITEBACK_NONE)
        set->last = entry->previous;
    else
        set->entries[entry->next].previous = entry->previous;
}

static void add_entry(struct writeback_set *set, uint64_t object, uint64_t now)
{
    uint32_t place = set->free, *bucket = bucket_of(set, object);
    struct writeback_entry *entry = &set->entries[place];
    set->free = entry->next;
    *entry = (struct writeback_entry){.object = object, .since = now, .chain = *bucket};
    *bucket = place;
    link_last(set, place);
    set->used++;
}

static void drop_entry(struct writeback_set *set, uint32_t place)
{
    struct writeback_entry *entry = &set->entries[place];
    uint32_t *link = bucket_of(set, entry->object);
    while (*link != place)
        link = &set->entries[*link].chain;
    *link = entry->chain;
    unlink_entry(set, place);
    *entry = (struct writeback_entry){.next = set->free};
    set->free = place;
    set->used--;
}

int writeback_dirtied(struct writeback_set *set, uint64_t object, uint64_t pages, uint64_t now)
{
    if (pages == 0)
        return -EINVAL;
    if (find(set, object) == WRITEBACK_NONE) {
        if (set->free == WRITEBACK_NONE)
            return -ENOSPC;
        add_entry(set, object, now);
    }
    set->entries[find(set, object)].dirty += pages;
    set->dirty += pages;
    return 0;
}

void writeback_cleaned(struct writeback_set *set, uint64_t object, uint64_t pages, uint64_t now)
{
    uint32_t place = find(set, object);
    if (place == WRITEBACK_NONE || pages == 0)
        return;
    struct writeback_entry *entry = &set->entries[place];
    uint64_t gone = pages < entry->dirty ? pages : entry->dirty;
    set->dirty -= gone;
    entry->dirty -= gone;
    if (entry->dirty == 0) {
        drop_entry(set, place);
        return;
    }
    unlink_entry(set, place);
    entry->since = now;
    link_last(set, place);
}

uint64_t writeback_dirty(const struct writeback_set *set, uint64_t object)
{
    uint32_t place = find(set, object);
    return place == WRITEBACK_NONE ? 0 : set->entries[place].dirty;
}

bool writeback_next(const struct writeback_set *set, uint64_t now, uint64_t age, uint64_t *object)
{
    if (set->first == WRITEBACK_NONE)
        return false;
    const struct writeback_entry *oldest = &set->entries[set->first];
    if (now < oldest->since || now - oldest->since < age)
        return false;
    *object = oldest->object;
    return true;
}

int writeback_check(const struct writeback_set *set)
{
    uint64_t dirty = 0, since = 0;
    uint32_t used = 0, unused = 0, previous = WRITEBACK_NONE;
    for (uint32_t place = set->first; place != WRITEBACK_NONE; place = set->entries[place].next) {
        if (place >= set->count || ++used > set->used)
            return -EIO;
        const struct writeback_entry *entry = &set->entries[place];
        if (entry->dirty == 0 || entry->since < since || entry->previous != previous ||
            find(set, entry->object) != place)
            return -EIO;
        dirty += entry->dirty;
        since = entry->since;
        previous = place;
    }
    for (uint32_t place = set->free; place != WRITEBACK_NONE; place = set->entries[place].next) {
        if (place >= set->count || ++unused > set->count || set->entries[place].dirty != 0)
            return -EIO;
    }
    return used == set->used && used + unused == set->count && previous == set->last && dirty == set->dirty ? 0 : -EIO;
}

/* --- In which pieces ---------------------------------------------------------------------------------------------- */

static void exchange(struct writeback_page *a, struct writeback_page *b)
{
    struct writeback_page page = *a;
    *a = *b;
    *b = page;
}

/* Lets pages[root] sink until no page below it in the heap of `count` goes behind it. */
static void sink(struct writeback_page *pages, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && pages[child].block < pages[child + 1].block)
            child++;
        if (pages[root].block >= pages[child].block)
            return;
        exchange(&pages[root], &pages[child]);
    }
}

void writeback_sort(struct writeback_page *pages, uint32_t count)
{
    for (uint32_t root = count / 2; root-- > 0;)
        sink(pages, root, count);
    for (uint32_t end = count; end-- > 1;) {
        exchange(&pages[0], &pages[end]);
        sink(pages, 0, end);
    }
}

uint32_t writeback_runs(const struct writeback_page *pages, uint32_t count, uint32_t longest,
                        struct writeback_run *runs, uint32_t max)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct writeback_run *run = found ? &runs[found - 1] : NULL;
        if (run && run->count < longest && pages[i].block == pages[i - 1].block + 1) {
            run->count++;
            continue;
        }
        if (found == max)
            break;
        runs[found++] = (struct writeback_run){.first = i, .count = 1};
    }
    return found;
}
