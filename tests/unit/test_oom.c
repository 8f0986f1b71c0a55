/* SPDX-License-Identifier: MIT */
/* Who is ended: corrections, protection, groups; records as text; random records against a plain maximum. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mm/oom.h>

#include "harness.h"

static struct oom_record record;

static void add(uint64_t pid, uint64_t resident, int32_t adj, uint32_t flags)
{
    const struct oom_task task = {.pid = pid, .resident = resident, .adj = adj, .flags = flags};
    EXPECT(oom_record_add(&record, &task) == 0);
}

/* The process that is chosen; 0: none; 1: wait. */
static uint64_t chosen(void)
{
    uint32_t victim;
    enum oom_decision decision = oom_decide(&record, &victim);
    EXPECT((decision == OOM_KILL) == (victim != OOM_NOBODY) && oom_check(&record) == 0);
    return decision == OOM_KILL ? record.tasks[victim].pid : decision == OOM_WAIT;
}

static void largest(void)
{
    oom_record_init(&record, 100000);
    EXPECT(chosen() == 0);
    add(10, 100, 0, 0);
    add(11, 5000, 0, 0);
    add(12, 4000, 0, 0);
    EXPECT(chosen() == 11);
    record.tasks[2].swapped = 900;
    record.tasks[2].tables = 100;
    EXPECT(chosen() == 12); /* as much as the other, and younger */
    record.tasks[2].tables = 99;
    EXPECT(chosen() == 11 && oom_score(&record, &record.tasks[1]) == 50);
}

static void corrections(void)
{
    oom_record_init(&record, 100000);
    add(10, 30000, OOM_ADJ_MIN, 0);
    add(11, 5000, 0, 0);
    add(12, 2000, 100, 0);
    EXPECT(chosen() == 12 && oom_score(&record, &record.tasks[0]) == 0 && oom_score(&record, &record.tasks[2]) == 120);
    EXPECT(oom_points(&record, &record.tasks[0]) == INT64_MIN && oom_points(&record, &record.tasks[2]) == 12000);
    record.tasks[2].adj = -500;
    EXPECT(chosen() == 11 && oom_points(&record, &record.tasks[2]) == -48000 &&
           oom_score(&record, &record.tasks[2]) == 0);
    record.tasks[1].flags = OOM_PROTECTED;
    EXPECT(chosen() == 12); /* below 0, but nobody else is left */
    record.tasks[2].resident = 0;
    EXPECT(chosen() == 0);
    oom_record_init(&record, 0);
    add(10, 30000, 5000, 0);
    EXPECT(record.tasks[0].adj == OOM_ADJ_MAX && chosen() == 10 && oom_score(&record, &record.tasks[0]) == 2000);
}

static void dying(void)
{
    oom_record_init(&record, 100000);
    add(10, 5000, 0, 0);
    add(11, 10, 0, OOM_DYING);
    EXPECT(chosen() == 1);
    record.tasks[1].flags |= OOM_ANSWERED;
    EXPECT(chosen() == 10);
    record.tasks[1].flags = OOM_DYING | OOM_PROTECTED;
    EXPECT(chosen() == 10);
}

static void groups(void)
{
    oom_record_init(&record, 100000);
    add(10, 5000, 0, 0);
    add(11, 400, 0, 0);
    add(12, 300, 0, OOM_DYING);
    record.tasks[1].group = 3;
    record.group = 3;
    EXPECT(chosen() == 11);
    record.group = 4;
    EXPECT(chosen() == 0);
}

static void many(void)
{
    struct oom_task task = {.pid = 1};
    oom_record_init(&record, 1000000);
    for (unsigned i = 0; i < OOM_TASKS_MAX; i++)
        add(100 + i, 1000 + i, 0, 0);
    task.resident = 1000;
    EXPECT(oom_record_add(&record, &task) == -ENOSPC);
    task.resident = 9000;
    EXPECT(oom_record_add(&record, &task) == 0 && record.count == OOM_TASKS_MAX);
    uint32_t victim;
    EXPECT(oom_decide(&record, &victim) == OOM_KILL && record.tasks[victim].pid == 1 && oom_check(&record) == 0);
    record.tasks[3].pid = 1;
    record.tasks[4].pid = 1;
    EXPECT(oom_check(&record) == -EIO);
}

