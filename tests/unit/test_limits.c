/* SPDX-License-Identifier: MIT */
/* Overcommit policies, limits of address spaces, and stacks that grow. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mm/commit.h>
#include <mm/resource.h>
#include <mm/vma.h>

#include "harness.h"

#define MEMORY 100000UL

static struct commit_policy policy;

static void begin(enum overcommit_policy which)
{
    commit_policy_init(&policy, MEMORY);
    EXPECT(policy.policy == OVERCOMMIT_GUESS && policy.ratio == COMMIT_RATIO_DEFAULT);
    policy.policy = which;
}

static void guess(void)
{
    begin(OVERCOMMIT_GUESS);
    EXPECT(commit_allowed(&policy, 50 * MEMORY, 50 * MEMORY, MEMORY, false));
    EXPECT(!commit_allowed(&policy, 0, 0, MEMORY + 1, false) && !commit_allowed(&policy, 0, 0, MEMORY + 1, true));
    policy.swap_pages = 1;
    EXPECT(commit_allowed(&policy, 0, 0, MEMORY + 1, false));
    EXPECT(!commit_allowed(&policy, 0, 0, UINT64_MAX, false));
}

static void always(void)
{
    begin(OVERCOMMIT_ALWAYS);
    EXPECT(commit_allowed(&policy, UINT64_MAX, 0, UINT64_MAX, false));
}

static void never(void)
{
    begin(OVERCOMMIT_NEVER);
    uint64_t limit = commit_limit(&policy);
    EXPECT(limit == MEMORY / 2 && policy.admin_reserve == 2048 && policy.user_reserve == MEMORY / 32);
    EXPECT(commit_allowed(&policy, 0, 0, limit, true) && !commit_allowed(&policy, 1, 0, limit, true));
    EXPECT(commit_allowed(&policy, 0, 0, limit - 2048, false) && !commit_allowed(&policy, 0, 0, limit - 2047, false));
    /* A program that has 3200 pages leaves 100 to others; a very large one, no more than the reserve. */
    EXPECT(commit_allowed(&policy, 3200, 3200, limit - 3300, true));
    EXPECT(!commit_allowed(&policy, 3200, 3200, limit - 3299, true));
    EXPECT(commit_allowed(&policy, 0, UINT64_MAX, limit - policy.user_reserve, true));
    EXPECT(!commit_allowed(&policy, 0, UINT64_MAX, limit - policy.user_reserve + 1, true));
    EXPECT(!commit_allowed(&policy, 5, 0, UINT64_MAX, true) && commit_allowed(&policy, limit, 0, 0, true));
    policy.ratio = 0;
    EXPECT(commit_limit(&policy) == 0 && !commit_allowed(&policy, 0, 0, 1, false));
    policy.ratio = 33;
    policy.memory_pages = 199;
    policy.swap_pages = 7;
    EXPECT(commit_limit(&policy) == 199 * 33 / 100 + 7);
}

static void promises(void)
{
    begin(OVERCOMMIT_GUESS);
    EXPECT(commit_is_promise(&policy, VMA_READ | VMA_WRITE) && !commit_is_promise(&policy, VMA_READ | VMA_EXECUTE));
    EXPECT(!commit_is_promise(&policy, VMA_READ | VMA_WRITE | VMA_SHARED));
    EXPECT(!commit_is_promise(&policy, VMA_READ | VMA_WRITE | VMA_DEVICE));
    EXPECT(!commit_is_promise(&policy, VMA_WRITE | VMA_NO_RESERVE));
    policy.policy = OVERCOMMIT_NEVER;
    EXPECT(commit_is_promise(&policy, VMA_WRITE | VMA_NO_RESERVE));
}

static void resources(void)
{
    struct resource_table table;
    resource_table_init(&table);
    EXPECT(resource_allows(&table, RESOURCE_ADDRESS_SPACE, UINT64_MAX - 1, 100));
    EXPECT(resource_allows(&table, RESOURCE_STACK, 0, 8UL << 20) &&
           !resource_allows(&table, RESOURCE_STACK, 1, 8UL << 20));
    EXPECT(resource_set(&table, 0, (struct resource_limit){1, 1}, true) == -EINVAL);
    EXPECT(resource_set(&table, RESOURCE_END, (struct resource_limit){1, 1}, true) == -EINVAL);
    EXPECT(resource_set(&table, RESOURCE_DATA, (struct resource_limit){2, 1}, true) == -EINVAL);
    EXPECT(resource_set(&table, RESOURCE_DATA, (struct resource_limit){5, 10}, false) == 0);
    EXPECT(resource_allows(&table, RESOURCE_DATA, 2, 3) && !resource_allows(&table, RESOURCE_DATA, 2, 4));
    EXPECT(!resource_allows(&table, RESOURCE_DATA, 6, 0) && !resource_allows(&table, RESOURCE_DATA, 5, UINT64_MAX));
    EXPECT(resource_set(&table, RESOURCE_DATA, (struct resource_limit){10, 10}, false) == 0);
    EXPECT(resource_set(&table, RESOURCE_DATA, (struct resource_limit){10, 11}, false) == -EPERM);
    EXPECT(table.limits[RESOURCE_DATA].hard == 10);
    EXPECT(resource_set(&table, RESOURCE_DATA, (struct resource_limit){10, 11}, true) == 0);
    EXPECT(resource_set(&table, RESOURCE_DATA, (struct resource_limit){0, 0}, false) == 0);
    EXPECT(!resource_allows(&table, RESOURCE_DATA, 0, 1) && resource_allows(&table, RESOURCE_DATA, 0, 0));
}

