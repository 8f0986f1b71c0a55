/* SPDX-License-Identifier: MIT */
/*
 * One system call with arguments that are at the edge, at random, or make sense by chance. What is left out is only
 * what a program may do to itself: turning the machine off, and stopping threads or emptying slots that the test
 * itself lives on.
 */
#include <errno.h>
#include <string.h>

#include <quire/clock.h>
#include <quire/thread.h>

#include "hostile.h"
#include "kernel_pool.h"

#define PATIENCE_NS     2000000UL
#define BLOCKING_ONE_IN 16u /* of the calls that may wait for ever, so many make sense */
#define BATCH           4u

static void put_random_slots(struct attacker *a)
{
    struct ipc_buffer *buffer = ipc_buffer();

    for (unsigned i = 0; i < MSG_CAPS_MAX; i++) {
        buffer->send_slots[i] = any_slot(a);
        buffer->receive_slots[i] = random_one_in(a, 4) ? SLOT_NONE : any_copy(a);
    }
}

/* Map items that make sense by chance, and some that do by intent. */
static uint64_t any_item(struct attacker *a, uint64_t *entry)
{
    static const uint64_t usual = ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED;
    uint64_t kind = random_one_in(a, 8) ? random_below(a, 16) : 1 + random_below(a, 3);
    uint64_t flags = random_one_in(a, 2) ? usual : random_below(a, 256);
    const uint64_t pfn = any_frame(a, kind == MAP_ITEM_TABLE);

    /* Registers are nobody's: what is there may be mapped as often as one likes, and only fails for memory. */
    if (!random_one_in(a, 8))
        flags &= ~ENTRY_DEVICE;
    *entry = pfn << PAGE_SHIFT | flags;
    if (kind == MAP_ITEM_SOFT)
        *entry = random_next(a);
    if (random_one_in(a, 8))
        kind |= MAP_ITEM_REPLACE;
    const uint64_t address = any_address(a);
    return (random_one_in(a, 16) ? address : address & PAGE_MASK) | kind;
}

static void put_items(struct attacker *a, uint64_t *words, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        words[2 * i] = any_item(a, &words[2 * i + 1]);
}

static struct message any_message(struct attacker *a)
{
    struct message m = {.tag = any_tag(a)};

    if (random_one_in(a, 2)) {
        put_items(a, m.words, MSG_REGISTERS / 2);
        put_items(a, ipc_buffer()->words, BATCH);
    } else {
        for (unsigned i = 0; i < MSG_REGISTERS; i++)
            m.words[i] = any_number(a);
    }
    put_random_slots(a);
    return m;
}

static bool may_block(struct attacker *a)
{
    return random_one_in(a, BLOCKING_ONE_IN);
}

static bool is_server(uint64_t slot)
{
    return slot < HOSTILE_ORIGINALS;
}

/* --- Messages and notifications ----------------------------------------------------------------------------------- */

static long try_call(struct attacker *a)
{
    struct message m = any_message(a);
    const uint64_t slot = may_block(a) ? slot_of(a, CAP_ENDPOINT) : useless_slot(a);
    return sys_call(is_server(slot) ? useless_slot(a) : slot, &m);
}

static long try_receive(struct attacker *a)
{
    struct message m = {0};
    put_random_slots(a);
    if (may_block(a))
        return sys_recv(slot_of(a, CAP_REPLY), slot_of(a, CAP_ENDPOINT), &m);
    return random_one_in(a, 2) ? sys_recv(useless_slot(a), slot_of(a, CAP_ENDPOINT), &m)
                               : sys_recv(slot_of(a, CAP_REPLY), useless_slot(a), &m);
}

static long try_reply_receive(struct attacker *a)
{
    struct message m = any_message(a);
    if (may_block(a))
        return sys_reply_recv(slot_of(a, CAP_REPLY), slot_of(a, CAP_ENDPOINT), &m);
    return random_one_in(a, 2) ? sys_reply_recv(useless_slot(a), slot_of(a, CAP_ENDPOINT), &m)
                               : sys_reply_recv(slot_of(a, CAP_REPLY), useless_slot(a), &m);
}

