/* SPDX-License-Identifier: MIT */
/*
 * Forbidden accesses end the program that makes them, and no other. Without an argument this is the parent, which
 * starts itself once for each forbidden access.
 */
#include "tap.h"

#include <proto/root_client.h>
#include <quire/abi.h>
#include <quire/process.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define KERNEL_ADDRESS        0xffffffff80000000UL
#define KERNEL_DIRECT         0xffff800000000000UL
#define NON_CANONICAL_ADDRESS 0x0123456789abc000UL
#define SURVIVED              3

static uint32_t data_with_code[] = {0xd65f03c0}; /* ret */

static int volatile_read(uint64_t address)
{
    return *(volatile unsigned char *)address;
}

static void write_to(uint64_t address)
{
    *(volatile unsigned char *)address = 1;
}

static void jump_to(uint64_t address)
{
    ((void (*)(void))address)();
}

static void *mapped(int protection)
{
    return mmap(NULL, PAGE_SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void read_null(void)
{
    volatile_read(0);
}

static void read_unmapped(void)
{
    void *page = mapped(PROT_READ | PROT_WRITE);
    write_to((uint64_t)page);
    if (munmap(page, PAGE_SIZE) == 0)
        volatile_read((uint64_t)page);
}

static void read_kernel(void)
{
    volatile_read(KERNEL_ADDRESS);
}

static void write_kernel(void)
{
    write_to(KERNEL_ADDRESS);
}

static void write_kernel_direct(void)
{
    write_to(KERNEL_DIRECT + (1UL << 30));
}

static void read_non_canonical(void)
{
    volatile_read(NON_CANONICAL_ADDRESS);
}

static void read_end_of_user(void)
{
    volatile_read(USER_VA_END);
}

static void write_text(void)
{
    write_to((uint64_t)write_text);
}

static void write_read_only(void)
{
    void *page = mapped(PROT_READ);
    volatile_read((uint64_t)page);
    write_to((uint64_t)page);
}

static void read_none(void)
{
    volatile_read((uint64_t)mapped(PROT_NONE));
}

static void execute_data(void)
{
    jump_to((uint64_t)data_with_code);
}

static void execute_stack(void)
{
    uint32_t code[] = {data_with_code[0]};
    jump_to((uint64_t)code);
}

static void execute_null(void)
{
    jump_to(0);
}

static void execute_kernel(void)
{
    jump_to(KERNEL_ADDRESS);
}

static unsigned __attribute__((noinline)) deeper(unsigned depth)
{
    volatile unsigned char frame[1024];
    frame[depth % sizeof(frame)] = 1;
    /* The sum after the call keeps the compiler from making a loop of it. */
    return depth == UINT32_MAX ? 0 : deeper(depth + 1) + frame[depth % sizeof(frame)];
}

static void overflow_stack(void)
{
    deeper(0);
}

static const struct access {
    const char *name;
    void (*make)(void);
} accesses[] = {
    {"read-null", read_null},
    {"read-unmapped", read_unmapped},
    {"read-kernel", read_kernel},
    {"write-kernel", write_kernel},
    {"write-kernel-direct", write_kernel_direct},
    {"read-non-canonical", read_non_canonical},
    {"read-end-of-user", read_end_of_user},
    {"write-text", write_text},
    {"write-read-only", write_read_only},
    {"read-none", read_none},
    {"execute-data", execute_data},
    {"execute-stack", execute_stack},
    {"execute-null", execute_null},
    {"execute-kernel", execute_kernel},
    {"stack-overflow", overflow_stack},
};
#define ACCESS_COUNT (int)(sizeof(accesses) / sizeof(accesses[0]))

static int child(const char *name)
{
    for (int index = 0; index < ACCESS_COUNT; index++) {
        if (strcmp(accesses[index].name, name) == 0)
            accesses[index].make();
    }
    return SURVIVED;
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1)
        return child(arguments[1]);
    tap_plan(ACCESS_COUNT + 2);
    for (int index = 0; index < ACCESS_COUNT; index++) {
        const char *line[] = {"/tests/segv", accesses[index].name, NULL};
        tap_equal(process_run(line), ROOT_STATUS_FAULT, "%s ends the child", accesses[index].name);
    }
    const char *harmless[] = {"/tests/segv", "none", NULL};
    tap_equal(process_run(harmless), SURVIVED, "a child that does no harm ends by itself");
    const char *unknown[] = {"/tests/no-such-program", NULL};
    tap_equal(process_run(unknown), -ENOENT, "a program that is not there cannot be started");
    return tap_done();
}
