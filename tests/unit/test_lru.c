/* SPDX-License-Identifier: MIT */
/* The lists of pages by age: what becomes of a page, how much a round looks at, and a random run against an array. */
#include <errno.h>
#include <string.h>

#include <mm/lru.h>
#include <quire/abi.h>

#include "harness.h"

#define FIRST   1000u
#define PAGES   512u
#define VECTORS 3u

static struct lru_page pages[PAGES];
static struct lru_vector vectors[VECTORS];
static struct lru lru;

static void begin(void)
{
    EXPECT(lru_init(&lru, pages, FIRST, PAGES, vectors, VECTORS) == 0 && lru_check(&lru) == 0);
}

static void arguments(void)
{
    struct lru bad;
    EXPECT(lru_init(&bad, pages, 0, 0, vectors, 1) == -EINVAL && lru_init(&bad, pages, 0, 1, vectors, 0) == -EINVAL);
    EXPECT(lru_init(&bad, pages, 0, UINT32_MAX, vectors, 1) == -EINVAL);
    begin();
    EXPECT(lru_add(&lru, FIRST - 1, 0, 0, true) == -EINVAL && lru_add(&lru, FIRST + PAGES, 0, 0, true) == -EINVAL);
    EXPECT(lru_add(&lru, FIRST, VECTORS, 0, true) == -EINVAL && lru_add(&lru, FIRST, 0, LRU_RECLAIM, true) == -EINVAL);
    EXPECT(lru_add(&lru, FIRST, 0, 0, true) == 0 && lru_add(&lru, FIRST, 0, 0, true) == -EEXIST);
    EXPECT(lru_move(&lru, FIRST, VECTORS) == -EINVAL && lru_move(&lru, FIRST + 1, 1) == -ENOENT);
    EXPECT(!lru_remove(&lru, 0) && !lru_rotate(&lru, UINT64_MAX) && !lru_mark_accessed(&lru, FIRST + 1));
    EXPECT(lru_where(&lru, UINT64_MAX) == LRU_ABSENT && lru_flags(&lru, FIRST + 1) == 0 && lru_check(&lru) == 0);
}

/* The oldest pages come out first, and one that is put back as kept is the youngest. */
static void order(void)
{
    uint64_t out[8];
    begin();
    for (uint64_t i = 0; i < 6; i++)
        EXPECT(lru_add(&lru, FIRST + i, 0, LRU_FILE, true) == 0);
    EXPECT(lru_isolate(&lru, 0, LRU_INACTIVE_FILE, out, 2) == 2 && out[0] == FIRST && out[1] == FIRST + 1);
    EXPECT(lru.isolated == 2 && lru_where(&lru, FIRST) == LRU_ISOLATED && lru_check(&lru) == 0);
    EXPECT(lru_move(&lru, FIRST, 1) == -EBUSY && !lru_set_evictable(&lru, FIRST, false) && !lru_rotate(&lru, FIRST));
    lru_put_back(&lru, FIRST, LRU_KEEP);
    lru_put_back(&lru, FIRST + 1, LRU_EVICT);
    EXPECT(lru_rotate(&lru, FIRST + 4));
    EXPECT(lru_isolate(&lru, 0, LRU_INACTIVE_FILE, out, 8) == 6);
    const uint64_t expected[] = {FIRST + 4, FIRST + 1, FIRST + 2, FIRST + 3, FIRST + 5, FIRST};
    EXPECT(memcmp(out, expected, sizeof(expected)) == 0 && lru_isolate(&lru, 0, LRU_INACTIVE_FILE, out, 8) == 0);
    for (unsigned i = 0; i < 6; i++)
        EXPECT(lru_remove(&lru, FIRST + i));
    EXPECT(lru.isolated == 0 && lru_check(&lru) == 0);
}

static enum lru_verdict judged(uint64_t pfn, unsigned accessed)
{
    EXPECT(lru_isolate_page(&lru, pfn));
    enum lru_verdict verdict = lru_judge_inactive(&lru, pfn, accessed);
    lru_put_back(&lru, pfn, verdict);
    return verdict;
}

