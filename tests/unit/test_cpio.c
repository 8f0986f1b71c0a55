/* SPDX-License-Identifier: MIT */
/* The archive reader: archives built here, each kind of damage, and random damage. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <boot/cpio.h>

#include "fuzz.h"

#define ARCHIVE_MAX 4096u
#define HEADER_SIZE 110u
#define MODE_FILE   0100644u

static uint8_t bytes[ARCHIVE_MAX];
static size_t size;

static void pad(void)
{
    while (size % 4 != 0)
        bytes[size++] = 0;
}

static void append(const char *name, unsigned mode, const char *data)
{
    size_t name_size = strlen(name) + 1, length = strlen(data);
    EXPECT(size + HEADER_SIZE + name_size + length + 8 < ARCHIVE_MAX);
    size += (size_t)sprintf((char *)bytes + size, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zX%08x", 1,
                            mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_size, 0);
    memcpy(bytes + size, name, name_size);
    size += name_size;
    pad();
    memcpy(bytes + size, data, length);
    size += length;
    pad();
}

static void build(void)
{
    size = 0;
    append(".", CPIO_MODE_DIRECTORY | 0755u, "");
    append("sbin", CPIO_MODE_DIRECTORY | 0755u, "");
    append("sbin/memsrv", MODE_FILE, "server");
    append("./bin/shell", MODE_FILE, "prompt>");
    append("/etc/motd", MODE_FILE, "");
    append("TRAILER!!!", 0, "");
}

static int find(const char *name, struct cpio_entry *entry)
{
    struct cpio_archive archive = {.bytes = bytes, .size = size};
    return cpio_find(&archive, name, entry);
}

static void walk(void)
{
    static const char *const names[] = {".", "sbin", "sbin/memsrv", "bin/shell", "etc/motd"};
    struct cpio_entry entry;
    size_t cursor = 0;
    build();
    struct cpio_archive archive = {.bytes = bytes, .size = size};
    for (unsigned i = 0; i < 5; i++) {
        EXPECT(cpio_next(&archive, &cursor, &entry) == 0 && strcmp(entry.name, names[i]) == 0);
        EXPECT(entry.name_length == strlen(names[i]));
    }
    size_t end = cursor;
    EXPECT(cpio_next(&archive, &cursor, &entry) == -ENOENT && cursor == end && strcmp(entry.name, names[4]) == 0);
}

static void find_by_name(void)
{
    struct cpio_entry entry;
    build();
    EXPECT(find("sbin/memsrv", &entry) == 0 && entry.size == 6 && memcmp(entry.data, "server", 6) == 0);
    EXPECT(find("bin/shell", &entry) == 0 && entry.size == 7 && memcmp(entry.data, "prompt>", 7) == 0);
    EXPECT(entry.mode == MODE_FILE && find("etc/motd", &entry) == 0 && entry.size == 0);
    EXPECT(find("sbin", &entry) == -ENOENT); /* a directory */
    EXPECT(find("sbin/mem", &entry) == -ENOENT && find("", &entry) == -ENOENT);
}

/* Overwrites the field's eight digits in the first header. */
static void set_field(unsigned field, const char *digits)
{
    memcpy(bytes + 6 + field * 8, digits, 8);
}

static void damaged_headers(void)
{
    static const struct {
        unsigned field; /* 6: file size, 11: name size */
        const char *digits;
    } cases[] = {
        {6, "ffffffff"},  {6, "00001000"},  {6, "0000000g"},  {6, " 0000001"},       {6, "-0000001"},
        {6, "0x000001"},  {11, "ffffffff"}, {11, "00000000"}, {11, "00000001"},      {11, "00000004"},
        {11, "00000006"}, {11, "00000101"}, {11, "fffffff0"}, {1, "000000\xff\xff"},
    };
    struct cpio_entry entry;
    for (test_step = 0; test_step < sizeof(cases) / sizeof(cases[0]); test_step++) {
        size = 0;
        append("abcd", MODE_FILE, "data");
        append("TRAILER!!!", 0, "");
        EXPECT(find("abcd", &entry) == 0);
        set_field(cases[test_step].field, cases[test_step].digits);
        EXPECT(find("abcd", &entry) == -EINVAL);
    }
    bytes[0] = '1';
    EXPECT(find("abcd", &entry) == -EINVAL);
}

static void cut_off(void)
{
    struct cpio_entry entry;
    build();
    size_t whole = size;
    for (size = 0; size < whole; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, bytes, size);
        struct cpio_archive archive = {.bytes = copy, .size = size};
        int result = cpio_find(&archive, "no such file", &entry);
        /* Only the padding behind the end record may be missing. */
        EXPECT(result == -EINVAL || (result == -ENOENT && whole - size < 4));
        free(copy);
    }
}

