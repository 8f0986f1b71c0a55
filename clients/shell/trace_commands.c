/* SPDX-License-Identifier: MIT */
/* Commands about trace events, and about the time that faults take. */
#include "command.h"
#include "output.h"
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN        200u
#define SLOW_SHOWN   10u
#define ROUND_US     50000u /* between two looks at the rings, which they survive */
#define US           1000000u
#define SECONDS_MAX  600u
#define NS_PER_US    1000u
#define LINE_COLUMNS 40u

static const char *const phase_names[PHASE_COUNT] = {
    [PHASE_QUEUE] = "queue",     [PHASE_HANDLER] = "handler", [PHASE_PAGER] = "pager",
    [PHASE_RECLAIM] = "reclaim", [PHASE_IO] = "io",           [PHASE_KERNEL] = "kernel"};

/* Prints nanoseconds as microseconds. */
static void print_us(uint64_t ticks, int width)
{
    const uint64_t ns = trace_ns(ticks);
    printf("%*lu.%03lu", width - 4, (unsigned long)(ns / NS_PER_US), (unsigned long)(ns % NS_PER_US));
}

/* --- show and record ---------------------------------------------------------------------------------------------- */

static void print_event(const struct trace_event *event, uint64_t first)
{
    const uint32_t kind = TRACE_KIND(event->what);

    print_us(event->time - first, 14);
    printf(" %-32s fault=%lx pid=%lu a=0x%lx ", trace_name(kind), (unsigned long)event->id,
           (unsigned long)TRACE_PID(event->what), (unsigned long)event->a);
    if (kind == TRACE_HANDLE_END)
        printf("cause=%s\n", trace_cause_name(event->b));
    else
        printf("b=%ld\n", (long)event->b);
}

/* The last events, as many as are wanted. */
static int show(unsigned long wanted)
{
    struct trace_list list = {0};
    struct trace_cursors cursors = {0};
    const int error = trace_collect(&list, &cursors);
    const size_t skipped = list.count > wanted ? list.count - wanted : 0;
    const struct trace_list last = {.events = list.events + skipped, .count = list.count - skipped};

    if (error == 0 && output_json)
        trace_export(&last);
    for (size_t i = 0; error == 0 && !output_json && i < last.count; i++)
        print_event(&last.events[i], last.events[0].time);
    trace_list_free(&list);
    return error;
}

/* Collects what happens for so many seconds; 0: what has happened. ENOMEM: that was too much; what was collected stays. */
static int collect_for(unsigned long seconds, struct trace_list *list)
{
    struct trace_cursors cursors = {0};
    int error = trace_collect(list, &cursors);

    for (unsigned long round = 0; error == 0 && round < seconds * (US / ROUND_US); round++) {
        usleep(ROUND_US);
        error = trace_collect(list, &cursors);
    }
    return error;
}

static int record(const char *path, unsigned long seconds)
{
    struct trace_list list = {0};

    if (seconds > SECONDS_MAX)
        return -EINVAL;
    FILE *file = fopen(path, "w");
    if (!file)
        return -errno;
    const int error = collect_for(seconds, &list);
    json_to(file);
    trace_export(&list);
    json_to(NULL);
    const bool failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        trace_list_free(&list);
        return -EIO;
    }
    printf("%lu events\n", (unsigned long)list.count);
    trace_list_free(&list);
    return error;
}

/* --- slow and faultstat ------------------------------------------------------------------------------------------- */

/* All faults of which all was seen, the longest first. The caller frees them. */
static int collect_faults(struct fault_time **faults, size_t *count)
{
    struct trace_list list = {0};
    struct trace_cursors cursors = {0};
    int error = trace_collect(&list, &cursors);

    *faults = NULL;
    *count = 0;
    if (error == 0) {
        *faults = malloc((list.count + 1) * sizeof(**faults));
        error = *faults ? 0 : -ENOMEM;
    }
    if (error == 0) {
        *count = trace_find_faults(list.events, list.count, *faults, list.count);
        trace_sort_faults(*faults, *count);
    }
    trace_list_free(&list);
    return error;
}