static void second_chance(void)
{
    begin();
    EXPECT(lru_add(&lru, FIRST, 0, LRU_FILE, true) == 0 && lru_add(&lru, FIRST + 1, 0, 0, true) == 0);
    EXPECT(lru_add(&lru, FIRST + 2, 0, LRU_FILE | LRU_EXECUTABLE, true) == 0);
    EXPECT(lru_add(&lru, FIRST + 3, 0, LRU_FILE, true) == 0);
    EXPECT(judged(FIRST, 0) == LRU_EVICT && judged(FIRST, 1) == LRU_KEEP && judged(FIRST, 1) == LRU_ACTIVATE);
    EXPECT(lru_where(&lru, FIRST) == LRU_ACTIVE_FILE);
    EXPECT(judged(FIRST + 1, 1) == LRU_ACTIVATE && judged(FIRST + 2, 1) == LRU_ACTIVATE);
    EXPECT(judged(FIRST + 3, 2) == LRU_ACTIVATE);
    /* Kept once, and then not accessed: the mark of the first time does not save it. */
    EXPECT(lru_add(&lru, FIRST + 4, 0, LRU_FILE, true) == 0);
    EXPECT(judged(FIRST + 4, 1) == LRU_KEEP && judged(FIRST + 4, 0) == LRU_EVICT);
    EXPECT(judged(FIRST + 4, 1) == LRU_KEEP);
    EXPECT(vectors[0].nonresident_age == 4 && lru_check(&lru) == 0);
}

static void active_pages(void)
{
    begin();
    EXPECT(lru_add(&lru, FIRST, 0, LRU_FILE | LRU_ACTIVE | LRU_EXECUTABLE, true) == 0);
    EXPECT(lru_add(&lru, FIRST + 1, 0, LRU_ACTIVE, true) == 0);
    EXPECT(lru_isolate_page(&lru, FIRST) && lru_isolate_page(&lru, FIRST + 1));
    EXPECT(lru_judge_active(&lru, FIRST, 1) == LRU_ACTIVATE && lru_judge_active(&lru, FIRST, 0) == LRU_KEEP);
    EXPECT(lru_judge_active(&lru, FIRST + 1, 5) == LRU_KEEP);
    lru_put_back(&lru, FIRST, LRU_ACTIVATE);
    lru_put_back(&lru, FIRST + 1, LRU_KEEP);
    EXPECT(lru_where(&lru, FIRST) == LRU_ACTIVE_FILE && lru_where(&lru, FIRST + 1) == LRU_INACTIVE_ANON);
    EXPECT(!(lru_flags(&lru, FIRST) & LRU_WORKINGSET) && (lru_flags(&lru, FIRST + 1) & LRU_WORKINGSET));
    EXPECT(vectors[0].nonresident_age == 0 && lru_check(&lru) == 0);
}

static void accessed_by_calls(void)
{
    begin();
    EXPECT(lru_add(&lru, FIRST, 1, LRU_FILE, true) == 0);
    EXPECT(!lru_mark_accessed(&lru, FIRST) && (lru_flags(&lru, FIRST) & LRU_REFERENCED));
    EXPECT(lru_mark_accessed(&lru, FIRST) && lru_where(&lru, FIRST) == LRU_ACTIVE_FILE);
    EXPECT(!(lru_flags(&lru, FIRST) & LRU_REFERENCED) && !lru_mark_accessed(&lru, FIRST));
    EXPECT(lru_size(&vectors[1], LRU_ACTIVE_FILE) == 1 && lru_check(&lru) == 0);
}

static void locked_pages(void)
{
    begin();
    EXPECT(lru_add(&lru, FIRST, 0, LRU_ACTIVE, true) == 0 && lru_add(&lru, FIRST + 1, 0, LRU_ACTIVE, false) == 0);
    EXPECT(lru_size(&vectors[0], LRU_UNEVICTABLE) == 1 && !lru_set_evictable(&lru, FIRST, true));
    EXPECT(lru_set_evictable(&lru, FIRST, false) && lru_where(&lru, FIRST) == LRU_UNEVICTABLE);
    EXPECT(!lru_mark_accessed(&lru, FIRST) && !lru_mark_accessed(&lru, FIRST) && !lru_rotate(&lru, FIRST));
    EXPECT(lru_set_evictable(&lru, FIRST, true) && lru_where(&lru, FIRST) == LRU_INACTIVE_ANON);
    EXPECT(lru_isolate_page(&lru, FIRST));
    lru_put_back_unevictable(&lru, FIRST);
    EXPECT(lru_where(&lru, FIRST) == LRU_UNEVICTABLE && lru_check(&lru) == 0);
}

/* --- How much a round looks at ------------------------------------------------------------------------------------ */

