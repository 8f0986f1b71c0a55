/* SPDX-License-Identifier: MIT */
/*
 * The end of a program whose own check failed. A server that wants another end links a function of its own.
 */
#include <base/check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* 128 + SIGABRT, as abort() would end. */
#define STATUS_CHECK_FAILED 134

_Noreturn void check_failed(const char *file, int line, const char *expression)
{
    char text[256];

    /* Neither stdio nor the heap: they may be what is broken. */
    snprintf(text, sizeof(text), "%s:%d: check failed: %s\n", file, line, expression);
    (void)!write(STDERR_FILENO, text, strlen(text));
    _exit(STATUS_CHECK_FAILED);
}
