/* SPDX-License-Identifier: MIT */
/* Commands about the pages of processes, and about single page frames. */
#include "command.h"
#include "output.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <proto/statistics.h>
#include <quire/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB_PER_PAGE      (PAGE_SIZE / 1024)
#define NS_PER_US         1000u
#define ENTRIES_AT_ONCE   (PROTO_DATA_MAX / sizeof(struct memsrv_page_entry))
#define MAPPINGS_AT_ONCE  (PROTO_DATA_MAX / sizeof(struct memsrv_mapping))
#define SPACES_AT_ONCE    (PROTO_DATA_MAX / sizeof(struct memsrv_space_use))
#define PROCESSES_AT_ONCE (PROTO_DATA_MAX / sizeof(struct root_process))
#define PROCESSES_MAX     256u
#define TOP_ROWS          20u

/* --- smaps -------------------------------------------------------------------------------------------------------- */

/* The figures of an area, in KiB, under the names that Linux gives them. */
static void print_usage(const struct memsrv_usage *area)
{
    const struct statistic figures[] = {
        {"Size", (area->end - area->start) / 1024, STATISTIC_KIB},
        {"KernelPageSize", KIB_PER_PAGE, STATISTIC_KIB},
        {"Rss", area->rss * KIB_PER_PAGE, STATISTIC_KIB},
        {"Pss", area->pss / 1024, STATISTIC_KIB},
        {"Shared_Clean", area->shared_clean * KIB_PER_PAGE, STATISTIC_KIB},
        {"Shared_Dirty", area->shared_dirty * KIB_PER_PAGE, STATISTIC_KIB},
        {"Private_Clean", area->private_clean * KIB_PER_PAGE, STATISTIC_KIB},
        {"Private_Dirty", area->private_dirty * KIB_PER_PAGE, STATISTIC_KIB},
        {"Referenced", area->referenced * KIB_PER_PAGE, STATISTIC_KIB},
        {"Anonymous", area->anonymous * KIB_PER_PAGE, STATISTIC_KIB},
        {"AnonHugePages", area->huge * KIB_PER_PAGE, STATISTIC_KIB},
        {"Swap", area->swap * KIB_PER_PAGE, STATISTIC_KIB},
        {"Locked", area->flags & MEMSRV_AREA_LOCKED ? area->rss * KIB_PER_PAGE : 0, STATISTIC_KIB},
    };
    const size_t count = sizeof(figures) / sizeof(figures[0]);

    for (size_t i = 0; i < count; i++) {
        if (output_json)
            json_number(figures[i].name, figures[i].value);
        else
            printf("%s:%*lu kB\n", figures[i].name, 23 - (int)strlen(figures[i].name), (unsigned long)figures[i].value);
    }
}

static int show_usage(void *context, const struct memsrv_usage *area)
{
    const struct memsrv_area description = {
        .start = area->start, .end = area->end, .protection = area->protection, .flags = area->flags};

    (void)context;
    if (output_json)
        json_open(NULL, '{');
    print_area(&description);
    print_usage(area);
    if (output_json)
        json_close();
    return 0;
}

/* The format of Linux's /proc/PID/smaps. */
static int command_smaps(int count, char **arguments)
{
    unsigned long pid;

    (void)count;
    if (parse_number(arguments[1], &pid) < 0)
        return -EINVAL;
    if (output_json)
        json_open(NULL, '[');
    const int error = statistics_usage(pid, show_usage, NULL);
    if (output_json)
        json_close();
    return error;
}

/* --- pagemap ------------------------------------------------------------------------------------------------------ */

static void print_entry(const struct memsrv_page_entry *entry)
{
    const struct {
        uint64_t flag;
        const char *name;
    } names[] = {{ENTRY_READ, "read"},         {ENTRY_WRITE, "write"},   {ENTRY_EXECUTE, "execute"},
                 {ENTRY_ACCESSED, "accessed"}, {ENTRY_DIRTY, "dirty"},   {ENTRY_HUGE, "huge"},
                 {ENTRY_SHARED, "shared"},     {ENTRY_DEVICE, "device"}, {ENTRY_SOFT, "swapped"}};

    if (output_json) {
        json_open(NULL, '{');
        json_number("address", entry->address);
        json_number("pages", entry->pages);
        json_number(entry->flags & ENTRY_SOFT ? "slot" : "pfn", entry->pfn);
        json_open("flags", '[');
    } else {
        printf("%012lx %6lu %s 0x%lx", (unsigned long)entry->address, (unsigned long)entry->pages,
               entry->flags & ENTRY_SOFT ? "slot" : "pfn ", (unsigned long)entry->pfn);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(entry->flags & names[i].flag) || ((entry->flags & ENTRY_SOFT) && names[i].flag != ENTRY_SOFT))
            continue;
        if (output_json)
            json_text(NULL, names[i].name, strlen(names[i].name));
        else
            printf(" %s", names[i].name);
    }
    if (output_json) {
        json_close();
        json_close();
    } else {
        printf("\n");
    }
}

