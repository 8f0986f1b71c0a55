/* SPDX-License-Identifier: MIT */
/* Lists of pages by age: which page is where. What a round of reclaim looks at is lru_scan.c's. */
#include <errno.h>
#include <string.h>

#include <mm/lru.h>

int lru_init(struct lru *lru, struct lru_page *pages, uint64_t first, uint64_t count, struct lru_vector *vectors,
             uint32_t vector_count)
{
    if (count == 0 || count >= LRU_NONE || vector_count == 0 || vector_count > UINT16_MAX + 1u)
        return -EINVAL;
    *lru =
        (struct lru){.pages = pages, .first = first, .count = count, .vectors = vectors, .vector_count = vector_count};
    for (uint64_t i = 0; i < count; i++)
        pages[i] = (struct lru_page){.next = LRU_NONE, .previous = LRU_NONE, .list = LRU_ABSENT};
    for (uint32_t i = 0; i < vector_count; i++) {
        vectors[i] = (struct lru_vector){0};
        for (unsigned list = 0; list < LRU_LISTS; list++)
            vectors[i].lists[list] = (struct lru_head){.head = LRU_NONE, .tail = LRU_NONE};
    }
    return 0;
}

/* The record of a page that the array covers; NULL if it does not. */
static struct lru_page *find(const struct lru *lru, uint64_t pfn)
{
    return pfn >= lru->first && pfn - lru->first < lru->count ? &lru->pages[pfn - lru->first] : NULL;
}

static uint32_t place_of(const struct lru *lru, const struct lru_page *page)
{
    return (uint32_t)(page - lru->pages);
}

enum lru_list lru_where(const struct lru *lru, uint64_t pfn)
{
    const struct lru_page *page = find(lru, pfn);
    return page ? (enum lru_list)page->list : LRU_ABSENT;
}

unsigned lru_flags(const struct lru *lru, uint64_t pfn)
{
    const struct lru_page *page = find(lru, pfn);
    return page ? page->flags : 0;
}

/* The list that a page with such flags belongs on. */
static enum lru_list list_of(unsigned flags)
{
    return (enum lru_list)((flags & LRU_FILE ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON) + (flags & LRU_ACTIVE ? 1 : 0));
}

static struct lru_head *head_of(const struct lru *lru, const struct lru_page *page)
{
    return &lru->vectors[page->vector].lists[page->list];
}

static void link_head(struct lru *lru, struct lru_page *page, enum lru_list list)
{
    uint32_t place = place_of(lru, page);
    page->list = (uint8_t)list;
    struct lru_head *head = head_of(lru, page);
    page->previous = LRU_NONE;
    page->next = head->head;
    if (head->head == LRU_NONE)
        head->tail = place;
    else
        lru->pages[head->head].previous = place;
    head->head = place;
    head->count++;
}

static void link_tail(struct lru *lru, struct lru_page *page, enum lru_list list)
{
    uint32_t place = place_of(lru, page);
    page->list = (uint8_t)list;
    struct lru_head *head = head_of(lru, page);
    page->next = LRU_NONE;
    page->previous = head->tail;
    if (head->tail == LRU_NONE)
        head->head = place;
    else
        lru->pages[head->tail].next = place;
    head->tail = place;
    head->count++;
}

/* Takes a page off its list; it is then isolated, and the caller says what else. */
static void unlink_page(struct lru *lru, struct lru_page *page)
{
    struct lru_head *head = head_of(lru, page);
    if (page->previous == LRU_NONE)
        head->head = page->next;
    else
        lru->pages[page->previous].next = page->next;
    if (page->next == LRU_NONE)
        head->tail = page->previous;
    else
        lru->pages[page->next].previous = page->previous;
    head->count--;
    page->next = page->previous = LRU_NONE;
    page->list = LRU_ISOLATED;
}