/* Writes and reads the record again; it is the same, bit for bit where tasks are. */
static void print_and_parse(void)
{
    static struct oom_record read;
    char line[OOM_LINE_MAX];
    size_t length;
    memset(&read, 0xff, sizeof(read));
    for (uint32_t i = 0; (length = oom_record_print(&record, i, line)) > 0; i++) {
        EXPECT(length < OOM_LINE_MAX && strlen(line) == length && oom_record_parse(&read, line) == 0);
        for (int cut = 0; cut < 3; cut++) { /* part of a line is none, or another number; never a crash */
            line[random_below(length)] = (char)random_below(128);
            struct oom_record other = read;
            EXPECT(oom_record_parse(&other, line) <= 0);
        }
    }
    EXPECT(read.count == record.count && memcmp(&read.tasks, &record.tasks, read.count * sizeof(read.tasks[0])) == 0);
    EXPECT(read.total_pages == record.total_pages && read.group == record.group && read.swap_free == record.swap_free);
    EXPECT(read.free_pages == record.free_pages && read.file_pages == record.file_pages);
}

static void text(void)
{
    char line[OOM_LINE_MAX];
    oom_record_init(&record, 42);
    add(7, 8, -9, OOM_DYING);
    EXPECT(oom_record_print(&record, 0, line) && strcmp(line, "oom-memory 42 0 0 0 -1") == 0);
    EXPECT(oom_record_print(&record, 1, line) && strcmp(line, "oom-task 7 8 0 0 -9 2 0") == 0);
    EXPECT(oom_record_print(&record, 2, line) == 0);
    static const char *const wrong[] = {"",
                                        "oom-memory",
                                        "oom-memory 1 2 3 4",
                                        "oom-memory 1 2 3 4 5 6",
                                        "oom-task 1 2 3 4 5 6 -1",
                                        "oom-task 1 2 3 4 1001 6 7",
                                        "oom-tas 1 2 3 4 5 6 7",
                                        "oom-task 1 2 3 4 5 6 7 ",
                                        "oom-task 99999999999999999999 2 3 4 5 6 7",
                                        "oom-task 1  2 3 4 5 6 7",
                                        "oom-memory 1 2 3 4 -2",
                                        "oom-task 1 2 3 4 - 6 7"};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        EXPECT(oom_record_parse(&record, wrong[i]) == -EINVAL);
    print_and_parse();
}

