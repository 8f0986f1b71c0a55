/* SPDX-License-Identifier: MIT */
/*
 * The area tree against an array with an entry a page: mapping, unmapping, changing rights, growing, and searching,
 * with nodes that are sometimes not to be had.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mm/vma.h>

#include "harness.h"

#define PAGES                512u
#define FIRST                0x7000UL /* lowest page number */
#define NODE_FAILURE_PERCENT 10u
#define FAIL_AT_RANDOM       UINT64_MAX
#define NODES_THAT_FAIL      1000u
#define STEPS_AFTERWARDS     20u

static struct vma_tree tree;
static uint64_t nodes_held;
static int objects[3];

/* The model: what each page belongs to. */
static struct {
    bool mapped;
    uint64_t flags, offset;
    void *object;
} model[PAGES];

static uint64_t address_of(uint64_t page)
{
    return (FIRST + page) * PAGE_SIZE;
}

static uint64_t node_calls, node_fail_at = FAIL_AT_RANDOM;

static struct vma *node_get(void)
{
    bool fails = node_fail_at == FAIL_AT_RANDOM ? random_chance(NODE_FAILURE_PERCENT) : node_calls == node_fail_at;
    node_calls++;
    if (fails)
        return NULL;
    nodes_held++;
    return calloc(1, sizeof(struct vma));
}

static void node_put(struct vma *vma)
{
    nodes_held--;
    free(vma);
}

static void put_released(struct list *released)
{
    struct list *link;
    while ((link = list_pop_front(released)))
        node_put(CONTAINER_OF(link, struct vma, link));
}

/* The tree says of every page what the model says. */
static void verify(void)
{
    uint64_t page = 0;
    EXPECT(vma_tree_check(&tree) == 0 && tree.count == nodes_held);
    for (struct vma *vma = vma_first(&tree); vma; vma = vma_next(&tree, vma)) {
        for (; address_of(page) < vma->start; page++)
            EXPECT(!model[page].mapped);
        for (; address_of(page) < vma->end; page++) {
            EXPECT(model[page].mapped && model[page].flags == vma->flags && model[page].object == vma->object);
            EXPECT(model[page].offset == vma->offset + (address_of(page) - vma->start));
        }
    }
    for (; page < PAGES; page++)
        EXPECT(!model[page].mapped);
}

static void random_range(uint64_t *first, uint64_t *end)
{
    *first = random_below(PAGES);
    *end = *first + 1 + random_below(random_chance(80) ? 8 : PAGES);
    if (*end > PAGES)
        *end = PAGES;
}

static bool model_free(uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end; page++) {
        if (model[page].mapped)
            return false;
    }
    return true;
}

static void step_map(void)
{
    uint64_t first, end;
    struct list released;
    random_range(&first, &end);
    struct vma *vma = node_get();
    if (!vma)
        return;
    vma->start = address_of(first);
    vma->end = address_of(end);
    vma->flags = random_below(3);
    vma->object = random_chance(70) ? NULL : &objects[random_below(3)];
    vma->offset = vma->start - (random_chance(80) ? 0 : PAGE_SIZE);
    bool fits = model_free(first, end);
    EXPECT(vma_insert(&tree, vma) == (fits ? 0 : -EEXIST));
    if (!fits) {
        node_put(vma);
        return;
    }
    for (uint64_t page = first; page < end; page++) {
        model[page].mapped = true;
        model[page].flags = vma->flags;
        model[page].object = vma->object;
        model[page].offset = vma->offset + (page - first) * PAGE_SIZE;
    }
    list_init(&released);
    if (random_chance(80)) {
        vma = vma_merge(&tree, vma, &released);
        EXPECT(vma->start <= address_of(first) && vma->end >= address_of(end));
        put_released(&released);
    }
}

/* Cuts [first, end) out; false, with nothing changed, if a node was not to be had. */
static bool cut(uint64_t first, uint64_t end, struct vma **area)
{
    struct vma_cut_plan plan;
    struct vma *nodes[2] = {NULL, NULL};
    EXPECT(vma_cut_plan(&tree, address_of(first), address_of(end), &plan) == 0);
    EXPECT(plan.nodes_needed <= 2 && plan.has_areas == !model_free(first, end));
    bool covered = plan.has_areas;
    for (uint64_t page = first; page < end; page++)
        covered = covered && model[page].mapped;
    EXPECT(plan.covered == covered);
    for (unsigned i = 0; i < plan.nodes_needed; i++) {
        nodes[i] = node_get();
        if (!nodes[i]) {
            if (i > 0)
                node_put(nodes[0]);
            return false;
        }
    }
    *area = vma_cut_apply(&tree, &plan, nodes);
    EXPECT((*area != NULL) == plan.has_areas);
    verify();
    return true;
}

static void step_unmap(void)
{
    uint64_t first, end;
    struct vma *vma;
    random_range(&first, &end);
    if (!cut(first, end, &vma))
        return;
    while (vma && vma->start < address_of(end)) {
        struct vma *next = vma_next(&tree, vma);
        EXPECT(vma->start >= address_of(first) && vma->end <= address_of(end));
        vma_remove(&tree, vma);
        node_put(vma);
        vma = next;
    }
    for (uint64_t page = first; page < end; page++)
        model[page].mapped = false;
}

static void step_protect(void)
{
    uint64_t first, end, flags = random_below(3);
    struct vma *vma;
    struct list released;
    random_range(&first, &end);
    if (!cut(first, end, &vma))
        return;
    list_init(&released);
    while (vma && vma->start < address_of(end)) {
        vma->flags = flags;
        vma = vma_next(&tree, vma_merge(&tree, vma, &released));
        put_released(&released);
    }
    for (uint64_t page = first; page < end; page++)
        model[page].flags = flags;
}