int lru_add(struct lru *lru, uint64_t pfn, uint32_t vector, unsigned flags, bool evictable)
{
    struct lru_page *page = find(lru, pfn);
    if (!page || vector >= lru->vector_count || (flags & ~LRU_ADD_FLAGS))
        return -EINVAL;
    if (page->list != LRU_ABSENT)
        return -EEXIST;
    page->vector = (uint16_t)vector;
    page->flags = (uint8_t)(evictable ? flags : flags & ~LRU_ACTIVE);
    link_head(lru, page, evictable ? list_of(flags) : LRU_UNEVICTABLE);
    return 0;
}

bool lru_remove(struct lru *lru, uint64_t pfn)
{
    struct lru_page *page = find(lru, pfn);
    if (!page || page->list == LRU_ABSENT)
        return false;
    if (page->list == LRU_ISOLATED)
        lru->isolated--;
    else
        unlink_page(lru, page);
    page->list = LRU_ABSENT;
    page->flags = 0;
    page->vector = 0;
    return true;
}

/* True if the page is on one of the four lists that age. */
static bool is_evictable(const struct lru_page *page)
{
    return page && page->list < LRU_UNEVICTABLE;
}

bool lru_mark_accessed(struct lru *lru, uint64_t pfn)
{
    struct lru_page *page = find(lru, pfn);
    if (!page || page->list == LRU_ABSENT)
        return false;
    if (!(page->flags & LRU_REFERENCED) || (page->flags & LRU_ACTIVE) || !is_evictable(page)) {
        page->flags |= LRU_REFERENCED;
        return false;
    }
    unlink_page(lru, page);
    page->flags = (uint8_t)((page->flags & ~LRU_REFERENCED) | LRU_ACTIVE);
    link_head(lru, page, list_of(page->flags));
    lru->vectors[page->vector].nonresident_age++;
    return true;
}

bool lru_set_evictable(struct lru *lru, uint64_t pfn, bool evictable)
{
    struct lru_page *page = find(lru, pfn);
    if (!page || page->list >= LRU_LISTS || is_evictable(page) == evictable)
        return false;
    unlink_page(lru, page);
    page->flags &= (uint8_t)~LRU_ACTIVE;
    link_head(lru, page, evictable ? list_of(page->flags) : LRU_UNEVICTABLE);
    return true;
}

bool lru_rotate(struct lru *lru, uint64_t pfn)
{
    struct lru_page *page = find(lru, pfn);
    if (!is_evictable(page))
        return false;
    unlink_page(lru, page);
    page->flags &= (uint8_t) ~(LRU_ACTIVE | LRU_REFERENCED | LRU_RECLAIM);
    link_tail(lru, page, list_of(page->flags));
    return true;
}

int lru_move(struct lru *lru, uint64_t pfn, uint32_t vector)
{
    struct lru_page *page = find(lru, pfn);
    if (vector >= lru->vector_count)
        return -EINVAL;
    if (!page || page->list == LRU_ABSENT)
        return -ENOENT;
    if (page->list == LRU_ISOLATED)
        return -EBUSY;
    enum lru_list list = (enum lru_list)page->list;
    unlink_page(lru, page);
    page->vector = (uint16_t)vector;
    link_head(lru, page, list);
    return 0;
}

uint32_t lru_isolate(struct lru *lru, uint32_t vector, enum lru_list list, uint64_t *pfns, uint32_t max)
{
    uint32_t taken = 0;
    ASSERT(vector < lru->vector_count && list < LRU_LISTS);
    struct lru_head *head = &lru->vectors[vector].lists[list];
    while (taken < max && head->tail != LRU_NONE) {
        struct lru_page *page = &lru->pages[head->tail];
        unlink_page(lru, page);
        pfns[taken++] = lru->first + place_of(lru, page);
    }
    lru->isolated += taken;
    return taken;
}

bool lru_isolate_page(struct lru *lru, uint64_t pfn)
{
    struct lru_page *page = find(lru, pfn);
    if (!page || page->list >= LRU_LISTS)
        return false;
    unlink_page(lru, page);
    lru->isolated++;
    return true;
}

/* The record of a page that is isolated, as the caller knows. */
static struct lru_page *isolated_page(const struct lru *lru, uint64_t pfn)
{
    struct lru_page *page = find(lru, pfn);
    ASSERT(page && page->list == LRU_ISOLATED);
    return page;
}

