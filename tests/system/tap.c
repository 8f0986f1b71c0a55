/* SPDX-License-Identifier: MIT */
/*
 * The Test Anything Protocol; see tap.h.
 */
#include "tap.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define NAME_BYTES 160

static int tap_planned;
static atomic_int tap_reported, tap_failed;

void tap_plan(int count)
{
    tap_planned = count;
    printf("1..%d\n", count);
}

static void report(bool passed, const char *format, va_list rest, const char *suffix)
{
    char name[NAME_BYTES];
    const int number = atomic_fetch_add(&tap_reported, 1) + 1;

    vsnprintf(name, sizeof(name), format, rest);
    if (!passed)
        atomic_fetch_add(&tap_failed, 1);
    printf("%sok %d - %s%s\n", passed ? "" : "not ", number, name, suffix);
}

bool tap_ok(bool passed, const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    report(passed, format, rest, "");
    va_end(rest);
    return passed;
}

bool tap_equal(long found, long wanted, const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    report(found == wanted, format, rest, "");
    va_end(rest);
    if (found != wanted)
        tap_diag("found %ld (0x%lx), wanted %ld (0x%lx)", found, (unsigned long)found, wanted, (unsigned long)wanted);
    return found == wanted;
}

void tap_skip(const char *reason, const char *format, ...)
{
    char suffix[NAME_BYTES];
    va_list rest;
    snprintf(suffix, sizeof(suffix), " # SKIP %s", reason);
    va_start(rest, format);
    report(true, format, rest, suffix);
    va_end(rest);
}

void tap_diag(const char *format, ...)
{
    char text[NAME_BYTES];
    va_list rest;
    va_start(rest, format);
    vsnprintf(text, sizeof(text), format, rest);
    va_end(rest);
    printf("# %s\n", text);
}

int tap_done(void)
{
    if (tap_reported != tap_planned)
        tap_diag("%d tests reported, %d planned", tap_reported, tap_planned);
    return tap_failed == 0 && tap_reported == tap_planned ? 0 : 1;
}