static void long_names(void)
{
    char name[CPIO_NAME_MAX + 2];
    struct cpio_entry entry;
    memset(name, 'n', sizeof(name));
    name[CPIO_NAME_MAX] = 0;
    size = 0;
    append(name, MODE_FILE, "x");
    append("TRAILER!!!", 0, "");
    EXPECT(find(name, &entry) == 0 && entry.name_length == CPIO_NAME_MAX);
    name[CPIO_NAME_MAX] = 'n';
    name[CPIO_NAME_MAX + 1] = 0;
    size = 0;
    append(name, MODE_FILE, "x");
    EXPECT(find(name, &entry) == -EINVAL);
}

/* Walks whatever it is and touches all that it is said to hold. */
static void walk_hostile(const uint8_t *hostile, size_t hostile_size)
{
    struct cpio_archive archive = {.bytes = hostile, .size = hostile_size};
    struct cpio_entry entry;
    size_t cursor = 0, before = 0;
    int result;
    while ((result = cpio_next(&archive, &cursor, &entry)) == 0) {
        EXPECT(cursor > before && cursor <= hostile_size && strlen(entry.name) == entry.name_length);
        fuzz_touch(entry.data, entry.size);
        before = cursor;
    }
    EXPECT(result == -EINVAL || result == -ENOENT);
    (void)!cpio_find(&archive, "bin/shell", &entry);
}

static void fuzz(void)
{
    build();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        size_t hostile_size;
        uint8_t *hostile =
            random_chance(5) ? fuzz_noise(300, &hostile_size) : fuzz_damage(bytes, size, size, &hostile_size);
        walk_hostile(hostile, hostile_size);
        free(hostile);
    }
}

/* What an archive holds, made at random: names from few letters, so that some are others' beginnings or come twice. */
#define MODEL_ENTRIES 8u
static struct {
    char name[24];
    char data[40];
    uint32_t mode;
} model[MODEL_ENTRIES];

static void random_word(char *word, size_t limit)
{
    size_t length = random_below(limit);
    for (size_t i = 0; i < length; i++)
        word[i] = "ab/."[random_below(i == 0 ? 2 : 4)];
    word[length] = 0;
}

/* Fills model and archive; returns the number of entries. */
static unsigned random_archive(void)
{
    static const char *const prefixes[] = {"", "./", "/"};
    unsigned count = (unsigned)random_below(MODEL_ENTRIES + 1);

    size = 0;
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        do
            random_word(model[i].name, random_chance(50) ? 3 : sizeof(model[i].name));
        while (!model[i].name[0]);
        random_word(model[i].data, sizeof(model[i].data));
        model[i].mode = random_chance(70) ? MODE_FILE : CPIO_MODE_DIRECTORY | 0755u;
        snprintf(name, sizeof(name), "%s%.*s", prefixes[random_below(3)], (int)sizeof(model[i].name), model[i].name);
        append(name, model[i].mode, model[i].data);
    }
    append("TRAILER!!!", 0, "");
    return count;
}

static bool is_model(unsigned i, const struct cpio_entry *entry)
{
    return strcmp(entry->name, model[i].name) == 0 && entry->name_length == strlen(model[i].name) &&
           entry->mode == model[i].mode && entry->size == strlen(model[i].data) &&
           memcmp(entry->data, model[i].data, entry->size) == 0;
}

/* The first file of that name, or `count`. */
static unsigned model_find(unsigned count, const char *name)
{
    unsigned i = 0;
    while (i < count && (model[i].mode != MODE_FILE || strcmp(model[i].name, name) != 0))
        i++;
    return i;
}

static void against_model(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        struct cpio_entry entry;
        size_t cursor = 0;
        char name[24];
        unsigned count = random_archive();
        struct cpio_archive archive = {.bytes = bytes, .size = size};
        for (unsigned i = 0; i < count; i++)
            EXPECT(cpio_next(&archive, &cursor, &entry) == 0 && is_model(i, &entry));
        EXPECT(cpio_next(&archive, &cursor, &entry) == -ENOENT);
        random_word(name, 4);
        for (unsigned i = 0; i <= count; i++) {
            const char *wanted = i < count ? model[i].name : name;
            unsigned found = model_find(count, wanted);
            int result = cpio_find(&archive, wanted, &entry);
            EXPECT(result == (found < count ? 0 : -ENOENT) && (result != 0 || is_model(found, &entry)));
        }
    }
}

static const struct test_row rows[] = {
    {"walk", "entries come in order, with clean names", walk},
    {"find_by_name", "files are found by their whole name, directories are not", find_by_name},
    {"damaged_headers", "each bad field is refused", damaged_headers},
    {"cut_off", "an archive that ends early is refused wherever it ends", cut_off},
    {"long_names", "names end at the limit", long_names},
    {"against_model", "100,000 random archives are read as they were written", against_model},
    {"fuzz", "no damage makes the reader leave the archive", fuzz},
};
TEST_MAIN("cpio", rows)