static long try_reply(struct attacker *a)
{
    struct message m = any_message(a);
    if (random_one_in(a, 2))
        m.tag = MSG_TAG(FAULT_RESUME, 0, 0);
    return sys_reply(slot_of(a, CAP_REPLY), &m);
}

static long try_signal(struct attacker *a)
{
    return sys_signal(slot_of(a, CAP_NOTIFICATION), any_number(a));
}

static long try_wait(struct attacker *a)
{
    uint64_t bits, deadline = DEADLINE_POLL;

    if (may_block(a))
        deadline = random_one_in(a, 2) ? any_number(a) : clock_now_ns() + random_below(a, PATIENCE_NS);
    return sys_wait(slot_of(a, CAP_NOTIFICATION), deadline, &bits);
}

static long try_bind(struct attacker *a)
{
    return sys_notification_bind(slot_of(a, CAP_NOTIFICATION),
                                 random_one_in(a, 4) ? SLOT_NONE : slot_of(a, CAP_ENDPOINT));
}

static long try_irq(struct attacker *a)
{
    uint64_t address;

    if (random_one_in(a, 4))
        return sys_irq_message(slot_of(a, CAP_IRQ), &address);
    return random_one_in(a, 2) ? sys_irq_bind(slot_of(a, CAP_IRQ), slot_of(a, CAP_NOTIFICATION), any_number(a))
                               : sys_irq_ack(slot_of(a, CAP_IRQ));
}

/* --- Capabilities ------------------------------------------------------------------------------------------------- */

static long try_copy(struct attacker *a)
{
    const uint64_t rights = random_one_in(a, 4) ? any_number(a) : random_below(a, RIGHT_ALL + 1);
    const uint64_t badge = random_one_in(a, 2) ? 0 : any_number(a);
    uint64_t table = SLOT_TABLE, to = any_copy(a);

    if (random_one_in(a, 3)) {
        table = slot_of(a, CAP_TABLE);
        if (table == SLOT_TABLE)
            table = SLOT_PHYSICAL;
        to = random_below(a, 2 * SLOTS_PER_FRAME + 2);
    } else if (random_one_in(a, 8)) {
        to = random_one_in(a, 2) ? SLOT_TABLE : any_number(a) | SLOTS_PER_FRAME; /* in use, or past the end */
    }
    return sys_cap_copy(table, to, any_slot(a), rights, badge);
}

static long try_delete(struct attacker *a)
{
    if (random_one_in(a, 3))
        return sys_cap_delete(original_for(a, CAP_TABLE), random_below(a, 2 * SLOTS_PER_FRAME + 2));
    return sys_cap_delete(SLOT_TABLE, random_one_in(a, 8) ? any_number(a) | SLOTS_PER_FRAME : any_copy(a));
}