static struct lru_vector sized(uint64_t inactive_anon, uint64_t active_anon, uint64_t inactive_file,
                               uint64_t active_file)
{
    struct lru_vector vector = {0};
    vector.lists[LRU_INACTIVE_ANON].count = inactive_anon;
    vector.lists[LRU_ACTIVE_ANON].count = active_anon;
    vector.lists[LRU_INACTIVE_FILE].count = inactive_file;
    vector.lists[LRU_ACTIVE_FILE].count = active_file;
    return vector;
}

static void inactive_ratio(void)
{
    const uint64_t gib = 1UL << (30 - PAGE_SHIFT);
    struct lru_vector vector = sized(100, 100, 100, 101);
    EXPECT(!lru_inactive_is_low(&vector, false) && lru_inactive_is_low(&vector, true));
    vector = sized(gib, 3 * gib, 0, 0); /* 4 GiB: a ratio of 6 */
    EXPECT(!lru_inactive_is_low(&vector, false));
    vector = sized(gib / 2, 4 * gib - gib / 2, 0, 0);
    EXPECT(lru_inactive_is_low(&vector, false) && !lru_inactive_is_low(&vector, true));
}

static void scan_of_kinds(void)
{
    struct lru_vector vector = sized(4096, 4096, 4096, 8192);
    struct lru_scan scan = {.priority = 4, .swappiness = 60, .can_swap = false};
    uint64_t counts[4];
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 0 && counts[1] == 0 && counts[2] == 256 && counts[3] == 512);
    scan.can_swap = true; /* the inactive file list is short: both, 60 to 140 */
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 256 * 60 / 200 && counts[2] == 256 * 140 / 200 && counts[3] == 512 * 140 / 200);
    scan.swappiness = 0;
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 0 && counts[1] == 0 && counts[2] == 256);
    scan.swappiness = 200;
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 256 && counts[2] == 0);
    scan.file_is_tiny = true;
    scan.swappiness = 60;
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 256 && counts[1] == 256 && counts[2] == 0 && counts[3] == 0);
    scan.priority = 0;
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 4096 && counts[1] == 4096 && counts[2] == 4096 && counts[3] == 8192);
    vector = sized(4096, 4096, 8192, 4096); /* enough files that were read once: nothing else */
    scan = (struct lru_scan){.priority = 12, .swappiness = 100, .can_swap = true};
    lru_scan_counts(&vector, &scan, counts);
    EXPECT(counts[0] == 0 && counts[1] == 0 && counts[2] == 2 && counts[3] == 1);
}

static void scan_by_cost(void)
{
    struct lru_vector vector = sized(4096, 4096, 4096, 8192);
    struct lru_scan scan = {.priority = 2, .swappiness = 100, .can_swap = true};
    uint64_t even[4], uneven[4];
    lru_scan_counts(&vector, &scan, even);
    EXPECT(even[0] == even[2] && even[0] == 512);
    lru_note_cost(&vector, true, 20, 5);
    EXPECT(vector.cost[1] == 645 && vector.cost[0] == 0);
    lru_scan_counts(&vector, &scan, uneven);
    EXPECT(uneven[0] > even[0] && uneven[2] < even[2] && uneven[2] > 0);
    lru_note_cost(&vector, true, 1000, 0); /* fades to a quarter of the pages at most */
    EXPECT(vector.cost[0] + vector.cost[1] <= (4096 * 3 + 8192) / 4);
    lru_note_cost(&vector, false, 1000, 0);
    EXPECT(vector.cost[0] > vector.cost[1]);
    vector = sized(0, 0, 0, 0);
    lru_note_cost(&vector, false, 3, 1);
    EXPECT(vector.cost[0] == 0);
    lru_scan_counts(&vector, &scan, even);
    EXPECT(even[0] + even[1] + even[2] + even[3] == 0);
}

/* --- The random run ----------------------------------------------------------------------------------------------- */

/* The model's lists: arrays with the head first. */
static uint64_t model[VECTORS][LRU_LISTS][PAGES];
static uint64_t sizes[VECTORS][LRU_LISTS];
static struct {
    unsigned list, vector, flags;
} model_page[PAGES];

static void model_unlink(uint64_t pfn)
{
    unsigned list = model_page[pfn - FIRST].list, vector = model_page[pfn - FIRST].vector;
    uint64_t *members = model[vector][list], place = 0;
    while (members[place] != pfn)
        place++;
    memmove(members + place, members + place + 1, (size_t)(--sizes[vector][list] - place) * sizeof(*members));
    model_page[pfn - FIRST].list = LRU_ISOLATED;
}

