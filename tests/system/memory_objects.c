/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: mapped once and several times, shared and private, resized, discarded, granted to other programs,
 * which this program starts as copies of itself.
 */
#include "memory_calls.h"
#include "server_state.h"
#include "tap.h"

#include <proto/memsrv_client.h>
#include <quire/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SELF       "/tests/memory_objects"
#define PAGES      16UL
#define BYTES      (PAGES * PAGE)
#define STATUS_BUS (128 + 7)
#define STATUS_OK  3
#define FAR        (1UL << 40)

static uint64_t create(uint64_t bytes)
{
    uint64_t id = 0;
    return memsrv_object_memory_create(SLOT_MEMSRV, bytes, &id) == 0 ? id : 0;
}

static unsigned char *map_object(uint64_t id, uint64_t offset, uint64_t length, uint64_t protection, uint64_t flags)
{
    uint64_t address = 0;
    return memsrv_map_object(SLOT_MEMSRV, 0, length, protection, flags, id, offset, &address) == 0
               ? (unsigned char *)address
               : NULL;
}

static int map_error(uint64_t id, uint64_t offset, uint64_t length, uint64_t protection, uint64_t flags)
{
    uint64_t address;
    return memsrv_map_object(SLOT_MEMSRV, 0, length, protection, flags, id, offset, &address);
}

static uint64_t pages_of(uint64_t id)
{
    uint64_t size, pages = UINT64_MAX;
    return memsrv_object_memory_info(SLOT_MEMSRV, id, &size, &pages) == 0 ? pages : UINT64_MAX;
}

static uint64_t size_of(uint64_t id)
{
    uint64_t size = UINT64_MAX, pages;
    return memsrv_object_memory_info(SLOT_MEMSRV, id, &size, &pages) == 0 ? size : UINT64_MAX;
}

static void test_map(void)
{
    uint64_t id = create(BYTES);
    unsigned char *first = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
    unsigned char *second = map_object(id, 4 * PAGE, 4 * PAGE, READ_WRITE, MEMSRV_MAP_SHARED);

    tap_ok(id != 0 && first && second, "an object mapped twice");
    tap_ok(size_of(id) == BYTES && pages_of(id) == 0, "has a size and no pages");
    tap_ok(second[0] == 0 && pages_of(id) == 1, "a page that is read is taken, and is zero");
    number_pages(first, PAGES, 1);
    tap_ok(are_numbered(second, 4, 5), "what one mapping writes the other reads");
    second[0] = 77;
    tap_ok(first[4 * PAGE] == 77 && pages_of(id) == PAGES, "and the other way round");
    tap_ok(munmap(first, BYTES) == 0 && second[0] == 77, "unmapping one leaves the other");
    tap_ok(munmap(second, 4 * PAGE) == 0 && pages_of(id) == PAGES, "and both the object");
    first = map_object(id, 0, BYTES, PROT_READ, MEMSRV_MAP_SHARED);
    tap_ok(first[4 * PAGE] == 77, "which can be mapped again");
    tap_ok(memsrv_object_memory_release(SLOT_MEMSRV, id) == 0 && first[4 * PAGE] == 77,
           "and lives on while it is mapped");
    tap_equal(memsrv_object_memory_release(SLOT_MEMSRV, id), -ENOENT, "but is given up only once");
    tap_ok(munmap(first, BYTES) == 0, "munmap");
}

