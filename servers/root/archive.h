/* SPDX-License-Identifier: MIT */
/* The boot archive in root's address space, and the programs in it. Read-only once opened. */
#ifndef ROOT_ARCHIVE_H
#define ROOT_ARCHIVE_H

#include <base/check.h>
#include <boot/cpio.h>
#include <boot/elf.h>
#include <quire/abi.h>
#include <stdbool.h>

struct program {
    const char *name; /* last part of its path */
    const char *bytes;
    struct elf_image image;
};

/* Maps the archive into root's space. Fatal if there is none. Before frames_close(). */
void archive_open(const struct boot_info *info);

/*
 * Finds an executable by its path in the archive, with or without a leading '/'; a name without '/' is also looked for
 * in bin/ and tests/. ENOENT: no such file; ENOEXEC: not an executable of this machine. *program is then unspecified.
 */
MUST_CHECK int archive_program(const char *path, struct program *program);

/* The path of file `index` of the archive, or NULL if there are not as many, or the archive is damaged before it. */
const char *archive_file_name(uint64_t index);

/* Entry `index` of the archive, in its order; false if it has no more. */
MUST_CHECK bool archive_entry(uint64_t index, struct cpio_entry *entry);

/* Where the entry's content is in the archive, in bytes. */
uint64_t archive_offset(const struct cpio_entry *entry);

/* Copies at most `bytes` bytes at `offset` of the archive; returns how many, 0 at and behind its end. */
size_t archive_read(uint64_t offset, void *data, size_t bytes);

#endif
