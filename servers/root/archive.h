/* SPDX-License-Identifier: MIT */
/* The boot archive in root's address space, and the programs in it. Read-only once opened. */
#ifndef ROOT_ARCHIVE_H
#define ROOT_ARCHIVE_H

#include <base/check.h>
#include <boot/elf.h>
#include <quire/abi.h>

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

#endif
