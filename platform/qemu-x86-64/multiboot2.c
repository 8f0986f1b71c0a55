/* SPDX-License-Identifier: MIT */
/* The boot information of multiboot2, version 2.0, section 3: tags, one after the other, each on a multiple of 8. */
#include "loader.h"

#include <base/little_endian.h>
#include <string.h>

#define HEAD_BYTES  8u /* of the information, and of each tag */
#define ALIGNMENT   8u
#define MEMORY_RAM  1u
#define ENTRY_BYTES 24u
#define OLD_POINTER 20u /* bytes of ACPI's root pointer, before version 2 and since */
#define NEW_POINTER 36u

enum tag_type {
    TAG_END = 0,
    TAG_ARGUMENTS = 1,
    TAG_MODULE = 3,
    TAG_MEMORY = 6,
    TAG_ACPI_OLD = 14,
    TAG_ACPI_NEW = 15,
};

struct tag {
    uint32_t type;
    uint32_t bytes; /* of what is behind the head */
    const uint8_t *content;
    uint64_t place; /* physical, of the content */
};

static const char *read_arguments(const struct tag *tag, struct loader_information *loader)
{
    const uint8_t *end = memchr(tag->content, 0, tag->bytes);
    if (!end)
        return "malformed: the arguments do not end";
    loader->arguments = (const char *)tag->content;
    loader->arguments_bytes = (size_t)(end - tag->content);
    return NULL;
}

static const char *read_module(const struct tag *tag, struct loader_information *loader)
{
    if (tag->bytes < 8)
        return "malformed: a module's tag is too short";
    const uint64_t base = read_le32(tag->content), end = read_le32(tag->content + 4);
    if (end < base)
        return "malformed: a module ends before it begins";
    if (!loader->archive.size)
        loader->archive = (struct memory_region){base, end - base};
    return NULL;
}

static const char *read_memory(const struct tag *tag, struct loader_information *loader)
{
    if (tag->bytes < HEAD_BYTES)
        return "malformed: the tag of memory is too short";
    const uint32_t step = read_le32(tag->content);
    if (step < ENTRY_BYTES || step % ALIGNMENT)
        return "malformed: entries of memory have a strange size";
    for (uint32_t place = HEAD_BYTES; tag->bytes - place >= step; place += step) {
        const uint8_t *entry = tag->content + place;
        if (read_le32(entry + 16) == MEMORY_RAM && !loader_add_memory(loader, read_le64(entry), read_le64(entry + 8)))
            return "malformed, or there are too many pieces of memory";
    }
    return NULL;
}

/* The tag holds a copy of the root pointer. The newer one is taken if there are two. */
static const char *read_pointer(const struct tag *tag, struct loader_information *loader)
{
    if (tag->bytes < (tag->type == TAG_ACPI_NEW ? NEW_POINTER : OLD_POINTER))
        return "malformed: ACPI's root pointer is too short";
    if (tag->type == TAG_ACPI_NEW || !loader->root_pointer)
        loader->root_pointer = tag->place;
    return NULL;
}

static const char *read_tag(const struct tag *tag, struct loader_information *loader)
{
    switch (tag->type) {
    case TAG_ARGUMENTS:
        return read_arguments(tag, loader);
    case TAG_MODULE:
        return read_module(tag, loader);
    case TAG_MEMORY:
        return read_memory(tag, loader);
    case TAG_ACPI_OLD:
    case TAG_ACPI_NEW:
        return read_pointer(tag, loader);
    default:
        return NULL;
    }
}

const char *multiboot2_read(const void *information, uint64_t available, uint64_t place,
                            struct loader_information *loader)
{
    const uint8_t *bytes = information;

    *loader = (struct loader_information){.arguments = ""};
    if (available < HEAD_BYTES || read_le32(bytes) > available)
        return "malformed: it is longer than memory";
    const uint32_t end = read_le32(bytes);
    for (uint32_t at = HEAD_BYTES; at <= end && end - at >= HEAD_BYTES;) {
        const uint32_t size = read_le32(bytes + at + 4);
        if (size < HEAD_BYTES || size > end - at)
            return "malformed: a tag has a strange size";
        const struct tag tag = {read_le32(bytes + at), size - HEAD_BYTES, bytes + at + HEAD_BYTES,
                                place + at + HEAD_BYTES};
        if (tag.type == TAG_END)
            return loader->memory_count ? NULL : "incomplete: it tells of no memory";
        const char *error = read_tag(&tag, loader);
        if (error)
            return error;
        /* The last tag may end right before the last address. */
        const uint64_t next = at + ((uint64_t)size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (next > end)
            break;
        at = (uint32_t)next;
    }
    return "malformed: its tags do not end";
}
