/* SPDX-License-Identifier: MIT */
/* The area tree: directed cases, and a large tree. The randomized test is in test_vma_random.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mm/vma.h>

#include "harness.h"

#define LOW  0x10000UL
#define HIGH 0x100000UL

static struct vma_tree tree;

static struct vma area(uint64_t start, uint64_t end, uint64_t flags)
{
    return (struct vma){.start = start, .end = end, .flags = flags, .offset = start};
}

static void insert_and_find(void)
{
    struct vma a = area(0x20000, 0x30000, VMA_READ), b = area(0x40000, 0x41000, VMA_WRITE);
    vma_tree_init(&tree, LOW, HIGH);
    EXPECT(!vma_find(&tree, 0) && !vma_first(&tree) && vma_tree_check(&tree) == 0);
    EXPECT(vma_insert(&tree, &b) == 0 && vma_insert(&tree, &a) == 0);
    EXPECT(vma_find(&tree, 0) == &a && vma_find(&tree, 0x2ffff) == &a && vma_find(&tree, 0x30000) == &b);
    EXPECT(vma_find(&tree, 0x41000) == NULL && vma_find(&tree, UINT64_MAX) == NULL);
    EXPECT(vma_at(&tree, 0x20000) == &a && !vma_at(&tree, 0x30000) && !vma_at(&tree, 0x1ffff));
    EXPECT(vma_first(&tree) == &a && vma_next(&tree, &a) == &b && !vma_next(&tree, &b));
    EXPECT(vma_previous(&tree, &b) == &a && !vma_previous(&tree, &a));
    EXPECT(tree.count == 2 && tree.bytes == 0x11000 && vma_tree_check(&tree) == 0);
    EXPECT(vma_at(&tree, 0x20000) == &a);
    vma_remove(&tree, &a);
    EXPECT(!vma_at(&tree, 0x20000) && vma_tree_check(&tree) == 0);
    vma_remove(&tree, &b);
    EXPECT(tree.count == 0 && tree.bytes == 0 && vma_tree_check(&tree) == 0);
}

static void insert_errors(void)
{
    static const struct {
        uint64_t start, end;
        int error;
    } cases[] = {
        {0x20000, 0x20000, -EINVAL}, {0x21000, 0x20000, -EINVAL}, {0x20001, 0x21000, -EINVAL},
        {0x20000, 0x20fff, -EINVAL}, {0x0f000, 0x11000, -EINVAL}, {0xff000, 0x101000, -EINVAL},
        {0x0, UINT64_MAX, -EINVAL},  {0x30000, 0x40000, -EEXIST}, {0x2f000, 0x31000, -EEXIST},
        {0x3f000, 0x41000, -EEXIST}, {0x31000, 0x32000, -EEXIST}, {0x20000, 0x50000, -EEXIST},
        {0x2f000, 0x30000, 0},       {0x40000, 0x41000, 0},       {0x10000, 0x11000, 0},
        {0xff000, 0x100000, 0},
    };
    struct vma middle = area(0x30000, 0x40000, VMA_READ);
    struct vma tried[sizeof(cases) / sizeof(cases[0])];
    vma_tree_init(&tree, LOW, HIGH);
    EXPECT(vma_insert(&tree, &middle) == 0);
    for (test_step = 0; test_step < sizeof(cases) / sizeof(cases[0]); test_step++) {
        tried[test_step] = area(cases[test_step].start, cases[test_step].end, VMA_READ);
        EXPECT(vma_insert(&tree, &tried[test_step]) == cases[test_step].error);
        EXPECT(vma_tree_check(&tree) == 0);
    }
    EXPECT(tree.count == 5);
}

static void resize(void)
{
    struct vma a = area(0x20000, 0x30000, VMA_READ), b = area(0x40000, 0x50000, VMA_READ);
    vma_tree_init(&tree, LOW, HIGH);
    EXPECT(vma_insert(&tree, &a) == 0 && vma_insert(&tree, &b) == 0);
    EXPECT(vma_resize(&tree, &a, 0x20000, 0x41000) == -EEXIST);
    EXPECT(vma_resize(&tree, &b, 0x2f000, 0x50000) == -EEXIST);
    EXPECT(vma_resize(&tree, &a, 0x20000, 0x20000) == -EINVAL);
    EXPECT(vma_resize(&tree, &a, 0x0f000, 0x20000) == -EINVAL);
    EXPECT(vma_resize(&tree, &b, 0x40000, 0x101000) == -EINVAL);
    EXPECT(a.start == 0x20000 && a.end == 0x30000 && b.start == 0x40000 && b.end == 0x50000);
    EXPECT(vma_resize(&tree, &a, 0x1f000, 0x40000) == 0 && a.offset == 0x1f000);
    EXPECT(vma_resize(&tree, &b, 0x42000, HIGH) == 0 && b.offset == 0x42000);
    EXPECT(vma_tree_check(&tree) == 0 && tree.bytes == 0x21000 + HIGH - 0x42000);
}

static void find_gap(void)
{
    struct vma a = area(0x20000, 0x30000, 0), b = area(0x38000, 0x40000, 0), c = area(0x44000, 0xf0000, 0);
    vma_tree_init(&tree, LOW, HIGH);
    EXPECT(vma_insert(&tree, &a) == 0 && vma_insert(&tree, &b) == 0 && vma_insert(&tree, &c) == 0);
    static const struct {
        struct vma_gap_request request;
        int error;
        uint64_t start;
    } cases[] = {
        {{0x10000, PAGE_SIZE, 0, UINT64_MAX}, 0, 0xf0000},
        {{0x1000, PAGE_SIZE, 0, UINT64_MAX}, 0, 0xff000},
        {{0x11000, PAGE_SIZE, 0, UINT64_MAX}, -ENOMEM, 0},
        {{0x1000, PAGE_SIZE, 0, 0xf0000}, 0, 0x43000},
        {{0x5000, PAGE_SIZE, 0, 0xf0000}, 0, 0x33000},
        {{0x9000, PAGE_SIZE, 0, 0xf0000}, 0, 0x17000},
        {{0x4000, PAGE_SIZE, 0, 0x43fff}, 0, 0x34000}, /* the border is cut to whole pages */
        {{0x1000, PAGE_SIZE, 0x30001, 0x32000}, 0, 0x31000},
        {{0x2000, PAGE_SIZE, 0x30001, 0x32000}, -ENOMEM, 0},
        {{0x1000, 0x8000, 0, 0xf0000}, 0, 0x30000},
        {{0x1000, 0x10000, 0, 0xf0000}, 0, 0x10000},
        {{0x1000, PAGE_SIZE, 0x50000, 0x50000}, -ENOMEM, 0},
        {{0x1000, PAGE_SIZE, 0x60000, 0x50000}, -ENOMEM, 0},
        {{0, PAGE_SIZE, 0, UINT64_MAX}, -EINVAL, 0},
        {{0x1001, PAGE_SIZE, 0, UINT64_MAX}, -EINVAL, 0},
        {{0x1000, 0x800, 0, UINT64_MAX}, -EINVAL, 0},
        {{0x1000, 0x3000, 0, UINT64_MAX}, -EINVAL, 0},
        {{0x1000, 0, 0, UINT64_MAX}, -EINVAL, 0},
        {{~0xfffUL, 1UL << 63, 0, UINT64_MAX}, -ENOMEM, 0},
    };
    for (test_step = 0; test_step < sizeof(cases) / sizeof(cases[0]); test_step++) {
        uint64_t start = 0;
        struct vma *above;
        EXPECT(vma_find_gap(&tree, &cases[test_step].request, &start, &above) == cases[test_step].error);
        EXPECT(start == cases[test_step].start);
    }
}

