/* SPDX-License-Identifier: MIT */
/* The threads that attack, the thread that lets them go on, and the figures. */
#include <quire/thread.h>

#include "hostile.h"
#include "kernel_pool.h"
#include "kernel_test.h"

#define ATTACK_PRIORITY 12u /* the watcher comes first */
#define MESSAGE_ONE_IN  16u
#define STOP_ONE_IN     16u
#define WATCH_NS        NS_PER_MS
#define SEED_STEP       0x9e3779b97f4a7c15UL

struct attacker attackers[HOSTILE_THREADS_MAX];
unsigned attacker_count;
static atomic_bool begun; /* all are there, so that each may stop each */

static const char *const names[HOSTILE_KINDS] = {
    [HOSTILE_NO_CALL] = "no such call",
    [HOSTILE_SIMPLE] = "getcpu, yield",
    [HOSTILE_CALL] = "call",
    [HOSTILE_RECEIVE] = "recv",
    [HOSTILE_REPLY_RECEIVE] = "reply_recv",
    [HOSTILE_REPLY] = "reply",
    [HOSTILE_SIGNAL] = "signal",
    [HOSTILE_WAIT] = "wait",
    [HOSTILE_BIND] = "notification_bind",
    [HOSTILE_COPY] = "cap_copy",
    [HOSTILE_DELETE] = "cap_delete",
    [HOSTILE_QUERY] = "cap_query",
    [HOSTILE_THREAD] = "thread_control",
    [HOSTILE_CREATE] = "object_create",
    [HOSTILE_DESTROY] = "object_destroy",
    [HOSTILE_MAP] = "map",
    [HOSTILE_UNMAP] = "unmap",
    [HOSTILE_PROTECT] = "protect",
    [HOSTILE_HARVEST] = "harvest",
    [HOSTILE_ASPACE] = "aspace_control",
    [HOSTILE_IRQ] = "irq_bind, irq_ack, irq_message",
    [HOSTILE_SYSTEM] = "system",
    [HOSTILE_MEMSRV] = "memsrv",
    [HOSTILE_ROOT] = "root",
    [HOSTILE_CONSOLE] = "console",
};

static int attack(void *argument)
{
    struct attacker *a = argument;
    const bool ordinary = pool_first() == 0;

    while (!atomic_load(&begun))
        sleep_ns(WATCH_NS);
    while (atomic_load_explicit(&a->calls, memory_order_relaxed) < a->wanted) {
        enum hostile_kind kind;
        const long result =
            ordinary && random_one_in(a, MESSAGE_ONE_IN) ? hostile_message(a, &kind) : hostile_kernel_call(a, &kind);
        if (result >= 0)
            a->good[kind]++;
        else
            a->bad[kind]++;
        atomic_fetch_add_explicit(&a->calls, 1, memory_order_relaxed);
    }
    return 0;
}

static void interrupt(const struct attacker *a)
{
    (void)thread_stop(thread_slot(a->thread));
    (void)!sys_thread_control(thread_slot(a->thread), THREAD_RESUME, 0, 0, 0, 0, 0);
}

/* Every thread that made no call since the last look waits for something: it is told that it has waited enough. Now
 * and then one that does not wait is stopped as well, wherever it is. */
static bool watch(struct attacker *chance)
{
    bool working = false;

    for (unsigned i = 0; i < attacker_count; i++) {
        struct attacker *a = &attackers[i];
        const uint64_t calls = atomic_load(&a->calls);
        working |= calls < a->wanted;
        if (calls == a->seen || random_one_in(chance, STOP_ONE_IN))
            interrupt(a);
        a->seen = calls;
    }
    return working;
}

bool hostile_run(unsigned threads, uint64_t calls, uint64_t seed)
{
    struct attacker chance = {.random = seed | 1};
    bool good = true;

    if (!pool_first() && !hostile_message_open())
        return false;
    attacker_count = 0;
    atomic_store(&begun, false);
    for (unsigned i = 0; i < threads && i < HOSTILE_THREADS_MAX; i++) {
        attackers[i] = (struct attacker){.random = (seed + i + 1) * SEED_STEP | 1, .wanted = calls / threads + 1};
        if (thread_create(&attackers[i].thread, attack, &attackers[i]) < 0) {
            good = false;
            break;
        }
        MUST(sys_thread_control(thread_slot(attackers[i].thread), THREAD_PRIORITY, ATTACK_PRIORITY, 0, 0, 0, 0));
        attacker_count = i + 1;
    }
    atomic_store(&begun, true);
    do
        sleep_ns(WATCH_NS);
    while (watch(&chance));
    /* Nobody stops anybody any more. */
    for (unsigned i = 0; i < attacker_count; i++)
        interrupt(&attackers[i]);
    for (unsigned i = 0; i < attacker_count; i++)
        good &= thread_join(attackers[i].thread, NULL) == 0;
    return good;
}

static uint64_t sum(size_t offset, enum hostile_kind kind)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < attacker_count; i++)
        total += ((const uint64_t *)((const char *)&attackers[i] + offset))[kind];
    return total;
}

uint64_t hostile_calls(void)
{
    uint64_t calls = 0;
    for (unsigned i = 0; i < attacker_count; i++)
        calls += atomic_load(&attackers[i].calls);
    return calls;
}

void hostile_tell(void)
{
    for (unsigned kind = 0; kind < HOSTILE_KINDS; kind++)
        tap_diag("%-20s %8lu good %8lu refused", names[kind], (unsigned long)sum(offsetof(struct attacker, good), kind),
                 (unsigned long)sum(offsetof(struct attacker, bad), kind));
}