static long try_query(struct attacker *a)
{
    uint64_t badge;
    return sys_cap_query(any_slot(a), &badge);
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

static _Noreturn void harmless(void)
{
    uint64_t bits;
    for (;;)
        (void)!sys_wait(SLOT_NONE, DEADLINE_NEVER, &bits);
}

static _Alignas(16) char harmless_stack[512];

/* Threads that memsrv made run in this program: they must not go where it would break. */
static long control_own(struct attacker *a, uint64_t slot)
{
    static const enum thread_operation allowed[] = {THREAD_STOP, THREAD_PRIORITY,  THREAD_AFFINITY,       THREAD_READ,
                                                    THREAD_INFO, THREAD_SET_EVENT, THREAD_OPERATION_COUNT};

    if (random_one_in(a, 8))
        return sys_thread_control(slot, THREAD_START, (uint64_t)harmless,
                                  entry_stack((uint64_t)(harmless_stack + sizeof(harmless_stack))), 0, 0, 0);
    return sys_thread_control(slot, allowed[random_below(a, sizeof(allowed) / sizeof(allowed[0]))],
                              random_one_in(a, 2) ? any_number(a) : any_slot(a), any_number(a), 0, 0, 0);
}

static long try_thread(struct attacker *a)
{
    const uint64_t slot = slot_of(a, CAP_THREAD);

    if (random_one_in(a, 512))
        return sys_thread_control(thread_slot(attackers[random_below(a, attacker_count)].thread), THREAD_STOP, 0, 0, 0,
                                  0, 0);
    if (!pool_first())
        return control_own(a, slot);
    const uint64_t operation = random_one_in(a, 16) ? any_number(a) : random_below(a, THREAD_OPERATION_COUNT);
    switch (operation) {
    case THREAD_CONFIGURE:
        return sys_thread_control(slot, THREAD_CONFIGURE, slot_of(a, CAP_ASPACE),
                                  random_one_in(a, 2) ? SLOT_TABLE : slot_of(a, CAP_TABLE), any_frame(a, false),
                                  any_address(a), any_number(a));
    case THREAD_START:
        return sys_thread_control(slot, THREAD_START, any_address(a), any_address(a), any_number(a), 0, 0);
    case THREAD_SET_EVENT:
        return sys_thread_control(slot, THREAD_SET_EVENT, slot_of(a, CAP_NOTIFICATION), any_number(a), 0, 0, 0);
    default:
        return sys_thread_control(slot, (enum thread_operation)operation, any_number(a), any_number(a), any_number(a),
                                  0, 0);
    }
}

/* --- Physical authority ------------------------------------------------------------------------------------------- */

static uint64_t authority(struct attacker *a)
{
    return random_one_in(a, 8) ? any_slot(a) : SLOT_PHYSICAL;
}

static long try_create(struct attacker *a)
{
    const uint64_t type = random_one_in(a, 16) ? any_number(a) : random_below(a, CAP_TYPE_COUNT);
    const uint64_t index = random_one_in(a, 8) ? any_number(a) : random_below(a, type == CAP_THREAD ? 3 : 32);
    uint64_t extra = any_number(a), slot = original_for(a, type);

    if (type == CAP_ASPACE)
        extra = any_frame(a, true);
    else if (type == CAP_IRQ && !random_one_in(a, 4))
        extra = random_below(a, 300);
    else if (type == CAP_SLOTS)
        extra = original_for(a, CAP_TABLE); /* never this program's own table, which is memsrv's to end */
    if (random_one_in(a, 16))
        slot = random_one_in(a, 2) ? SLOT_TABLE : any_number(a) | SLOTS_PER_FRAME;
    return sys_object_create(authority(a), (enum cap_type)type, any_frame(a, true),
                             type == CAP_SLOTS && !random_one_in(a, 8) ? 0 : index, slot, extra);
}

/* What cannot be destroyed, so that there is something left to use. */
static uint64_t useless_for_destroy(struct attacker *a)
{
    const uint64_t slot = useless_slot(a);
    return slot == SLOT_THREAD ? SLOT_MEMSRV : slot;
}

static long try_destroy(struct attacker *a)
{
    uint64_t pfn;
    return sys_object_destroy(authority(a), random_one_in(a, 12) ? any_slot(a) : useless_for_destroy(a), &pfn);
}

static long try_map(struct attacker *a)
{
    uint64_t count = random_one_in(a, 16) ? any_number(a) : random_below(a, BATCH + 1);

    put_items(a, ipc_buffer()->words, BATCH);
    /* What is behind the items of this call are those of earlier ones, or what calls have left there. */
    if (count > BATCH && count <= MAP_ITEMS_MAX)
        memset(ipc_buffer()->words + 2 * (uint64_t)BATCH, 0,
               sizeof(ipc_buffer()->words) - 2 * BATCH * sizeof(uint64_t));
    return sys_map(authority(a), slot_of(a, CAP_ASPACE), count);
}

static uint64_t any_pages(struct attacker *a)
{
    return random_one_in(a, 8) ? any_number(a) : random_below(a, 24);
}

static long try_unmap(struct attacker *a)
{
    uint64_t next;
    return sys_unmap(authority(a), slot_of(a, CAP_ASPACE), any_address(a), any_pages(a), any_number(a), &next);
}

static long try_protect(struct attacker *a)
{
    uint64_t next;
    return sys_protect(authority(a), slot_of(a, CAP_ASPACE), any_address(a), any_pages(a), any_number(a), &next);
}

static long try_harvest(struct attacker *a)
{
    uint64_t next;
    return sys_harvest(authority(a), slot_of(a, CAP_ASPACE), any_address(a), any_pages(a), any_number(a), &next);
}

static long try_aspace(struct attacker *a)
{
    const uint64_t operation = random_one_in(a, 8) ? any_number(a) : random_below(a, ASPACE_OPERATION_COUNT);
    uint64_t second;
    return sys_aspace_control(authority(a), slot_of(a, CAP_ASPACE), (enum aspace_operation)operation,
                              operation == ASPACE_TAKE_TABLES ? random_below(a, 3) : slot_of(a, CAP_ENDPOINT),
                              any_number(a), &second);
}

static long try_system(struct attacker *a)
{
    uint64_t second;

    switch (random_below(a, 8)) {
    case 0: /* without the authority */
        return sys_system(random_one_in(a, 2) ? SLOT_TABLE : any_number(a) | SLOTS_PER_FRAME,
                          (enum system_operation)random_below(a, SYSTEM_OPERATION_COUNT), any_number(a), 0, &second);
    case 1:
        return sys_system(authority(a), SYSTEM_LOG, random_one_in(a, 2) ? 0 : any_number(a) | 4096, 0, &second);
    case 2:
        return sys_system(authority(a), SYSTEM_WINDOW, slot_of(a, CAP_ASPACE), 0, &second);
    case 3:
        return sys_system(authority(a), SYSTEM_KERNEL_CHECK,
                          random_one_in(a, 8) ? random_below(a, 600) : any_number(a) | CAP_TABLE_FRAMES_MAX << 16, 0,
                          &second);
    case 4:
        return sys_system(authority(a), (enum system_operation)(any_number(a) | SYSTEM_OPERATION_COUNT << 4),
                          any_number(a), 0, &second);
    default:
        return sys_system(authority(a), SYSTEM_FRAME_INFO, any_frame(a, true), 0, &second);
    }
}

/* --- All of them -------------------------------------------------------------------------------------------------- */

static long try_simple(struct attacker *a)
{
    return random_one_in(a, 8) ? sys_yield() : sys_getcpu();
}

static long try_no_call(struct attacker *a)
{
    switch (random_below(a, 4)) {
    case 0:
        return sys_trap7(SYS_COUNT, any_number(a), any_number(a), any_number(a), 0, 0, 0, 0);
    case 1:
        return sys_trap7(0xff, any_slot(a), any_number(a), any_number(a), 0, 0, 0, 0);
    case 2:
        return sys_trap7(0x8000, any_slot(a), any_number(a), any_number(a), 0, 0, 0, 0);
    default:
        return sys_trap7(0xffff, any_slot(a), any_number(a), any_number(a), 0, 0, 0, 0);
    }
}

static const struct {
    enum hostile_kind kind;
    long (*attempt)(struct attacker *a);
} attempts[] = {
    {HOSTILE_NO_CALL, try_no_call},
    {HOSTILE_SIMPLE, try_simple},
    {HOSTILE_CALL, try_call},
    {HOSTILE_RECEIVE, try_receive},
    {HOSTILE_REPLY_RECEIVE, try_reply_receive},
    {HOSTILE_REPLY, try_reply},
    {HOSTILE_SIGNAL, try_signal},
    {HOSTILE_WAIT, try_wait},
    {HOSTILE_BIND, try_bind},
    {HOSTILE_COPY, try_copy},
    {HOSTILE_COPY, try_copy},
    {HOSTILE_DELETE, try_delete},
    {HOSTILE_QUERY, try_query},
    {HOSTILE_THREAD, try_thread},
    {HOSTILE_THREAD, try_thread},
    {HOSTILE_CREATE, try_create},
    {HOSTILE_CREATE, try_create},
    {HOSTILE_DESTROY, try_destroy},
    {HOSTILE_MAP, try_map},
    {HOSTILE_MAP, try_map},
    {HOSTILE_UNMAP, try_unmap},
    {HOSTILE_PROTECT, try_protect},
    {HOSTILE_HARVEST, try_harvest},
    {HOSTILE_ASPACE, try_aspace},
    {HOSTILE_IRQ, try_irq},
    {HOSTILE_SYSTEM, try_system},
};

long hostile_kernel_call(struct attacker *a, enum hostile_kind *kind)
{
    const uint64_t choice = random_below(a, sizeof(attempts) / sizeof(attempts[0]));
    *kind = attempts[choice].kind;
    return attempts[choice].attempt(a);
}