static void test_private(void)
{
    uint64_t id = create(BYTES);
    unsigned char *shared = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
    unsigned char *copy = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_PRIVATE);

    number_pages(shared, PAGES, 1);
    tap_ok(are_numbered(copy, PAGES, 1), "a private mapping reads the object");
    copy[0] = 50;
    tap_ok(copy[0] == 50 && shared[0] == 1, "what it writes is its own");
    copy[PAGE + 1] = 51;
    tap_ok(copy[PAGE] == 2 && shared[PAGE + 1] == 0, "the rest of such a page is copied");
    shared[2 * PAGE] = 52;
    tap_ok(copy[2 * PAGE] == 52, "pages that it has not written follow the object");
    shared[0] = 53;
    tap_ok(copy[0] == 50, "others do not");
    tap_ok(mprotect(copy, BYTES, PROT_READ) == 0 && mprotect(copy, BYTES, READ_WRITE) == 0, "mprotect there and back");
    copy[3 * PAGE] = 54;
    copy[0] = 55;
    tap_ok(shared[3 * PAGE] == 4 && shared[0] == 53 && copy[3 * PAGE] == 54 && copy[0] == 55,
           "gives no right to write to the object");
    tap_ok(madvise(copy, PAGE, MADV_DONTNEED) == 0 && copy[0] == 53, "MADV_DONTNEED brings the object's page back");
    unsigned char *late = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_PRIVATE);
    late[5 * PAGE] = 60;
    tap_ok(shared[5 * PAGE] == 6 && late[5 * PAGE] == 60, "a page whose first access is a write");
    tap_ok(munmap(late, BYTES) == 0 && munmap(copy, BYTES) == 0 && munmap(shared, BYTES) == 0 &&
               memsrv_object_memory_release(SLOT_MEMSRV, id) == 0,
           "and all is given back");
}

static void test_resize(void)
{
    uint64_t id = create(BYTES);
    unsigned char *memory = map_object(id, 0, 2 * BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
    unsigned char *copy = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_PRIVATE);

    number_pages(memory, PAGES, 1);
    copy[8 * PAGE] = 99;
    tap_ok(memsrv_object_memory_resize(SLOT_MEMSRV, id, 4 * PAGE + 100) == 0, "an object shrinks");
    tap_ok(pages_of(id) == 5 && size_of(id) == 4 * PAGE + 100, "and loses pages");
    tap_ok(resident_pages(memory, PAGES) == 5 && resident_pages(copy + 8 * PAGE, 1) == 0, "in all mappings");
    tap_ok(are_numbered(memory, 5, 1), "the others are there");
    memory[4 * PAGE + 200] = 1;
    tap_ok(memory[4 * PAGE + 200] == 1, "the end of the last page can be touched");
    tap_ok(memsrv_object_memory_resize(SLOT_MEMSRV, id, 3 * PAGE + 1) == 0 &&
               memsrv_object_memory_resize(SLOT_MEMSRV, id, 2 * BYTES) == 0,
           "it shrinks and grows");
    tap_ok(memory[3 * PAGE] == 4 && memory[3 * PAGE + 1] == 0 && memory[8 * PAGE] == 0 && copy[8 * PAGE] == 0 &&
               memory[2 * BYTES - 1] == 0,
           "and has zeros where it had ended");
    tap_equal(memsrv_object_memory_resize(SLOT_MEMSRV, id, UINT64_MAX), -EINVAL, "too large a size gives EINVAL");
    tap_ok(munmap(memory, 2 * BYTES) == 0 && munmap(copy, BYTES) == 0 &&
               memsrv_object_memory_release(SLOT_MEMSRV, id) == 0,
           "and all is given back");
}

static void test_discard(void)
{
    uint64_t id = create(BYTES);
    unsigned char *memory = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
    unsigned char *copy = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_PRIVATE);

    number_pages(memory, PAGES, 1);
    copy[4 * PAGE] = 50;
    tap_ok(are_numbered(copy, 4, 1) && copy[5 * PAGE] == 6, "a private mapping with one copy");
    tap_ok(memsrv_object_memory_discard(SLOT_MEMSRV, id, 3 * PAGE + 1, 3 * PAGE) == 0, "a hole is made");
    tap_ok(pages_of(id) == PAGES - 2 && memory[3 * PAGE] == 4 && memory[6 * PAGE] == 7, "of whole pages within it");
    tap_ok(memory[4 * PAGE] == 0 && memory[5 * PAGE] == 0 && copy[5 * PAGE] == 0, "which read as zeros");
    tap_ok(copy[4 * PAGE] == 50, "copies stay");
    tap_equal(memsrv_object_memory_discard(SLOT_MEMSRV, id, PAGE, UINT64_MAX), -EINVAL,
              "a range that wraps gives EINVAL");
    tap_ok(munmap(memory, BYTES) == 0 && munmap(copy, BYTES) == 0 && memsrv_object_memory_release(SLOT_MEMSRV, id) == 0,
           "and all is given back");
}

