/* SPDX-License-Identifier: MIT */
/* Counters of what happens to memory: see event.h. */
#include "event.h"

#include <errno.h>
#include <proto/memsrv_dispatch.h>

#include "log.h"
#include "own_memory.h"

#define CACHE_LINE 64u

void events_init(uint64_t cpu_count)
{
    const uint64_t cpus = cpu_count < WORKERS_MAX ? cpu_count : WORKERS_MAX;
    percpu_t events;

    if (percpu_alloc(&own_percpu, sizeof(struct vm_events), CACHE_LINE, &events))
        fatal("there is no memory for the workers' counters");
    for (uint32_t i = 0; i < cpus; i++)
        workers[i].events = percpu_pointer(&own_percpu, events, i);
}

uint64_t event_sum(enum vm_event event)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < worker_count; i++)
        sum += __atomic_load_n(&workers[i].events->counts[event], __ATOMIC_RELAXED);
    return sum;
}

int memsrv_handle_vm_info(struct memsrv_context *context, const struct message *request, struct memsrv_vmstat *vmstat,
                          size_t vmstat_capacity, size_t *vmstat_count)
{
    (void)context, (void)request;
    if (vmstat_capacity == 0)
        return -EINVAL;
    *vmstat = (struct memsrv_vmstat){.fault_anonymous = event_sum(EVENT_FAULT_ANONYMOUS),
                                     .fault_zero = event_sum(EVENT_FAULT_ZERO),
                                     .fault_copy = event_sum(EVENT_FAULT_COPY),
                                     .fault_reuse = event_sum(EVENT_FAULT_REUSE),
                                     .fault_object = event_sum(EVENT_FAULT_OBJECT),
                                     .fault_huge = event_sum(EVENT_FAULT_HUGE),
                                     .fault_swap = event_sum(EVENT_FAULT_SWAP),
                                     .fault_spurious = event_sum(EVENT_FAULT_SPURIOUS),
                                     .fault_refused = event_sum(EVENT_FAULT_REFUSED),
                                     .fault_repeated = event_sum(EVENT_FAULT_REPEATED),
                                     .fault_major = event_sum(EVENT_FAULT_MAJOR),
                                     .stack_growth = event_sum(EVENT_STACK_GROWTH)};
    for (unsigned event = 0; event < EVENT_FAULT_COUNT; event++)
        vmstat->faults += event_sum((enum vm_event)event);
    *vmstat_count = 1;
    return 0;
}
