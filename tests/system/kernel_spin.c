/* SPDX-License-Identifier: MIT */
/* See kernel_spin.h. */
#include "kernel_spin.h"

#include <quire/thread.h>

#include "kernel_test.h"

#define TURNS_BETWEEN_LOOKS 512u

static int spin(void *argument)
{
    struct spinner *spinner = argument;

    while (!atomic_load_explicit(&spinner->quit, memory_order_relaxed)) {
        if (spinner->count++ % TURNS_BETWEEN_LOOKS == 0)
            spinner->cpu = (unsigned)sys_getcpu();
    }
    return 0;
}

void spinner_start(struct spinner *spinner, uint64_t cpus, unsigned priority)
{
    spinner->count = 0;
    atomic_store(&spinner->quit, false);
    MUST(thread_create(&spinner->thread, spin, spinner));
    pin(thread_slot(spinner->thread), cpus);
    MUST(sys_thread_control(thread_slot(spinner->thread), THREAD_PRIORITY, priority, 0, 0, 0, 0));
    sleep_ns(NS_PER_MS);
}

void spinner_end(struct spinner *spinner)
{
    atomic_store(&spinner->quit, true);
    CHECK_EQ(thread_join(spinner->thread, NULL), 0);
}
