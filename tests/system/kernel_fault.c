/* SPDX-License-Identifier: MIT */
/*
 * Faults of threads in address spaces made by hand: what the handler is told, what its reply does, and what becomes of
 * a thread whose handler does not reply, is gone, or was never there.
 */
#include <arch/instructions.h>
#include <stdatomic.h>

#include "kernel_test.h"

#define ADDRESS     0x200000000UL
#define BADGE       0xfa017UL
#define EVENT       0x40UL
#define STORM       4u
#define STORM_PAGES 256UL
#define PATIENCE    (10000 * NS_PER_MS)

#define READ_ONLY  (ENTRY_READ | ENTRY_ACCESSED)
#define READ_WRITE (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)

static struct space space;
static uint64_t endpoint, reply, event, frame;
static struct child children[CHILDREN_MAX];

/* What a child does, and what it saw. */
enum deed { DEED_READ, DEED_WRITE, DEED_JUMP, DEED_UNDEFINED, DEED_BREAK, DEED_PRIVILEGED, DEED_SYSCALL, DEED_CALL };
static struct act {
    enum deed deed;
    uint64_t address, value;
    volatile uint64_t result;
    atomic_bool done;
} acts[CHILDREN_MAX];

static void do_deed(void *argument)
{
    struct act *act = argument;
    struct message m = {.tag = MSG_TAG(1, 0, 0)};

    switch (act->deed) {
    case DEED_READ:
        act->result = *(volatile uint64_t *)act->address;
        break;
    case DEED_WRITE:
        *(volatile uint64_t *)act->address = act->value;
        break;
    case DEED_JUMP:
        ((void (*)(void))act->address)();
        break;
    case DEED_UNDEFINED:
        INSTRUCTION_UNDEFINED();
        break;
    case DEED_BREAK:
        INSTRUCTION_BREAK();
        break;
    case DEED_PRIVILEGED:
        INSTRUCTION_PRIVILEGED();
        break;
    case DEED_SYSCALL:
        act->result = (uint64_t)sys_trap0(0x1234);
        break;
    case DEED_CALL:
        act->result = (uint64_t)sys_call(CHILD_SLOT_FREE, &m);
        act->value = m.words[0];
        break;
    }
    atomic_store(&act->done, true);
}

static void set_handler(uint64_t slot)
{
    CHECK_EQ(sys_aspace_control(SLOT_PHYSICAL, space.slot, ASPACE_SET_HANDLER, slot, slot ? BADGE : 0, NULL), 0);
}

/* A space with room for pages at ADDRESS, and a handler's endpoint that nobody serves but the test itself. */
static void scene_open(void)
{
    endpoint = object_new(CAP_ENDPOINT);
    reply = object_new(CAP_REPLY);
    event = object_new(CAP_NOTIFICATION);
    frame = frame_new();
    space_new(&space);
    space_share_program(&space);
    space_give_tables(&space, 3);
    set_handler(endpoint);
}

static void scene_close(void)
{
    space_end(&space);
    frame_end(frame);
    object_end(endpoint), object_end(reply), object_end(event);
}

static void act_start(unsigned number, enum deed deed, uint64_t address)
{
    acts[number] = (struct act){.deed = deed, .address = address, .value = 0x5eed};
    child_new(&children[number], &space, number, 12);
    CHECK_EQ(sys_thread_control(children[number].thread, THREAD_SET_EVENT, event, EVENT, 0, 0, 0), 0);
    child_start(&children[number], do_deed, &acts[number]);
}

static bool act_done(unsigned number)
{
    const uint64_t end = now_ns() + PATIENCE;
    while (!atomic_load(&acts[number].done) && now_ns() < end)
        sleep_ns(NS_PER_MS);
    return atomic_load(&acts[number].done);
}

/* Receives the one fault that there must be. */
static struct fault_message take_fault(struct message *m)
{
    struct fault_message fault = {0};

    *m = (struct message){0};
    if (CHECK_EQ(sys_recv(reply, endpoint, m), 0)) {
        CHECK_EQ(m->tag, (uint64_t)MSG_FLAG_FAULT << 24);
        CHECK_EQ(m->badge, BADGE);
        fault = *(const struct fault_message *)m->words;
    }
    return fault;
}