/* What a console showed when a program had taken all memory: decided again, the same one is ended. */
static void recorded(void)
{
    static const char *const lines[] = {"oom-memory 32768 495 0 0 -1", "oom-task 3 28 0 12 0 1 0",
                                        "oom-task 4 217 0 14 0 1 0",   "oom-task 5 634 0 13 0 1 0",
                                        "oom-task 6 45 0 12 0 1 0",    "oom-task 7 30 0 13 0 1 0",
                                        "oom-task 9 26470 0 67 0 0 0"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        EXPECT(oom_record_parse(&record, lines[i]) == 0);
    EXPECT(record.count == 6 && chosen() == 9);
    print_and_parse();
}

/* Reads a record, a line each, up to NULL. */
static void read_record(const char *const *lines)
{
    while (*lines)
        EXPECT(oom_record_parse(&record, *lines++) == 0);
    EXPECT(oom_check(&record) == 0);
}

/* Consoles of machines on which processes had corrections, or were in a group: who was ended then is chosen. */
static void recorded_corrections(void)
{
    static const char *const preferred[] = {
        "oom-memory 32768 377 0 0 -1",    "oom-task 3 30 0 12 0 1 0",     "oom-task 4 514 0 14 0 1 0",
        "oom-task 5 712 0 15 0 1 0",      "oom-task 6 635 0 14 0 1 0",    "oom-task 7 33 0 12 0 0 0",
        "oom-task 12 10273 0 34 600 0 0", "oom-task 13 16217 0 46 0 0 0", NULL};
    static const char *const spared[] = {
        "oom-memory 32768 377 0 0 -1",  "oom-task 3 30 0 12 0 1 0",         "oom-task 4 514 0 14 0 1 0",
        "oom-task 5 712 0 15 0 1 0",    "oom-task 6 635 0 14 0 1 0",        "oom-task 7 33 0 12 0 0 0",
        "oom-task 14 10273 0 34 0 0 0", "oom-task 15 16217 0 46 -1000 0 0", NULL};
    static const char *const grouped[] = {"oom-memory 1536 17856 0 0 2", "oom-task 3 30 0 12 0 1 0",
                                          "oom-task 4 514 0 14 0 1 0",   "oom-task 5 713 0 15 0 1 0",
                                          "oom-task 6 635 0 13 0 1 0",   "oom-task 7 36 0 12 0 0 0",
                                          "oom-task 14 5156 0 24 0 0 0", "oom-task 15 804 0 15 0 0 1",
                                          "oom-task 16 1572 0 17 0 0 2", NULL};
    read_record(preferred);
    EXPECT(chosen() == 12 && oom_score(&record, &record.tasks[5]) == 914);
    read_record(spared);
    EXPECT(chosen() == 14 && oom_score(&record, &record.tasks[6]) == 0);
    print_and_parse();
    read_record(grouped);
    EXPECT(chosen() == 16 && oom_score(&record, &record.tasks[7]) == 1034 && !oom_eligible(&record, &record.tasks[5]));
    print_and_parse();
}

static void random_run(void)
{
    for (test_step = 0; test_step < test_steps() / 10; test_step++) {
        uint64_t count = random_below(20), best_pid = 0;
        int64_t best = INT64_MIN;
        bool wait = false;
        oom_record_init(&record, 1000 + random_below(1000000));
        record.group = random_chance(20) ? (uint32_t)random_below(3) : OOM_NOBODY;
        for (uint64_t i = 0; i < count; i++) {
            const struct oom_task task = {.pid = i * 7 % 23 + 1,
                                          .resident = random_below(100),
                                          .swapped = random_below(3) * 50,
                                          .tables = random_below(4),
                                          .adj = random_chance(50) ? 0 : (int32_t)random_below(2001) - 1000,
                                          .flags = random_chance(90) ? 0 : 1u << random_below(3),
                                          .group = (uint32_t)random_below(3)};
            EXPECT(oom_record_add(&record, &task) == 0);
            if (task.flags == OOM_PROTECTED || task.adj == -1000 || task.flags == OOM_ANSWERED ||
                (record.group != OOM_NOBODY && record.group != task.group))
                continue;
            uint64_t pages = task.resident + task.swapped + task.tables;
            int64_t points = (int64_t)pages + (int64_t)record.total_pages / 1000 * task.adj;
            wait = wait || task.flags == OOM_DYING;
            if (pages && !wait && (points > best || (points == best && task.pid > best_pid))) {
                best = points;
                best_pid = task.pid;
            }
            EXPECT(oom_score(&record, &record.tasks[i]) <= OOM_SCORE_MAX);
        }
        EXPECT(chosen() == (wait ? 1 : best_pid));
        if (test_step % 10 == 0)
            print_and_parse();
    }
}

static const struct test_row rows[] = {
    {"largest", "the process that uses most is chosen, of equal ones the youngest", largest},
    {"corrections", "what the owner said moves a process, up to never", corrections},
    {"dying", "nobody is chosen while another is ending", dying},
    {"groups", "a group's limit costs one of the group", groups},
    {"many", "of too many processes the largest are known", many},
    {"text", "a record that was printed can be decided again; other text is refused", text},
    {"recorded", "a decision that was printed comes out the same", recorded},
    {"recorded_corrections", "the same with corrections, and within a group", recorded_corrections},
    {"random_run", "the choice is the plain maximum, also after printing", random_run},
};

TEST_MAIN("oom", rows)
