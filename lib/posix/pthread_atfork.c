/* SPDX-License-Identifier: MIT */
/*
 * The handlers that a fork runs.
 */
#include "lock_word.h"
#include "thread_record.h"

#include <pthread.h>
#include <stdlib.h>

struct fork_handlers {
    struct fork_handlers *older, *newer;
    void (*functions[3])(void); /* by enum fork_side; null: none */
};

static uint32_t handlers_lock; /* a lock word */
static struct fork_handlers *oldest, *newest;

int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    struct fork_handlers *handlers = malloc(sizeof(*handlers));

    if (!handlers)
        return ENOMEM;
    *handlers = (struct fork_handlers){.functions = {prepare, parent, child}};
    lock_word_acquire(&handlers_lock, 0);
    handlers->older = newest;
    if (newest)
        newest->newer = handlers;
    else
        oldest = handlers;
    __atomic_store_n(&newest, handlers, __ATOMIC_RELEASE);
    lock_word_release(&handlers_lock, 0);
    return 0;
}

/* The latest preparation comes first, as POSIX says, and the rest last. Handlers are never removed, so the list can be
 * walked without the lock, which a handler may want. */
void fork_handlers_run(enum fork_side side)
{
    if (!__atomic_load_n(&newest, __ATOMIC_ACQUIRE))
        return;
    lock_word_acquire(&handlers_lock, 0);
    const struct fork_handlers *handlers = side == FORK_PREPARE ? newest : oldest;
    lock_word_release(&handlers_lock, 0);
    for (; handlers; handlers = side == FORK_PREPARE ? handlers->older : handlers->newer) {
        if (handlers->functions[side])
            handlers->functions[side]();
    }
}