static void model_link(uint64_t pfn, bool tail)
{
    unsigned vector = model_page[pfn - FIRST].vector, flags = model_page[pfn - FIRST].flags;
    unsigned list = model_page[pfn - FIRST].list;
    if (list != LRU_UNEVICTABLE)
        list = (flags & LRU_FILE ? 2u : 0u) + (flags & LRU_ACTIVE ? 1u : 0u);
    model_page[pfn - FIRST].list = list;
    uint64_t *members = model[vector][list];
    if (!tail)
        memmove(members + 1, members, (size_t)sizes[vector][list] * sizeof(*members));
    members[tail ? sizes[vector][list] : 0] = pfn;
    sizes[vector][list]++;
}

static void step_isolate(void)
{
    uint64_t out[LRU_BATCH];
    unsigned vector = (unsigned)random_below(VECTORS), list = (unsigned)random_below(LRU_LISTS);
    uint32_t max = (uint32_t)random_below(LRU_BATCH) + 1;
    uint32_t count = lru_isolate(&lru, vector, (enum lru_list)list, out, max);
    EXPECT(count == (sizes[vector][list] < max ? sizes[vector][list] : max));
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(out[i] == model[vector][list][sizes[vector][list] - 1]);
        model_unlink(out[i]);
    }
}

static void step_put_back(uint64_t pfn)
{
    unsigned *flags = &model_page[pfn - FIRST].flags;
    if (random_chance(10)) {
        lru_put_back_unevictable(&lru, pfn);
        *flags &= ~LRU_ACTIVE;
        model_page[pfn - FIRST].list = LRU_UNEVICTABLE;
        model_link(pfn, false);
        return;
    }
    unsigned accessed = (unsigned)random_below(3);
    enum lru_verdict verdict;
    if (*flags & LRU_ACTIVE) {
        verdict = lru_judge_active(&lru, pfn, accessed);
        EXPECT((verdict == LRU_ACTIVATE) == (accessed && (*flags & LRU_FILE) && (*flags & LRU_EXECUTABLE)));
    } else {
        bool again = *flags & LRU_REFERENCED;
        verdict = lru_judge_inactive(&lru, pfn, accessed);
        EXPECT((verdict == LRU_EVICT) == (accessed == 0));
        EXPECT(!again || accessed == 0 || verdict == LRU_ACTIVATE);
        *flags = accessed ? *flags | LRU_REFERENCED : *flags & ~LRU_REFERENCED;
    }
    lru_put_back(&lru, pfn, verdict);
    if ((*flags & LRU_ACTIVE) && verdict != LRU_ACTIVATE)
        *flags |= LRU_WORKINGSET;
    *flags = verdict == LRU_ACTIVATE ? *flags | LRU_ACTIVE : *flags & ~LRU_ACTIVE;
    model_link(pfn, verdict == LRU_EVICT);
}

static void step_change(uint64_t pfn)
{
    unsigned *list = &model_page[pfn - FIRST].list, *flags = &model_page[pfn - FIRST].flags;
    unsigned vector = (unsigned)random_below(VECTORS);
    switch (random_below(5)) {
    case 0: {
        bool evictable = random_chance(50), moves = *list < LRU_LISTS && (*list != LRU_UNEVICTABLE) != evictable;
        EXPECT(lru_set_evictable(&lru, pfn, evictable) == moves);
        if (moves) {
            model_unlink(pfn);
            *flags &= ~LRU_ACTIVE;
            *list = evictable ? LRU_ISOLATED : LRU_UNEVICTABLE;
            model_link(pfn, false);
        }
        break;
    }
    case 1:
        EXPECT(lru_rotate(&lru, pfn) == (*list < LRU_UNEVICTABLE));
        if (*list < LRU_UNEVICTABLE) {
            model_unlink(pfn);
            *flags &= ~(LRU_ACTIVE | LRU_REFERENCED | LRU_RECLAIM);
            model_link(pfn, true);
        }
        break;
    case 2: {
        bool activates = *list < LRU_UNEVICTABLE && (*flags & LRU_REFERENCED) && !(*flags & LRU_ACTIVE);
        EXPECT(lru_mark_accessed(&lru, pfn) == activates);
        if (activates) {
            model_unlink(pfn);
            *flags = (*flags & ~LRU_REFERENCED) | LRU_ACTIVE;
            model_link(pfn, false);
        } else if (*list != LRU_ABSENT) {
            *flags |= LRU_REFERENCED;
        }
        break;
    }
    case 3:
        EXPECT(lru_set_reclaim(&lru, pfn, true) == (*list != LRU_ABSENT));
        if (*list != LRU_ABSENT)
            *flags |= LRU_RECLAIM;
        break;
    default: {
        int result = *list == LRU_ABSENT ? -ENOENT : *list == LRU_ISOLATED ? -EBUSY : 0;
        EXPECT(lru_move(&lru, pfn, vector) == result);
        if (result == 0) {
            unsigned old = *list;
            model_unlink(pfn);
            *list = old;
            model_page[pfn - FIRST].vector = vector;
            model_link(pfn, false);
        }
    }
    }
}

