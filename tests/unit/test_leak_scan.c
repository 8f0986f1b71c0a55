/* SPDX-License-Identifier: MIT */
/* The scan for leaks: against a model that follows pointers on a graph of objects. */
#include "harness.h"

#include <errno.h>
#include <mm/leak_scan.h>
#include <stdlib.h>
#include <string.h>

#define NODES  200u
#define LINKS  4u
#define ROOTS  3u
#define ROUNDS 500u /* steps that one graph counts for */

struct node {
    uint64_t number;
    void *links[LINKS];
};

static struct node *nodes[NODES];
static void *roots[ROOTS];
static bool reached[NODES];
static struct leak_object objects[NODES];

static void *random_pointer(void)
{
    struct node *node = nodes[random_below(NODES)];
    switch (random_below(8)) {
    case 0:
        return NULL;
    case 1:
        return (char *)node + random_below(sizeof(*node)); /* into the middle */
    case 2:
        return (char *)node + sizeof(*node); /* just behind it: that is not it, but perhaps another */
    default:
        return random_chance(60) ? NULL : node;
    }
}

static struct node *node_at(const void *pointer)
{
    for (unsigned i = 0; i < NODES; i++) {
        if ((const char *)pointer >= (const char *)nodes[i] && (const char *)pointer < (const char *)(nodes[i] + 1))
            return nodes[i];
    }
    return NULL;
}

static void reach(const void *pointer)
{
    const struct node *node = node_at(pointer);

    if (!node || reached[node->number])
        return;
    reached[node->number] = true;
    for (unsigned i = 0; i < LINKS; i++)
        reach(node->links[i]);
}

static void make_graph(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i] = malloc(sizeof(struct node));
        nodes[i]->number = i;
        reached[i] = false;
    }
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned link = 0; link < LINKS; link++)
            nodes[i]->links[link] = random_pointer();
        objects[i] = (struct leak_object){.start = (uint64_t)nodes[i], .size = sizeof(struct node), .owner = nodes[i]};
    }
    for (unsigned i = 0; i < ROOTS; i++)
        roots[i] = random_pointer();
}

static void run_graphs(void)
{
    for (test_step = 0; test_step < test_steps(); test_step += ROUNDS) {
        struct leak_scan scan;
        unsigned leaks = 0, expected = 0;

        make_graph();
        for (unsigned i = 0; i < ROOTS; i++)
            reach(roots[i]);
        EXPECT(leak_scan_begin(&scan, objects, NODES) == 0);
        leak_scan_range(&scan, roots, roots + ROOTS);
        for (uint32_t i = 0; (i = leak_scan_next(&scan, i)) != LEAK_SCAN_NONE; i++) {
            const struct node *node = objects[i].owner;
            EXPECT(!reached[node->number] && objects[i].start == (uint64_t)node);
            leaks++;
        }
        for (unsigned i = 0; i < NODES; i++)
            expected += !reached[i];
        EXPECT(leaks == expected);
        for (unsigned i = 0; i < NODES; i++)
            free(nodes[i]);
    }
}

static void run_edges(void)
{
    struct leak_scan scan;
    uint64_t words[4] = {0};
    struct leak_object two[2] = {{.start = 1000, .size = 10}, {.start = 1009, .size = 1}};

    EXPECT(leak_scan_begin(&scan, NULL, 0) == 0);
    leak_scan_range(&scan, words, words + 4);
    EXPECT(leak_scan_next(&scan, 0) == LEAK_SCAN_NONE);
    EXPECT(leak_scan_begin(&scan, two, 2) == -EINVAL);
    two[1].start = 1010;
    two[0].size = 0;
    EXPECT(leak_scan_begin(&scan, two, 2) == -EINVAL);
    /* Half words at the ends of a range are none. */
    struct leak_object one = {.start = (uint64_t)&words[2], .size = sizeof(uint64_t)};
    words[0] = (uint64_t)&words[2];
    EXPECT(leak_scan_begin(&scan, &one, 1) == 0);
    leak_scan_range(&scan, (char *)words + 1, words + 2);
    leak_scan_range(&scan, words, (char *)words + 7);
    EXPECT(leak_scan_next(&scan, 0) == 0);
    leak_scan_range(&scan, words, words + 1);
    EXPECT(leak_scan_next(&scan, 0) == LEAK_SCAN_NONE);
}

static const struct test_row rows[] = {
    {"graphs", "what no chain of pointers leads to is a leak, and nothing else", run_graphs},
    {"edges", "no objects, overlapping ones, and the ends of ranges", run_edges},
};

TEST_MAIN("leak_scan", rows)
