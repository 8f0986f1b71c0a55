/* SPDX-License-Identifier: MIT */
/* The reader of ELF64 executables. All machines that are supported are little-endian, as the file must be. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <base/bits.h>
#include <boot/elf.h>
#include <quire/abi.h>

struct file_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, program_count, section_size, section_count, section_names;
};
_Static_assert(sizeof(struct file_header) == 64, "as in the file");

struct program_header {
    uint32_t type, flags;
    uint64_t offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
_Static_assert(sizeof(struct program_header) == 56, "as in the file");

static const uint8_t expected_ident[] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */, 1 /* version */};

#define TYPE_EXECUTABLE     2u
#define VERSION_CURRENT     1u
#define PROGRAM_LOAD        1u
#define PROGRAM_DYNAMIC     2u
#define PROGRAM_INTERPRETER 3u
#define PROGRAM_COUNT_MAX   64u

static bool header_ok(const struct file_header *header, size_t size, const struct elf_limits *limits)
{
    if (memcmp(header->ident, expected_ident, sizeof(expected_ident)) != 0 || header->type != TYPE_EXECUTABLE ||
        header->machine != limits->machine || header->version != VERSION_CURRENT)
        return false;
    if (header->header_size != sizeof(struct file_header) || header->program_size != sizeof(struct program_header) ||
        header->program_count == 0 || header->program_count > PROGRAM_COUNT_MAX)
        return false;
    uint64_t table_size = header->program_count * sizeof(struct program_header);
    return header->program_offset <= size && table_size <= size - header->program_offset;
}

/* Checks a load header and turns it into a segment. */
static bool read_segment(const struct program_header *program, uint64_t size, const struct elf_limits *limits,
                         struct elf_segment *segment)
{
    uint32_t rights = program->flags & (ELF_READ | ELF_WRITE | ELF_EXECUTE);
    if (rights == 0 || rights != program->flags || (rights & (ELF_WRITE | ELF_EXECUTE)) == (ELF_WRITE | ELF_EXECUTE))
        return false;
    if (program->file_size > program->memory_size || program->offset > size ||
        program->file_size > size - program->offset)
        return false;
    if (!range_valid(program->virtual_address, program->memory_size) || program->virtual_address < limits->low ||
        program->virtual_address + program->memory_size > limits->high)
        return false;
    if (program->alignment > 1 && (!is_power_of_two(program->alignment) ||
                                   !is_aligned(program->virtual_address - program->offset, program->alignment)))
        return false;
    *segment = (struct elf_segment){
        .address = program->virtual_address,
        .memory_size = program->memory_size,
        .offset = program->offset,
        .file_size = program->file_size,
        .flags = rights,
    };
    return true;
}

/* Appends a segment; it must lie above the pages of the one before, as the format wants them sorted. */
static bool append_segment(struct elf_image *image, const struct elf_segment *segment)
{
    uint64_t start = align_down(segment->address, PAGE_SIZE);
    if (image->segment_count == ELF_SEGMENTS_MAX || (image->segment_count > 0 && start < image->high))
        return false;
    if (image->segment_count == 0)
        image->low = start;
    image->high = align_up(segment->address + segment->memory_size, PAGE_SIZE);
    image->segments[image->segment_count++] = *segment;
    return true;
}

static bool entry_ok(const struct elf_image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->flags & ELF_EXECUTE) && image->entry - segment->address < segment->file_size)
            return true;
    }
    return false;
}

int elf_read_head(const void *head, size_t head_size, uint64_t size, const struct elf_limits *limits,
                  struct elf_image *image)
{
    struct file_header header;
    struct elf_image found = {0};
    if (head_size < sizeof(header) || head_size > size)
        return -ENOEXEC;
    memcpy(&header, head, sizeof(header));
    if (!header_ok(&header, head_size, limits))
        return -ENOEXEC;
    const uint8_t *table = (const uint8_t *)head + header.program_offset;
    for (uint32_t i = 0; i < header.program_count; i++) {
        struct program_header program;
        struct elf_segment segment;
        memcpy(&program, table + i * sizeof(program), sizeof(program));
        if (program.type == PROGRAM_DYNAMIC || program.type == PROGRAM_INTERPRETER)
            return -ENOEXEC;
        if (program.type != PROGRAM_LOAD || program.memory_size == 0)
            continue;
        if (!read_segment(&program, size, limits, &segment) || !append_segment(&found, &segment))
            return -ENOEXEC;
    }
    found.entry = header.entry;
    if (!entry_ok(&found))
        return -ENOEXEC;
    *image = found;
    return 0;
}

int elf_read(const void *bytes, size_t size, const struct elf_limits *limits, struct elf_image *image)
{
    return elf_read_head(bytes, size, size, limits, image);
}

bool elf_is_mappable(const struct elf_image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if (segment->file_size > 0 && !is_aligned(segment->address - segment->offset, PAGE_SIZE))
            return false;
    }
    return true;
}
