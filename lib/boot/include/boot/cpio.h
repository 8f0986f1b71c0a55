/* SPDX-License-Identifier: MIT */
/*
 * Reads a cpio archive in the "newc" format (magic 070701) out of untrusted bytes. Nothing is copied: entries point
 * into the archive, which must stay in place and unchanged. No state, no lock.
 */
#ifndef BOOT_CPIO_H
#define BOOT_CPIO_H

#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

#define CPIO_NAME_MAX 255u

#define CPIO_MODE_TYPE      0170000u
#define CPIO_MODE_FILE      0100000u
#define CPIO_MODE_DIRECTORY 0040000u

/* Bytes that somebody claims to be an archive; proves nothing. */
struct cpio_archive {
    const void *bytes;
    size_t size;
};

struct cpio_entry {
    const char *name;   /* zero-terminated, without a leading "./" or "/" */
    size_t name_length; /* without the zero byte; at most CPIO_NAME_MAX */
    const void *data;
    size_t size;
    uint32_t mode;
};

/*
 * Reads the entry at *cursor (0 at first) and moves *cursor behind it. ENOENT: the archive's end record was reached;
 * EINVAL: malformed (a missing end record is this). On an error *entry and *cursor are unchanged.
 */
MUST_CHECK int cpio_next(const struct cpio_archive *archive, size_t *cursor, struct cpio_entry *entry);

/* Finds the regular file with that name. ENOENT: none; EINVAL: malformed before it was found. */
MUST_CHECK int cpio_find(const struct cpio_archive *archive, const char *name, struct cpio_entry *entry);

#endif
