/* SPDX-License-Identifier: MIT */
/*
 * Reads a statically linked ELF64 executable out of untrusted bytes into a short list of segments that a loader can
 * follow blindly. No state, no lock, nothing is copied but the list.
 */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

#define ELF_SEGMENTS_MAX 16u

#define ELF_MACHINE_X86_64  62u
#define ELF_MACHINE_AARCH64 183u

#define ELF_EXECUTE 0x1u
#define ELF_WRITE   0x2u
#define ELF_READ    0x4u

/*
 * One segment: file bytes [offset, offset+file_size) belong at `address`, zeros follow up to memory_size. What
 * elf_read() gave holds: memory_size > 0, file_size <= memory_size, the bytes lie in the file, the pages that the
 * segment touches are below the limit and belong to no other segment, and not both ELF_WRITE and ELF_EXECUTE are set.
 */
struct elf_segment {
    uint64_t address;
    uint64_t memory_size; /* bytes */
    uint64_t offset;
    uint64_t file_size; /* bytes */
    uint32_t flags;     /* ELF_READ, ELF_WRITE, ELF_EXECUTE */
};

struct elf_image {
    uint64_t entry;     /* lies in the file bytes of an executable segment */
    uint64_t low, high; /* page-aligned bounds of all segments */
    uint32_t segment_count;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* by address */
};

/* What the caller accepts. */
struct elf_limits {
    uint16_t machine;   /* ELF_MACHINE_* */
    uint64_t low, high; /* page-aligned; all segments lie in [low, high) */
};

/* Reads the executable. ENOEXEC: malformed, of another kind, or outside the limits; *image is then unchanged. */
MUST_CHECK int elf_read(const void *bytes, size_t size, const struct elf_limits *limits, struct elf_image *image);

/* The same for a file of `size` bytes of which only the first head_size are at hand: headers behind those are ENOEXEC. */
MUST_CHECK int elf_read_head(const void *head, size_t head_size, uint64_t size, const struct elf_limits *limits,
                             struct elf_image *image);

/* True if each segment's bytes lie in their file as they do in their pages, so that the file's pages can be mapped. */
MUST_CHECK bool elf_is_mappable(const struct elf_image *image);

#endif