/* Reads START-END, hexadecimal as `maps` prints it; the ends are rounded to whole pages. */
static int parse_range(const char *text, uint64_t *start, uint64_t *end)
{
    char *rest;

    *start = strtoul(text, &rest, 16) & PAGE_MASK;
    if (rest == text || *rest != '-')
        return -EINVAL;
    text = rest + 1;
    *end = (strtoul(text, &rest, 16) + PAGE_SIZE - 1) & PAGE_MASK;
    return rest == text || *rest || *start > *end ? -EINVAL : 0;
}

static int command_pagemap(int count, char **arguments)
{
    struct memsrv_page_entry entries[ENTRIES_AT_ONCE];
    uint64_t start = 0, end = USER_VA_END;
    unsigned long pid;
    int error = 0;

    if (parse_number(arguments[1], &pid) < 0 || (count > 2 && parse_range(arguments[2], &start, &end) < 0))
        return -EINVAL;
    if (output_json)
        json_open(NULL, '[');
    while (start < end && error == 0) {
        size_t listed = 0;
        error = memsrv_space_pages(SLOT_MEMSRV, pid, start, end, &start, entries, ENTRIES_AT_ONCE, &listed);
        for (size_t i = 0; error == 0 && i < listed; i++)
            print_entry(&entries[i]);
    }
    if (output_json)
        json_close();
    return error;
}

/* --- pfn ---------------------------------------------------------------------------------------------------------- */

static void show_text(const char *name, const char *value)
{
    if (output_json)
        json_text(name, value, strlen(value));
    else
        printf("%-12s %s\n", name, value);
}

static void show_number(const char *name, uint64_t value)
{
    if (output_json)
        json_number(name, value);
    else
        printf("%-12s %lu\n", name, (unsigned long)value);
}

static void show_flags(uint64_t flags)
{
    static const char *const names[] = {"reserved", "free", "allocated", "listed", "table",     "object", "slab",
                                        "zero",     "huge", "transit",   "dirty",  "swapcache", "locked"};
    char text[160] = "";
    size_t length = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (flags >> i & 1 && length < sizeof(text))
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", length ? " " : "", names[i]);
    }
    show_text("flags", text);
}

static const char *name_in(const char *const *names, size_t count, uint64_t number)
{
    return number < count ? names[number] : "?";
}

static void print_page(const struct memsrv_page_info *page)
{
    static const char *const types[] = {"none", "kernel", "user", "table", "object"};
    static const char *const kinds[] = {"other", "anonymous", "memory object", "file"};
    static const char *const mobility[] = {"Unmovable", "Movable", "Reclaimable"};

    show_number("pfn", page->pfn);
    show_text("frame", name_in(types, sizeof(types) / sizeof(types[0]), page->frame_type));
    show_number("frame_count", page->frame_count);
    if (!page->zone[0])
        return;
    show_text("zone", page->zone);
    show_flags(page->flags);
    show_number("block", page->block);
    show_number("order", page->order);
    show_text("migrate", name_in(mobility, sizeof(mobility) / sizeof(mobility[0]), page->migrate));
    show_number("references", page->references);
    show_text("kind", name_in(kinds, sizeof(kinds) / sizeof(kinds[0]), page->kind));
    if (page->kind != MEMSRV_PAGE_KIND_OTHER) {
        show_number(page->kind == MEMSRV_PAGE_KIND_ANONYMOUS ? "family" : "object_id", page->object);
        show_number("index", page->index);
    }
}

static void print_mappings(const struct memsrv_mapping *mappings, size_t count)
{
    if (output_json)
        json_open("mappings", '[');
    for (size_t i = 0; i < count; i++) {
        if (output_json) {
            json_open(NULL, '{');
            json_number("pid", mappings[i].pid);
            json_number("address", mappings[i].address);
            json_close();
        } else {
            printf("mapped by    pid %lu at 0x%lx\n", (unsigned long)mappings[i].pid,
                   (unsigned long)mappings[i].address);
        }
    }
    if (output_json)
        json_close();
}

