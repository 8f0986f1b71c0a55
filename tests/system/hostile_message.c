/* SPDX-License-Identifier: MIT */
/*
 * Messages to memsrv, root and the console that make little sense. A program may end itself, unmap its own code and
 * stop its own threads; where that is what a message would ask for, it asks for something else.
 */
#include <proto/console_protocol.h>
#include <proto/memsrv_client.h>
#include <proto/root_protocol.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

#define ARENA_PAGES     64UL
#define FAR             (1UL << 40) /* names that nothing of the test's own has */
#define OPERATIONS      48u
#define BLOCKING_ONE_IN 400u
#define CHECK_ONE_IN    400u
#define SPAWN_ONE_IN    400u
#define PRINT_ONE_IN    300u
#define OWN_PAGES       4UL
#define QUIET_PROGRAM   "/tests/hostile\0nothing"

static uint64_t arena, heap_end, own_pid;

bool hostile_message_open(void)
{
    arena = (uint64_t)mmap(NULL, ARENA_PAGES * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    own_pid = (uint64_t)getpid();
    return arena != (uint64_t)MAP_FAILED && memsrv_brk(SLOT_MEMSRV, 0, &heap_end) == 0;
}

static void put_any_words(struct attacker *a, struct message *m)
{
    for (unsigned i = 0; i < MSG_REGISTERS; i++)
        m->words[i] = random_one_in(a, 3) ? any_address(a) : any_number(a);
    for (unsigned i = 0; i < 8; i++)
        ipc_buffer()->words[i] = random_next(a);
    for (unsigned i = 0; i < MSG_CAPS_MAX; i++) {
        ipc_buffer()->send_slots[i] = any_slot(a);
        ipc_buffer()->receive_slots[i] = random_one_in(a, 4) ? any_original(a) : any_copy(a);
    }
}

/* A range that is in the arena, or that no request may be about. */
static void put_range(struct attacker *a, struct message *m)
{
    const uint64_t page = random_below(a, ARENA_PAGES);

    m->words[0] = arena + page * PAGE_SIZE;
    m->words[1] = random_below(a, (ARENA_PAGES - page) * PAGE_SIZE + 1);
    switch (random_below(a, 8)) {
    case 0:
        m->words[0] |= 1 + random_below(a, PAGE_SIZE - 1);
        break;
    case 1:
        m->words[1] = UINT64_MAX - random_below(a, 2 * PAGE_SIZE);
        break;
    case 2:
        m->words[0] = 0xffff800000000000UL + random_below(a, ARENA_PAGES) * PAGE_SIZE;
        break;
    case 3:
        m->words[0] = USER_VA_END - random_below(a, 2) * PAGE_SIZE;
        m->words[1] = 2 * PAGE_SIZE + any_number(a) % USER_VA_END;
        break;
    case 4:
        m->words[0] = 0; /* all there is: the IPC buffers, too */
        m->words[1] = USER_VA_END;
        break;
    default:
        break;
    }
}

static long send(uint64_t slot, uint32_t operation, uint64_t words, struct message *m)
{
    m->tag = MSG_TAG(operation, words, 0);
    const long result = sys_call(slot, m);
    return result < 0 ? result : MSG_LABEL(m->tag);
}

/* --- memsrv ------------------------------------------------------------------------------------------------------- */

/* Maps, writes to it all, and mostly unmaps again. */
static long use_own(struct attacker *a)
{
    const uint64_t length = (1 + random_below(a, OWN_PAGES)) * PAGE_SIZE;
    uint64_t address;
    long result = memsrv_map(SLOT_MEMSRV, any_address(a) & PAGE_MASK, length,
                             MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, 0, &address);

    if (result < 0)
        return result;
    /* A hole that another thread has torn into the arena is where others may unmap and protect at any time. */
    if (address < arena + ARENA_PAGES * PAGE_SIZE && address + length > arena)
        return 0;
    for (uint64_t offset = 0; offset < length; offset += PAGE_SIZE)
        *(volatile uint64_t *)(address + offset) = offset;
    if (random_one_in(a, 64))
        return 0;
    /* In two parts, each once: what is free again may be another thread's already. */
    uint64_t cut = random_below(a, OWN_PAGES) * PAGE_SIZE;
    if (cut > 0 && cut < length)
        result = memsrv_unmap(SLOT_MEMSRV, address + cut, length - cut);
    else
        cut = length;
    return result < 0 ? result : memsrv_unmap(SLOT_MEMSRV, address, cut);
}

static uint64_t own_name(struct attacker *a)
{
    return FAR + (uint64_t)(a - attackers) * FAR + random_below(a, 16);
}

static long try_memsrv(struct attacker *a)
{
    uint32_t operation = random_one_in(a, 16)
                             ? (uint32_t)random_next(a) | 64
                             : (uint32_t)random_below(a, random_one_in(a, 4) ? OPERATIONS : OPERATIONS / 3);
    struct message m;

    put_any_words(a, &m);
    switch (operation) {
    case MEMSRV_OP_MAP:
        if (!random_one_in(a, 4))
            return use_own(a);
        put_range(a, &m);
        break;
    case MEMSRV_OP_UNMAP:
    case MEMSRV_OP_PROTECT:
        put_range(a, &m);
        break;
    case MEMSRV_OP_BRK:
        if (m.words[0] >= PAGE_SIZE && m.words[0] < USER_VA_END)
            m.words[0] = heap_end + random_below(a, 64 * PAGE_SIZE);
        break;
    case MEMSRV_OP_OBJECT_CREATE:
        if (!random_one_in(a, 4))
            m.words[0] = CAP_ENDPOINT + random_below(a, 3);
        if (!random_one_in(a, 4))
            ipc_buffer()->receive_slots[0] = original_for(a, m.words[0]);
        break;
    case MEMSRV_OP_OBJECT_DESTROY:
        m.words[0] |= FAR;
        break;
    case MEMSRV_OP_THREAD_CREATE:
    case MEMSRV_OP_THREAD_DESTROY:
        m.words[0] = own_name(a);
        break;
    case MEMSRV_OP_CHECK:
        if (!random_one_in(a, CHECK_ONE_IN))
            operation = MEMSRV_OP_MEMORY_INFO;
        break;
    default:
        break;
    }
    return send(SLOT_MEMSRV, operation, random_one_in(a, 4) ? random_below(a, MSG_BUFFER_WORDS + 1) : 0, &m);
}

/* --- root --------------------------------------------------------------------------------------------------------- */

static long try_root(struct attacker *a)
{
    static const char quiet[] = QUIET_PROGRAM;
    uint32_t operation = random_one_in(a, 16) ? (uint32_t)random_next(a) | 64 : (uint32_t)random_below(a, 12);
    uint64_t words = random_one_in(a, 4) ? random_below(a, MSG_BUFFER_WORDS + 1) : 0;
    struct message m;

    put_any_words(a, &m);
    switch (operation) {
    case ROOT_OP_SPAWN:
        if (random_one_in(a, SPAWN_ONE_IN))
            memcpy(ipc_buffer()->words, quiet, m.words[0] = sizeof(quiet));
        else if (random_one_in(a, 2))
            m.words[0] = random_below(a, 64);
        words = proto_words(m.words[0]) & 0x1ff;
        break;
    case ROOT_OP_WAIT:
        if (random_one_in(a, 2))
            m.words[0] = random_below(a, 64);
        break;
    case ROOT_OP_EXIT:
        operation = ROOT_OP_POWER_OFF;
        break;
    case ROOT_OP_KILL:
        if (random_one_in(a, 2))
            m.words[0] = random_below(a, 64);
        if (m.words[0] == own_pid)
            m.words[0] = PID_ROOT;
        break;
    case ROOT_OP_LOG:
        m.words[0] |= 1UL << 20;
        break;
    default:
        break;
    }
    return send(SLOT_ROOT, operation, words, &m);
}

/* --- console ------------------------------------------------------------------------------------------------------ */

static long try_console(struct attacker *a)
{
    uint32_t operation = random_one_in(a, 8) ? (uint32_t)random_next(a) | 64 : (uint32_t)random_below(a, 6);
    uint64_t words = random_one_in(a, 4) ? random_below(a, MSG_BUFFER_WORDS + 1) : 0;
    struct message m;

    put_any_words(a, &m);
    if (operation == CONSOLE_OP_WRITE) {
        m.words[0] |= 1UL << 20;
        if (random_one_in(a, PRINT_ONE_IN)) {
            ipc_buffer()->words[0] = 0x0a21657265682023UL; /* "# here!\n" */
            m.words[0] = sizeof(uint64_t);
            words = 1;
        }
    } else if (operation == CONSOLE_OP_READ && !random_one_in(a, BLOCKING_ONE_IN)) {
        m.words[0] = 0;
    }
    return send(SLOT_CONSOLE, operation, words, &m);
}

long hostile_message(struct attacker *a, enum hostile_kind *kind)
{
    const uint64_t choice = random_below(a, 8);

    *kind = choice < 5 ? HOSTILE_MEMSRV : choice < 7 ? HOSTILE_ROOT : HOSTILE_CONSOLE;
    return *kind == HOSTILE_MEMSRV ? try_memsrv(a) : *kind == HOSTILE_ROOT ? try_root(a) : try_console(a);
}
