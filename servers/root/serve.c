/* SPDX-License-Identifier: MIT */
/*
 * root's loop and the handlers of its protocol. The serving thread calls memsrv and nobody else: it never waits for a
 * client or for the console.
 */
#include "serve.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_dispatch.h>
#include <quire/syscall.h>
#include <string.h>

#include "archive.h"
#include "bootstrap.h"
#include "delivery.h"
#include "end.h"
#include "log.h"
#include "objects.h"
#include "power.h"
#include "spawn.h"
#include "sync.h"

_Static_assert(PROCESS_NAME_MAX == ROOT_NAME_BYTES, "names fit the records");
_Static_assert(PROCESS_RUNNING == ROOT_STATE_RUNNING && PROCESS_ENDED == ROOT_STATE_ENDED, "states are the protocol's");

int root_handle_spawn(struct root_context *context, const struct message *request, const void *arguments,
                      size_t arguments_bytes, uint64_t *pid)
{
    const struct process *caller = request_caller(request);
    const struct process *process;

    if (!caller)
        return -EPERM;
    int status = spawn(
        &(struct spawn_request){
            .arguments = arguments, .bytes = arguments_bytes, .parent = caller->pid, .priority = PRIORITY_CLIENT},
        &process);
    if (status == 0)
        *pid = process->pid;
    return status;
}

int root_handle_fork(struct root_context *context, const struct message *request, uint64_t instruction, uint64_t stack,
                     uint64_t argument, uint64_t thread, uint64_t *pid)
{
    const struct fork_request fork = {.instruction = instruction,
                                      .stack = stack,
                                      .argument = argument,
                                      .thread = thread,
                                      .priority = PRIORITY_CLIENT};
    const struct process *parent = request_caller(request);
    const struct process *child;

    (void)context;
    if (!parent)
        return -EPERM;
    int status = fork_process(parent, &fork, &child);
    if (status == 0)
        *pid = child->pid;
    return status;
}

int root_handle_exit(struct root_context *context, const struct message *request, uint64_t status)
{
    struct process *caller = request_caller(request);

    if (!caller)
        return -EPERM;
    process_end(caller, CAUSE_EXITED, (int)(status & 0xff));
    return PROTO_PARKED;
}

int root_handle_kill(struct root_context *context, const struct message *request, uint64_t pid)
{
    const struct process *caller = request_caller(request);
    struct process *process = process_find(pid);

    if (!process || process->state != PROCESS_RUNNING)
        return -ESRCH;
    if (!caller || pid == PID_ROOT || pid == PID_MEMSRV)
        return -EPERM;
    if (!caller->operator&& caller != process && !process_descends(process, caller->pid))
        return -EPERM;
    const bool itself = caller == process;
    process_end(process, CAUSE_KILLED, (int)ROOT_STATUS_KILLED - 128);
    return itself ? PROTO_PARKED : 0;
}

static void describe(const struct process *process, struct root_process *record)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    uint64_t areas;

    *record = (struct root_process){.pid = process->pid,
                                    .parent = process->parent,
                                    .state = process->state,
                                    .status = (uint64_t)process_status(process)};
    memcpy(record->name, process->name, sizeof(record->name));
    if (process->state != PROCESS_RUNNING)
        return;
    if (memsrv_space_info(SLOT_MEMSRV, process->pid, &record->resident, &record->tables, &record->objects, &areas) < 0)
        record->resident = record->tables = record->objects = 0; /* root has no space there */
    if (sys_thread_control(process_thread_slot(process), THREAD_INFO, 0, 0, 0, 0, 0) == 0)
        record->priority = info->priority;
}

int root_handle_process_list(struct root_context *context, const struct message *request, uint64_t cursor,
                             uint64_t *next, struct root_process *processes, size_t processes_capacity,
                             size_t *processes_count)
{
    struct process *process = process_from(cursor);

    while (process && *processes_count < processes_capacity) {
        describe(process, &processes[(*processes_count)++]);
        process = process_from(process->pid + 1);
    }
    *next = process ? process->pid : 0;
    return 0;
}

int root_handle_power_off(struct root_context *context, const struct message *request, uint64_t status)
{
    const struct process *caller = request_caller(request);

    if (!caller || !caller->operator)
        return -EPERM;
    /* The caller is not answered any more. */
    const uint64_t fresh = reply_take();
    if (fresh != SLOT_NONE)
        context->reply = fresh;
    power_off_in_order((int)(status & 0xff));
    return PROTO_PARKED;
}