static void test_errors(void)
{
    uint64_t id = create(BYTES), size, pages;

    tap_equal(map_error(id, 1, PAGE, PROT_READ, MEMSRV_MAP_SHARED), -EINVAL, "a crooked offset gives EINVAL");
    tap_equal(map_error(id, 0, 0, PROT_READ, MEMSRV_MAP_SHARED), -EINVAL, "length 0 gives EINVAL");
    tap_equal(map_error(id, 0, PAGE, PROT_READ, 1UL << 40), -EINVAL, "an unknown flag gives EINVAL");
    tap_equal(map_error(id, 0, PAGE, PROT_READ, MEMSRV_MAP_GROWS_DOWN), -EINVAL, "a stack of an object gives EINVAL");
    tap_equal(map_error(id, 0, PAGE, READ_WRITE | PROT_EXEC, MEMSRV_MAP_SHARED), -EACCES, "W and X give EACCES");
    tap_equal(map_error(id, ~0xfffUL, 2 * PAGE, PROT_READ, MEMSRV_MAP_SHARED), -EOVERFLOW,
              "an offset that wraps gives EOVERFLOW");
    tap_equal(map_error(id + 1000, 0, PAGE, PROT_READ, MEMSRV_MAP_SHARED), -ENOENT, "no such object: ENOENT");
    tap_equal(memsrv_object_memory_create(SLOT_MEMSRV, UINT64_MAX, &size), -EINVAL, "too large a size gives EINVAL");
    tap_equal(memsrv_object_memory_grant(SLOT_MEMSRV, id, 99999, PROT_READ), -ESRCH, "no such process: ESRCH");
    tap_equal(memsrv_object_memory_grant(SLOT_MEMSRV, id, (uint64_t)getpid(), 8), -EINVAL,
              "an unknown right gives EINVAL");
    tap_ok(map_error(id, FAR, PAGE, PROT_READ, MEMSRV_MAP_SHARED) == 0, "far past its end it can be mapped");
    tap_ok(memsrv_object_memory_release(SLOT_MEMSRV, id) == 0 &&
               memsrv_object_memory_info(SLOT_MEMSRV, id, &size, &pages) == -ENOENT &&
               memsrv_object_memory_resize(SLOT_MEMSRV, id, 1) == -ENOENT &&
               memsrv_object_memory_discard(SLOT_MEMSRV, id, 0, 1) == -ENOENT &&
               memsrv_object_memory_grant(SLOT_MEMSRV, id, 1, 1) == -ENOENT,
           "who has given it up owns it no longer");
}

/* --- Other programs ----------------------------------------------------------------------------------------------- */

/* Waits until this program may use the object. */
static void await_grant(uint64_t id)
{
    while (size_of(id) == UINT64_MAX)
        usleep(1000);
}

/* A child that may read and write: adds 1 to the first byte of each page. */
static int child_write(uint64_t id)
{
    await_grant(id);
    unsigned char *memory = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
    for (size_t i = 0; memory && i < PAGES; i++)
        memory[i * PAGE]++;
    return memory ? STATUS_OK : 1;
}

/* A child that may only read. */
static int child_read(uint64_t id)
{
    await_grant(id);
    unsigned char *memory = map_object(id, 0, BYTES, PROT_READ, MEMSRV_MAP_SHARED);
    if (!memory || !are_numbered(memory, PAGES, 2))
        return 1;
    if (map_error(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED) != -EACCES)
        return 4;
    if (!fails(mprotect(memory, PAGE, READ_WRITE), EACCES))
        return 5;
    if (memsrv_object_memory_resize(SLOT_MEMSRV, id, 0) != -ENOENT)
        return 6;
    unsigned char *copy = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_PRIVATE);
    if (!copy)
        return 7;
    copy[0] = 9;
    if (memsrv_object_memory_release(SLOT_MEMSRV, id) != 0 || size_of(id) != UINT64_MAX)
        return 8;
    return memory[0] == 2 && copy[0] == 9 ? STATUS_OK : 10;
}