static long resume_with(uint64_t target, uint64_t entry)
{
    struct message m = {.tag = MSG_TAG(FAULT_RESUME, 0, 0), .words = {target, entry}};
    return sys_reply(reply, &m);
}

static long refuse(void)
{
    struct message m = {.tag = MSG_TAG(-EFAULT, 0, 0)};
    return sys_reply(reply, &m);
}

static bool in_program(uint64_t address)
{
    return address - (uint64_t)do_deed < 1024;
}

/* A page that is not there, then one that is but not for writing. */
static void test_contents(void)
{
    struct message m;

    scene_open();
    act_start(0, DEED_READ, ADDRESS + 8);
    struct fault_message fault = take_fault(&m);
    CHECK_EQ(fault.address, ADDRESS + 8);
    CHECK_EQ(fault.access & FAULT_KINDS, FAULT_READ);
    CHECK(FAULT_LEVEL(fault.access) < FAULT_LEVEL_PAGES);
    CHECK_EQ(FAULT_SPARE_TABLES(fault.access), sys_aspace_control(SLOT_PHYSICAL, space.slot, ASPACE_INFO, 0, 0, NULL));
    CHECK(in_program(fault.instruction));
    CHECK_EQ(fault.entry, 0);
    CHECK_EQ(fault.thread, 0);
    CHECK(m.origin != 0);
    CHECK_EQ(thread_look(children[0].thread).state, THREAD_STATE_CALLING);
    CHECK_EQ(thread_look(children[0].thread).fault.address, ADDRESS + 8);
    const uint64_t first = m.origin;
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY), 0);
    CHECK(act_done(0));

    act_start(1, DEED_WRITE, ADDRESS + 16);
    fault = take_fault(&m);
    CHECK_EQ(fault.address, ADDRESS + 16);
    CHECK_EQ(fault.access & FAULT_KINDS, FAULT_WRITE | FAULT_PRESENT);
    CHECK_EQ(fault.entry, frame << PAGE_SHIFT | READ_ONLY);
    CHECK_EQ(fault.thread, 1);
    CHECK(m.origin != first);
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP | MAP_ITEM_REPLACE, frame << PAGE_SHIFT | READ_WRITE), 0);
    CHECK(act_done(1));
    CHECK_EQ(frame_references(frame), 1);

    act_start(2, DEED_READ, ADDRESS + 16);
    CHECK(act_done(2));
    CHECK_EQ(acts[2].result, 0x5eed);
    for (unsigned i = 0; i < 3; i++)
        child_end(&children[i]);
    scene_close();
}

/* A soft entry is told to the handler, which can replace it. */
static void test_soft(void)
{
    struct message m;

    scene_open();
    CHECK_EQ(space_item(&space, (ADDRESS + PAGE_SIZE) | MAP_ITEM_SOFT, 0xabcde000), 1);
    act_start(0, DEED_WRITE, ADDRESS + PAGE_SIZE);
    struct fault_message fault = take_fault(&m);
    CHECK_EQ(fault.access & FAULT_KINDS, FAULT_WRITE);
    CHECK_EQ(FAULT_LEVEL(fault.access), FAULT_LEVEL_PAGES);
    CHECK_EQ(fault.entry, 0xabcde000 | ENTRY_SOFT);
    CHECK_EQ(resume_with((ADDRESS + PAGE_SIZE) | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_WRITE), -EEXIST);
    CHECK_EQ(resume_with((ADDRESS + PAGE_SIZE) | MAP_ITEM_MAP | MAP_ITEM_REPLACE, frame << PAGE_SHIFT | READ_WRITE), 0);
    CHECK(act_done(0));
    child_end(&children[0]);
    scene_close();
}

/* Items in registers and in the buffer, tables among them. */
static void test_items(void)
{
    struct map_item *items = (struct map_item *)ipc_buffer()->words;
    const uint64_t far = 0x6000000000UL;
    struct message m;

    scene_open();
    act_start(0, DEED_WRITE, far);
    (void)take_fault(&m);
    const uint64_t tables[2] = {frame_new(), frame_new()};
    items[0] = (struct map_item){far | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_WRITE};
    items[1] = (struct map_item){(far + PAGE_SIZE) | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY};
    m = (struct message){.tag = MSG_TAG(FAULT_RESUME, 4, 0),
                         .words = {MAP_ITEM_TABLE, tables[0] << PAGE_SHIFT, MAP_ITEM_TABLE, tables[1] << PAGE_SHIFT}};
    CHECK_EQ(sys_reply(reply, &m), 0);
    CHECK(act_done(0));
    CHECK_EQ(space_entry(&space, far + PAGE_SIZE), frame << PAGE_SHIFT | READ_ONLY | ENTRY_SHARED);
    child_end(&children[0]);
    scene_close();
}