static int command_pfn(int count, char **arguments)
{
    struct memsrv_mapping mappings[MAPPINGS_AT_ONCE];
    struct memsrv_page_info page = {0};
    size_t records = 0, mapped = 0;
    char *rest;

    (void)count;
    const uint64_t pfn = strtoul(arguments[1], &rest, 0);
    if (*rest || rest == arguments[1])
        return -EINVAL;
    const int error = memsrv_page_info(SLOT_MEMSRV, pfn, &page, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    if (memsrv_page_mappings(SLOT_MEMSRV, pfn, mappings, MAPPINGS_AT_ONCE, &mapped) < 0)
        mapped = 0; /* a frame that memsrv does not manage */
    if (output_json)
        json_open(NULL, '{');
    print_page(&page);
    print_mappings(mappings, mapped);
    if (output_json)
        json_close();
    return 0;
}

/* --- kmemleak ----------------------------------------------------------------------------------------------------- */

static void print_leak(const struct root_leak *leak)
{
    if (output_json) {
        json_open(NULL, '{');
        json_text("cache", leak->cache, sizeof(leak->cache));
        json_number("address", leak->address);
        json_number("size", leak->size);
        json_number("caller", leak->caller);
        json_close();
        return;
    }
    printf("unreferenced object 0x%lx (size %lu), cache %.*s", (unsigned long)leak->address, (unsigned long)leak->size,
           (int)sizeof(leak->cache), leak->cache);
    if (leak->caller)
        printf(", taken at 0x%lx", (unsigned long)leak->caller);
    printf("\n");
}

/* What the leak scan of memsrv finds: as many as one message has room for, and how many there are. */
static int command_kmemleak(int count, char **arguments)
{
    struct root_leak leaks[PROTO_DATA_MAX / sizeof(struct root_leak)];
    uint64_t objects = 0, found = 0;
    size_t told = 0;

    (void)count, (void)arguments;
    const int error = root_leak_scan(SLOT_ROOT, &objects, &found, leaks, sizeof(leaks) / sizeof(leaks[0]), &told);
    if (error < 0)
        return error;
    if (output_json) {
        json_open(NULL, '{');
        json_number("objects", objects);
        json_number("found", found);
        json_open("leaks", '[');
    } else {
        printf("%lu objects, %lu of them unreferenced\n", (unsigned long)objects, (unsigned long)found);
    }
    for (size_t i = 0; i < told; i++)
        print_leak(&leaks[i]);
    if (output_json) {
        json_close();
        json_close();
    }
    return 0;
}

/* --- top ---------------------------------------------------------------------------------------------------------- */

struct row {
    struct memsrv_space_use use;
    char name[sizeof(((struct root_process *)0)->name) + 1];
};

struct top {
    struct row rows[PROCESSES_MAX];
    size_t count;
    struct memsrv_space_use before[PROCESSES_MAX]; /* as shown last */
    size_t before_count;
    uint64_t shown_at, passed_us; /* when that was, ns since the counter began; how long since */
};

static int read_spaces(struct top *top)
{
    struct memsrv_space_use uses[SPACES_AT_ONCE];
    uint64_t cursor = 0;

    top->count = 0;
    do {
        size_t listed = 0;
        const int error = memsrv_spaces_info(SLOT_MEMSRV, cursor, &cursor, uses, SPACES_AT_ONCE, &listed);
        if (error < 0)
            return error;
        for (size_t i = 0; i < listed && top->count < PROCESSES_MAX; i++)
            top->rows[top->count++] = (struct row){.use = uses[i]};
    } while (cursor != 0);
    return 0;
}

static int read_names(struct top *top)
{
    struct root_process processes[PROCESSES_AT_ONCE];
    uint64_t cursor = 0;

    do {
        size_t listed = 0;
        const int error = root_process_list(SLOT_ROOT, cursor, &cursor, processes, PROCESSES_AT_ONCE, &listed);
        if (error < 0)
            return error;
        for (size_t i = 0; i < listed; i++) {
            for (size_t row = 0; row < top->count; row++) {
                if (top->rows[row].use.pid == processes[i].pid)
                    memcpy(top->rows[row].name, processes[i].name, sizeof(processes[i].name));
            }
        }
    } while (cursor != 0);
    return 0;
}

/* Those with most memory first, and of these those with most faults. */
static int by_size(const void *left, const void *right)
{
    const struct memsrv_space_use *a = &((const struct row *)left)->use, *b = &((const struct row *)right)->use;

    if (a->resident != b->resident)
        return a->resident < b->resident ? 1 : -1;
    if (a->faults != b->faults)
        return a->faults < b->faults ? 1 : -1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

/* What has been added since the process was shown last; all that there is, if it was not. */
struct news {
    uint64_t faults;
    uint64_t permille; /* of the time in between, that it had a processor; more than 1000 if it had several */
};

static struct news find_news(const struct top *top, const struct memsrv_space_use *use)
{
    struct memsrv_space_use before = {0};

    for (size_t i = 0; i < top->before_count; i++) {
        if (top->before[i].pid == use->pid && top->before[i].faults <= use->faults &&
            top->before[i].run_time <= use->run_time)
            before = top->before[i];
    }
    const uint64_t time = (use->run_time - before.run_time) / NS_PER_US;
    return (struct news){.faults = use->faults - before.faults, .permille = time * 1000 / (top->passed_us + 1)};
}

static void print_row(const struct row *row, struct news news)
{
    const uint64_t centiseconds = row->use.run_time / (NS_PER_SECOND / 100);

    if (!output_json) {
        printf("%5lu %10lu %8lu %9lu %7lu %8lu %7lu %4lu.%lu %6lu.%02lu %s\n", (unsigned long)row->use.pid,
               (unsigned long)(row->use.resident * KIB_PER_PAGE), (unsigned long)(row->use.swapped * KIB_PER_PAGE),
               (unsigned long)row->use.faults, (unsigned long)row->use.major_faults, (unsigned long)news.faults,
               (unsigned long)(row->use.locked * KIB_PER_PAGE), (unsigned long)(news.permille / 10),
               (unsigned long)(news.permille % 10), (unsigned long)(centiseconds / 100),
               (unsigned long)(centiseconds % 100), row->name);
        return;
    }
    json_open(NULL, '{');
    json_number("pid", row->use.pid);
    json_number("rss", row->use.resident * KIB_PER_PAGE);
    json_number("swap", row->use.swapped * KIB_PER_PAGE);
    json_number("faults", row->use.faults);
    json_number("major_faults", row->use.major_faults);
    json_number("new_faults", news.faults);
    json_number("cpu_permille", news.permille);
    json_number("time_us", row->use.run_time / NS_PER_US);
    json_number("locked", row->use.locked * KIB_PER_PAGE);
    json_text("name", row->name, sizeof(row->name));
    json_close();
}

static int show_top(void *context)
{
    struct top *top = context;
    const uint64_t now = clock_now_ns();
    int error = read_spaces(top);

    top->passed_us = (now - top->shown_at) / NS_PER_US;
    top->shown_at = now;

    if (error == 0)
        error = read_names(top);
    if (error < 0)
        return error;
    qsort(top->rows, top->count, sizeof(top->rows[0]), by_size);
    if (output_json)
        json_open(NULL, '[');
    else
        printf("%s  PID    RSS KiB SWAP KiB    FAULTS   MAJOR      NEW  LOCKED   %%CPU      TIME NAME\n",
               top->before_count ? "\x1b[H\x1b[J" : "");
    for (size_t i = 0; i < top->count && (output_json || i < TOP_ROWS); i++)
        print_row(&top->rows[i], find_news(top, &top->rows[i].use));
    if (output_json)
        json_close();
    top->before_count = top->count;
    for (size_t i = 0; i < top->count; i++)
        top->before[i] = top->rows[i].use;
    return 0;
}

static int command_top(int count, char **arguments)
{
    static struct top top;
    struct refresh refresh;

    if (refresh_parse(count, arguments, 1, &refresh) < 0)
        return -EINVAL;
    top.before_count = 0;
    top.shown_at = 0;
    if (refresh.count == 0 && !output_json)
        printf("\x1b[H\x1b[J");
    return refresh_run(&refresh, show_top, &top);
}

const struct command usage_commands[] = {
    {"smaps", "PID [--json]", "shows what the pages of each area are", 1, 1, command_smaps},
    {"pagemap", "PID [START-END] [--json]", "shows what is at each address of a process", 1, 2, command_pagemap},
    {"pfn", "NUMBER [--json]", "tells what is known of a page frame", 1, 1, command_pfn},
    {"top", "[INTERVAL [COUNT]] [--json]", "shows processes by memory, with faults and processor time", 0, 2,
     command_top},
    {"kmemleak", "[--json]", "has memsrv look for objects of its own that nothing points to", 0, 0, command_kmemleak},
    {0},
};
