/* SPDX-License-Identifier: MIT */
/*
 * The Test Anything Protocol for programs that run on Quire: a plan, then one numbered line a test. Lines go to
 * standard output; threads of a program may report at once.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdbool.h>

#define TAP_FORMAT __attribute__((format(printf, 2, 3)))

/* Says how many tests follow. Once, first. */
void tap_plan(int count);

/* Reports a test named by a format; returns `passed`, so that what depends on it can be left out. */
bool tap_ok(bool passed, const char *format, ...) TAP_FORMAT;

/* The same for a result that should be `wanted`; tells both if it is not. */
bool tap_equal(long found, long wanted, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Reports a test that cannot be made here as passed. */
void tap_skip(const char *reason, const char *format, ...) TAP_FORMAT;

/* Says something to whoever reads the output. */
void tap_diag(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit status for main(): 0 if as many tests as planned have passed and none failed, otherwise 1. */
__attribute__((warn_unused_result)) int tap_done(void);

#endif
