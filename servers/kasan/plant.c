/* SPDX-License-Identifier: MIT */
/* Faults made on purpose, so that tests can see them found. They only read, but for the one that is freed twice. */
#include "kasan.h"

#include <stdlib.h>
#include <string.h>

#define BYTES 100u

const char kasan_server[] = SERVER_NAME;

static char variable[BYTES];

/* Not known to the compiler, which would complain about what is done here. */
static volatile size_t behind = BYTES;

static __attribute__((noinline)) void plant_heap_out_of_bounds(void)
{
    volatile char *block = calloc(1, BYTES);
    if (block)
        (void)block[behind];
    free((void *)block);
}

static __attribute__((noinline)) void plant_use_after_free(void)
{
    char *volatile block = malloc(BYTES);
    free(block);
    if (block)
        (void)*(volatile char *)&block[behind / 2];
}

static __attribute__((noinline)) void plant_double_free(void)
{
    char *volatile block = malloc(BYTES);
    free(block);
    free(block);
}

static __attribute__((noinline)) void plant_stack_out_of_bounds(void)
{
    volatile char local[BYTES] = {0};
    (void)local[behind];
}

static __attribute__((noinline)) void plant_stack_after_scope(void)
{
    volatile char *volatile left;
    {
        volatile char local[BYTES] = {0};
        left = local;
    }
    (void)left[behind / 2];
}

static __attribute__((noinline)) void plant_global_out_of_bounds(void)
{
    (void)((volatile char *)variable)[behind];
}

static __attribute__((noinline)) void plant_text_out_of_bounds(void)
{
    char copy[BYTES + GRANULE];
    memcpy(copy, variable, behind + 1);
    (void)*(volatile char *)copy;
}

void kasan_plant(void)
{
    plant_heap_out_of_bounds();
    plant_use_after_free();
    plant_double_free();
    plant_stack_out_of_bounds();
    plant_stack_after_scope();
    plant_global_out_of_bounds();
    plant_text_out_of_bounds();
}