static void cut(void)
{
    struct vma a = area(0x20000, 0x30000, VMA_READ), b = area(0x31000, 0x40000, VMA_WRITE), nodes[2];
    struct vma *const supply[] = {&nodes[0], &nodes[1]};
    struct vma_cut_plan plan;
    vma_tree_init(&tree, LOW, HIGH);
    EXPECT(vma_insert(&tree, &a) == 0 && vma_insert(&tree, &b) == 0);
    EXPECT(vma_cut_plan(&tree, 0x20000, 0x20000, &plan) == -EINVAL);
    EXPECT(vma_cut_plan(&tree, 0x20800, 0x22000, &plan) == -EINVAL);
    EXPECT(vma_cut_plan(&tree, 0x0, 0x22000, &plan) == -EINVAL);

    EXPECT(vma_cut_plan(&tree, 0x50000, 0x60000, &plan) == 0 && plan.nodes_needed == 0 && !plan.has_areas);
    EXPECT(vma_cut_apply(&tree, &plan, supply) == NULL);
    EXPECT(vma_cut_plan(&tree, 0x20000, 0x30000, &plan) == 0 && plan.nodes_needed == 0 && plan.covered);
    EXPECT(vma_cut_apply(&tree, &plan, supply) == &a);
    EXPECT(vma_cut_plan(&tree, 0x28000, 0x38000, &plan) == 0 && plan.nodes_needed == 2 && !plan.covered);
    EXPECT(vma_cut_plan(&tree, 0x24000, 0x28000, &plan) == 0 && plan.nodes_needed == 2 && plan.covered);
    struct vma *first = vma_cut_apply(&tree, &plan, supply);
    EXPECT(first == &nodes[0] && first->start == 0x24000 && first->end == 0x28000 && first->offset == 0x24000);
    EXPECT(a.end == 0x24000 && nodes[1].start == 0x28000 && nodes[1].end == 0x30000 && nodes[1].flags == VMA_READ);
    EXPECT(tree.count == 4 && tree.bytes == 0x1f000 && vma_tree_check(&tree) == 0);
}