static void test_wrong_item(void)
{
    struct message m;

    scene_open();
    act_start(0, DEED_READ, ADDRESS);
    (void)take_fault(&m);
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP, space.top << PAGE_SHIFT | READ_ONLY), -EPERM);
    CHECK_EQ(resume_with(ADDRESS | 7, frame << PAGE_SHIFT | READ_ONLY), -EINVAL);
    CHECK_EQ(resume_with(USER_VA_END | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY), -EINVAL);
    CHECK_EQ(thread_look(children[0].thread).state, THREAD_STATE_CALLING);
    CHECK(!atomic_load(&acts[0].done));
    /* With reply_recv nothing is received either. */
    m = (struct message){.words = {ADDRESS | MAP_ITEM_MAP, space.top << PAGE_SHIFT | READ_ONLY}};
    CHECK_EQ(sys_reply_recv(reply, endpoint, &m), -EPERM);
    CHECK_EQ(thread_look(children[0].thread).state, THREAD_STATE_CALLING);
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY), 0);
    CHECK(act_done(0));
    child_end(&children[0]);
    scene_close();
}

static void expect_event(void)
{
    uint64_t bits = 0;
    CHECK_EQ(sys_wait(event, now_ns() + PATIENCE, &bits), 0);
    CHECK_EQ(bits, EVENT);
}

static void expect_faulted(unsigned number, uint64_t address)
{
    const struct thread_info info = thread_look(children[number].thread);
    CHECK_EQ(info.state, THREAD_STATE_FAULTED);
    CHECK_EQ(info.fault.address, address);
}

static void test_refused(void)
{
    struct message m;

    scene_open();
    act_start(0, DEED_READ, ADDRESS);
    (void)take_fault(&m);
    CHECK_EQ(refuse(), 0);
    expect_event();
    expect_faulted(0, ADDRESS);
    CHECK_EQ(refuse(), -ESRCH);
    /* It can be resumed, and then the same happens again. */
    CHECK_EQ(sys_thread_control(children[0].thread, THREAD_RESUME, 0, 0, 0, 0, 0), 0);
    CHECK_EQ(take_fault(&m).address, ADDRESS);
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY), 0);
    CHECK(act_done(0));
    child_end(&children[0]);
    scene_close();
}

static void test_no_handler(void)
{
    scene_open();
    set_handler(SLOT_NONE);
    act_start(0, DEED_WRITE, ADDRESS);
    expect_event();
    expect_faulted(0, ADDRESS);
    CHECK_EQ(thread_look(children[0].thread).fault.access & FAULT_KINDS, FAULT_WRITE);
    child_end(&children[0]);
    /* A handler's endpoint that is destroyed is no handler either. */
    const uint64_t gone = object_new(CAP_ENDPOINT);
    set_handler(gone);
    act_start(1, DEED_WRITE, ADDRESS);
    CHECK(thread_reaches(children[1].thread, THREAD_STATE_SENDING));
    object_end(gone);
    expect_event();
    expect_faulted(1, ADDRESS);
    child_end(&children[1]);
    scene_close();
}

/* The handler is gone with a fault in hand: whoever handles next gets it. */
static void test_handler_dies(void)
{
    struct message m;

    scene_open();
    act_start(0, DEED_READ, ADDRESS);
    (void)take_fault(&m);
    const uint64_t first = m.origin;
    object_end(reply);
    reply = object_new(CAP_REPLY);
    CHECK_EQ(take_fault(&m).address, ADDRESS);
    CHECK(m.origin != first);
    object_end(reply);
    reply = object_new(CAP_REPLY);
    /* And another handler altogether. */
    CHECK(thread_reaches(children[0].thread, THREAD_STATE_SENDING));
    const uint64_t old = endpoint;
    endpoint = object_new(CAP_ENDPOINT);
    set_handler(endpoint);
    object_end(old);
    CHECK_EQ(take_fault(&m).address, ADDRESS);
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY), 0);
    CHECK(act_done(0));
    child_end(&children[0]);
    scene_close();
}