/* --- Stacks ------------------------------------------------------------------------------------------------------- */

#define GUARD   (4 * PAGE_SIZE)
#define PAGE(n) ((n)*PAGE_SIZE)

static struct vma_tree tree;
static struct vma below, stack;

static void make(uint64_t below_flags, uint64_t below_end)
{
    memset(&below, 0, sizeof(below));
    memset(&stack, 0, sizeof(stack));
    vma_tree_init(&tree, PAGE(1), PAGE(1000));
    stack.start = PAGE(100);
    stack.end = PAGE(110);
    stack.flags = VMA_READ | VMA_WRITE | VMA_GROWS_DOWN;
    EXPECT(vma_insert(&tree, &stack) == 0);
    below.start = PAGE(10);
    below.end = below_end;
    below.flags = below_flags;
    if (below_end)
        EXPECT(vma_insert(&tree, &below) == 0);
}

static void growth(void)
{
    uint64_t start = 7;
    make(VMA_READ, PAGE(20));
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(100), GUARD, PAGE(1000), &start) == -EINVAL);
    EXPECT(vma_plan_growth_down(&tree, &below, PAGE(5), GUARD, PAGE(1000), &start) == -EINVAL && start == 7);
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(99) + 5, GUARD, PAGE(1000), &start) == 0 && start == PAGE(99));
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(24), GUARD, PAGE(1000), &start) == 0 && start == PAGE(24));
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(24) - 1, GUARD, PAGE(1000), &start) == -ENOMEM);
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(15), GUARD, PAGE(1000), &start) == -ENOMEM);
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(90), GUARD, PAGE(20), &start) == 0);
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(89), GUARD, PAGE(20), &start) == -ENOMEM);
    EXPECT(vma_resize(&tree, &stack, PAGE(24), PAGE(110)) == 0 && vma_tree_check(&tree) == 0);
}

static void guards(void)
{
    uint64_t start;
    make(0, PAGE(20)); /* what cannot be touched is a guard itself */
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(20), GUARD, PAGE(1000), &start) == 0 && start == PAGE(20));
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(20) - 1, GUARD, PAGE(1000), &start) == -ENOMEM);
    make(VMA_READ | VMA_GROWS_DOWN, PAGE(20));
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(20), GUARD, PAGE(1000), &start) == 0);
    make(0, 0);
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(1), GUARD, PAGE(1000), &start) == 0 && start == PAGE(1));
    EXPECT(vma_plan_growth_down(&tree, &stack, PAGE(1) - 1, GUARD, PAGE(1000), &start) == -EINVAL);
}

/* Against the rule said in another way: the lowest start that growth allows is a maximum of three bounds. */
static void growth_random(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        uint64_t below_end = random_chance(20) ? 0 : PAGE(11 + random_below(90));
        uint64_t flags = random_below(2) ? VMA_READ : 0;
        flags |= random_chance(30) ? VMA_GROWS_DOWN : 0;
        uint64_t guard = PAGE(random_below(20)), limit = PAGE(10 + random_below(120));
        uint64_t address = random_below(PAGE(100)), start = 0;
        make(flags, below_end);
        uint64_t lowest = below_end ? below_end + (flags == VMA_READ ? guard : 0) : PAGE(1);
        if (PAGE(110) > limit && PAGE(110) - limit > lowest)
            lowest = PAGE(110) - limit;
        int result = vma_plan_growth_down(&tree, &stack, address, guard, limit, &start);
        if (address < PAGE(1))
            EXPECT(result == -EINVAL);
        else if (address / PAGE_SIZE * PAGE_SIZE >= lowest)
            EXPECT(result == 0 && start == address / PAGE_SIZE * PAGE_SIZE);
        else
            EXPECT(result == -ENOMEM);
    }
}

static const struct test_row rows[] = {
    {"guess", "the guess refuses what the machine does not have at all", guess},
    {"always", "always refuses nothing", always},
    {"never", "never keeps to the limit and its reserves", never},
    {"promises", "private writable memory is a promise", promises},
    {"resources", "limits limit, and rise only as they may", resources},
    {"growth", "a stack grows to its guard and its limit", growth},
    {"guards", "what cannot be touched, and other stacks, need no guard", guards},
    {"growth_random", "growth follows the rule for any neighbour", growth_random},
};

TEST_MAIN("limits", rows)
