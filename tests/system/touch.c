/* SPDX-License-Identifier: MIT */
/*
 * Memory that comes when it is touched: variables, heap, stack and mappings, none of which anybody filled in before.
 */
#include "tap.h"

#include <quire/abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BSS_BYTES      (8UL << 20)
#define MAPPED_BYTES   (16UL << 20)
#define HEAP_BYTES     (4UL << 20)
#define STACK_BYTES    (512UL << 10)
#define SPARSE_BYTES   (64UL << 30) /* far more than the machine has */
#define SPARSE_STEP    (64UL << 20)
#define FRAME_OF_STACK 4096

static unsigned char variables[BSS_BYTES] __attribute__((aligned(PAGE_SIZE)));
static uint64_t initialised[3] = {1, 2, 3};

/* What page `page` holds at word `word`: differs in every word of every page. */
static uint64_t pattern(uint64_t page, uint64_t word)
{
    return (page * 512 + word) * 0x9e3779b97f4a7c15UL;
}

static bool all_zero(const void *memory, size_t bytes)
{
    const uint64_t *words = memory;
    for (size_t index = 0; index < bytes / sizeof(*words); index++) {
        if (words[index] != 0)
            return false;
    }
    return true;
}

static void fill(void *memory, size_t bytes)
{
    uint64_t *words = memory;
    for (size_t index = 0; index < bytes / sizeof(*words); index++)
        words[index] = pattern(index / 512, index % 512);
}

static bool is_filled(const void *memory, size_t bytes)
{
    const uint64_t *words = memory;
    for (size_t index = 0; index < bytes / sizeof(*words); index++) {
        if (words[index] != pattern(index / 512, index % 512))
            return false;
    }
    return true;
}

static void test_area(void *memory, size_t bytes, const char *name)
{
    tap_ok(all_zero(memory, bytes), "%s: reads as zero", name);
    fill(memory, bytes);
    tap_ok(is_filled(memory, bytes), "%s: keeps what is written", name);
}

/* Writes before it reads, backwards, so that the first touch of each page is a write. */
static void test_write_first(void)
{
    unsigned char *memory = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool zero = true;

    if (!tap_ok(memory != MAP_FAILED, "mmap gives 16 MiB"))
        exit(1);
    for (size_t at = MAPPED_BYTES; at > 0; at -= PAGE_SIZE)
        memory[at - 1] = (unsigned char)(at >> PAGE_SHIFT);
    for (size_t at = 0; at < MAPPED_BYTES; at += PAGE_SIZE)
        zero = zero && all_zero(memory + at, PAGE_SIZE - 8) &&
               memory[at + PAGE_SIZE - 1] == (unsigned char)((at >> PAGE_SHIFT) + 1);
    tap_ok(zero, "a page written to first is zero elsewhere");
    tap_ok(munmap(memory, MAPPED_BYTES) == 0, "munmap takes it back");
}

static void test_sparse(void)
{
    unsigned char *memory =
        mmap(NULL, SPARSE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool good = true;

    if (!tap_ok(memory != MAP_FAILED, "mmap gives 64 GiB of addresses"))
        exit(1);
    for (size_t at = 0; at < SPARSE_BYTES; at += SPARSE_STEP)
        memory[at] = (unsigned char)(at / SPARSE_STEP + 1);
    for (size_t at = 0; at < SPARSE_BYTES; at += SPARSE_STEP)
        good = good && memory[at] == (unsigned char)(at / SPARSE_STEP + 1) && memory[at + 1] == 0;
    tap_ok(good, "pages far apart are separate");
    tap_ok(munmap(memory, SPARSE_BYTES) == 0, "munmap takes them back");
}

/* Each call uses a page and more of stack. */
static unsigned __attribute__((noinline)) grow_stack(size_t bytes)
{
    volatile unsigned char frame[FRAME_OF_STACK];

    frame[0] = (unsigned char)(bytes / FRAME_OF_STACK);
    if (bytes <= FRAME_OF_STACK)
        return frame[0];
    const unsigned below = grow_stack(bytes - FRAME_OF_STACK);
    return below + frame[0];
}

int main(void)
{
    unsigned wanted = 0;

    tap_plan(2 + 1 + 2 + 2 + 1 + 3 + 3 + 2);
    test_area(variables, BSS_BYTES, "8 MiB of variables");
    tap_ok(initialised[0] == 1 && initialised[1] == 2 && initialised[2] == 3, "initialised variables are");
    initialised[1] = 7;

    void *first = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (first == MAP_FAILED)
        return 1;
    test_area(first, MAPPED_BYTES, "16 MiB mapped");
    munmap(first, MAPPED_BYTES);
    void *again = mmap(first, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (again == MAP_FAILED)
        return 1;
    test_area(again, MAPPED_BYTES, "16 MiB mapped again");
    munmap(again, MAPPED_BYTES);

    unsigned char *heap = malloc(HEAP_BYTES);
    if (heap)
        fill(heap, HEAP_BYTES & ~7UL);
    tap_ok(heap && is_filled(heap, HEAP_BYTES & ~7UL), "4 MiB of heap keep what is written");
    free(heap);

    test_write_first();
    test_sparse();

    for (size_t bytes = STACK_BYTES; bytes > 0; bytes -= FRAME_OF_STACK)
        wanted += (unsigned char)(bytes / FRAME_OF_STACK);
    tap_equal(grow_stack(STACK_BYTES), wanted, "the stack grows by 512 KiB");
    tap_equal(grow_stack(STACK_BYTES), wanted, "and again");
    return tap_done();
}
