/* SPDX-License-Identifier: MIT */
/* The shadow, and what the compiler calls. */
#include "kasan.h"

#include <base/asan_calls.h>
#include <base/bits.h>
#include <proto/memsrv_client.h>

/* Given to the compiler: memory at A has its shadow at A / 8 + this. */
#define SHADOW_OFFSET 0x100000000000UL

/* What has a shadow: programs, their heaps and what is at fixed addresses; mappings, and so all stacks. */
static const struct span {
    uint64_t start, end;
} spans[] = {{0, 4UL << 30}, {0x7fe000000000UL, 0x800000000000UL}};

/* As the compiler lays it out. */
struct variable {
    uint64_t start, size, size_with_rest;
    const char *name, *file;
    uint64_t unused[3];
};

#define TABLES_MAX 256u /* files with variables */
static struct {
    const struct variable *variables;
    uint64_t count;
} tables[TABLES_MAX];
static unsigned table_count;

static bool mapped;

static uint8_t *shadow_at(uint64_t address)
{
    return (uint8_t *)(address / GRANULE + SHADOW_OFFSET);
}

static bool has_shadow(uint64_t address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++)
        if (address >= spans[i].start && address < spans[i].end)
            return mapped;
    return false;
}

int shadow_map(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++) {
        const uint64_t start = (uint64_t)shadow_at(spans[i].start);
        uint64_t address;
        const int error =
            memsrv_map(SLOT_MEMSRV, start, (spans[i].end - spans[i].start) / GRANULE,
                       MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, MEMSRV_MAP_FIXED | MEMSRV_MAP_NO_RESERVE, &address);
        if (error)
            return error;
    }
    mapped = true;
    return 0;
}

uint8_t shadow_of(uint64_t address)
{
    return has_shadow(address) ? *shadow_at(address) : 0;
}

void shadow_set(uint64_t start, uint64_t size, uint8_t value)
{
    if (size == 0 || !has_shadow(start) || !has_shadow(start + size - 1))
        return;
    for (uint64_t at = start; at < start + size; at += GRANULE) {
        const uint64_t left = start + size - at;
        *shadow_at(at) = value || left >= GRANULE ? value : (uint8_t)left;
    }
}

void access_check(const void *pointer, uint64_t size, bool write, const uint64_t *frame)
{
    const uint64_t address = (uint64_t)pointer, end = address + size;
    uint8_t value = 0;

    for (uint64_t at = address & ~(uint64_t)(GRANULE - 1); at < end; at += GRANULE) {
        value = shadow_of(at);
        if (!value || (value < GRANULE && end - at <= value))
            continue;
        /* Some of the granule may be used: the next one says what is behind. */
        if (value < GRANULE)
            value = shadow_of(at + GRANULE);
        const uint64_t first = at > address ? at : address;
        report_access(value, first, size, write, frame);
        return;
    }
}

static void asan_check(const void *address, uint64_t size, bool write, const uint64_t *frame)
{
    access_check(address, size, write, frame);
}

ASAN_CALLS(asan_check)

/* --- Variables ---------------------------------------------------------------------------------------------------- */

void __asan_register_globals(void *first, long count);
void __asan_register_globals(void *first, long count)
{
    const struct variable *variables = first;

    if (table_count < TABLES_MAX) {
        tables[table_count].variables = variables;
        tables[table_count++].count = (uint64_t)count;
    }
    for (long i = 0; i < count; i++) {
        const uint64_t used = align_up(variables[i].size, GRANULE);
        shadow_set(variables[i].start, variables[i].size, 0);
        shadow_set(variables[i].start + used, variables[i].size_with_rest - used, SHADOW_GLOBAL);
    }
}

void __asan_unregister_globals(void *first, long count);
void __asan_unregister_globals(void *first, long count)
{
    const struct variable *variables = first;

    for (long i = 0; i < count; i++)
        shadow_set(variables[i].start, variables[i].size_with_rest, 0);
}

bool global_explain(uint64_t address)
{
    for (unsigned table = 0; table < table_count; table++)
        for (uint64_t i = 0; i < tables[table].count; i++) {
            const struct variable *variable = &tables[table].variables[i];
            if (address < variable->start || address >= variable->start + variable->size_with_rest)
                continue;
            kasan_log("KASAN: variable %s of %s, %lu bytes at 0x%lx", variable->name, variable->file, variable->size,
                      variable->start);
            return true;
        }
    return false;
}

/* Large variables of functions, as their blocks are entered and left. */
void __asan_poison_stack_memory(void *start, long size);
void __asan_poison_stack_memory(void *start, long size)
{
    shadow_set((uint64_t)start, align_up((uint64_t)size, GRANULE), SHADOW_STACK_SCOPE);
}

void __asan_unpoison_stack_memory(void *start, long size);
void __asan_unpoison_stack_memory(void *start, long size)
{
    shadow_set((uint64_t)start, (uint64_t)size, 0);
}

/* The functions that are left will not clear what they have marked. */
#define LEFT_BYTES (64UL * 1024)
void __asan_handle_no_return(void)
{
    const uint64_t start = (uint64_t)CALL_FRAME() & ~(uint64_t)(GRANULE - 1);
    const uint64_t end = spans[ARRAY_LENGTH(spans) - 1].end;
    shadow_set(start, end - start < LEFT_BYTES ? end - start : LEFT_BYTES, 0);
}
