/* SPDX-License-Identifier: MIT */
/*
 * Trace events of one fault that a disk has to read for: the kernel, memsrv and the pager have written them under its
 * identifier, and its time adds up. Needs a disk whose partition is called scratch. With the argument export, the events
 * are also printed as a viewer of traces reads them.
 */
#include "scratch_disk.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace.h"

#define PAGE_TOUCHED 5u
#define EVENTS_MAX   20000u
#define SOURCES      8u
#define AT_ONCE      (PROTO_DATA_MAX / sizeof(struct trace_event))

static struct trace_event events[EVENTS_MAX];
static size_t event_count;
static struct fault_time faults[EVENTS_MAX];

/* Maps the disk's partition. */
static volatile unsigned char *map_disk(void)
{
    struct scratch_disk scratch = {0};
    const int error = scratch_disk_map(&scratch, UINT64_MAX, MEMSRV_PROTECT_READ);
    tap_equal(error, 0, "a partition for tests is mapped");
    return error ? NULL : scratch.memory;
}

/* Reads a source to its end. */
static int collect(bool pager, uint64_t source)
{
    uint64_t cursor = 0;
    size_t count = 0;
    int error;

    do {
        const size_t room = EVENTS_MAX - event_count < AT_ONCE ? EVENTS_MAX - event_count : AT_ONCE;
        struct trace_event *const place = &events[event_count];
        error = pager ? pager_trace_read(SLOT_PAGER, cursor, &cursor, (struct pager_trace_event *)place, room, &count)
                      : memsrv_trace_read(SLOT_MEMSRV, source, cursor, &cursor, (struct memsrv_trace_event *)place,
                                          room, &count);
        event_count += error == 0 ? count : 0;
    } while (error == 0 && count > 0 && event_count < EVENTS_MAX);
    return error;
}

static void collect_all(void)
{
    int error = 0;
    uint64_t workers = 0, cpus = 0;

    while (workers < SOURCES && (error = collect(false, workers)) == 0)
        workers++;
    while (cpus < SOURCES && collect(false, MEMSRV_TRACE_KERNEL + cpus) == 0)
        cpus++;
    tap_ok(workers > 0 && (workers == SOURCES || error == -ENOENT), "%lu workers have rings", (unsigned long)workers);
    tap_ok(cpus == workers, "and so have %lu processors", (unsigned long)cpus);
    tap_equal(collect(true, 0), 0, "and the pager");
    tap_diag("%lu events", (unsigned long)event_count);
}

static bool has(uint64_t id, enum trace_kind kind)
{
    for (size_t i = 0; i < event_count; i++) {
        if (events[i].id == id && TRACE_KIND(events[i].what) == kind)
            return true;
    }
    return false;
}

static void test_major(const volatile unsigned char *memory)
{
    static const enum trace_kind kinds[] = {TRACE_FAULT, TRACE_HANDLE, TRACE_HANDLE_END, TRACE_DEMAND, TRACE_FILL,
                                            TRACE_IO,    TRACE_IO_END, TRACE_FILL_END,   TRACE_UNPARK, TRACE_FAULT_END};
    const uint64_t address = (uint64_t)memory + PAGE_TOUCHED * PAGE_SIZE;
    const size_t found = trace_find_faults(events, event_count, faults, EVENTS_MAX);
    const struct fault_time *fault = NULL, *second = NULL;

    for (size_t i = 0; i < found; i++) {
        if (faults[i].address == address && faults[i].cause == TRACE_CAUSE_MAJOR)
            fault = &faults[i];
        if (faults[i].address == address && faults[i].cause == TRACE_CAUSE_OBJECT)
            second = &faults[i];
    }
    if (!tap_ok(fault != NULL, "the fault was seen whole, and waited for the pager"))
        return;
    tap_equal((long)fault->pid, (long)getpid(), "it is this process's");
    bool all = true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!has(fault->id, kinds[i]))
            tap_diag("there is no event of kind %u", (unsigned)kinds[i]);
        all = all && has(fault->id, kinds[i]);
    }
    tap_ok(all, "all who had a part in it wrote so under its identifier");
    tap_ok(fault->times[PHASE_IO] > 0 && fault->times[PHASE_PAGER] > 0, "the pager and the disk took time");
    tap_ok(second && second->id != fault->id && second->start >= fault->start + fault->total,
           "then it happened again, and found the page");
}

static void test_off(const volatile unsigned char *memory)
{
    const size_t before = event_count;

    (void)memory[100 * PAGE_SIZE];
    event_count = 0;
    collect_all();
    tap_equal((long)event_count, (long)before, "with tracing off nothing more is written");
    tap_equal(root_vm_set(SLOT_ROOT, ROOT_VM_TRACE, 2), -EINVAL, "there is on and off");
    tap_equal(pager_trace_set(SLOT_PAGER, 2), -EINVAL, "for the pager, too");
}

int main(int argument_count, char **arguments)
{
    const volatile unsigned char *memory;

    tap_plan(19);
    memory = map_disk();

    if (!memory)
        return tap_done();
    tap_equal(root_vm_set(SLOT_ROOT, ROOT_VM_TRACE, 1), 0, "tracing on, in the kernel and in memsrv");
    tap_equal(pager_trace_set(SLOT_PAGER, 1), 0, "and in the pager");
    (void)memory[PAGE_TOUCHED * PAGE_SIZE];
    tap_equal(root_vm_set(SLOT_ROOT, ROOT_VM_TRACE, 0), 0, "tracing off again");
    tap_equal(pager_trace_set(SLOT_PAGER, 0), 0, "everywhere");
    collect_all();
    test_major(memory);
    if (argument_count > 1 && strcmp(arguments[1], "export") == 0) {
        const struct trace_list list = {.events = events, .count = event_count};
        trace_export(&list);
    }
    test_off(memory);
    return tap_done();
}
