/* SPDX-License-Identifier: MIT */
/* The thread that has memsrv make huge pages in the background. */
#include "khugepaged.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_dispatch.h>
#include <quire/syscall.h>

#include "bootstrap.h"
#include "clock.h"
#include "memory.h"
#include "objects.h"
#include "own_thread.h"
#include "serve.h"
#include "slots.h"

#define STACK_BYTES      4096u
#define NS_PER_MS        (NS_PER_SECOND / 1000)
#define SLEEP_MS_LONGEST (DEADLINE_NEVER / 2 / NS_PER_MS)

static void run(void);

static _Alignas(16) char stack[STACK_BYTES];
static const struct own_thread thread = {.slot = ROOT_SLOT_KHUGEPAGED,
                                         .number = 3,
                                         .buffer = KHUGEPAGED_BUFFER_ADDRESS,
                                         .priority = PRIORITY_KHUGEPAGED,
                                         .run = run,
                                         .stack_end = stack + STACK_BYTES};

/* One turn: as many places as memsrv's settings say, or as there are. Each call makes one huge page at most, so that
 * memsrv has others' requests in between. */
static void take_turn(uint64_t places)
{
    uint64_t scanned, collapsed = 1;

    while (places > 0 && collapsed) {
        if (memsrv_thp_scan(SLOT_MEMSRV, places, &scanned, &collapsed) < 0)
            return;
        places -= scanned < places ? scanned : places;
    }
}

/* When the next turn is due, for what memsrv says. */
static uint64_t next_turn(const struct memsrv_thp *thp)
{
    if (thp->policy == MEMSRV_THP_NEVER || thp->scan_sleep == 0 || thp->scan_sleep > SLEEP_MS_LONGEST)
        return DEADLINE_NEVER;
    return clock_now() + thp->scan_sleep * NS_PER_MS;
}

static void run(void)
{
    struct memsrv_thp thp;
    uint64_t bits;
    size_t count;

    for (;;) {
        const bool known = memsrv_thp_info(SLOT_MEMSRV, &thp, 1, &count) == 0 && count == 1;
        /* A wait that ends with the time is the turn's; one that ends with a signal only looks at the settings again. */
        const long result = sys_wait(ROOT_SLOT_KHUGEPAGED_WAKE, known ? next_turn(&thp) : DEADLINE_NEVER, &bits);
        if (result == -ETIMEDOUT || result == -EAGAIN)
            take_turn(thp.scan_places);
    }
}

void khugepaged_create(void)
{
    object_create(CAP_NOTIFICATION, ROOT_SLOT_KHUGEPAGED_WAKE, 0);
    own_thread_create(&thread);
}

void khugepaged_start(void)
{
    own_thread_start(&thread);
}

void khugepaged_wake(void)
{
    (void)!sys_signal(ROOT_SLOT_KHUGEPAGED_WAKE, 1);
}

int root_handle_thp_set(struct root_context *context, const struct message *request, uint64_t policy, uint64_t sleep,
                        uint64_t places)
{
    const struct process *caller = request_caller(request);

    (void)context;
    if (!caller || !caller->operator)
        return -EPERM;
    int status = memsrv_thp_scan_set(SLOT_MEMSRV, sleep, places);
    if (status == 0)
        status = memsrv_thp_set(SLOT_MEMSRV, policy);
    khugepaged_wake();
    return status;
}