enum lru_verdict lru_judge_inactive(struct lru *lru, uint64_t pfn, unsigned accessed)
{
    struct lru_page *page = isolated_page(lru, pfn);
    bool before = page->flags & LRU_REFERENCED;
    page->flags &= (uint8_t)~LRU_REFERENCED;
    if (accessed == 0)
        return LRU_EVICT;
    page->flags |= LRU_REFERENCED;
    if (before || accessed > 1 || !(page->flags & LRU_FILE) || (page->flags & LRU_EXECUTABLE))
        return LRU_ACTIVATE;
    return LRU_KEEP;
}

enum lru_verdict lru_judge_active(const struct lru *lru, uint64_t pfn, unsigned accessed)
{
    const struct lru_page *page = isolated_page(lru, pfn);
    bool text = (page->flags & LRU_EXECUTABLE) && (page->flags & LRU_FILE);
    return accessed > 0 && text ? LRU_ACTIVATE : LRU_KEEP;
}

void lru_put_back(struct lru *lru, uint64_t pfn, enum lru_verdict verdict)
{
    struct lru_page *page = isolated_page(lru, pfn);
    bool was_active = page->flags & LRU_ACTIVE;
    lru->isolated--;
    page->flags &= (uint8_t)~LRU_ACTIVE;
    if (verdict == LRU_ACTIVATE) {
        page->flags |= LRU_ACTIVE;
        if (!was_active)
            lru->vectors[page->vector].nonresident_age++;
    } else if (was_active) {
        page->flags |= LRU_WORKINGSET;
    }
    if (verdict == LRU_EVICT)
        link_tail(lru, page, list_of(page->flags));
    else
        link_head(lru, page, list_of(page->flags));
}

void lru_put_back_unevictable(struct lru *lru, uint64_t pfn)
{
    struct lru_page *page = isolated_page(lru, pfn);
    lru->isolated--;
    page->flags &= (uint8_t)~LRU_ACTIVE;
    link_head(lru, page, LRU_UNEVICTABLE);
}

bool lru_set_reclaim(struct lru *lru, uint64_t pfn, bool on)
{
    struct lru_page *page = find(lru, pfn);
    if (!page || page->list == LRU_ABSENT)
        return false;
    page->flags = (uint8_t)(on ? page->flags | LRU_RECLAIM : page->flags & ~LRU_RECLAIM);
    return true;
}

/* Walks one list; adds its pages to *found. */
static bool list_ok(const struct lru *lru, uint32_t vector, unsigned list, uint64_t *found)
{
    const struct lru_head *head = &lru->vectors[vector].lists[list];
    uint32_t previous = LRU_NONE;
    uint64_t count = 0;
    for (uint32_t place = head->head; place != LRU_NONE; place = lru->pages[place].next) {
        if (place >= lru->count || ++count > head->count)
            return false;
        const struct lru_page *page = &lru->pages[place];
        if (page->list != list || page->vector != vector || page->previous != previous)
            return false;
        if (list == LRU_UNEVICTABLE ? (page->flags & LRU_ACTIVE) != 0 : list_of(page->flags) != list)
            return false;
        previous = place;
    }
    *found += count;
    return count == head->count && head->tail == previous;
}

int lru_check(const struct lru *lru)
{
    uint64_t found = 0, isolated = 0, absent = 0;
    for (uint32_t vector = 0; vector < lru->vector_count; vector++) {
        for (unsigned list = 0; list < LRU_LISTS; list++) {
            if (!list_ok(lru, vector, list, &found))
                return -EIO;
        }
    }
    for (uint64_t i = 0; i < lru->count; i++) {
        const struct lru_page *page = &lru->pages[i];
        isolated += page->list == LRU_ISOLATED;
        absent += page->list == LRU_ABSENT;
        if (page->list > LRU_ABSENT || (page->list == LRU_ABSENT && page->flags != 0))
            return -EIO;
        if (page->list >= LRU_LISTS && (page->next != LRU_NONE || page->previous != LRU_NONE))
            return -EIO;
    }
    return isolated == lru->isolated && found + isolated + absent == lru->count ? 0 : -EIO;
}
