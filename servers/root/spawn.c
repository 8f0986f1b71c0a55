/* SPDX-License-Identifier: MIT */
/* Starts processes: the program comes out of the archive, its memory and objects from memsrv. */
#include "spawn.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/memsrv_handover.h>
#include <quire/syscall.h>

#include "archive.h"
#include "clock.h"
#include "log.h"
#include "objects.h"
#include "stack.h"
#include "sync.h"

/* A program's endpoints name it, so it can use them and not pass them on. */
#define RIGHTS_OF_ENDPOINT RIGHT_SEND
/* Requests to root may carry a notification for it to signal. */
#define RIGHTS_OF_ROOT (RIGHT_SEND | RIGHT_GRANT)
#define RIGHTS_OF_OWN  RIGHT_CONTROL

static int write_memory(uint64_t pid, uint64_t address, const void *bytes, size_t count)
{
    while (count > 0) {
        size_t part = count < PROTO_DATA_MAX ? count : PROTO_DATA_MAX;
        int status = memsrv_space_write(SLOT_MEMSRV, pid, address, bytes, part);
        if (status < 0)
            return status;
        address += part;
        bytes = (const char *)bytes + part;
        count -= part;
    }
    return 0;
}

static uint64_t protection_of(const struct elf_segment *segment)
{
    return (segment->flags & ELF_READ ? MEMSRV_PROTECT_READ : 0) |
           (segment->flags & ELF_WRITE ? MEMSRV_PROTECT_WRITE : 0) |
           (segment->flags & ELF_EXECUTE ? MEMSRV_PROTECT_EXECUTE : 0);
}

static int load(uint64_t pid, const struct program *program, const struct stack_page *stack)
{
    for (uint32_t i = 0; i < program->image.segment_count; i++) {
        const struct elf_segment *segment = &program->image.segments[i];
        uint64_t first = segment->address & PAGE_MASK;
        uint64_t end = (segment->address + segment->memory_size + PAGE_SIZE - 1) & PAGE_MASK;
        int status = memsrv_space_map(SLOT_MEMSRV, pid, first, end - first, protection_of(segment));
        if (status == 0)
            status = write_memory(pid, segment->address, program->bytes + segment->offset, segment->file_size);
        if (status < 0)
            return status;
    }
    int status = memsrv_space_map_stack(SLOT_MEMSRV, pid, STACK_TOP, STACK_SIZE_FIRST);
    if (status < 0)
        return status;
    uint64_t unused = (stack->pointer - (STACK_TOP - PAGE_SIZE)) & ~15UL;
    return write_memory(pid, stack->pointer, (const char *)stack->words + unused, PAGE_SIZE - unused);
}

/* The endpoint of the file server, if there is one: it can have been given up. */
static int give_files(const struct process *process)
{
    if (sys_cap_query(ROOT_SLOT_FS_ENDPOINT, NULL) <= 0)
        return 0;
    return capability_give(process_table_slot(process), SLOT_FS, ROOT_SLOT_FS_ENDPOINT, RIGHTS_OF_ENDPOINT,
                           process->pid);
}

static int give_capabilities(const struct process *process)
{
    uint64_t table = process_table_slot(process);
    const struct {
        uint64_t to, from, rights, badge;
    } gifts[] = {
        {SLOT_TABLE, table, RIGHTS_OF_OWN, 0},
        {SLOT_THREAD, process_thread_slot(process), RIGHTS_OF_OWN, 0},
        {SLOT_MEMSRV, ROOT_SLOT_MEMSRV_ENDPOINT, RIGHTS_OF_ENDPOINT, process->pid},
        {SLOT_ROOT, ROOT_SLOT_ENDPOINT, RIGHTS_OF_ROOT, process->pid},
        {SLOT_CONSOLE, ROOT_SLOT_CONSOLE_ENDPOINT, RIGHTS_OF_ENDPOINT, process->pid},
    };

    for (size_t i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++) {
        int status = capability_give(table, gifts[i].to, gifts[i].from, gifts[i].rights, gifts[i].badge);
        if (status < 0)
            return status;
    }
    return 0;
}