static void merge(void)
{
    struct vma a = area(0x20000, 0x30000, VMA_READ), b = area(0x30000, 0x40000, VMA_READ),
               c = area(0x40000, 0x50000, VMA_READ);
    struct list released;
    int object;
    vma_tree_init(&tree, LOW, HIGH);
    EXPECT(vma_insert(&tree, &a) == 0 && vma_insert(&tree, &b) == 0 && vma_insert(&tree, &c) == 0);
    list_init(&released);
    b.flags = VMA_WRITE;
    EXPECT(!vma_can_merge(&a, &b) && vma_merge(&tree, &b, &released) == &b);
    b.flags = VMA_READ;
    b.offset++;
    EXPECT(!vma_can_merge(&a, &b) && !vma_can_merge(&b, &c));
    b.offset--;
    b.object = &object;
    EXPECT(!vma_can_merge(&a, &b) && vma_merge(&tree, &b, &released) == &b && list_empty(&released));
    b.object = NULL;
    EXPECT(!vma_can_merge(&a, &c) && vma_can_merge(&a, &b));
    EXPECT(vma_merge(&tree, &b, &released) == &a && a.end == 0x50000 && tree.count == 1);
    EXPECT(list_pop_front(&released) == &b.link && list_pop_front(&released) == &c.link && list_empty(&released));
    EXPECT(tree.bytes == 0x30000 && vma_tree_check(&tree) == 0);
    a.flags |= VMA_NO_MERGE;
    b = area(0x50000, 0x51000, VMA_READ | VMA_NO_MERGE);
    EXPECT(vma_insert(&tree, &b) == 0 && vma_merge(&tree, &b, &released) == &b);
}

