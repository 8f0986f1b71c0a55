/* SPDX-License-Identifier: MIT */
/* The order of locks at run time: see lock_order.h. */
#include <base/lock_order.h>

#include <stddef.h>
#include <string.h>

#include <base/check.h>
#include <base/lock.h>

#define TEXT_BYTES 160u

static const char *const names[LOCK_RANK_COUNT] = {
    [LOCK_UNRANKED] = "a lock without a rank",
    [LOCK_SPACE_TABLE] = "space table",
    [LOCK_NEW_SPACE] = "new space",
    [LOCK_SPACE] = "space",
    [LOCK_OBJECT_REGISTRY] = "registry of memory objects",
    [LOCK_OBJECT] = "memory object",
    [LOCK_FAMILY] = "family",
    [LOCK_SWAP] = "swap",
    [LOCK_PARKING] = "parking",
    [LOCK_TRANSIT] = "transit",
    [LOCK_KERNEL_OBJECTS] = "kernel objects",
    [LOCK_VMALLOC] = "vmalloc",
    [LOCK_PERCPU] = "percpu",
    [LOCK_CACHE] = "kmem cache",
    [LOCK_MEMPOOL] = "mempool",
    [LOCK_DRAIN] = "drain",
    [LOCK_LAYOUT] = "layout",
    [LOCK_PAGER] = "pager",
    [LOCK_MEMGROUPS] = "memory groups",
    [LOCK_ZONE] = "zone",
    [LOCK_LEAF] = "leaf",
};

const char *lock_rank_name(enum lock_rank rank)
{
    return (unsigned)rank < LOCK_RANK_COUNT ? names[rank] : "a lock that was overwritten";
}

static size_t append(char *text, size_t length, const char *more)
{
    while (*more && length < TEXT_BYTES - 1)
        text[length++] = *more++;
    text[length] = '\0';
    return length;
}

/* Ends the program. Without printf, which not every program has. */
static _Noreturn void fail(const char *what, enum lock_rank rank, const char *while_what, enum lock_rank other)
{
    char text[TEXT_BYTES];
    size_t length = append(text, 0, "lock order: ");

    length = append(text, length, what);
    length = append(text, length, lock_rank_name(rank));
    if (while_what) {
        length = append(text, length, while_what);
        (void)append(text, length, lock_rank_name(other));
    }
    check_failed(__FILE__, __LINE__, text);
}

static void push(struct lock_stack *stack, const struct spinlock *lock, enum lock_rank rank)
{
    if (stack->count == LOCKS_HELD_MAX)
        fail("too many locks are held to take ", rank, " with ", stack->held[LOCKS_HELD_MAX - 1].rank);
    stack->held[stack->count++] = (struct lock_held){lock, rank};
}

void lock_order_acquire(const struct spinlock *lock, enum lock_rank rank)
{
    struct lock_stack *stack = lock_stack();

    if (!stack)
        return;
    if (rank == LOCK_UNRANKED)
        fail("taken was ", rank, NULL, rank);
    for (uint32_t i = 0; i < stack->count; i++) {
        if (stack->held[i].lock == lock)
            fail("taken a second time: ", rank, ", held as ", stack->held[i].rank);
        if (stack->held[i].rank >= rank)
            fail("taken ", rank, " while holding ", stack->held[i].rank);
    }
    push(stack, lock, rank);
}

void lock_order_note(const struct spinlock *lock, enum lock_rank rank)
{
    struct lock_stack *stack = lock_stack();
    if (stack)
        push(stack, lock, rank);
}

void lock_order_release(const struct spinlock *lock)
{
    struct lock_stack *stack = lock_stack();
    uint32_t i = 0;

    if (!stack)
        return;
    while (i < stack->count && stack->held[i].lock != lock)
        i++;
    if (i == stack->count)
        fail("given back, but not held: ", (enum lock_rank)lock->rank, NULL, LOCK_UNRANKED);
    stack->count--;
    memmove(&stack->held[i], &stack->held[i + 1], (stack->count - i) * sizeof(stack->held[0]));
}

bool lock_order_is_idle(void)
{
    const struct lock_stack *stack = lock_stack();
    return !stack || stack->count == 0;
}
