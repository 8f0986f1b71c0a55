/* SPDX-License-Identifier: MIT */
/* The reader of multiboot2's tags: information as GRUB makes it, each kind of damage, and random damage. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "harness.h"
#include "loader.h"

#define BYTES_MAX 4096u
#define PLACE     0x9d000UL

static uint8_t bytes[BYTES_MAX] __attribute__((aligned(8)));
static uint32_t used;
static struct loader_information loader;

static void put32(uint32_t value)
{
    memcpy(bytes + used, &value, sizeof(value));
    used += (uint32_t)sizeof(value);
}

static void put64(uint64_t value)
{
    put32((uint32_t)value);
    put32((uint32_t)(value >> 32));
}

/* Begins a tag with so many bytes behind its head. */
static void tag(uint32_t type, uint32_t content_bytes)
{
    used = (used + 7) & ~7u;
    put32(type);
    put32(8 + content_bytes);
}

static void begin(void)
{
    memset(bytes, 0, sizeof(bytes));
    used = 8;
}

static void end(void)
{
    tag(0, 0);
    memcpy(bytes, &used, sizeof(used));
}

static void put_arguments(const char *text)
{
    const uint32_t count = (uint32_t)strlen(text) + 1;
    tag(1, count);
    memcpy(bytes + used, text, count);
    used += count;
}

static void put_module(uint32_t base, uint32_t module_end)
{
    tag(3, 9);
    put32(base);
    put32(module_end);
    bytes[used++] = 0;
}

static void put_memory_head(uint32_t step, uint32_t count)
{
    tag(6, 8 + step * count);
    put32(step);
    put32(0);
}

static void put_entry(uint64_t base, uint64_t size, uint32_t kind)
{
    put64(base);
    put64(size);
    put32(kind);
    put32(0);
}

static void put_pointer(uint32_t type, uint32_t count)
{
    tag(type, count);
    memset(bytes + used, 0x5a, count);
    used += count;
}

/* What GRUB would say of a small machine. */
static void build(void)
{
    begin();
    put_arguments("quire.run=/tests/hello now");
    put_module(0x200000, 0x345678);
    put_module(0x400000, 0x400010);
    put_memory_head(24, 3);
    put_entry(0, 0x9f000, 1);
    put_entry(0xf0000, 0x10000, 2);
    put_entry(0x100000, 0x7f00000, 1);
    put_pointer(14, 20);
    put_pointer(15, 36);
    tag(77, 3);
    used += 3;
    end();
}

static const char *read_it(void)
{
    memset(&loader, 0xa5, sizeof(loader));
    return multiboot2_read(bytes, sizeof(bytes), PLACE, &loader);
}

static void all_is_read(void)
{
    build();
    EXPECT(!read_it());
    EXPECT(loader.arguments_bytes == 26 && memcmp(loader.arguments, "quire.run=/tests/hello now", 26) == 0);
    EXPECT(loader.archive.base == 0x200000 && loader.archive.size == 0x145678);
    EXPECT(loader.memory_count == 2);
    EXPECT(loader.memory[0].base == 0 && loader.memory[0].size == 0x9f000);
    EXPECT(loader.memory[1].base == 0x100000 && loader.memory[1].size == 0x7f00000);
    EXPECT(loader.root_pointer > PLACE && loader.root_pointer < PLACE + used);
    /* The newer root pointer, which is 36 bytes long. */
    EXPECT(bytes[loader.root_pointer - PLACE + 35] == 0x5a && bytes[loader.root_pointer - PLACE - 8] == 15);
}

static void little_is_enough(void)
{
    begin();
    put_memory_head(24, 1);
    put_entry(0x100000, 0x100000, 1);
    end();
    EXPECT(!read_it());
    EXPECT(loader.arguments_bytes == 0 && loader.archive.size == 0 && loader.root_pointer == 0);
    EXPECT(loader.memory_count == 1);
}

static void larger_entries(void)
{
    begin();
    put_memory_head(32, 2);
    for (uint64_t i = 0; i < 2; i++) {
        put_entry(i << 30, 1 << 20, 1);
        put64(UINT64_MAX);
    }
    end();
    EXPECT(!read_it());
    EXPECT(loader.memory_count == 2 && loader.memory[1].base == 1 << 30);
}

