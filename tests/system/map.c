/* SPDX-License-Identifier: MIT */
/*
 * The calls that shape an address space: mmap, munmap, mprotect, brk, with their errors. What must not be touched is
 * proved by memsrv's list of areas; that touching it ends the program is the business of segv.c.
 */
#include "server_state.h"
#include "tap.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <quire/abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define PAGES      16UL
#define BYTES      (PAGES * PAGE_SIZE)
#define AREAS_MAX  100

static unsigned char *map(void *address, size_t length, int protection, int flags)
{
    return mmap(address, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static bool fails(long result, int error)
{
    return result == -1 && errno == error;
}

static bool map_fails(void *address, size_t length, int protection, int flags, int error)
{
    return mmap(address, length, protection, flags, -1, 0) == MAP_FAILED && errno == error;
}

/* The protection of the area at an address, -1 if there is none. */
static int protection_at(const void *address)
{
    struct memsrv_area areas[AREAS_MAX];
    uint64_t next;
    size_t count;

    if (memsrv_maps(SLOT_MEMSRV, (uint64_t)getpid(), (uint64_t)address, &next, areas, AREAS_MAX, &count) < 0)
        return -1;
    for (size_t index = 0; index < count; index++) {
        if (areas[index].start <= (uint64_t)address && (uint64_t)address < areas[index].end)
            return (int)areas[index].protection;
    }
    return -1;
}

static void test_map(void)
{
    unsigned char *memory = map(NULL, BYTES - 1, READ_WRITE, 0);

    if (!tap_ok(memory != MAP_FAILED, "mmap chooses an address"))
        exit(1);
    tap_ok(((uint64_t)memory & ~PAGE_MASK) == 0, "and it is aligned");
    memory[BYTES - 1] = 1;
    tap_ok(true, "the length is rounded up to whole pages");
    tap_ok(map_fails(NULL, 0, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, EINVAL), "length 0 gives EINVAL");
    tap_ok(map_fails(NULL, 1UL << 60, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ENOMEM),
           "more than the address space gives ENOMEM");
    tap_ok(map_fails(NULL, UINT64_MAX, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ENOMEM) || errno == EINVAL,
           "a length that wraps is refused");
    tap_ok(map_fails(memory + 1, BYTES, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, EINVAL),
           "MAP_FIXED at a crooked address gives EINVAL");
    tap_ok(map_fails((void *)USER_VA_END, BYTES, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ENOMEM) ||
               errno == EINVAL,
           "MAP_FIXED at the kernel's addresses is refused");
    tap_ok(
        map_fails((void *)0xffffffff80000000UL, BYTES, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ENOMEM) ||
            errno == EINVAL,
        "and at the kernel's own address");
    tap_ok(map_fails(NULL, BYTES, READ_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, EACCES),
           "writing and executing together gives EACCES");
    tap_ok(map_fails(NULL, BYTES, READ_WRITE, MAP_ANONYMOUS, EINVAL), "neither shared nor private gives EINVAL");
    tap_ok(map_fails(NULL, BYTES, PROT_READ, MAP_PRIVATE, EBADF), "a mapping of no file gives EBADF");
    tap_ok(map_fails(memory, PAGE_SIZE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, EEXIST),
           "MAP_FIXED_NOREPLACE over something gives EEXIST");
    tap_ok(memory[BYTES - 1] == 1, "and changes nothing");
    tap_ok(map(memory, PAGE_SIZE, READ_WRITE, MAP_FIXED) == memory && memory[0] == 0, "MAP_FIXED replaces");
    tap_ok(munmap(memory, BYTES) == 0, "munmap works");
    tap_equal(protection_at(memory), -1, "and the area is gone");
}

static void test_unmap(void)
{
    unsigned char *memory = map(NULL, BYTES, READ_WRITE, 0);

    for (size_t page = 0; page < PAGES; page++)
        memory[page * PAGE_SIZE] = (unsigned char)(page + 1);
    tap_ok(munmap(memory + 4 * PAGE_SIZE, 4 * PAGE_SIZE) == 0, "munmap makes a hole");
    tap_ok(protection_at(memory + 3 * PAGE_SIZE) == READ_WRITE && protection_at(memory + 4 * PAGE_SIZE) == -1 &&
               protection_at(memory + 7 * PAGE_SIZE) == -1 && protection_at(memory + 8 * PAGE_SIZE) == READ_WRITE,
           "of the right size");
    tap_ok(memory[3 * PAGE_SIZE] == 4 && memory[8 * PAGE_SIZE] == 9, "its neighbours keep their contents");
    tap_ok(munmap(memory + 4 * PAGE_SIZE, 4 * PAGE_SIZE) == 0, "munmap of a hole is no error");
    tap_ok(map(memory + 4 * PAGE_SIZE, 4 * PAGE_SIZE, READ_WRITE, MAP_FIXED_NOREPLACE) == memory + 4 * PAGE_SIZE,
           "the hole can be filled");
    tap_ok(memory[4 * PAGE_SIZE] == 0, "with zeros");
    tap_ok(fails(munmap(memory + 1, PAGE_SIZE), EINVAL), "a crooked address gives EINVAL");
    tap_ok(fails(munmap(memory, 0), EINVAL), "length 0 gives EINVAL");
    tap_ok(fails(munmap((void *)USER_VA_END, PAGE_SIZE), EINVAL), "the kernel's addresses give EINVAL");
    tap_ok(fails(munmap(memory, UINT64_MAX - PAGE_SIZE), EINVAL), "a length that wraps gives EINVAL");
    tap_ok(fails(munmap(ipc_buffer(), PAGE_SIZE), EPERM), "the IPC buffer cannot be unmapped");
    tap_ok(munmap(memory, BYTES) == 0, "munmap takes all of it");
}

static void test_protect(void)
{
    unsigned char *memory = map(NULL, BYTES, READ_WRITE, 0);

    memory[0] = 1, memory[5 * PAGE_SIZE] = 5;
    tap_ok(mprotect(memory + 4 * PAGE_SIZE, 4 * PAGE_SIZE, PROT_READ) == 0, "mprotect makes a part read-only");
    tap_ok(protection_at(memory) == READ_WRITE && protection_at(memory + 5 * PAGE_SIZE) == PROT_READ,
           "and no other part");
    tap_ok(memory[5 * PAGE_SIZE] == 5, "it can still be read");
    tap_ok(mprotect(memory + 4 * PAGE_SIZE, 4 * PAGE_SIZE, READ_WRITE) == 0, "mprotect makes it writable again");
    memory[5 * PAGE_SIZE] = 6, memory[6 * PAGE_SIZE] = 7;
    tap_ok(memory[5 * PAGE_SIZE] == 6 && memory[6 * PAGE_SIZE] == 7, "and it is");
    tap_ok(mprotect(memory, PAGE_SIZE, PROT_NONE) == 0 && mprotect(memory, PAGE_SIZE, READ_WRITE) == 0 &&
               memory[0] == 1,
           "PROT_NONE and back keeps the contents");
    tap_ok(fails(mprotect(memory, BYTES, READ_WRITE | PROT_EXEC), EACCES), "write and execute gives EACCES");
    tap_ok(fails(mprotect(memory + 1, PAGE_SIZE, PROT_READ), EINVAL), "a crooked address gives EINVAL");
    tap_ok(fails(mprotect(memory, PAGE_SIZE, 0x100), EINVAL), "an unknown protection gives EINVAL");
    tap_ok(munmap(memory + 2 * PAGE_SIZE, PAGE_SIZE) == 0 && fails(mprotect(memory, BYTES, PROT_READ), ENOMEM),
           "a hole in the range gives ENOMEM");
    tap_equal(protection_at(memory), READ_WRITE, "and changes nothing");
    tap_ok(munmap(memory, BYTES) == 0, "munmap takes all of it");
}

static void test_brk(void)
{
    unsigned char *start = sbrk(0);

    tap_ok(start != (void *)-1, "sbrk tells the end of the heap");
    tap_ok(sbrk((ptrdiff_t)BYTES) == start && sbrk(0) == start + BYTES, "sbrk moves it up");
    start[0] = 1, start[BYTES - 1] = 2;
    tap_ok(start[0] == 1 && start[BYTES - 1] == 2 && start[BYTES / 2] == 0, "the heap can be used");
    tap_ok(sbrk(-(ptrdiff_t)BYTES) == start + BYTES && sbrk(0) == start, "sbrk moves it down");
    tap_ok(sbrk((ptrdiff_t)BYTES) == start && start[BYTES - 1] == 0, "memory that comes again is zero");
    tap_ok(sbrk((ptrdiff_t)1 << 60) == (void *)-1 && errno == ENOMEM, "too much gives ENOMEM");
    tap_ok(sbrk(-((ptrdiff_t)1 << 40)) == (void *)-1 && errno == ENOMEM, "below the start gives ENOMEM");
    tap_ok(sbrk(-(ptrdiff_t)BYTES) == start + BYTES && sbrk(0) == start, "and neither has moved it");
}

/* Many areas that cannot merge, and back: the tree of areas grows and shrinks. */
static void test_many(void)
{
    const size_t count = 2000;
    unsigned char *memory = map(NULL, count * PAGE_SIZE, READ_WRITE, 0);
    bool good = memory != MAP_FAILED;
    for (size_t page = 0; good && page < count; page += 2)
        good = mprotect(memory + page * PAGE_SIZE, PAGE_SIZE, PROT_READ) == 0;
    tap_ok(good, "%lu areas", (unsigned long)count);
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    for (size_t page = 0; good && page < count; page += 2)
        good = mprotect(memory + page * PAGE_SIZE, PAGE_SIZE, READ_WRITE) == 0;
    tap_ok(good && munmap(memory, count * PAGE_SIZE) == 0, "and none");
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
}

int main(void)
{
    tap_plan(17 + 12 + 12 + 8 + 4);
    test_map();
    test_unmap();
    test_protect();
    test_brk();
    test_many();
    return tap_done();
}