int root_handle_log(struct root_context *context, const struct message *request, const void *text, size_t text_bytes)
{
    log_bytes(text, text_bytes);
    return 0;
}

int root_handle_program_list(struct root_context *context, const struct message *request, uint64_t cursor,
                             uint64_t *next, struct root_program *programs, size_t programs_capacity,
                             size_t *programs_count)
{
    const char *name = archive_file_name(cursor);

    while (name && *programs_count < programs_capacity) {
        struct root_program *program = &programs[(*programs_count)++];
        *program = (struct root_program){0};
        memcpy(program->name, name, strnlen(name, sizeof(program->name) - 1));
        name = archive_file_name(++cursor);
    }
    *next = name ? cursor : 0;
    return 0;
}

int root_handle_parent(struct root_context *context, const struct message *request, uint64_t *pid)
{
    const struct process *caller = request_caller(request);

    if (!caller)
        return -EPERM;
    *pid = caller->parent;
    return 0;
}

int root_handle_machine(struct root_context *context, const struct message *request, uint64_t *processors)
{
    *processors = context->info->cpu_count;
    return 0;
}

int root_handle_command_line(struct root_context *context, const struct message *request, void *text,
                             size_t text_capacity, size_t *text_count)
{
    _Static_assert(ROOT_COMMAND_LINE_MAX == BOOT_ARGUMENTS_MAX, "all of it fits");
    *text_count = strnlen(context->info->arguments, text_capacity);
    memcpy(text, context->info->arguments, *text_count);
    return 0;
}

int root_handle_entropy(struct root_context *context, const struct message *request, void *content,
                        size_t content_capacity, size_t *content_count)
{
    const int error = entropy_take(context->entropy, clock_ticks(), content, content_capacity);

    if (error == 0)
        *content_count = content_capacity;
    return error;
}

int root_handle_archive_list(struct root_context *context, const struct message *request, uint64_t cursor,
                             uint64_t *next, struct root_archive_file *files, size_t files_capacity,
                             size_t *files_count)
{
    struct cpio_entry entry;

    *next = 0;
    while (archive_entry(cursor, &entry)) {
        if (*files_count == files_capacity) {
            *next = cursor;
            break;
        }
        struct root_archive_file *file = &files[(*files_count)++];
        *file = (struct root_archive_file){.mode = entry.mode, .offset = archive_offset(&entry), .size = entry.size};
        memcpy(file->name, entry.name, entry.name_length);
        cursor++;
    }
    return 0;
}

int root_handle_archive_read(struct root_context *context, const struct message *request, uint64_t offset,
                             void *content, size_t content_capacity, size_t *content_bytes)
{
    *content_bytes = archive_read(offset, content, content_capacity);
    return 0;
}

_Static_assert(sizeof(((struct root_archive_file *)0)->name) > CPIO_NAME_MAX, "a name fits with its zero");

/* Lets signals reach whom they are for, the caller included, which needs no answer then. */
static bool deliver(struct root_context *context, struct message *m, bool answer)
{
    struct signal_caller caller = {
        .process = context->caller, .number = context->thread, .answer = answer ? m : NULL, .reply = context->reply};

    signals_deliver(&caller);
    return caller.answer;
}

/* Handles what arrived; true if *m is now the reply to it. */
static bool handle(struct root_context *context, struct message *m)
{
    if (MSG_FLAGS(m->tag) & MSG_FLAG_NOTIFICATION) {
        faults_handle(m->words[0]);
        return false;
    }
    if (MSG_FLAGS(m->tag) & MSG_FLAG_FAULT) {
        m->tag = MSG_TAG(-EFAULT, 0, 0);
        return true;
    }
    return root_dispatch(context, m) == PROTO_REPLY;
}

void serve(const struct boot_info *info, struct entropy *entropy)
{
    struct root_context context = {.reply = reply_take(), .info = info, .entropy = entropy};
    struct message m;
    bool answer = false;

    for (;;) {
        ipc_buffer()->receive_slots[0] = sync_arrival_slot();
        context.caller = NULL;
        long result = answer ? sys_reply_recv(context.reply, ROOT_SLOT_ENDPOINT, &m)
                             : sys_recv(context.reply, ROOT_SLOT_ENDPOINT, &m);
        if (result == 0) {
            answer = handle(&context, &m);
            if (signals_are_due())
                answer = deliver(&context, &m, answer);
        } else if (!answer && result == -EBUSY) {
            reply_renew(context.reply); /* it holds a caller that cannot be answered */
        } else if (!answer) {
            fatal("receiving: error %ld", result);
        } else {
            answer = false; /* the caller is gone */
        }
    }
}
