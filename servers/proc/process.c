/* SPDX-License-Identifier: MIT */
/* The process table. Numbers are never used twice, so a late question about a number can only miss, not mistake. */
#include "process.h"

#include <errno.h>
#include <proto/pids.h>
#include <string.h>

static struct process processes[PROCESS_COUNT] = {
    {.state = PROCESS_RUNNING, .pid = PID_ROOT, .children = 1, .group = PID_ROOT, .session = PID_ROOT, .name = "root"},
    {.state = PROCESS_RUNNING,
     .pid = PID_MEMSRV,
     .parent = PID_ROOT,
     .group = PID_MEMSRV,
     .session = PID_MEMSRV,
     .name = "memsrv"},
};
static uint64_t next_pid = PID_MEMSRV + 1;

/* Where process `pid` is in the table, if it is there: numbers that are next to each other do not share a hint. */
static uint8_t hints[256];
_Static_assert(PROCESS_COUNT <= 256, "a hint is a byte");

void process_rename(struct process *process, const char *name)
{
    memset(process->name, 0, sizeof(process->name));
    memcpy(process->name, name, strnlen(name, sizeof(process->name) - 1));
}

struct process *process_new(const char *name, uint64_t parent)
{
    struct process *from = process_find(parent);

    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        struct process *process = &processes[i];
        if (process->state != PROCESS_FREE)
            continue;
        *process = (struct process){.state = PROCESS_RUNNING, .pid = next_pid++, .parent = parent};
        const bool leads = !from || from->pid == PID_ROOT || from->apart;
        process->group = leads ? process->pid : from->group;
        process->session = leads ? process->pid : from->session;
        process_rename(process, name);
        hints[process->pid % sizeof(hints)] = (uint8_t)i;
        if (from)
            from->children++;
        return process;
    }
    return NULL;
}

void process_free(struct process *process)
{
    struct process *parent = process_find(process->parent);

    if (parent)
        parent->children--;
    process->state = PROCESS_FREE;
}

void process_adopt(struct process *parent, struct process *child)
{
    process_find(child->parent)->children--;
    parent->children++;
    child->parent = parent->pid;
}

struct process *process_find(uint64_t pid)
{
    struct process *hinted = &processes[hints[pid % sizeof(hints)]];

    if (hinted->state != PROCESS_FREE && hinted->pid == pid)
        return hinted;
    for (size_t i = 0; i < PROCESS_COUNT; i++)
        if (processes[i].state != PROCESS_FREE && processes[i].pid == pid)
            return &processes[i];
    return NULL;
}

struct process *process_from(uint64_t pid)
{
    struct process *lowest = NULL;

    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        struct process *process = &processes[i];
        if (process->state != PROCESS_FREE && process->pid >= pid && (!lowest || process->pid < lowest->pid))
            lowest = process;
    }
    return lowest;
}

bool process_descends(const struct process *process, uint64_t ancestor)
{
    /* A parent has a lower number than its child and orphans become root's, so this ends. */
    while (process && process->pid != PID_ROOT) {
        if (process->parent == ancestor)
            return true;
        process = process_find(process->parent);
    }
    return false;
}

int process_set_group(struct process *caller, uint64_t pid, uint64_t group)
{
    struct process *process = pid ? process_find(pid) : caller;

    if (!process || process->state != PROCESS_RUNNING || (process != caller && process->parent != caller->pid))
        return -ESRCH;
    if (process != caller && process->executed)
        return -EACCES;
    if (process->session == process->pid || process->session != caller->session)
        return -EPERM;
    bool there = group == 0 || group == process->pid;
    for (size_t i = 0; i < PROCESS_COUNT && !there; i++)
        there = processes[i].state != PROCESS_FREE && processes[i].group == group &&
                processes[i].session == process->session;
    if (!there)
        return -EPERM;
    process->group = group ? group : process->pid;
    return 0;
}

int process_new_session(struct process *process)
{
    for (size_t i = 0; i < PROCESS_COUNT; i++)
        if (processes[i].state != PROCESS_FREE && processes[i].group == process->pid)
            return -EPERM;
    process->group = process->session = process->pid;
    return 0;
}

bool process_group_is_orphaned(uint64_t group)
{
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        if (processes[i].state != PROCESS_RUNNING || processes[i].group != group)
            continue;
        const struct process *parent = process_find(processes[i].parent);
        if (parent && parent->state == PROCESS_RUNNING && parent->session == processes[i].session &&
            parent->group != group)
            return false;
    }
    return true;
}

struct process *process_at(uint64_t index)
{
    return &processes[index];
}

uint64_t process_index(const struct process *process)
{
    return (uint64_t)(process - processes);
}
