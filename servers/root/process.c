/* SPDX-License-Identifier: MIT */
/* The process table. Numbers are never used twice, so a late question about a number can only miss, not mistake. */
#include "process.h"

#include <string.h>

static struct process processes[PROCESS_COUNT] = {
    {.state = PROCESS_RUNNING, .pid = PID_ROOT, .name = "root"},
    {.state = PROCESS_RUNNING, .pid = PID_MEMSRV, .parent = PID_ROOT, .name = "memsrv"},
};
static uint64_t next_pid = PID_MEMSRV + 1;

struct process *process_new(const char *name, uint64_t parent)
{
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        struct process *process = &processes[i];
        if (process->state != PROCESS_FREE)
            continue;
        *process = (struct process){.state = PROCESS_RUNNING, .pid = next_pid++, .parent = parent};
        strncpy(process->name, name, sizeof(process->name) - 1);
        return process;
    }
    return NULL;
}

void process_free(struct process *process)
{
    process->state = PROCESS_FREE;
}

struct process *process_find(uint64_t pid)
{
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

uint64_t process_thread_slot(const struct process *process)
{
    return ROOT_SLOT_PROCESSES + 2 * (uint64_t)(process - processes);
}

uint64_t process_table_slot(const struct process *process)
{
    return process_thread_slot(process) + 1;
}