static void step_resize(void)
{
    uint64_t first, end;
    random_range(&first, &end);
    struct vma *vma = vma_find(&tree, address_of(random_below(PAGES)));
    if (!vma)
        return;
    uint64_t old_first = vma->start / PAGE_SIZE - FIRST, old_end = vma->end / PAGE_SIZE - FIRST;
    uint64_t flags = vma->flags, base = vma->offset - vma->start;
    void *object = vma->object;
    bool overlaps = false;
    for (uint64_t page = first; page < end; page++)
        overlaps = overlaps || (model[page].mapped && (page < old_first || page >= old_end));
    /* A move past a neighbour is an overlap too: the area would change its place in the order. */
    bool passes = !model_free(end < old_first ? end : old_first, old_first) ||
                  !model_free(old_end, first > old_end ? first : old_end);
    int result = vma_resize(&tree, vma, address_of(first), address_of(end));
    EXPECT(result == (overlaps || passes ? -EEXIST : 0));
    if (result != 0)
        return;
    for (uint64_t page = old_first; page < old_end; page++)
        model[page].mapped = false;
    for (uint64_t page = first; page < end; page++) {
        model[page].mapped = true;
        model[page].flags = flags;
        model[page].object = object;
        model[page].offset = base + address_of(page);
    }
}

static void step_find(void)
{
    uint64_t page = random_below(PAGES), address = address_of(page) + random_below(PAGE_SIZE);
    struct vma *vma = vma_find(&tree, address);
    EXPECT((vma_at(&tree, address) != NULL) == model[page].mapped);
    while (page < PAGES && !model[page].mapped)
        page++;
    EXPECT(page == PAGES ? vma == NULL : vma && vma->start <= address_of(page) && vma->end > address_of(page));
}

/* The last page at which `length` free pages begin within [low, high), or PAGES. */
static uint64_t model_gap(uint64_t length, uint64_t low, uint64_t high)
{
    for (uint64_t end = high; end >= low + length; end--) {
        if (model_free(end - length, end))
            return end - length;
    }
    return PAGES;
}

static void step_gap(void)
{
    uint64_t length = 1 + random_below(12), low = random_below(PAGES), high = random_below(PAGES + 1), start;
    if (random_chance(30)) {
        low = 0;
        high = PAGES;
    }
    struct vma *near = vma_find(&tree, address_of(random_below(PAGES)));
    if (near && random_chance(30)) { /* just enough room at the edge of an area, or just not */
        length = 1 + random_below(2);
        high = near->end / PAGE_SIZE - FIRST + length - random_below(2);
        high = high < PAGES ? high : PAGES;
        low = random_chance(50) ? 0 : near->end / PAGE_SIZE - FIRST;
    } else if (near && random_chance(30)) {
        length = 1 + random_below(2);
        low = near->start / PAGE_SIZE - FIRST;
        low = low < length ? 0 : low - length + random_below(2);
        high = random_chance(50) ? PAGES : near->end / PAGE_SIZE - FIRST;
    }
    unsigned shift = random_chance(50) ? 0 : (unsigned)random_below(4);
    struct vma_gap_request request = {length * PAGE_SIZE, PAGE_SIZE << shift, address_of(low), address_of(high)};
    uint64_t expected = model_gap(length + (1UL << shift) - 1, low, high);
    struct vma *above;
    int result = vma_find_gap(&tree, &request, &start, &above);
    EXPECT(result == (expected == PAGES ? -ENOMEM : 0));
    EXPECT(result != 0 || above == vma_find(&tree, start));
    if (result != 0)
        return;
    EXPECT(start % request.alignment == 0);
    uint64_t page = start / PAGE_SIZE - FIRST;
    EXPECT(page >= expected && page + length <= high && model_free(page, page + length));
    EXPECT(shift != 0 || page == expected);
}

static void step_any(void)
{
    static void (*const steps[])(void) = {step_map,     step_map,    step_map,  step_unmap, step_unmap,
                                          step_protect, step_resize, step_find, step_gap,   step_gap};
    steps[random_below(sizeof(steps) / sizeof(steps[0]))]();
    verify();
}

static void start(void)
{
    vma_tree_init(&tree, address_of(0), address_of(PAGES));
    memset(model, 0, sizeof(model));
}

static void finish(void)
{
    struct vma *vma;
    while ((vma = vma_first(&tree))) {
        vma_remove(&tree, vma);
        node_put(vma);
    }
    EXPECT(tree.count == 0 && nodes_held == 0);
}

static void random_model(void)
{
    start();
    for (test_step = 0; test_step < test_steps(); test_step++)
        step_any();
    finish();
}

/* Whichever node is the one that is not to be had: nothing changes, and all goes on. */
static void each_node_fails(void)
{
    for (uint64_t fails = 0; fails < NODES_THAT_FAIL; fails++) {
        node_calls = 0;
        node_fail_at = fails % 100;
        start();
        while (node_calls <= node_fail_at) {
            step_any();
            test_step++;
        }
        for (unsigned i = 0; i < STEPS_AFTERWARDS; i++)
            step_any();
        finish();
    }
}

static const struct test_row rows[] = {
    {"random_model", "tree and array agree on every page after each step, and no node is lost", random_model},
    {"each_node_fails", "whichever node is not to be had, nothing changes and none is lost", each_node_fails},
};
TEST_MAIN("vma_random", rows)
