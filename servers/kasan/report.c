/* SPDX-License-Identifier: MIT */
/* What is logged of an access that is not allowed. scripts/symbolise.py puts names behind the addresses of code. */
#include "kasan.h"

#include <quire/syscall.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <proto/root_client.h>

#define LINE_MAX_BYTES 240u
#define REPORTS_MAX    64u /* places; then no more is said */
#define REPORT_CALLERS 8u
#define STACK_BYTES    (1UL << 20) /* frames of one stack are no farther from each other */

/* What the compiler writes at the start of a frame with variables that are watched. */
#define FRAME_MAGIC 0x41b58ab3UL
#define FRAME_STEP  16u
#define FRAME_MAX   (64UL * 1024)

static uint64_t places[REPORTS_MAX];
static uint32_t place_count; /* atomic: may go on beyond REPORTS_MAX */

unsigned callers(const uint64_t *frame, uint64_t *found, unsigned room)
{
    unsigned count = 0;

    while (count < room && frame && (uint64_t)frame % 16 == 0 && frame[1]) {
        const uint64_t *next = (const uint64_t *)frame[0];
        found[count++] = frame[1];
        if (next <= frame || (uint64_t)next - (uint64_t)frame > STACK_BYTES)
            break;
        frame = next;
    }
    return count;
}

void kasan_log(const char *format, ...)
{
    uint64_t saved[MSG_BUFFER_WORDS];
    char line[LINE_MAX_BYTES];
    va_list arguments;

    memcpy(saved, ipc_buffer()->words, sizeof(saved));
    int length = snprintf(line, sizeof(line), "%s: ", kasan_server);
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, arguments);
    va_end(arguments);
    if ((size_t)length > sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    line[length] = '\n';
    (void)!root_log(SLOT_ROOT, line, (size_t)length + 1);
    memcpy(ipc_buffer()->words, saved, sizeof(saved));
}

/* The frame that the address lies in begins with what the compiler has written of it. */
static bool stack_explain(uint64_t address)
{
    for (uint64_t at = address & ~(uint64_t)(FRAME_STEP - 1), first = at - FRAME_MAX; at > first; at -= FRAME_STEP) {
        const uint64_t *frame = (const uint64_t *)at;
        if (shadow_of(at) != SHADOW_STACK_LEFT || frame[0] != FRAME_MAGIC)
            continue;
        kasan_log("KASAN: byte %lu of a frame", address - at);
        /* Their number; of each, where it begins, its size, the length of its name, and its name and line. */
        kasan_log("KASAN: variables of the frame: %s", (const char *)frame[1]);
        return true;
    }
    return false;
}

static bool is_new(uint64_t place)
{
    const uint32_t count = __atomic_load_n(&place_count, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < count && i < REPORTS_MAX; i++)
        if (places[i] == place)
            return false;
    const uint32_t index = __atomic_fetch_add(&place_count, 1, __ATOMIC_ACQ_REL);
    if (index >= REPORTS_MAX)
        return false;
    places[index] = place;
    return true;
}

static const char *kind_of(uint8_t shadow)
{
    switch (shadow) {
    case SHADOW_HEAP_FREED:
        return "use-after-free";
    case SHADOW_STACK_SCOPE:
        return "stack-use-after-scope";
    case SHADOW_STACK_LEFT:
    case SHADOW_STACK_MIDDLE:
    case SHADOW_STACK_RIGHT:
        return "stack-out-of-bounds";
    case SHADOW_GLOBAL:
        return "global-out-of-bounds";
    case SHADOW_HEAP:
        return "heap-out-of-bounds";
    default:
        return "double-free";
    }
}

void report_access(uint8_t shadow, uint64_t address, uint64_t size, bool write, const uint64_t *frame)
{
    uint64_t found[REPORT_CALLERS];
    const unsigned count = callers(frame, found, REPORT_CALLERS);

    if (count == 0 || !is_new(found[0]))
        return;
    kasan_log("KASAN: %s at 0x%lx", kind_of(shadow), found[0]);
    kasan_log("KASAN: %s of size %lu, first byte 0x%lx", write ? "write" : "read", size, address);
    for (unsigned i = 1; i < count; i++)
        kasan_log("KASAN:   called at 0x%lx", found[i]);
    if (shadow >= SHADOW_STACK_LEFT && shadow <= SHADOW_STACK_SCOPE)
        (void)stack_explain(address);
    else if (!global_explain(address))
        (void)heap_explain(address);
}
