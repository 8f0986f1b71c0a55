/* SPDX-License-Identifier: MIT */
/* Commands about who has how much memory, and who is ended when there is none. */
#include "command.h"
#include "output.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB_PER_PAGE (PAGE_SIZE / 1024)
#define SCORE_WHOLE  1000u

/* Shows how a process is corrected when somebody must be ended, or sets that. */
static int oom_adj(int count, char **arguments)
{
    unsigned long pid;
    long adj = 0;
    int64_t now;
    char *end = "";

    if (count == 3)
        adj = strtol(arguments[2], &end, 10);
    if (parse_number(arguments[1], &pid) < 0 || pid == 0 || *end != '\0')
        return -EINVAL;
    if (count == 3)
        return root_oom_adj_set(SLOT_ROOT, pid, adj);
    const int error = root_oom_adj_get(SLOT_ROOT, pid, &now);
    if (error == 0 && output_json) {
        json_open(NULL, '{');
        json_number("pid", pid);
        json_signed("oom_score_adj", now);
        json_close();
    } else if (error == 0) {
        printf("%ld\n", (long)now);
    }
    return error;
}

static int command_oom(int count, char **arguments)
{
    uint64_t pid, score;

    if (strcmp(arguments[1], "--dry-run") != 0)
        return oom_adj(count, arguments);
    if (count != 2)
        return -EINVAL;
    const int error = sys_cap_query(SLOT_PAGER, NULL) > 0 ? pager_oom_explain(SLOT_PAGER, &pid, &score) : -ENODEV;
    if (error == 0 && output_json) {
        json_open(NULL, '{');
        json_number("pid", pid);
        json_number("oom_score", pid ? score : 0);
        json_close();
        return 0;
    }
    if (error == 0 && pid == 0)
        printf("nobody would be ended\n");
    else if (error == 0)
        printf("process %lu would be ended: score %lu of %u\n", (unsigned long)pid, (unsigned long)score, SCORE_WHOLE);
    return error;
}

/* --- Memory groups ------------------------------------------------------------------------------------------------ */

static void print_limit(uint64_t pages)
{
    if (pages == UINT64_MAX)
        printf(" %10s", "-");
    else
        printf(" %10lu", (unsigned long)(pages * KIB_PER_PAGE));
}

static void print_group_json(const struct memsrv_memgroup *group)
{
    json_open(NULL, '{');
    json_number("group", group->group);
    json_number("parent", group->parent);
    json_number("processes", group->processes);
    if (group->limit != UINT64_MAX)
        json_number("limit", group->limit * KIB_PER_PAGE);
    if (group->swap_limit != UINT64_MAX)
        json_number("swap_limit", group->swap_limit * KIB_PER_PAGE);
    json_number("all", group->memory * KIB_PER_PAGE);
    json_number("anon", group->anonymous * KIB_PER_PAGE);
    json_number("file", group->file * KIB_PER_PAGE);
    json_number("swap", group->swap * KIB_PER_PAGE);
    json_number("most", group->most * KIB_PER_PAGE);
    json_number("refusals", group->refusals);
    json_number("kills", group->kills);
    json_close();
}

static void print_group(const struct memsrv_memgroup *group)
{
    printf("%5lu %6lu %9lu", (unsigned long)group->group, (unsigned long)group->parent,
           (unsigned long)group->processes);
    print_limit(group->limit);
    print_limit(group->swap_limit);
    printf(" %10lu %10lu %10lu %10lu %10lu %8lu %5lu\n", (unsigned long)(group->memory * KIB_PER_PAGE),
           (unsigned long)(group->anonymous * KIB_PER_PAGE), (unsigned long)(group->file * KIB_PER_PAGE),
           (unsigned long)(group->swap * KIB_PER_PAGE), (unsigned long)(group->most * KIB_PER_PAGE),
           (unsigned long)group->refusals, (unsigned long)group->kills);
}

static int command_memgroups(int count, char **arguments)
{
    struct memsrv_memgroup groups[PROTO_DATA_MAX / sizeof(struct memsrv_memgroup)];
    uint64_t cursor = 0;
    int error;

    (void)count, (void)arguments;
    if (output_json)
        json_open(NULL, '[');
    else
        printf("GROUP PARENT PROCESSES  LIMIT KIB SWAP LIMIT    ALL KIB   ANON KIB   FILE KIB   SWAP KIB   MOST KIB "
               "REFUSALS KILLS\n");
    do {
        size_t number = 0;
        error =
            memsrv_memgroups_info(SLOT_MEMSRV, cursor, &cursor, groups, sizeof(groups) / sizeof(groups[0]), &number);
        for (size_t i = 0; error == 0 && i < number; i++)
            (output_json ? print_group_json : print_group)(&groups[i]);
    } while (error == 0 && cursor != 0);
    if (output_json)
        json_close();
    return error;
}

static int create(int count, const unsigned long *numbers)
{
    uint64_t group;

    const int error = root_memgroup_create(SLOT_ROOT, count > 0 ? numbers[0] : 0, &group);
    if (error == 0)
        printf("%lu\n", (unsigned long)group);
    return error;
}

static int limit(int count, const unsigned long *numbers)
{
    return root_memgroup_limit(SLOT_ROOT, numbers[0], count > 1 ? numbers[1] / KIB_PER_PAGE : UINT64_MAX,
                               count > 2 ? numbers[2] / KIB_PER_PAGE : UINT64_MAX);
}

static int move(int count, const unsigned long *numbers)
{
    (void)count;
    return root_memgroup_move(SLOT_ROOT, numbers[0], numbers[1]);
}

static int end(int count, const unsigned long *numbers)
{
    (void)count;
    return root_memgroup_destroy(SLOT_ROOT, numbers[0]);
}

static int command_memgroup(int count, char **arguments)
{
    static const struct {
        const char *word;
        int least, most; /* numbers */
        int (*function)(int count, const unsigned long *numbers);
    } words[] = {{"create", 0, 1, create}, {"limit", 1, 3, limit}, {"move", 2, 2, move}, {"remove", 1, 1, end}};
    unsigned long numbers[3];

    for (int i = 2; i < count; i++) {
        if (parse_number(arguments[i], &numbers[i - 2]) < 0)
            return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, arguments[1]) == 0 && count - 2 >= words[i].least && count - 2 <= words[i].most)
            return words[i].function(count - 2, numbers);
    }
    return -EINVAL;
}

const struct command shortage_commands[] = {
    {"oom", "--dry-run | PID [ADJ] [--json]", "tells who would be ended if memory were gone; who rather, who never", 1,
     2, command_oom},
    {"memgroups", "[--json]", "lists the memory groups and what is charged to them", 0, 0, command_memgroups},
    {"memgroup", "create [PARENT] | limit GROUP [KIB [SWAP_KIB]] | move PID GROUP | remove GROUP",
     "makes groups of processes that have only so much memory together", 1, 4, command_memgroup},
    {0},
};
