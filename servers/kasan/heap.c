/* SPDX-License-Identifier: MIT */
/*
 * Blocks of malloc() with a header, which the blocks' users may not touch, and some bytes behind. A freed block is kept for a
 * while in which nobody may touch it. The C library's functions below malloc() and its like are replaced by these when
 * the server is linked.
 */
#include "kasan.h"

#include <base/bits.h>
#include <errno.h>
#include <reent.h>
#include <string.h>

#define REST_BYTES       32u
#define BLOCK_ALIGNMENT  16u
#define KEPT_BYTES_MAX   (256UL * 1024)
#define BLOCK_MAGIC      0x6b61736e6b61736eUL
#define SEARCH_BYTES_MAX (1UL << 20)

struct block {
    uint64_t magic;
    struct block *next; /* that was freed after this; one that was freed last, or not, has none */
    void *start;        /* as it came from the allocator */
    uint64_t size;      /* that was asked for */
    uint64_t allocated[TRACE_CALLERS], freed[TRACE_CALLERS];
};
_Static_assert(sizeof(struct block) % BLOCK_ALIGNMENT == 0, "what is behind it is aligned");

void *__real__malloc_r(struct _reent *reent, size_t bytes);
void __real__free_r(struct _reent *reent, void *memory);
void __malloc_lock(struct _reent *reent);
void __malloc_unlock(struct _reent *reent);

/* Under malloc()'s lock. */
static struct block *kept_first, *kept_last;
static uint64_t kept_bytes;
static uint64_t heap_start = UINT64_MAX, heap_end;

static uint64_t memory_of(const struct block *block)
{
    return (uint64_t)(block + 1);
}

static uint64_t end_of(const struct block *block)
{
    return align_up(memory_of(block) + block->size, GRANULE) + REST_BYTES;
}

/* NULL: it is none of these blocks, but the allocator's own. */
static struct block *block_of(void *memory)
{
    const uint64_t address = (uint64_t)memory;
    struct block *block = (struct block *)memory - 1;
    return address % BLOCK_ALIGNMENT == 0 && address > heap_start && address < heap_end && block->magic == BLOCK_MAGIC
               ? block
               : NULL;
}

static void note_callers(uint64_t *places, const uint64_t *frame)
{
    memset(places, 0, TRACE_CALLERS * sizeof(*places));
    (void)callers(frame, places, TRACE_CALLERS);
}

static void *take(struct _reent *reent, size_t alignment, size_t bytes, const uint64_t *frame)
{
    size_t all;
    if (__builtin_add_overflow(bytes, sizeof(struct block) + REST_BYTES + GRANULE + alignment, &all)) {
        reent->_errno = ENOMEM;
        return NULL;
    }
    char *start = __real__malloc_r(reent, all);
    if (!start)
        return NULL;
    struct block *block = (struct block *)align_up((uint64_t)start + sizeof(struct block), alignment) - 1;
    *block = (struct block){.magic = BLOCK_MAGIC, .start = start, .size = bytes};
    note_callers(block->allocated, frame);
    __malloc_lock(reent);
    heap_start = (uint64_t)block < heap_start ? (uint64_t)block : heap_start;
    heap_end = end_of(block) > heap_end ? end_of(block) : heap_end;
    __malloc_unlock(reent);
    shadow_set((uint64_t)block, sizeof(*block), SHADOW_HEAP);
    shadow_set(memory_of(block), bytes, 0);
    shadow_set(end_of(block) - REST_BYTES, REST_BYTES, SHADOW_HEAP);
    return block + 1;
}

static void *take_zeroed(struct _reent *reent, size_t count, size_t bytes, const uint64_t *frame)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all)) {
        reent->_errno = ENOMEM;
        return NULL;
    }
    void *memory = take(reent, BLOCK_ALIGNMENT, all, frame);
    if (memory)
        memset(memory, 0, all);
    return memory;
}

/* Gives the oldest blocks back that there is no room to keep. */
static void let_go(struct _reent *reent)
{
    while (kept_bytes > KEPT_BYTES_MAX) {
        struct block *block = kept_first;
        const uint64_t end = end_of(block);
        kept_first = block->next;
        if (!kept_first)
            kept_last = NULL;
        kept_bytes -= end - (uint64_t)block;
        block->magic = 0;
        shadow_set((uint64_t)block, end - (uint64_t)block, 0);
        __real__free_r(reent, block->start);
    }
}

