/* SPDX-License-Identifier: MIT */
/*
 * The benchmark on Quire. Its partner is one page of this program's own code, which runs in an address space that is
 * made for it with memsrv's privileged operations; without the grant (see <proto/grant.h>) there is no partner.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/slots.h>
#include <quire/syscall.h>
#include <quire/thread.h>
#include <stdatomic.h>

#include "port.h"

/* A process number that root, which counts upwards, does not come to while the benchmark runs. */
#define PARTNER_PID   200u
#define PARTNER_STACK 0x10000000UL

static struct {
    uint64_t endpoint, endpoint_identifier;
    uint64_t reply, reply_identifier;
    uint64_t table, thread;
} partner;

const char port_disk[] = "";

void port_prepare(void)
{
}

_Noreturn void port_finish(int status)
{
    exit(status);
}

void port_null_syscall(void)
{
    sys_getcpu();
}

void *port_map(size_t length)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* The partner's program. All of it is in this page: it calls nothing and uses no data but its stack. */
__attribute__((noinline, noreturn, aligned(PAGE_SIZE))) static void serve(uint64_t use_fp)
{
    struct message m = {0};
    long error = sys_recv(SLOT_REPLY, SLOT_SERVE, &m);

    while (error == 0) {
        if (use_fp)
            port_use_fp();
        m.tag = MSG_TAG(0, 0, 0);
        error = sys_reply_recv(SLOT_REPLY, SLOT_SERVE, &m);
    }
    for (;;)
        sys_yield();
}

/* The code and a stack, at the addresses that they have, or would have, in this program. */
static int load(void)
{
    const uint64_t code = (uint64_t)serve;
    int error =
        memsrv_space_map(GRANT_SLOT_MEMSRV, PARTNER_PID, code, PAGE_SIZE, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_EXECUTE);
    for (uint64_t done = 0; done < PAGE_SIZE && error == 0; done += PAGE_SIZE / 2)
        error =
            memsrv_space_write(GRANT_SLOT_MEMSRV, PARTNER_PID, code + done, (const void *)(code + done), PAGE_SIZE / 2);
    if (error == 0)
        error = memsrv_space_map(GRANT_SLOT_MEMSRV, PARTNER_PID, PARTNER_STACK, PAGE_SIZE,
                                 MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE);
    return error;
}

/* The partner runs with the caller's own priority, as two programs would. */
static long start(bool use_fp)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    long error = sys_thread_control(SLOT_THREAD, THREAD_INFO, 0, 0, 0, 0, 0);
    if (error == 0)
        error = sys_thread_control(partner.thread, THREAD_PRIORITY, info->priority, 0, 0, 0, 0);
    if (error == 0)
        error = sys_thread_control(partner.thread, THREAD_START, (uint64_t)serve,
                                   entry_stack(PARTNER_STACK + PAGE_SIZE), use_fp, 0, 0);
    return error;
}

static int create_objects(void)
{
    int error = memsrv_object_create(SLOT_MEMSRV, CAP_ENDPOINT, &partner.endpoint_identifier, partner.endpoint);
    if (error == 0)
        error = memsrv_object_create(SLOT_MEMSRV, CAP_REPLY, &partner.reply_identifier, partner.reply);
    return error;
}

int port_partner_start(bool use_fp)
{
    uint64_t buffer;
    uint64_t *const slots[] = {&partner.endpoint, &partner.reply, &partner.table, &partner.thread};

    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
        *slots[i] = slot_allocate();
    int error = memsrv_space_create(GRANT_SLOT_MEMSRV, PARTNER_PID, 0, partner.table);
    if (error == -EBADF)
        return -ENOTSUP;
    if (error == 0)
        error = memsrv_space_thread_create(GRANT_SLOT_MEMSRV, PARTNER_PID, 0, &buffer, partner.thread);
    if (error == 0)
        error = create_objects();
    if (error == 0)
        error = (int)sys_cap_copy(partner.table, SLOT_SERVE, partner.endpoint, RIGHT_RECEIVE, 0);
    if (error == 0)
        error = (int)sys_cap_copy(partner.table, SLOT_REPLY, partner.reply, RIGHT_RECEIVE, 0);
    if (error == 0)
        error = load();
    return error ? error : (int)start(use_fp);
}

int port_partner_call(void)
{
    struct message m = {.tag = MSG_TAG(1, 0, 0)};
    return (int)sys_call(partner.endpoint, &m);
}

int port_partner_stop(void)
{
    int error = memsrv_space_destroy(GRANT_SLOT_MEMSRV, PARTNER_PID);
    if (error == 0)
        error = memsrv_object_destroy(SLOT_MEMSRV, partner.endpoint_identifier);
    if (error == 0)
        error = memsrv_object_destroy(SLOT_MEMSRV, partner.reply_identifier);
    slot_free(partner.endpoint);
    slot_free(partner.reply);
    slot_free(partner.table);
    slot_free(partner.thread);
    return error;
}

/* --- The system's own memory -------------------------------------------------------------------------------------- */

#define LISTED 16u

/* The pages that the pager has mapped; 0 where none runs, as on machines without a disk. */
static int pager_pages(uint64_t *pages)
{
    struct root_process list[LISTED];
    uint64_t cursor = 0;
    int error = 0;

    do {
        size_t count = 0;
        error = root_process_list(SLOT_ROOT, cursor, &cursor, list, LISTED, &count);
        for (size_t i = 0; i < count && error == 0; i++) {
            const char *slash = strrchr(list[i].name, '/');
            if (strcmp(slash ? slash + 1 : list[i].name, "pager") == 0) {
                *pages = list[i].resident;
                return 0;
            }
        }
    } while (error == 0 && cursor != 0);
    *pages = 0;
    return error;
}

int port_read_overhead(struct port_overhead *overhead)
{
    struct memsrv_memory memory = {0};
    uint64_t pages = 0;
    size_t count;

    int error = memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count);
    if (error == 0)
        error = pager_pages(&pages);
    *overhead = (struct port_overhead){.kernel = (memory.kernel + memory.table + memory.object) * PAGE_SIZE,
                                       .memory_server = memory.metadata * PAGE_SIZE,
                                       .pager = pages * PAGE_SIZE};
    return error;
}

/* --- Time that nobody uses ---------------------------------------------------------------------------------------- */

#define SPINNER_PRIORITY 1u
/* Ticks between two looks at the counter, above which somebody else ran. */
#define SPINNER_STEP 8u

static struct {
    struct thread *thread;
    uint64_t ticks;
    atomic_bool stop;
} spinner;

static int spin(void *argument)
{
    (void)argument;
    for (uint64_t last = port_ticks(); !atomic_load_explicit(&spinner.stop, memory_order_relaxed);) {
        const uint64_t now = port_ticks();
        if (now - last < SPINNER_STEP)
            spinner.ticks += now - last;
        last = now;
    }
    return 0;
}

int port_spinner_start(void)
{
    spinner.ticks = 0;
    atomic_store(&spinner.stop, false);
    const int error = thread_create(&spinner.thread, spin, NULL);
    if (error < 0)
        return error;
    return (int)sys_thread_control(thread_slot(spinner.thread), THREAD_PRIORITY, SPINNER_PRIORITY, 0, 0, 0, 0);
}

uint64_t port_spinner_stop(void)
{
    const uint64_t ticks = spinner.ticks;

    atomic_store(&spinner.stop, true);
    (void)!thread_join(spinner.thread, NULL);
    return ticks;
}