static void test_no_reply(void)
{
    struct message m;

    scene_open();
    act_start(0, DEED_READ, ADDRESS);
    (void)take_fault(&m);
    sleep_ns(50 * NS_PER_MS);
    CHECK_EQ(thread_look(children[0].thread).state, THREAD_STATE_CALLING);
    CHECK_EQ(sys_thread_control(children[0].thread, THREAD_RESUME, 0, 0, 0, 0, 0), -EBUSY);
    CHECK_EQ(thread_stop(children[0].thread), 0);
    CHECK_EQ(thread_look(children[0].thread).state, THREAD_STATE_STOPPED);
    CHECK_EQ(resume_with(ADDRESS | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY), -ESRCH);
    CHECK_EQ(frame_references(frame), 0);
    child_end(&children[0]);
    scene_close();
}

/* Things that are no access to memory. */
static void test_exceptions(void)
{
    static const enum deed deeds[] = {DEED_UNDEFINED, DEED_BREAK, DEED_PRIVILEGED};
    struct message m;

    scene_open();
    for (unsigned i = 0; i < 3; i++) {
        act_start(i, deeds[i], 0);
        const struct fault_message fault = take_fault(&m);
        CHECK_EQ(fault.access & FAULT_KINDS, FAULT_EXCEPTION);
        CHECK(in_program(fault.instruction));
        CHECK(fault.entry != 0);
        CHECK_EQ(refuse(), 0);
        expect_event();
        child_end(&children[i]);
    }
    /* What is told of is where it led, or the jump. */
    act_start(3, DEED_JUMP, ADDRESS_OF_NO_CODE((uint64_t)do_deed));
    const struct fault_message fault = take_fault(&m);
    CHECK_EQ(fault.access & FAULT_EXCEPTION, FAULT_EXCEPTION);
    CHECK(fault.instruction == ADDRESS_OF_NO_CODE((uint64_t)do_deed) || in_program(fault.instruction));
    CHECK_EQ(refuse(), 0);
    expect_event();
    child_end(&children[3]);
    act_start(4, DEED_SYSCALL, 0);
    CHECK(act_done(4));
    CHECK_EQ(acts[4].result, -ENOSYS);
    child_end(&children[4]);
    scene_close();
}

/* Nothing of the kernel's is there for a program, and such addresses are reported like others. */
static void test_kernel_addresses(void)
{
    static const uint64_t addresses[] = ADDRESSES_OF_KERNEL;
    static const enum deed deeds[] = {DEED_READ, DEED_WRITE, DEED_JUMP};
    struct message m;

    scene_open();
    for (unsigned i = 0; i < 3 * sizeof(addresses) / sizeof(addresses[0]); i++) {
        const uint64_t address = addresses[i / 3];
        act_start(0, deeds[i % 3], address);
        const struct fault_message fault = take_fault(&m);
        CHECK_EQ(fault.address & ~7UL, address);
        CHECK_EQ(fault.access & (FAULT_READ | FAULT_WRITE | FAULT_EXECUTE), FAULT_READ << i % 3);
        CHECK_EQ(fault.entry, 0);
        CHECK_EQ(refuse(), 0);
        expect_event();
        child_end(&children[0]);
    }
    scene_close();
}

/* Code and stack of a page without the right to execute; read-only for a write was above. */
static void test_no_execute(void)
{
    struct message m;

    scene_open();
    CHECK_EQ(space_map(&space, ADDRESS, frame << PAGE_SHIFT | READ_WRITE), 1);
    act_start(0, DEED_JUMP, ADDRESS);
    const struct fault_message fault = take_fault(&m);
    CHECK_EQ(fault.access & FAULT_KINDS, FAULT_EXECUTE | FAULT_PRESENT);
    CHECK_EQ(fault.instruction, ADDRESS);
    CHECK_EQ(refuse(), 0);
    child_end(&children[0]);
    scene_close();
}

/* What a handler asks of others in turn carries the number of the fault. */
static void relay(void *argument)
{
    struct message m = {0};
    (void)argument;

    if (sys_recv(CHILD_SLOT_FREE, CHILD_SLOT_FREE + 1, &m) < 0)
        return;
    acts[1].value = m.origin;
    struct message inner = {.tag = MSG_TAG(9, 0, 0)};
    acts[1].result = (uint64_t)sys_call(CHILD_SLOT_FREE + 2, &inner);
    m.tag = MSG_TAG(-EFAULT, 0, 0);
    (void)!sys_reply(CHILD_SLOT_FREE, &m);
}