static void put(struct _reent *reent, void *memory, const uint64_t *frame)
{
    struct block *block = block_of(memory);

    if (!block) {
        __real__free_r(reent, memory);
        return;
    }
    __malloc_lock(reent);
    if (block->freed[0]) {
        report_access(FAULT_DOUBLE_FREE, (uint64_t)memory, block->size, true, frame);
        __malloc_unlock(reent);
        return;
    }
    note_callers(block->freed, frame);
    block->freed[0] |= block->freed[0] == 0;
    shadow_set(memory_of(block), align_up(block->size, GRANULE), SHADOW_HEAP_FREED);
    if (kept_last)
        kept_last->next = block;
    else
        kept_first = block;
    kept_last = block;
    kept_bytes += end_of(block) - (uint64_t)block;
    let_go(reent);
    __malloc_unlock(reent);
}

static void explain_callers(const char *what, const uint64_t *places)
{
    for (unsigned i = 0; i < TRACE_CALLERS && places[i]; i++)
        kasan_log("KASAN:   %s at 0x%lx", i == 0 ? what : "  called", places[i]);
}

bool heap_explain(uint64_t address)
{
    const uint64_t low = heap_start;

    if (address < low || address >= heap_end)
        return false;
    for (uint64_t at = address & ~(uint64_t)(BLOCK_ALIGNMENT - 1); at >= low && address - at < SEARCH_BYTES_MAX;
         at -= BLOCK_ALIGNMENT) {
        const struct block *block = (const struct block *)at;
        if (block->magic != BLOCK_MAGIC || shadow_of(at) != SHADOW_HEAP)
            continue;
        if (address >= end_of(block))
            return false;
        kasan_log("KASAN: block of %lu bytes at 0x%lx", block->size, memory_of(block));
        explain_callers("allocated", block->allocated);
        explain_callers("freed", block->freed);
        return true;
    }
    return false;
}

/* A NULL block is allowed, and no bytes give it back. */
static void *change(struct _reent *reent, void *memory, size_t bytes, const uint64_t *frame)
{
    void *larger = bytes || !memory ? take(reent, BLOCK_ALIGNMENT, bytes, frame) : NULL;
    const struct block *block = memory ? block_of(memory) : NULL;

    if (larger && block)
        memcpy(larger, memory, block->size < bytes ? block->size : bytes);
    if (memory && (larger || bytes == 0))
        put(reent, memory, frame);
    return larger;
}

/* --- In the C library's place: what programs call, and what the library itself does --------------------------------- */

#define REPLACES(result, name, ...)                                                                                    \
    result __wrap_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__)

REPLACES(void *, malloc, size_t bytes)
{
    return take(_REENT, BLOCK_ALIGNMENT, bytes, CALL_FRAME());
}

REPLACES(void *, calloc, size_t count, size_t bytes)
{
    return take_zeroed(_REENT, count, bytes, CALL_FRAME());
}

REPLACES(void *, realloc, void *memory, size_t bytes)
{
    return change(_REENT, memory, bytes, CALL_FRAME());
}

REPLACES(void *, memalign, size_t alignment, size_t bytes)
{
    return take(_REENT, alignment > BLOCK_ALIGNMENT ? alignment : BLOCK_ALIGNMENT, bytes, CALL_FRAME());
}

REPLACES(void, free, void *memory)
{
    if (memory)
        put(_REENT, memory, CALL_FRAME());
}

REPLACES(void *, _malloc_r, struct _reent *reent, size_t bytes)
{
    return take(reent, BLOCK_ALIGNMENT, bytes, CALL_FRAME());
}

REPLACES(void *, _calloc_r, struct _reent *reent, size_t count, size_t bytes)
{
    return take_zeroed(reent, count, bytes, CALL_FRAME());
}

REPLACES(void *, _realloc_r, struct _reent *reent, void *memory, size_t bytes)
{
    return change(reent, memory, bytes, CALL_FRAME());
}

REPLACES(void, _free_r, struct _reent *reent, void *memory)
{
    if (memory)
        put(reent, memory, CALL_FRAME());
}
