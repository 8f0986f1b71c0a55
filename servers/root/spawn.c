/* SPDX-License-Identifier: MIT */
/* Starts processes: the program comes out of the archive, its memory and objects from memsrv. */
#include "spawn.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/memsrv_handover.h>
#include <quire/syscall.h>

#include "archive.h"
#include "clock.h"
#include "delivery.h"
#include "layout.h"
#include "log.h"
#include "objects.h"
#include "stack.h"
#include "sync.h"

/* A program's endpoints name it, so it can use them and not pass them on. */
#define RIGHTS_OF_ENDPOINT RIGHT_SEND
/* Requests to root and to the file server may carry a notification for them to signal. */
#define RIGHTS_OF_TELLER (RIGHT_SEND | RIGHT_GRANT)
#define RIGHTS_OF_OWN    RIGHT_CONTROL

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

/* Copies a program out of the archive. */
static int load_bytes(uint64_t pid, const struct program *program)
{
    int status = 0;

    for (uint32_t i = 0; i < program->image.segment_count && status == 0; i++) {
        const struct elf_segment *segment = &program->image.segments[i];
        uint64_t first = segment->address & PAGE_MASK;
        uint64_t end = (segment->address + segment->memory_size + PAGE_SIZE - 1) & PAGE_MASK;
        status = memsrv_space_map(SLOT_MEMSRV, pid, first, end - first, protection_of(segment));
        if (status == 0)
            status = write_memory(pid, segment->address, program->bytes + segment->offset, segment->file_size);
    }
    return status;
}

/* Zeroes from the end of a segment's bytes: on their last page, which a mapping fills with what follows in the file, and
 * further on. */
static int load_zeros(uint64_t pid, const struct elf_segment *segment)
{
    static const char zeros[PAGE_SIZE];
    const uint64_t bytes_end = segment->address + segment->file_size;
    const uint64_t end = (segment->address + segment->memory_size + PAGE_SIZE - 1) & PAGE_MASK;
    const uint64_t mapped = segment->file_size ? (bytes_end + PAGE_SIZE - 1) & PAGE_MASK : segment->address & PAGE_MASK;
    int status = 0;

    if (end > mapped)
        status = memsrv_space_map(SLOT_MEMSRV, pid, mapped, end - mapped, protection_of(segment));
    if (status == 0 && segment->file_size && segment->memory_size > segment->file_size)
        status = write_memory(pid, bytes_end, zeros, mapped - bytes_end);
    return status;
}

/* Maps a program out of an object. */
static int load_object(uint64_t pid, const struct program *program)
{
    struct memsrv_object_part parts[ELF_SEGMENTS_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < program->image.segment_count; i++) {
        const struct elf_segment *segment = &program->image.segments[i];
        if (segment->file_size)
            parts[count++] = (struct memsrv_object_part){.address = segment->address & PAGE_MASK,
                                                         .length = segment->file_size + segment->address % PAGE_SIZE,
                                                         .protection = protection_of(segment),
                                                         .offset = segment->offset & PAGE_MASK};
    }
    int status = memsrv_space_map_object(SLOT_MEMSRV, pid, program->owner, program->object, parts, count);
    for (uint32_t i = 0; i < program->image.segment_count && status == 0; i++)
        status = load_zeros(pid, &program->image.segments[i]);
    return status;
}

static int load(uint64_t pid, const struct program *program, const struct stack_image *stack)
{
    const uint64_t end = (stack->end + PAGE_SIZE - 1) & PAGE_MASK;
    int status = program->bytes ? load_bytes(pid, program) : load_object(pid, program);
    if (status == 0)
        status = memsrv_space_map_stack(SLOT_MEMSRV, pid, end, STACK_SIZE_FIRST);
    if (status < 0)
        return status;
    return write_memory(pid, stack->pointer, (const char *)stack->words + stack->start, stack->end - stack->pointer);
}

static struct workplace workplace_of(const struct process *process)
{
    return (struct workplace){
        .space = process->pid, .thread = process_thread_slot(process), .table = process_table_slot(process)};
}

static int give_capabilities(const struct process *process, const struct workplace *place)
{
    uint64_t table = place->table;
    const struct {
        uint64_t to, from, rights, badge;
    } gifts[] = {
        {SLOT_TABLE, table, RIGHTS_OF_OWN, 0},
        {SLOT_THREAD, place->thread, RIGHTS_OF_OWN, 0},
        {SLOT_MEMSRV, ROOT_SLOT_MEMSRV_ENDPOINT, RIGHTS_OF_ENDPOINT, process->pid},
        {SLOT_ROOT, ROOT_SLOT_ENDPOINT, RIGHTS_OF_TELLER, process->pid},
        {SLOT_CONSOLE, ROOT_SLOT_CONSOLE_ENDPOINT, RIGHTS_OF_ENDPOINT, process->pid},
    };

    for (size_t i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++) {
        int status = capability_give(table, gifts[i].to, gifts[i].from, gifts[i].rights, gifts[i].badge);
        if (status < 0)
            return status;
    }
    return 0;
}