static void print_fault(const struct fault_time *fault)
{
    if (!output_json) {
        print_us(fault->total, 11);
        for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
            print_us(fault->times[phase], 11);
        printf(" %-9s %5lu 0x%lx%s\n", trace_cause_name(fault->cause), (unsigned long)fault->pid,
               (unsigned long)fault->address, fault->stopped ? " stopped" : "");
        return;
    }
    json_open(NULL, '{');
    json_number("id", fault->id);
    json_number("pid", fault->pid);
    json_number("address", fault->address);
    json_text("cause", trace_cause_name(fault->cause), LINE_COLUMNS);
    json_number("total", trace_ns(fault->total));
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
        json_number(phase_names[phase], trace_ns(fault->times[phase]));
    json_close();
}

/* The faults that took longest, in microseconds; in JSON nanoseconds. */
static int show_slow(unsigned long wanted)
{
    struct fault_time *faults;
    size_t count;
    const int error = collect_faults(&faults, &count);

    if (error < 0)
        return error;
    if (output_json) {
        json_open(NULL, '[');
    } else {
        printf("   total us");
        for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
            printf("%11s", phase_names[phase]);
        printf(" cause       pid address\n");
    }
    for (size_t i = 0; i < count && i < wanted; i++)
        print_fault(&faults[i]);
    if (output_json)
        json_close();
    free(faults);
    return 0;
}

static void print_histogram(const struct fault_statistics *statistics)
{
    uint64_t most = 1;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        most = statistics->buckets[i] > most ? statistics->buckets[i] : most;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (statistics->buckets[i] == 0)
            continue;
        printf("    <");
        print_us(1UL << i, 12);
        printf(" us %8lu ", (unsigned long)statistics->buckets[i]);
        for (uint64_t bar = 0; bar * most < statistics->buckets[i] * LINE_COLUMNS; bar++)
            putchar('#');
        putchar('\n');
    }
}

static void print_cause(enum trace_cause cause, const struct fault_statistics *statistics)
{
    const char *const name = trace_cause_name(cause);

    if (!output_json) {
        printf("%-10s %8lu", name, (unsigned long)statistics->count);
        print_us(statistics->p50, 13);
        print_us(statistics->p99, 13);
        print_us(statistics->max, 13);
        putchar('\n');
        print_histogram(statistics);
        return;
    }
    json_open(name, '{');
    json_number("count", statistics->count);
    json_number("p50", trace_ns(statistics->p50));
    json_number("p99", trace_ns(statistics->p99));
    json_number("max", trace_ns(statistics->max));
    json_open("histogram", '[');
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        json_number(NULL, statistics->buckets[i]);
    json_close();
    json_close();
}

/* How long faults took from the abort until the thread went on, by what became of them. */
static int command_faultstat(int count, char **arguments)
{
    struct fault_statistics statistics;
    struct fault_time *faults;
    size_t found;

    (void)count, (void)arguments;
    const int error = collect_faults(&faults, &found);
    if (error < 0)
        return error;
    if (output_json)
        json_open(NULL, '{');
    else
        printf("cause         faults       p50 us       p99 us       max us\n");
    for (unsigned cause = 0; cause < TRACE_CAUSE_COUNT; cause++) {
        trace_statistics(faults, found, (enum trace_cause)cause, &statistics);
        if (statistics.count > 0)
            print_cause((enum trace_cause)cause, &statistics);
    }
    if (output_json)
        json_close();
    free(faults);
    return 0;
}

/* --- trace -------------------------------------------------------------------------------------------------------- */

static int command_trace(int count, char **arguments)
{
    const char *const word = arguments[1];
    unsigned long number = strcmp(word, "slow") == 0 ? SLOW_SHOWN : SHOWN;

    if (strcmp(word, "record") == 0) {
        unsigned long seconds = 0;
        if (count < 3 || (count > 3 && parse_number(arguments[3], &seconds) < 0))
            return -EINVAL;
        return record(arguments[2], seconds);
    }
    if (count > 3 || (count == 3 && parse_number(arguments[2], &number) < 0))
        return -EINVAL;
    if (strcmp(word, "show") == 0)
        return show(number);
    if (strcmp(word, "slow") == 0)
        return show_slow(number);
    if (count == 2 && (strcmp(word, "on") == 0 || strcmp(word, "off") == 0))
        return trace_switch(word[1] == 'n');
    return -EINVAL;
}

const struct command trace_commands[] = {
    {"trace", "on|off|show [N]|slow [N]|record FILE [SECONDS] [--json]", "writes down what happens, and shows it", 1, 3,
     command_trace},
    {"faultstat", "[--json]", "shows how long traced faults took", 0, 0, command_faultstat},
    {0},
};
