/* SPDX-License-Identifier: MIT */
/* A process becomes another program. */
#include "exec.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <quire/syscall.h>
#include <string.h>

#include "delivery.h"
#include "end.h"
#include "layout.h"
#include "log.h"
#include "objects.h"
#include "spawn.h"
#include "sync.h"
#include "waiters.h"

/* Number of the space that is being built; no process has it. */
#define BUILDING_SPACE 0xffffffffUL

int exec_read_strings(const struct process *process, const struct exec_strings *strings,
                      const struct stack_image **stack)
{
    struct stack_image *image = stack_image(layout_stack_end());
    uint64_t address = strings->address;
    int status = 0;

    if (strings->bytes > STRING_BYTES_MAX || strings->arguments > STRINGS_MAX || strings->environment > STRINGS_MAX)
        return -E2BIG;
    char *place = stack_strings(image, strings->bytes);
    for (uint64_t rest = strings->bytes; rest > 0 && status == 0;) {
        const uint64_t part = rest < PROTO_DATA_MAX ? rest : PROTO_DATA_MAX;
        size_t got = 0;
        status = memsrv_space_read(SLOT_MEMSRV, process->pid, address, place, part, &got);
        address += part;
        place += part;
        rest -= part;
    }
    *stack = image;
    return status < 0 ? status
                      : stack_build(image, strings->bytes, strings->arguments, strings->environment, strings->flags);
}

int exec_read_program(const struct process *process, const struct root_program_image *image, struct program *program)
{
    static char head[ROOT_PROGRAM_HEAD_MAX];
    size_t got = 0;

    if (image->head_bytes > sizeof(head))
        return -EINVAL;
    const int status = memsrv_space_read(SLOT_MEMSRV, process->pid, image->head, head, image->head_bytes, &got);
    if (status < 0)
        return status;
    memcpy(program->own_name, image->name, sizeof(program->own_name));
    program->own_name[sizeof(program->own_name) - 1] = '\0';
    program->name = program->own_name;
    program->object = image->object;
    program->owner = process->pid;
    program->masked = image->masked != 0;
    program->mask = image->mask;
    return archive_read_program(head, got, image->size, program);
}

/* Gives a capability of root's another slot. */
static int move_capability(uint64_t to, uint64_t from)
{
    capability_drop(to);
    const int status = capability_give(SLOT_TABLE, to, from, RIGHT_ALL, 0);
    capability_drop(from);
    return status;
}

/* Lets the new space take the old one's place, and its program run. From here on there is no way back. */
static int take_over(struct process *process, const struct workplace *place, uint64_t entry, uint64_t stack)
{
    int status;

    /* EAGAIN: another CPU still runs a thread of it and was told to stop. */
    while ((status = memsrv_space_replace(SLOT_MEMSRV, process->pid, place->space)) == -EAGAIN)
        sys_yield();
    if (status == 0)
        devices_release(process);
    if (status == 0)
        status = move_capability(process_table_slot(process), place->table);
    if (status == 0)
        status = move_capability(process_thread_slot(process), place->thread);
    if (status == 0)
        status = (int)sys_thread_control(process_thread_slot(process), THREAD_START, entry, stack, 0, 0, 0);
    return status;
}

int exec_process(struct process *process, const struct program *program, const struct stack_image *stack,
                 uint64_t thread, unsigned priority)
{
    const struct workplace place = {
        .space = BUILDING_SPACE, .thread = ROOT_SLOT_EXEC_THREAD, .table = ROOT_SLOT_EXEC_TABLE};

    int status = memsrv_space_create(SLOT_MEMSRV, place.space, process->pid, place.table);
    if (status < 0)
        return status;
    status = furnish_space(process, &place, program, stack, priority);
    if (status == 0)
        status = give_files(process, &place);
    if (status < 0) {
        workplace_end(&place);
        return status;
    }
    waiters_forget(process->pid);
    sync_forget(process->pid);
    process_rename(process, program->name);
    process->operator= false;
    process->executed = true;
    process_signals_exec(process, thread);
    if (program->masked)
        signals_set_mask(process, program->mask);
    status = take_over(process, &place, program->image.entry, stack->pointer);
    if (status < 0) {
        log_line("%s (pid %lu): exec: error %ld", process->name, process->pid, (long)status);
        workplace_end(&place);
        process_end(process, CAUSE_KILLED, SIGNAL_KILL);
    }
    return 0;
}