int give_files(const struct process *process, const struct workplace *place)
{
    if (sys_cap_query(ROOT_SLOT_FS_ENDPOINT, NULL) <= 0)
        return 0;
    return capability_give(place->table, SLOT_FS, ROOT_SLOT_FS_ENDPOINT, RIGHTS_OF_TELLER, process->pid);
}

static int create_thread(const struct process *process, const struct workplace *place, unsigned priority)
{
    uint64_t buffer;

    int status = memsrv_space_thread_create(SLOT_MEMSRV, place->space, 0, &buffer, place->thread);
    if (status < 0)
        return status;
    long result = sys_thread_control(place->thread, THREAD_PRIORITY, priority, 0, 0, 0, 0);
    /* memsrv has the thread signal the event of its space's number. */
    if (result == 0 && place->space != process->pid)
        result =
            sys_thread_control(place->thread, THREAD_SET_EVENT, ROOT_SLOT_EVENTS, memsrv_event(process->pid), 0, 0, 0);
    return (int)result;
}

int furnish_space(const struct process *process, const struct workplace *place, const struct program *program,
                  const struct stack_image *stack, unsigned priority)
{
    int status = load(place->space, program, stack);
    if (status == 0)
        status = create_thread(process, place, priority);
    if (status == 0)
        status = give_capabilities(process, place);
    return status;
}

/* Everything between an empty space and a running program. */
static int furnish(const struct process *process, const struct spawn_request *request, const struct program *program,
                   const struct stack_image *stack)
{
    const struct workplace place = workplace_of(process);
    int status = furnish_space(process, &place, program, stack, request->priority);
    if (status == 0 && !request->server)
        status = give_files(process, &place);
    if (status == 0 && request->endow)
        status = request->endow(process);
    if (status == 0)
        status = (int)sys_thread_control(place.thread, THREAD_START, program->image.entry, stack->pointer, 0, 0, 0);
    return status;
}

int spawn_program(const struct spawn_request *request, const struct program *program, const struct stack_image *stack,
                  const struct process **result)
{
    struct process *process = process_new(program->name, request->parent);
    if (!process)
        return -EAGAIN;
    process->operator= request->operator;
    process->apart = request->apart;
    process->dma = request->dma;
    process->started = clock_now();
    process_signals_begin(process);
    int status = memsrv_space_create(SLOT_MEMSRV, process->pid, request->parent, process_table_slot(process));
    if (status == 0) {
        status = furnish(process, request, program, stack);
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

int spawn(const struct spawn_request *request, const struct process **result)
{
    static struct program program;
    struct stack_image *stack = stack_image(layout_stack_end());

    int status = stack_build_arguments(stack, request->arguments, request->bytes);
    if (status == 0)
        status = archive_program(request->arguments, &program);
    return status < 0 ? status : spawn_program(request, &program, stack, result);
}

/* Everything between the copy of a space and a running child. */
static int furnish_child(const struct process *child, const struct fork_request *request)
{
    const struct workplace place = workplace_of(child);
    int status = create_thread(child, &place, request->priority);
    if (status == 0)
        status = give_capabilities(child, &place);
    if (status == 0)
        status = give_files(child, &place);
    if (status == 0)
        status = (int)sys_thread_control(place.thread, THREAD_START, request->instruction, request->stack,
                                         request->argument, 0, 0);
    return status;
}

int fork_process(const struct process *parent, const struct fork_request *request, const struct process **result)
{
    struct process *child = process_new(parent->name, parent->pid);
    if (!child)
        return -EAGAIN;
    child->operator= parent->operator;
    child->group = parent->group;
    child->session = parent->session;
    child->started = clock_now();
    process_signals_inherit(parent, request->thread, child);
    int status = memsrv_space_fork(SLOT_MEMSRV, parent->pid, child->pid, request->stack - 1, process_table_slot(child));
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

void workplace_end(const struct workplace *place)
{
    int status;

    /* EAGAIN: another CPU still runs a thread of it and was told to stop. */
    while ((status = memsrv_space_destroy(SLOT_MEMSRV, place->space)) == -EAGAIN)
        sys_yield();
    if (status < 0)
        log_line("pid %lu: its memory could not be given back: error %ld", place->space, (long)status);
    if (status == 0)
        return; /* capabilities end with their objects */
    capability_drop(place->thread);
    capability_drop(place->table);
}

void space_end(const struct process *process)
{
    const struct workplace place = workplace_of(process);

    workplace_end(&place);
}