/* A child that touches what is past the end: ended by it. */
static int child_bus(uint64_t id)
{
    await_grant(id);
    volatile unsigned char *memory = map_object(id, 0, 2 * BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
    memory[BYTES - 1] = 1;
    memory[BYTES] = 1;
    return STATUS_OK;
}

/* A child that nobody granted anything. */
static int child_stranger(uint64_t id)
{
    return map_error(id, 0, PAGE, PROT_READ, MEMSRV_MAP_SHARED) == -ENOENT && size_of(id) == UINT64_MAX ? STATUS_OK : 1;
}

static const struct {
    const char *name;
    int (*run)(uint64_t id);
    uint64_t rights;
    int status;
    const char *sentence;
} children[] = {
    {"write", child_write, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, STATUS_OK, "another program reads and writes"},
    {"read", child_read, MEMSRV_PROTECT_READ, STATUS_OK, "one that may only read does not write"},
    {"bus", child_bus, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, STATUS_BUS, "past the end is a bus error"},
    {"stranger", child_stranger, 0, STATUS_OK, "without a grant there is no object"},
};
#define CHILDREN (sizeof(children) / sizeof(children[0]))

static int run_child(const char *name, uint64_t rights, uint64_t id)
{
    char number[32];
    const char *line[] = {SELF, name, number, NULL};

    snprintf(number, sizeof(number), "%lu", (unsigned long)id);
    int64_t pid = process_spawn(line);
    if (pid < 0 || (rights && memsrv_object_memory_grant(SLOT_MEMSRV, id, (uint64_t)pid, rights) != 0))
        return -1;
    return process_wait((uint64_t)pid);
}

static void test_grants(void)
{
    uint64_t id = create(BYTES);
    unsigned char *memory = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED);

    number_pages(memory, PAGES, 1);
    for (size_t i = 0; i < CHILDREN; i++) {
        tap_equal(run_child(children[i].name, children[i].rights, id), children[i].status, "%s", children[i].sentence);
        if (i == 0)
            tap_ok(are_numbered(memory, PAGES, 2), "and its owner sees that");
    }
    tap_ok(munmap(memory, BYTES) == 0 && memsrv_object_memory_release(SLOT_MEMSRV, id) == 0, "and all is given back");
}

/* --- All ---------------------------------------------------------------------------------------------------------- */

static void test_pages_come_back(void)
{
    uint64_t before = 0;

    for (int round = 0; round < 3; round++) {
        uint64_t id = create(BYTES);
        unsigned char *memory = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_SHARED);
        unsigned char *copy = map_object(id, 0, BYTES, READ_WRITE, MEMSRV_MAP_PRIVATE);
        number_pages(memory, PAGES, 1);
        number_pages(copy, PAGES / 2, 1);
        munmap(memory, BYTES);
        munmap(copy, BYTES);
        (void)!memsrv_object_memory_release(SLOT_MEMSRV, id);
        if (round == 0)
            before = pages_used();
    }
    tap_equal((long)pages_used(), (long)before, "no page is lost");
}

int main(int count, char **arguments)
{
    for (size_t i = 0; count == 3 && i < CHILDREN; i++) {
        if (strcmp(arguments[1], children[i].name) == 0)
            return children[i].run(strtoul(arguments[2], NULL, 10));
    }
    tap_plan(11 + 10 + 9 + 7 + 12 + (int)CHILDREN + 2 + 2);
    test_map();
    test_private();
    test_resize();
    test_discard();
    test_errors();
    test_grants();
    test_pages_come_back();
    tap_ok(memsrv_is_sound(), "memsrv's structures are sound");
    return tap_done();
}
