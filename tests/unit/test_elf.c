/* SPDX-License-Identifier: MIT */
/* The executable reader: a valid file, each rule broken by itself, and random damage. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <boot/elf.h>
#include <quire/abi.h>

#include "fuzz.h"

#define FILE_SIZE 0x3000u
#define SEGMENTS  4u

struct file_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, program_count, section_size, section_count, section_names;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, virtual_address, physical_address, file_size, memory_size, alignment;
};

/* A valid file: text, constants, data with zeros behind it, and a header that does not load. */
struct file {
    struct file_header header;
    struct program_header programs[SEGMENTS];
    uint8_t rest[FILE_SIZE - sizeof(struct file_header) - SEGMENTS * sizeof(struct program_header)];
};
_Static_assert(sizeof(struct file) == FILE_SIZE, "no padding");

static struct file file;
static const struct elf_limits limits = {.machine = ELF_MACHINE_AARCH64, .low = PAGE_SIZE, .high = USER_VA_END};

static void build(void)
{
    memset(&file, 0x42, sizeof(file));
    file.header = (struct file_header){
        .ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
        .type = 2,
        .machine = ELF_MACHINE_AARCH64,
        .version = 1,
        .entry = 0x400010,
        .program_offset = 64,
        .header_size = 64,
        .program_size = 56,
        .program_count = SEGMENTS,
    };
    file.programs[0] = (struct program_header){1, ELF_READ | ELF_EXECUTE, 0, 0x400000, 0, 0x1800, 0x1800, 0x1000};
    file.programs[1] = (struct program_header){1, ELF_READ, 0x1800, 0x402800, 0, 0x400, 0x400, 0x1000};
    file.programs[2] = (struct program_header){1, ELF_READ | ELF_WRITE, 0x2000, 0x404000, 0, 0x1000, 0x5000, 0x1000};
    file.programs[3] = (struct program_header){0x6474e551, ELF_READ | ELF_WRITE, 0, 0, 0, 0, 0, 16};
}

static int read_file(struct elf_image *image)
{
    return elf_read(&file, sizeof(file), &limits, image);
}

static void valid(void)
{
    struct elf_image image;
    build();
    EXPECT(read_file(&image) == 0 && image.segment_count == 3 && image.entry == 0x400010);
    EXPECT(image.low == 0x400000 && image.high == 0x409000);
    EXPECT(image.segments[1].address == 0x402800 && image.segments[1].offset == 0x1800);
    EXPECT(image.segments[2].memory_size == 0x5000 && image.segments[2].file_size == 0x1000);
    EXPECT(image.segments[0].flags == (ELF_READ | ELF_EXECUTE) && image.segments[2].flags == (ELF_READ | ELF_WRITE));
    struct elf_limits narrow = limits;
    narrow.low = 0x401000;
    EXPECT(elf_read(&file, sizeof(file), &narrow, &image) == -ENOEXEC);
    narrow.low = 0x400000;
    narrow.high = 0x408000;
    EXPECT(elf_read(&file, sizeof(file), &narrow, &image) == -ENOEXEC);
    narrow.high = 0x409000;
    EXPECT(elf_read(&file, sizeof(file), &narrow, &image) == 0);
    file.programs[1].memory_size = 0; /* an empty segment is left out */
    file.programs[1].file_size = 0;
    EXPECT(read_file(&image) == 0 && image.segment_count == 2);
}

/* The headers alone, of a file that is longer. */
static void head(void)
{
    const size_t headers = offsetof(struct file, rest);
    struct elf_image image;

    build();
    EXPECT(elf_read_head(&file, headers, FILE_SIZE, &limits, &image) == 0 && image.segment_count == 3);
    EXPECT(elf_is_mappable(&image));
    EXPECT(elf_read_head(&file, headers - 1, FILE_SIZE, &limits, &image) == -ENOEXEC);
    EXPECT(elf_read_head(&file, headers, FILE_SIZE - 1, &limits, &image) == -ENOEXEC);
    EXPECT(elf_read_head(&file, headers, headers - 1, &limits, &image) == -ENOEXEC);
    file.programs[2].offset += 16;
    file.programs[2].file_size -= 16;
    file.programs[2].alignment = 16;
    EXPECT(elf_read_head(&file, headers, FILE_SIZE, &limits, &image) == 0 && !elf_is_mappable(&image));
    file.programs[2].file_size = 0;
    EXPECT(elf_read_head(&file, headers, FILE_SIZE, &limits, &image) == 0 && elf_is_mappable(&image));
}

#define FIELD(member, value)                                                                                           \
    {                                                                                                                  \
        offsetof(struct file, member), sizeof(((struct file *)0)->member), value, #member                              \
    }

