/* SPDX-License-Identifier: MIT */
/* The reader of cpio archives. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <boot/cpio.h>

/* A header is the magic and 13 fields of eight hexadecimal digits; the fields that matter, by number. */
#define HEADER_MAGIC      "070701"
#define HEADER_MAGIC_SIZE 6u
#define FIELD_SIZE        8u
#define FIELD_COUNT       13u
#define HEADER_SIZE       (HEADER_MAGIC_SIZE + FIELD_SIZE * FIELD_COUNT)
enum { FIELD_MODE = 1, FIELD_FILE_SIZE = 6, FIELD_NAME_SIZE = 11 };

#define END_NAME "TRAILER!!!"

/* Names and data start on multiples of this. */
#define PADDING 4u

static bool parse_digit(uint8_t character, uint32_t *digit)
{
    if (character >= '0' && character <= '9')
        *digit = character - (uint32_t)'0';
    else if (character >= 'a' && character <= 'f')
        *digit = character - (uint32_t)'a' + 10;
    else if (character >= 'A' && character <= 'F')
        *digit = character - (uint32_t)'A' + 10;
    else
        return false;
    return true;
}

static bool parse_field(const uint8_t *header, unsigned field, uint32_t *value)
{
    const uint8_t *digits = header + HEADER_MAGIC_SIZE + (size_t)field * FIELD_SIZE;
    *value = 0;
    for (unsigned i = 0; i < FIELD_SIZE; i++) {
        uint32_t digit;
        if (!parse_digit(digits[i], &digit))
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* The next multiple of PADDING; `offset` is at most the archive's size, so that nothing wraps. */
static size_t padded(size_t offset)
{
    return offset + (PADDING - offset % PADDING) % PADDING;
}

/* Checks the name at `name` of `name_size` bytes with its zero and cuts a leading "./" or "/" off. */
static bool read_name(const char *name, uint32_t name_size, struct cpio_entry *entry)
{
    if (name_size < 2 || name_size > CPIO_NAME_MAX + 1 || memchr(name, 0, name_size) != name + name_size - 1)
        return false;
    size_t length = name_size - 1;
    size_t prefix = 0;
    if (name[0] == '/')
        prefix = 1;
    else if (name[0] == '.' && name[1] == '/')
        prefix = 2;
    if (prefix == length)
        prefix = 0;
    entry->name = name + prefix;
    entry->name_length = length - prefix;
    return true;
}

int cpio_next(const struct cpio_archive *archive, size_t *cursor, struct cpio_entry *entry)
{
    const uint8_t *bytes = archive->bytes;
    struct cpio_entry found;
    uint32_t name_size, file_size;
    size_t offset = *cursor;

    if (offset > archive->size || archive->size - offset < HEADER_SIZE)
        return -EINVAL;
    const uint8_t *header = bytes + offset;
    if (memcmp(header, HEADER_MAGIC, HEADER_MAGIC_SIZE) != 0 || !parse_field(header, FIELD_MODE, &found.mode) ||
        !parse_field(header, FIELD_FILE_SIZE, &file_size) || !parse_field(header, FIELD_NAME_SIZE, &name_size))
        return -EINVAL;

    offset += HEADER_SIZE;
    if (name_size > archive->size - offset)
        return -EINVAL;
    const char *name = (const char *)bytes + offset;
    if (!read_name(name, name_size, &found))
        return -EINVAL;
    if (strcmp(name, END_NAME) == 0)
        return -ENOENT;

    offset = padded(offset + name_size);
    if (offset > archive->size || file_size > archive->size - offset)
        return -EINVAL;
    found.data = bytes + offset;
    found.size = file_size;
    offset = padded(offset + file_size);
    if (offset > archive->size)
        return -EINVAL;
    *entry = found;
    *cursor = offset;
    return 0;
}

int cpio_find(const struct cpio_archive *archive, const char *name, struct cpio_entry *entry)
{
    size_t cursor = 0;
    struct cpio_entry found;
    int error;
    while ((error = cpio_next(archive, &cursor, &found)) == 0) {
        if ((found.mode & CPIO_MODE_TYPE) == CPIO_MODE_FILE && strcmp(found.name, name) == 0) {
            *entry = found;
            return 0;
        }
    }
    return error;
}