static void test_origin(void)
{
    const uint64_t further = object_new(CAP_ENDPOINT), relay_reply = object_new(CAP_REPLY);
    struct message m = {0};

    scene_open();
    child_new(&children[1], &space, 1, 12);
    child_give(&children[1], CHILD_SLOT_FREE, relay_reply, RIGHT_ALL, 0);
    child_give(&children[1], CHILD_SLOT_FREE + 1, endpoint, RIGHT_RECEIVE, 0);
    child_give(&children[1], CHILD_SLOT_FREE + 2, further, RIGHT_SEND, 5);
    child_start(&children[1], relay, NULL);
    CHECK(thread_reaches(children[1].thread, THREAD_STATE_RECEIVING));
    act_start(0, DEED_READ, ADDRESS);
    CHECK_EQ(sys_recv(reply, further, &m), 0);
    CHECK_EQ(m.badge, 5);
    CHECK_EQ(MSG_LABEL(m.tag), 9);
    CHECK(m.origin != 0);
    CHECK_EQ(m.origin, acts[1].value);
    m.tag = MSG_TAG(0, 0, 0);
    CHECK_EQ(sys_reply(reply, &m), 0);
    expect_event();
    expect_faulted(0, ADDRESS);
    child_end(&children[0]);
    child_end(&children[1]);
    scene_close();
    object_end(further), object_end(relay_reply);
}

/* Many threads fault at once, again and again, at the same pages and at their own. */
static void storm(void *argument)
{
    struct act *act = argument;
    for (uint64_t page = 0; page < STORM_PAGES; page++)
        act->result += *(volatile uint64_t *)(ADDRESS + page * PAGE_SIZE) +
                       *(volatile uint64_t *)(act->address + page * PAGE_SIZE);
    atomic_store(&act->done, true);
}

static void test_storm(void)
{
    unsigned faults = 0, races = 0;

    scene_open();
    space_give_tables(&space, 8);
    for (unsigned i = 0; i < STORM; i++) {
        acts[i] = (struct act){.address = ADDRESS + (i + 1) * HUGE_PAGE_SIZE};
        child_new(&children[i], &space, i, 12);
        child_start(&children[i], storm, &acts[i]);
    }
    for (unsigned done = 0; done < STORM;) {
        struct message m = {0};
        if (sys_recv(reply, endpoint, &m) < 0)
            break;
        faults++;
        long result = resume_with((m.words[0] & PAGE_MASK) | MAP_ITEM_MAP, frame << PAGE_SHIFT | READ_ONLY);
        if (result == -EEXIST) {
            races++;
            result = resume_with(0, 0);
        }
        if (!CHECK_EQ(result, 0))
            break;
        /* Whoever has touched its last page faults no more. */
        if (faults - races >= (STORM + 1) * STORM_PAGES)
            done = STORM;
    }
    for (unsigned i = 0; i < STORM; i++)
        CHECK(act_done(i));
    CHECK_EQ(faults - races, (STORM + 1) * STORM_PAGES);
    CHECK_EQ(frame_references(frame), (STORM + 1) * STORM_PAGES);
    for (unsigned i = 0; i < STORM; i++)
        child_end(&children[i]);
    scene_close();
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a fault tells address, access, instruction and entry", test_contents},
        {"a fault at a soft entry tells the entry", test_soft},
        {"a reply to a fault may carry tables and many items", test_items},
        {"after a wrong item the thread is held and can be answered again", test_wrong_item},
        {"a refused fault stops the thread and signals its event", test_refused},
        {"a fault without a handler stops the thread and signals its event", test_no_handler},
        {"a fault whose handler is gone goes to the next", test_handler_dies},
        {"a thread whose fault is never answered is held until it is stopped", test_no_reply},
        {"exceptions that are no accesses are faults too", test_exceptions},
        {"kernel addresses are out of reach", test_kernel_addresses},
        {"data is not executed", test_no_execute},
        {"the number of a fault follows into further calls", test_origin},
        {"four threads fault at once, hundreds of times", test_storm},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
