/* SPDX-License-Identifier: MIT */
/*
 * Panics. Nothing here trusts the kernel's data: stacks are walked only where they can lie, every loop is bounded, and
 * a panic within the panic ends it at once.
 */
#include "panic.h"

#include <quire/abi.h>
#include <stddef.h>

#include "arch.h"
#include "log.h"
#include "platform.h"
#include "root_image.h"
#include "start.h"

#define BACKTRACE_MAX 32u

/* The kernel's functions by rising address; the build makes the table. */
struct symbol_entry {
    uint64_t address;
    uint32_t name_offset;
};
extern const struct symbol_entry symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

extern char __text_start[], __text_end[];

bool panic_active;
static uint32_t panic_depth;
static uint64_t panic_cpu;

static bool is_text(uint64_t address)
{
    return address >= (uint64_t)__text_start && address < (uint64_t)__text_end;
}

/* A frame record, two words, that lies on some kernel stack. */
static bool is_on_stack(uint64_t address)
{
    return address % 8 == 0 && address >= (uint64_t)kernel_stacks &&
           address <= (uint64_t)kernel_stacks + sizeof(kernel_stacks) - 2 * sizeof(uint64_t);
}

static const struct symbol_entry *find_symbol(uint64_t address)
{
    uint32_t low = 0, high = symbol_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &symbol_table[low - 1] : NULL;
}

static void print_place(unsigned number, uint64_t address, bool is_return)
{
    const struct symbol_entry *symbol = NULL;
    if (is_text(address))
        symbol = find_symbol(is_return ? address - 1 : address);
    if (symbol)
        log_printf("  #%u %016lx %s+0x%lx\n", number, address, symbol_names + symbol->name_offset,
                   address - symbol->address);
    else
        log_printf("  #%u %016lx ?\n", number, address);
}

/* Prints the callers by their frame records, from `number` on. Records lie higher and higher on one stack. */
static void print_backtrace(unsigned number, uint64_t record)
{
    for (uint64_t previous = 0; number < BACKTRACE_MAX && is_on_stack(record) && record > previous; number++) {
        const uint64_t *words = (const uint64_t *)record;
        if (!words[1])
            return;
        print_place(number, words[1], true);
        previous = record;
        record = words[0];
    }
}

static void stop_others(void)
{
    __atomic_store_n(&panic_active, true, __ATOMIC_SEQ_CST);
    for (uint32_t cpu = 0; cpu < machine.cpu_count && cpu < CPUS_MAX; cpu++)
        ipi_send(cpu);
}

static void begin(void)
{
    uint32_t depth = __atomic_fetch_add(&panic_depth, 1, __ATOMIC_SEQ_CST);
    if (!depth) {
        panic_cpu = cpu_affinity();
        stop_others();
        return;
    }
    /* Another CPU: the first one goes on. The same CPU: the report itself failed, so there is no more of it. */
    if (panic_cpu == cpu_affinity() && depth == 1 && machine.exit_semihosting)
        platform_power_off(PANIC_STATUS);
    cpu_halt();
}

__attribute__((noreturn)) static void end(void)
{
    if (machine.exit_semihosting)
        platform_power_off(PANIC_STATUS);
    log_printf("halted\n");
    cpu_halt();
}

void panic_called(const struct panic_frame *frame, const char *format, va_list arguments)
{
    begin();
    log_printf("\nKERNEL PANIC: ");
    log_vprintf(format, arguments);
    log_printf("\ncpu %lx\n", cpu_affinity());
    panic_print_registers(frame);
    print_place(0, panic_frame_pc(frame), true);
    print_backtrace(1, panic_frame_record(frame));
    end();
}

void panic_trap(const struct panic_frame *frame)
{
    begin();
    const uint64_t record = panic_frame_record(frame), link = panic_frame_link(frame);
    log_printf("\nKERNEL PANIC: ");
    panic_print_cause(frame);
    panic_print_registers(frame);
    print_place(0, panic_frame_pc(frame), false);
    /* The return address of a function that has no record of its own, or has not written it yet. */
    bool is_recorded = !link || (is_on_stack(record) && ((const uint64_t *)record)[1] == link);
    if (!is_recorded)
        print_place(1, link, true);
    print_backtrace(is_recorded ? 1 : 2, record);
    end();
}

void panic_test(void)
{
    if (machine.panic_test == PANIC_TEST_MESSAGE)
        panic("asked for by the command line: %s %s %s %s %s %s %lx %lx", "1", "2", "3", "4", "5", "6", 7UL, 8UL);
    if (machine.panic_test == PANIC_TEST_EXCEPTION)
        *(volatile uint64_t *)USER_VA_END = 0; /* nothing is ever mapped there */
    /* Who powers off is root, whose code is there. */
    if (machine.panic_test == PANIC_TEST_READ)
        (void)*(volatile uint64_t *)ROOT_IMAGE_ADDRESS;
    if (machine.panic_test == PANIC_TEST_EXECUTE)
        ((void (*)(void))ROOT_IMAGE_ADDRESS)();
}