static void old_pointer_alone(void)
{
    begin();
    put_memory_head(24, 1);
    put_entry(0, 1, 1);
    put_pointer(14, 20);
    end();
    EXPECT(!read_it());
    EXPECT(bytes[loader.root_pointer - PLACE - 8] == 14);
}

static void refused(void)
{
    EXPECT(read_it());
}

static void no_memory(void)
{
    begin();
    end();
    refused();
    begin();
    put_memory_head(24, 1);
    put_entry(0, 1 << 20, 2);
    end();
    refused();
}

static void damage(void)
{
    build();
    bytes[0] = 0; /* the end is cut off */
    refused();
    build();
    memset(bytes, 0xff, 4); /* longer than memory */
    refused();
    build();
    bytes[12] = 7; /* the first tag is shorter than its head */
    refused();
    build();
    memset(bytes + 12, 0xff, 4); /* it goes beyond the end */
    refused();
    begin();
    tag(1, 4);
    put32(UINT32_MAX); /* arguments without an end */
    end();
    refused();
    begin();
    put_module(0x1000, 0xfff);
    end();
    refused();
}

static void damaged_memory(void)
{
    static const uint32_t steps[] = {0, 8, 16, 23, 25, UINT32_MAX};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        begin();
        tag(6, 8 + 24);
        put32(steps[i]);
        put32(0);
        put_entry(0, 1 << 20, 1);
        end();
        refused();
    }
    begin();
    put_memory_head(24, 1);
    put_entry(0x1000, UINT64_MAX, 1); /* beyond the last address */
    end();
    refused();
}

static void too_much_memory(void)
{
    begin();
    put_memory_head(24, LOADER_MEMORY_MAX);
    for (uint64_t i = 0; i < LOADER_MEMORY_MAX; i++)
        put_entry(i << 20, 1 << 12, 1);
    end();
    EXPECT(!read_it());
    EXPECT(loader.memory_count == LOADER_MEMORY_MAX);
    begin();
    put_memory_head(24, LOADER_MEMORY_MAX + 1);
    for (uint64_t i = 0; i <= LOADER_MEMORY_MAX; i++)
        put_entry(i << 20, 1 << 12, 1);
    end();
    refused();
}

/* Whatever is accepted lies inside what was given. */
static void check_result(const uint8_t *damaged, size_t size)
{
    const uint8_t *arguments = (const uint8_t *)loader.arguments;

    (void)fuzz_touch(arguments, loader.arguments_bytes);
    if (loader.arguments_bytes)
        EXPECT(arguments >= damaged && loader.arguments_bytes < size);
    EXPECT(loader.memory_count > 0 && loader.memory_count <= LOADER_MEMORY_MAX);
    for (uint32_t i = 0; i < loader.memory_count; i++)
        EXPECT(loader.memory[i].size && loader.memory[i].size <= UINT64_MAX - loader.memory[i].base);
    if (loader.root_pointer)
        EXPECT(loader.root_pointer >= PLACE && loader.root_pointer - PLACE + 20 <= size);
}

static void random_damage(void)
{
    uint64_t accepted = 0;

    build();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        size_t size;
        const bool noise = random_chance(10);
        uint8_t *damaged = noise ? fuzz_noise(256, &size) : fuzz_damage(bytes, used, used, &size);
        if (!multiboot2_read(damaged, size, PLACE, &loader)) {
            accepted++;
            check_result(damaged, size);
        }
        free(damaged);
    }
    EXPECT(accepted > test_steps() / 10);
}

static const struct test_row rows[] = {
    {"all_is_read", "arguments, the first module, memory and the newer root pointer are read", all_is_read},
    {"little_is_enough", "memory is all that has to be there", little_is_enough},
    {"larger_entries", "entries of memory may be larger than they were", larger_entries},
    {"old_pointer_alone", "the older root pointer is taken if there is no other", old_pointer_alone},
    {"no_memory", "without memory all is refused", no_memory},
    {"damage", "tags of wrong sizes, or with wrong content, are refused", damage},
    {"damaged_memory", "so are maps of memory that make no sense", damaged_memory},
    {"too_much_memory", "as many pieces of memory as there is room for, and not one more", too_much_memory},
    {"random_damage", "whatever is damaged, nothing is read beyond the end, and what is accepted makes sense",
     random_damage},
};

TEST_MAIN("multiboot2", rows)
