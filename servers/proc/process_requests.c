/* SPDX-License-Identifier: MIT */
/* The operations of root's protocol about children, groups, and becoming another program. */
#include <errno.h>
#include <proto/root_dispatch.h>
#include <string.h>

#include "bootstrap.h"
#include "exec.h"
#include "serve.h"
#include "spawn.h"
#include "waiters.h"

_Static_assert((int)CAUSE_EXITED == ROOT_CAUSE_EXITED && (int)CAUSE_KILLED == ROOT_CAUSE_KILLED &&
                   (int)CAUSE_STOPPED == ROOT_CAUSE_STOPPED && (int)CAUSE_CONTINUED == ROOT_CAUSE_CONTINUED,
               "causes are the protocol's");
_Static_assert((int)WAIT_POLL == ROOT_WAIT_POLL && (int)WAIT_STOPPED == ROOT_WAIT_STOPPED &&
                   (int)WAIT_CONTINUED == ROOT_WAIT_CONTINUED && (int)WAIT_KEEP == ROOT_WAIT_KEEP &&
                   (int)WAIT_NO_ENDS == ROOT_WAIT_NO_ENDS,
               "options are the protocol's");
_Static_assert(STRING_BYTES_MAX == ROOT_STRING_BYTES_MAX && STRINGS_MAX == ROOT_STRINGS_MAX,
               "limits are the protocol's");

int root_handle_wait(struct root_context *context, const struct message *request, int64_t target, uint64_t options,
                     uint64_t thread, uint64_t *pid, uint64_t *cause, uint64_t *value)
{
    const struct process *caller = request_caller(request);

    if (!caller)
        return -ECHILD;
    const struct wait_request wait = {
        .caller = caller->pid, .target = target ? target : -(int64_t)caller->group, .options = options & WAIT_OPTIONS};
    struct process *child = wait_find_child(&wait);
    if (!child)
        return -ECHILD;
    if (wait_is_answered(&wait, child)) {
        *pid = child->pid;
        *cause = child->cause;
        *value = (uint64_t)child->value;
        wait_take_news(&wait, child);
        return 0;
    }
    if (options & ROOT_WAIT_POLL)
        return 0;
    int result = waiter_park(&context->reply, &wait, thread);
    return result < 0 ? result : PROTO_PARKED;
}

/* A path that came in a message. EINVAL: it has no end, or is empty. */
static int check_path(const char *path, size_t bytes)
{
    return bytes < 2 || memchr(path, '\0', bytes) != path + bytes - 1 ? -EINVAL : 0;
}

/* Finds the program and builds its stack out of the caller's memory. */
static int prepare(const struct process *caller, const char *path, size_t path_bytes,
                   const struct exec_strings *strings, struct program *program, const struct stack_image **stack)
{
    int status = check_path(path, path_bytes);
    if (status == 0)
        status = archive_program(path, program);
    return status == 0 ? exec_read_strings(caller, strings, stack) : status;
}

/* The caller becomes the program, if preparing it has worked. */
static int become(struct process *caller, int prepared, const struct program *program, const struct stack_image *stack,
                  uint64_t thread)
{
    const int status = prepared < 0 ? prepared : exec_process(caller, program, stack, thread, PRIORITY_CLIENT);

    return status < 0 ? status : PROTO_PARKED;
}

/* A child of the caller begins with the program, if preparing it has worked. */
static int start_child(const struct process *caller, int prepared, const struct program *program,
                       const struct stack_image *stack, uint64_t *pid)
{
    const struct spawn_request spawn = {.parent = caller->pid, .priority = PRIORITY_CLIENT};
    const struct process *child;

    const int status = prepared < 0 ? prepared : spawn_program(&spawn, program, stack, &child);
    if (status == 0)
        *pid = child->pid;
    return status;
}

int root_handle_exec(struct root_context *context, const struct message *request, uint64_t address, uint64_t bytes,
                     uint64_t arguments, uint64_t environment, uint64_t thread, const void *path, size_t path_bytes)
{
    const struct exec_strings strings = {address, bytes, arguments, environment, 0};
    struct process *caller = request_caller(request);
    const struct stack_image *stack = NULL;
    struct program program;

    if (!caller)
        return -EPERM;
    const int prepared = prepare(caller, path, path_bytes, &strings, &program, &stack);
    return become(caller, prepared, &program, stack, thread);
}

int root_handle_spawn_image(struct root_context *context, const struct message *request, uint64_t address,
                            uint64_t bytes, uint64_t arguments, uint64_t environment, const void *path,
                            size_t path_bytes, uint64_t *pid)
{
    const struct exec_strings strings = {address, bytes, arguments, environment, 0};
    const struct process *caller = request_caller(request);
    const struct stack_image *stack = NULL;
    struct program program;

    if (!caller)
        return -EPERM;
    const int prepared = prepare(caller, path, path_bytes, &strings, &program, &stack);
    return start_child(caller, prepared, &program, stack, pid);
}

/* Checks the program in an object, and builds its stack out of the caller's memory. */
static int prepare_object(const struct process *caller, const struct root_program_image *image, struct program *program,
                          const struct stack_image **stack)
{
    const struct exec_strings strings = {image->strings, image->bytes, image->arguments, image->environment,
                                         image->flags};

    const int status = exec_read_program(caller, image, program);
    return status == 0 ? exec_read_strings(caller, &strings, stack) : status;
}

int root_handle_exec_object(struct root_context *context, const struct message *request, uint64_t thread,
                            const struct root_program_image *image, size_t image_count)
{
    struct process *caller = request_caller(request);
    const struct stack_image *stack = NULL;
    struct program program;

    if (!caller)
        return -EPERM;
    const int prepared = image_count == 1 ? prepare_object(caller, image, &program, &stack) : -EINVAL;
    return become(caller, prepared, &program, stack, thread);
}

int root_handle_spawn_object(struct root_context *context, const struct message *request,
                             const struct root_program_image *image, size_t image_count, uint64_t *pid)
{
    const struct process *caller = request_caller(request);
    const struct stack_image *stack = NULL;
    struct program program;

    if (!caller)
        return -EPERM;
    const int prepared = image_count == 1 ? prepare_object(caller, image, &program, &stack) : -EINVAL;
    return start_child(caller, prepared, &program, stack, pid);
}

int root_handle_group_get(struct root_context *context, const struct message *request, uint64_t pid, uint64_t *group,
                          uint64_t *session)
{
    const struct process *process = pid ? process_find(pid) : request_caller(request);

    if (!process)
        return -ESRCH;
    *group = process->group;
    *session = process->session;
    return 0;
}

int root_handle_group_set(struct root_context *context, const struct message *request, uint64_t pid, uint64_t group)
{
    struct process *caller = request_caller(request);

    return caller ? process_set_group(caller, pid, group) : -EPERM;
}

int root_handle_session_new(struct root_context *context, const struct message *request, uint64_t *session)
{
    struct process *caller = request_caller(request);
    const int status = caller ? process_new_session(caller) : -EPERM;

    if (status == 0)
        *session = caller->session;
    return status;
}