static void step(void)
{
    uint64_t pfn = FIRST + random_below(PAGES);
    unsigned *list = &model_page[pfn - FIRST].list;
    if (*list == LRU_ABSENT && random_chance(60)) {
        unsigned flags = (unsigned)random_next() & LRU_ADD_FLAGS, vector = (unsigned)random_below(VECTORS);
        bool evictable = random_chance(90);
        EXPECT(lru_add(&lru, pfn, vector, flags, evictable) == 0);
        model_page[pfn - FIRST].vector = vector;
        model_page[pfn - FIRST].flags = evictable ? flags : flags & ~LRU_ACTIVE;
        *list = evictable ? LRU_ISOLATED : LRU_UNEVICTABLE;
        model_link(pfn, false);
    } else if (random_chance(20)) {
        EXPECT(lru_remove(&lru, pfn) == (*list != LRU_ABSENT));
        if (*list < LRU_LISTS)
            model_unlink(pfn);
        *list = LRU_ABSENT;
        model_page[pfn - FIRST].flags = 0;
    } else if (*list == LRU_ISOLATED && random_chance(80)) {
        step_put_back(pfn);
    } else if (random_chance(10)) {
        step_isolate();
    } else {
        step_change(pfn);
    }
    EXPECT(lru_where(&lru, pfn) == *list && lru_flags(&lru, pfn) == model_page[pfn - FIRST].flags);
}

static void random_run(void)
{
    begin();
    for (unsigned i = 0; i < PAGES; i++)
        model_page[i].list = LRU_ABSENT;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        step();
        if (test_step % 500 == 0)
            EXPECT(lru_check(&lru) == 0);
    }
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        for (unsigned list = 0; list < LRU_LISTS; list++) {
            uint32_t place = vectors[vector].lists[list].head;
            for (uint64_t i = 0; i < sizes[vector][list]; i++, place = pages[place].next)
                EXPECT(model[vector][list][i] == FIRST + place);
            EXPECT(place == LRU_NONE);
        }
    }
}

static void damage_is_found(void)
{
    begin();
    for (uint64_t i = 0; i < 4; i++)
        EXPECT(lru_add(&lru, FIRST + i, 0, 0, true) == 0);
    pages[1].flags |= LRU_ACTIVE;
    EXPECT(lru_check(&lru) == -EIO);
    pages[1].flags = 0;
    pages[1].next = 3;
    EXPECT(lru_check(&lru) == -EIO);
    pages[1].next = 0;
    vectors[0].lists[LRU_INACTIVE_ANON].count++;
    EXPECT(lru_check(&lru) == -EIO);
    vectors[0].lists[LRU_INACTIVE_ANON].count--;
    EXPECT(lru_check(&lru) == 0);
}

static const struct test_row rows[] = {
    {"arguments", "what makes no sense is refused and changes nothing", arguments},
    {"order", "the oldest come first; what is kept is the youngest", order},
    {"second_chance", "an accessed page stays, one that is accessed again becomes active", second_chance},
    {"active_pages", "an active page is deactivated, program text stays", active_pages},
    {"accessed_by_calls", "the second read makes a page active", accessed_by_calls},
    {"locked_pages", "a locked page is on no list that ages", locked_pages},
    {"inactive_ratio", "the inactive list may be the shorter the more memory there is", inactive_ratio},
    {"scan_of_kinds", "swap, swappiness, priority and tiny caches choose the kind", scan_of_kinds},
    {"scan_by_cost", "the kind that cost more is looked at less, and costs fade", scan_by_cost},
    {"random_run", "the lists hold what arrays hold, in order", random_run},
    {"damage_is_found", "the walker finds wrong flags, links and counts", damage_is_found},
};

TEST_MAIN("lru", rows)
