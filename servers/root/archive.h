/* SPDX-License-Identifier: MIT */
/* The boot archive in root's address space, and the programs in it. Read-only once opened. */
#ifndef ROOT_ARCHIVE_H
#define ROOT_ARCHIVE_H

#include <base/check.h>
#include <boot/cpio.h>
#include <boot/elf.h>
#include <quire/abi.h>
#include <stdbool.h>

#include "process.h"

/* A program that can be loaded: its file's bytes are in the archive, or in a memory object. */
struct program {
    const char *name;  /* last part of its path */
    const char *bytes; /* of the archive; NULL: see `object` */
    uint64_t object;   /* memsrv's number */
    uint64_t owner;    /* the process that may use the object */
    bool masked;       /* it begins with the signal mask `mask`, and not with that of who becomes it */
    uint64_t mask;
    struct elf_image image;
    char own_name[PROCESS_NAME_MAX]; /* where `name` may be */
};

/* Maps the archive into root's space. Fatal if there is none. Before frames_close(). */
void archive_open(const struct boot_info *info);

/*
 * Finds an executable by its path in the archive, with or without a leading '/'; a name without '/' is also looked for
 * in bin/ and tests/. ENOENT: no such file; ENOEXEC: not an executable of this machine. *program is then unspecified.
 */
MUST_CHECK int archive_program(const char *path, struct program *program);

/* Reads the headers of a file of `size` bytes out of its first bytes, for a program in an object. ENOEXEC: not an executable
 * of this machine, or one whose pages cannot be mapped as they are. */
MUST_CHECK int archive_read_program(const void *head, size_t head_bytes, uint64_t size, struct program *program);

/* The path of file `index` of the archive, or NULL if there are not as many, or the archive is damaged before it. */
const char *archive_file_name(uint64_t index);

/* Entry `index` of the archive, in its order; false if it has no more. */
MUST_CHECK bool archive_entry(uint64_t index, struct cpio_entry *entry);

/* Where the entry's content is in the archive, in bytes. */
uint64_t archive_offset(const struct cpio_entry *entry);

/* Copies at most `bytes` bytes at `offset` of the archive; returns how many, 0 at and behind its end. */
size_t archive_read(uint64_t offset, void *data, size_t bytes);

#endif