#define EXPECT_NOTICED(field, value)                                                                                   \
    do {                                                                                                               \
        __typeof__(field) kept = (field);                                                                              \
        (field) = (value);                                                                                             \
        EXPECT(vma_tree_check(&tree) == -EIO);                                                                         \
        (field) = kept;                                                                                                \
        EXPECT(vma_tree_check(&tree) == 0);                                                                            \
    } while (0)

static void walker_notices(void)
{
    struct vma areas[7], stranger;
    vma_tree_init(&tree, LOW, HIGH);
    for (unsigned i = 0; i < 7; i++) {
        areas[i] = area(0x20000 + i * 0x2000, 0x21000 + i * 0x2000, VMA_READ);
        EXPECT(vma_insert(&tree, &areas[i]) == 0);
    }
    stranger = areas[3];
    EXPECT_NOTICED(tree.count, 6);
    EXPECT_NOTICED(tree.bytes, 0);
    EXPECT_NOTICED(tree.cached, &stranger);
    EXPECT_NOTICED(tree.root, tree.root->left);
    EXPECT_NOTICED(areas[3].height, 5);
    EXPECT_NOTICED(areas[3].largest_gap, 1);
    EXPECT_NOTICED(areas[0].gap, 0);
    EXPECT_NOTICED(areas[0].parent, &areas[2]);
    EXPECT_NOTICED(areas[4].start, areas[4].start - 0x2000);
    EXPECT_NOTICED(areas[4].end, areas[5].end);
    EXPECT_NOTICED(areas[2].link.next, &areas[4].link);
    EXPECT_NOTICED(areas[1].left, NULL);
}

#define MANY (QUIRE_CHECKS >= 3 ? 3000u : 100000u) /* at level 3 each change walks the tree */

static void many_areas(void)
{
    struct vma *areas = calloc(MANY, sizeof(*areas));
    EXPECT(areas);
    vma_tree_init(&tree, 0, USER_VA_END);
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t place = i * 7919 % MANY; /* every place once, in a scattered order */
        areas[place] = area((1 + 2 * place) * PAGE_SIZE, (2 + 2 * place) * PAGE_SIZE, VMA_READ);
        EXPECT(vma_insert(&tree, &areas[place]) == 0);
    }
    EXPECT(vma_tree_check(&tree) == 0 && tree.root->height <= 24); /* 1.44 * log2(100000) */
    for (uint64_t i = 0; i < MANY; i++)
        EXPECT(vma_find(&tree, areas[i].start - 1) == &areas[i] && vma_at(&tree, areas[i].end - 1) == &areas[i]);
    struct vma_gap_request request = {2 * PAGE_SIZE, PAGE_SIZE, 0, 2 * MANY * PAGE_SIZE};
    uint64_t start;
    struct vma *above;
    EXPECT(vma_find_gap(&tree, &request, &start, &above) == -ENOMEM);
    vma_remove(&tree, &areas[MANY / 2]);
    EXPECT(vma_find_gap(&tree, &request, &start, &above) == 0 && start == (2 + MANY) * PAGE_SIZE - PAGE_SIZE);
    for (uint64_t i = 0; i < MANY; i++) {
        if (i != MANY / 2)
            vma_remove(&tree, &areas[i]);
    }
    EXPECT(tree.count == 0 && vma_tree_check(&tree) == 0);
    free(areas);
}

static const struct test_row rows[] = {
    {"insert_and_find", "finds give the first area that ends above the address", insert_and_find},
    {"insert_errors", "bad and overlapping ranges are refused, touching ones are not", insert_errors},
    {"resize", "ends move up to the neighbours and no further", resize},
    {"find_gap", "free space comes from the top, aligned and within its limits", find_gap},
    {"cut", "a range is cut out at both ends", cut},
    {"merge", "equal neighbours become one area", merge},
    {"walker_notices", "the walker sees each kind of damage", walker_notices},
    {"many_areas", "a large tree stays balanced and finds everything", many_areas},
};
TEST_MAIN("vma", rows)