static void broken_rules(void)
{
    static const struct {
        size_t offset, size;
        uint64_t value;
        const char *name;
    } cases[] = {
        FIELD(header.ident[0], 0x7e),
        FIELD(header.ident[3], 'G'),
        FIELD(header.ident[4], 1),
        FIELD(header.ident[5], 2),
        FIELD(header.ident[6], 0),
        FIELD(header.type, 3),
        FIELD(header.machine, ELF_MACHINE_X86_64),
        FIELD(header.version, 2),
        FIELD(header.header_size, 63),
        FIELD(header.program_size, 55),
        FIELD(header.program_size, 57),
        FIELD(header.program_count, 0),
        FIELD(header.program_count, 0xffff),
        FIELD(header.program_offset, FILE_SIZE - 1),
        FIELD(header.program_offset, FILE_SIZE + 1),
        FIELD(header.program_offset, UINT64_MAX),
        FIELD(header.program_offset, UINT64_MAX - 200),
        FIELD(header.entry, 0x3fffff), /* outside */
        FIELD(header.entry, 0x401800), /* behind the file's bytes */
        FIELD(header.entry, 0x402800), /* not executable */
        FIELD(header.entry, 0),
        FIELD(programs[3].type, 2), /* dynamic */
        FIELD(programs[3].type, 3), /* interpreter */
        FIELD(programs[0].flags, 0),
        FIELD(programs[0].flags, 7), /* writable code */
        FIELD(programs[2].flags, 3),
        FIELD(programs[1].flags, 0x14),
        FIELD(programs[0].offset, FILE_SIZE),
        FIELD(programs[0].offset, UINT64_MAX & PAGE_MASK),
        FIELD(programs[0].file_size, 0x1801), /* larger than in memory */
        FIELD(programs[2].file_size, 0x1001), /* past the file */
        FIELD(programs[2].file_size, UINT64_MAX),
        FIELD(programs[2].memory_size, UINT64_MAX),
        FIELD(programs[2].memory_size, 0xfff), /* smaller than in the file */
        FIELD(programs[2].memory_size, USER_VA_END),
        FIELD(programs[2].virtual_address, UINT64_MAX & PAGE_MASK),
        FIELD(programs[2].virtual_address, 0x402000), /* the page of another segment */
        FIELD(programs[2].virtual_address, 0x400000),
        FIELD(programs[2].virtual_address, 0x300000), /* not sorted */
        FIELD(programs[0].virtual_address, 0),
        FIELD(programs[2].virtual_address, USER_VA_END - 0x4000),
        FIELD(programs[2].alignment, 0x1800),
        FIELD(programs[1].virtual_address, 0x402900), /* unlike its offset */
        FIELD(programs[0].memory_size, 0x2801),       /* reaches into the next segment's page */
    };
    struct elf_image image = {.entry = 1234};
    for (test_step = 0; test_step < ARRAY_LENGTH(cases); test_step++) {
        build();
        memcpy((uint8_t *)&file + cases[test_step].offset, &cases[test_step].value, cases[test_step].size);
        if (read_file(&image) != -ENOEXEC)
            ck_abort_msg("accepted: %s = %#llx", cases[test_step].name, (unsigned long long)cases[test_step].value);
        EXPECT(image.entry == 1234);
    }
}

static void many_segments(void)
{
    static struct {
        struct file_header header;
        struct program_header programs[ELF_SEGMENTS_MAX + 1];
    } large;
    struct elf_image image;
    build();
    large.header = file.header;
    for (unsigned i = 0; i <= ELF_SEGMENTS_MAX; i++) {
        large.programs[i] = file.programs[0];
        large.programs[i].file_size = large.programs[i].memory_size = 0x100;
        large.programs[i].virtual_address += i * PAGE_SIZE;
    }
    large.header.program_count = ELF_SEGMENTS_MAX;
    EXPECT(elf_read(&large, sizeof(large), &limits, &image) == 0 && image.segment_count == ELF_SEGMENTS_MAX);
    large.header.program_count = ELF_SEGMENTS_MAX + 1;
    EXPECT(elf_read(&large, sizeof(large), &limits, &image) == -ENOEXEC);
}

static void cut_off(void)
{
    struct elf_image image;
    build();
    for (size_t size = 0; size < sizeof(file); size += size < 400 ? 1 : 97) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, &file, size);
        EXPECT(elf_read(copy, size, &limits, &image) == -ENOEXEC);
        free(copy);
    }
}

/* What the header promises of every image that the reader accepts. */
static void verify_promises(const uint8_t *bytes, size_t size, const struct elf_image *image)
{
    uint64_t end = limits.low;
    bool entry_found = false;
    EXPECT(image->segment_count > 0 && image->segment_count <= ELF_SEGMENTS_MAX);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        EXPECT(segment->memory_size > 0 && segment->file_size <= segment->memory_size);
        EXPECT(segment->offset <= size && segment->file_size <= size - segment->offset);
        EXPECT(align_down(segment->address, PAGE_SIZE) >= end);
        EXPECT(segment->memory_size <= limits.high - segment->address);
        EXPECT((segment->flags & (ELF_WRITE | ELF_EXECUTE)) != (ELF_WRITE | ELF_EXECUTE));
        end = align_up(segment->address + segment->memory_size, PAGE_SIZE);
        fuzz_touch(bytes + segment->offset, segment->file_size < 64 ? segment->file_size : 64);
        if ((segment->flags & ELF_EXECUTE) && image->entry - segment->address < segment->file_size)
            entry_found = true;
    }
    EXPECT(entry_found && image->high == end && image->low >= limits.low);
}

static void fuzz(void)
{
    struct elf_image image;
    uint64_t accepted = 0;
    build();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        size_t size, headers = offsetof(struct file, rest);
        uint8_t *bytes =
            random_chance(5) ? fuzz_noise(400, &size) : fuzz_damage((uint8_t *)&file, sizeof(file), headers, &size);
        int result = elf_read(bytes, size, &limits, &image);
        EXPECT(result == 0 || result == -ENOEXEC);
        if (result == 0) {
            accepted++;
            verify_promises(bytes, size, &image);
        }
        free(bytes);
    }
    EXPECT(accepted > test_steps() / 100); /* the damage is not all of the crude kind */
}

static const struct test_row rows[] = {
    {"valid", "a valid file gives its segments", valid},
    {"head", "the headers are enough, and tell whether the file can be mapped", head},
    {"broken_rules", "each rule that is broken alone is noticed", broken_rules},
    {"many_segments", "the number of segments has a limit", many_segments},
    {"cut_off", "a file that ends early is refused wherever it ends", cut_off},
    {"fuzz", "whatever is accepted keeps every promise of the header", fuzz},
};
TEST_MAIN("elf", rows)