static int create_thread(const struct process *process, unsigned priority)
{
    uint64_t thread = process_thread_slot(process);
    uint64_t buffer;

    int status = memsrv_space_thread_create(SLOT_MEMSRV, process->pid, 0, &buffer, thread);
    if (status < 0)
        return status;
    long result = sys_thread_control(thread, THREAD_PRIORITY, priority, 0, 0, 0, 0);
    if (result == 0)
        result = sys_thread_control(thread, THREAD_SET_EVENT, ROOT_SLOT_EVENTS, memsrv_event(process->pid), 0, 0, 0);
    return (int)result;
}

/* Everything between an empty space and a running program. */
static int furnish(const struct process *process, const struct spawn_request *request, const struct program *program,
                   const struct stack_page *stack)
{
    int status = load(process->pid, program, stack);
    if (status == 0)
        status = create_thread(process, request->priority);
    if (status == 0)
        status = give_capabilities(process);
    if (status == 0 && !request->server)
        status = give_files(process);
    if (status == 0 && request->endow)
        status = request->endow(process);
    if (status == 0)
        status = (int)sys_thread_control(process_thread_slot(process), THREAD_START, program->image.entry,
                                         stack->pointer, 0, 0, 0);
    return status;
}

int spawn(const struct spawn_request *request, const struct process **result)
{
    static struct program program;
    static struct stack_page stack;

    int status = stack_build(&stack, request->arguments, request->bytes);
    if (status == 0)
        status = archive_program(request->arguments, &program);
    if (status < 0)
        return status;
    struct process *process = process_new(program.name, request->parent);
    if (!process)
        return -EAGAIN;
    process->operator= request->operator;
    process->started = clock_now();
    status = memsrv_space_create(SLOT_MEMSRV, process->pid, process_table_slot(process));
    if (status == 0) {
        status = furnish(process, request, &program, &stack);
        if (status < 0)
            space_end(process);
    }
    if (status < 0) {
        process_free(process);
        return status;
    }
    *result = process;
    return 0;
}

/* Everything between the copy of a space and a running child. */
static int furnish_child(const struct process *child, const struct fork_request *request)
{
    int status = create_thread(child, request->priority);
    if (status == 0)
        status = give_capabilities(child);
    if (status == 0)
        status = give_files(child);
    if (status == 0)
        status = (int)sys_thread_control(process_thread_slot(child), THREAD_START, request->instruction, request->stack,
                                         request->argument, 0, 0);
    return status;
}

int fork_process(const struct process *parent, const struct fork_request *request, const struct process **result)
{
    struct process *child = process_new(parent->name, parent->pid);
    if (!child)
        return -EAGAIN;
    child->operator= parent->operator;
    child->started = clock_now();
    int status = memsrv_space_fork(SLOT_MEMSRV, parent->pid, child->pid, process_table_slot(child));
    if (status == 0) {
        status = sync_inherit(parent->pid, child->pid);
        if (status == 0)
            status = furnish_child(child, request);
        if (status < 0) {
            sync_forget(child->pid);
            space_end(child);
        }
    }
    if (status < 0) {
        process_free(child);
        return status;
    }
    *result = child;
    return 0;
}

void space_end(const struct process *process)
{
    int status;

    /* EAGAIN: another CPU still runs a thread of it and was told to stop. */
    while ((status = memsrv_space_destroy(SLOT_MEMSRV, process->pid)) == -EAGAIN)
        sys_yield();
    if (status < 0)
        log_line("%s (pid %lu): its memory could not be given back: error %ld", process->name, process->pid,
                 (long)status);
    capability_drop(process_thread_slot(process));
    capability_drop(process_table_slot(process));
}
