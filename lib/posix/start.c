/* SPDX-License-Identifier: MIT */
/*
 * From the first instruction to main() and from its return to the end: arguments, environment, thread-local variables,
 * constructors and destructors.
 */
#include "start.h"
#include "internal.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Types of entries of the auxiliary vector. */
#define AUXILIARY_END   0u
#define AUXILIARY_FLAGS 8u

/* The first thread's thread-local variables live here; a program with more of them does not start. */
#define FIRST_TLS_BYTES 1024UL

typedef void (*start_function)(void);

const char *start_directory;
mode_t start_mask = S_IWGRP | S_IWOTH;

extern start_function __preinit_array_start[], __preinit_array_end[];
extern start_function __init_array_start[], __init_array_end[];
extern start_function __fini_array_start[], __fini_array_end[];
extern char **environ;

int main(int argument_count, char **arguments, char **environment);
_Noreturn void program_start(uint64_t *stack);

static void run_all(start_function *first, start_function *end)
{
    for (start_function *function = first; function < end; function++)
        (*function)();
}

static void run_destructors(void)
{
    for (start_function *function = __fini_array_end; function > __fini_array_start;)
        (*--function)();
}

static void first_thread_variables(void)
{
    static char block[FIRST_TLS_BYTES] __attribute__((aligned(TLS_ALIGNMENT_MAX)));

    if (tls_bytes() > sizeof(block))
        _exit(127);
    tls_place(block);
}

/* Takes what the last program handed on out of environment and auxiliary vector, which lies behind it. */
static void take_over(char **environment)
{
    char **end = environment;
    uint64_t flags = 0;

    while (*end)
        end++;
    for (const uint64_t *pair = (const uint64_t *)(end + 1); pair[0] != AUXILIARY_END; pair += 2)
        if (pair[0] == AUXILIARY_FLAGS)
            flags = pair[1];
    if ((flags & START_HAS_DIRECTORY) && end > environment) {
        start_directory = *--end;
        *end = NULL;
    }
    if (flags & START_HAS_MASK)
        start_mask = flags >> START_MASK_SHIFT & 0777;
    if (flags & START_CLOSES_FILES)
        files_begin();
}

/* Called by _start with the stack as the program found it. */
_Noreturn void program_start(uint64_t *stack)
{
    const int argument_count = (int)stack[0];
    char **arguments = (char **)(stack + 1);

    environ = arguments + argument_count + 1;
    thread_first_prepare();
    first_thread_variables();
    take_over(environ);
    run_all(__preinit_array_start, __preinit_array_end);
    run_all(__init_array_start, __init_array_end);
    if (atexit(run_destructors) != 0)
        _exit(127);
    exit(main(argument_count, arguments, environ));
}
