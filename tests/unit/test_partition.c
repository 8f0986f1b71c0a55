/* SPDX-License-Identifier: MIT */
/* The readers of partition tables: tables built here, each kind of damage, and random damage with right checksums. */
#include <errno.h>
#include <string.h>

#include <block/crc32.h>
#include <block/partition.h>

#include "harness.h"

#define SECTORS_MAX  512u
#define ENTRY_BYTES  128u
#define ENTRY_COUNT  16u
#define FIRST_USABLE 6u

static uint8_t disk[SECTORS_MAX * SECTOR_BYTES];
static struct partition_workspace workspace;
static struct partition_table table;
static uint64_t fail_from, fail_to; /* sectors that cannot be read */
static uint64_t disk_sectors;
static uint32_t block_bytes;

static int read_disk(void *context, uint64_t sector, uint32_t count, void *bytes)
{
    EXPECT(context == disk);
    EXPECT(count > 0 && sector < disk_sectors && count <= disk_sectors - sector);
    if (sector < fail_to && sector + count > fail_from)
        return -EIO;
    memcpy(bytes, disk + sector * SECTOR_BYTES, (size_t)count * SECTOR_BYTES);
    return 0;
}

static int read_table(void)
{
    const struct partition_source source = {
        .context = disk, .sectors = disk_sectors, .block_bytes = block_bytes, .read = read_disk};
    memset(&table, 0xa5, sizeof(table));
    return partition_table_read(&source, &workspace, &table);
}

static void put(uint8_t *place, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        place[i] = (uint8_t)(value >> 8 * i);
}

/* --- Building ----------------------------------------------------------------------------------------------------- */

static uint64_t blocks(void)
{
    return disk_sectors * SECTOR_BYTES / block_bytes;
}

static uint8_t *block(uint64_t number)
{
    return disk + number * block_bytes;
}

static void seal_header(uint8_t *header)
{
    put(header + 16, 0, 4);
    put(header + 16, crc32_update(0, header, 92), 4);
}

static void seal(uint64_t own, uint64_t entries)
{
    put(block(own) + 88, crc32_update(0, block(entries), ENTRY_COUNT * ENTRY_BYTES), 4);
    seal_header(block(own));
}

static void build_header(uint64_t own, uint64_t other, uint64_t entries)
{
    uint8_t *header = block(own);
    memcpy(header, "EFI PART", 8);
    put(header + 8, 0x10000, 4);
    put(header + 12, 92, 4);
    put(header + 24, own, 8);
    put(header + 32, other, 8);
    put(header + 40, FIRST_USABLE, 8);
    put(header + 48, blocks() - 6, 8);
    put(header + 72, entries, 8);
    put(header + 80, ENTRY_COUNT, 4);
    put(header + 84, ENTRY_BYTES, 4);
    seal(own, entries);
}

static uint8_t *entry_at(uint64_t entries, unsigned index)
{
    return block(entries) + (size_t)index * ENTRY_BYTES;
}

static void build_entry(unsigned index, uint64_t first, uint64_t last, const char *label)
{
    uint8_t *entry = entry_at(2, index);
    for (unsigned i = 0; i < 16; i++)
        entry[i] = (uint8_t)(i + 1);
    put(entry + 32, first, 8);
    put(entry + 40, last, 8);
    for (size_t i = 0; label[i]; i++)
        put(entry + 56 + 2 * i, (uint8_t)label[i], 2);
}

static uint64_t second_entries(void)
{
    return blocks() - 5;
}

/* Both copies of the table, after the entries were built. */
static void build_copies(void)
{
    memcpy(entry_at(second_entries(), 0), entry_at(2, 0), ENTRY_COUNT * ENTRY_BYTES);
    build_header(1, blocks() - 1, 2);
    build_header(blocks() - 1, 1, second_entries());
}

static void clear(uint32_t bytes)
{
    memset(disk, 0, sizeof(disk));
    disk_sectors = SECTORS_MAX;
    block_bytes = bytes;
    fail_from = fail_to = 0;
}

static void build_record(void)
{
    disk[510] = 0x55;
    disk[511] = 0xaa;
}

static void build_mbr_entry(unsigned index, uint8_t type, uint32_t first, uint32_t sectors)
{
    uint8_t *entry = disk + 446 + 16 * (size_t)index;
    build_record();
    entry[4] = type;
    put(entry + 8, first, 4);
    put(entry + 12, sectors, 4);
}

static void build_gpt(uint32_t bytes)
{
    clear(bytes);
    build_mbr_entry(0, 0xee, 1, SECTORS_MAX - 1);
    build_entry(0, 8, 15, "root");
    build_entry(2, 16, 16, "swap area");
    build_entry(3, blocks() - 8, blocks() - 6, "");
    build_copies();
}

static bool is_intact(void)
{
    return table.scheme == PARTITION_GPT && table.count == 3 && table.partitions[0].number == 1 &&
           strcmp(table.partitions[0].label, "root") == 0;
}

static bool is_nothing(void)
{
    return table.scheme == PARTITION_NONE && table.count == 0;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void checksum(void)
{
    EXPECT(crc32_update(0, "123456789", 9) == 0xcbf43926u);
    EXPECT(crc32_update(crc32_update(0, "1234", 4), "56789", 5) == 0xcbf43926u);
    EXPECT(crc32_update(0, "", 0) == 0);
}

static void gpt(void)
{
    for (uint32_t bytes = 512; bytes <= 4096; bytes *= 2) {
        const uint64_t scale = bytes / SECTOR_BYTES;
        build_gpt(bytes);
        EXPECT(read_table() == 0 && is_intact() && !table.backup);
        EXPECT(table.partitions[0].first == 8 * scale && table.partitions[0].sectors == 8 * scale);
        EXPECT(table.partitions[1].number == 3 && table.partitions[1].sectors == scale);
        EXPECT(strcmp(table.partitions[1].label, "swap area") == 0);
        EXPECT(strcmp(table.partitions[1].type, "04030201-0605-0807-090a-0b0c0d0e0f10") == 0);
        EXPECT(table.partitions[2].label[0] == '\0');
    }
}

static void labels(void)
{
    build_gpt(512);
    uint8_t *name = entry_at(2, 0) + 56;
    for (unsigned i = 0; i < 36; i++)
        put(name + 2 * (size_t)i, 0x20ac, 2); /* the euro sign: three bytes */
    build_copies();
    EXPECT(read_table() == 0 && strlen(table.partitions[0].label) == 108);
    EXPECT(memcmp(table.partitions[0].label, "\xe2\x82\xac", 3) == 0);
    memset(name, 0, 72);
    put(name, 0xe4, 2);       /* two bytes */
    put(name + 2, 0xd83d, 2); /* half a pair */
    put(name + 4, '\n', 2);
    build_copies();
    EXPECT(read_table() == 0 && strcmp(table.partitions[0].label, "\xc3\xa4??") == 0);
}

static void second_copy(void)
{
    build_gpt(512);
    block(1)[80] ^= 1;
    EXPECT(read_table() == 0 && is_intact() && table.backup);
    build_gpt(512);
    entry_at(2, 0)[32] ^= 1;
    EXPECT(read_table() == 0 && is_intact() && table.backup);
    build_gpt(512);
    fail_from = 1;
    fail_to = 2;
    EXPECT(read_table() == 0 && is_intact() && table.backup);
    build_gpt(512);
    block(1)[80] ^= 1;
    block(blocks() - 1)[80] ^= 1;
    EXPECT(read_table() == 0 && is_nothing());
    build_gpt(512);
    fail_from = 0;
    fail_to = 1;
    EXPECT(read_table() == -EIO && is_nothing());
    fail_from = 1;
    fail_to = SECTORS_MAX;
    EXPECT(read_table() == -EIO && is_nothing());
}

/* Sets a field of the first header, with its checksum right, and breaks the second copy. True if the table counts. */
static bool accepts(unsigned offset, uint64_t value, unsigned bytes)
{
    build_gpt(512);
    put(block(blocks() - 1), 0, 8);
    put(block(1) + offset, value, bytes);
    seal_header(block(1));
    EXPECT(read_table() == 0);
    EXPECT(is_intact() || is_nothing());
    return is_intact();
}

static void headers(void)
{
    EXPECT(accepts(8, 0x10000, 4));
    EXPECT(!accepts(0, 0, 8));                                                          /* signature */
    EXPECT(!accepts(8, 0x10001, 4));                                                    /* revision */
    EXPECT(!accepts(12, 91, 4) && !accepts(12, 513, 4) && !accepts(12, UINT32_MAX, 4)); /* its size */
    EXPECT(!accepts(24, 2, 8));                                                         /* its own place */
    EXPECT(!accepts(40, UINT64_MAX, 8) && accepts(48, 507, 8));                         /* usable blocks */
    EXPECT(!accepts(48, SECTORS_MAX, 8) && !accepts(48, 4, 8) && !accepts(48, UINT64_MAX, 8));
    EXPECT(!accepts(72, 0, 8) && !accepts(72, 1, 8) && !accepts(72, SECTORS_MAX, 8) && !accepts(72, UINT64_MAX, 8));
    EXPECT(!accepts(72, FIRST_USABLE - 1, 8)); /* entries among partitions */
    EXPECT(!accepts(80, 0, 4) && !accepts(80, UINT32_MAX, 4) && !accepts(80, ENTRY_COUNT - 1, 4));
    EXPECT(!accepts(84, 0, 4) && !accepts(84, 64, 4) && !accepts(84, 192, 4) && !accepts(84, 1u << 31, 4));
    EXPECT(!accepts(88, 0, 4)); /* checksum of the entries */
}

/* The same for the range of an entry. */
static bool accepts_range(uint64_t first, uint64_t last)
{
    build_gpt(512);
    build_entry(1, first, last, "");
    build_copies();
    EXPECT(read_table() == 0);
    EXPECT(is_nothing() || table.count == 4);
    return table.count == 4;
}

static void ranges(void)
{
    EXPECT(accepts_range(17, 20) && accepts_range(6, 7) && accepts_range(17, 503));
    EXPECT(!accepts_range(20, 17) && !accepts_range(0, 7) && !accepts_range(5, 7) && !accepts_range(17, 507));
    EXPECT(!accepts_range(7, 8) && !accepts_range(15, 15) && !accepts_range(6, 506) && !accepts_range(10, 11));
    EXPECT(!accepts_range(17, UINT64_MAX) && !accepts_range(UINT64_MAX, UINT64_MAX) && !accepts_range(17, 504));
}

static void mbr(void)
{
    clear(512);
    EXPECT(read_table() == 0 && is_nothing());
    build_mbr_entry(0, 0x83, 1, 100);
    build_mbr_entry(2, 0x82, 101, SECTORS_MAX - 101);
    EXPECT(read_table() == 0 && table.scheme == PARTITION_MBR && table.count == 2);
    EXPECT(table.partitions[1].number == 3 && strcmp(table.partitions[1].type, "0x82") == 0 &&
           table.partitions[1].first == 101 && table.partitions[1].label[0] == '\0');
    build_mbr_entry(3, 0x83, 50, 10);
    EXPECT(read_table() == 0 && is_nothing()); /* they overlap */
    build_mbr_entry(3, 0x83, SECTORS_MAX, 1);
    EXPECT(read_table() == 0 && is_nothing());
    build_mbr_entry(3, 0x83, UINT32_MAX, UINT32_MAX);
    EXPECT(read_table() == 0 && is_nothing());
    build_mbr_entry(3, 0x83, 0, 1);
    EXPECT(read_table() == 0 && is_nothing());
    build_mbr_entry(3, 0, 0, 0);
    EXPECT(read_table() == 0 && table.count == 2);
    disk[446] = 0x7f; /* the code of a file system's boot sector, perhaps */
    EXPECT(read_table() == 0 && is_nothing());
}

static void odd_disks(void)
{
    build_gpt(512);
    block_bytes = 0;
    EXPECT(read_table() == 0 && is_nothing());
    block_bytes = 1536;
    EXPECT(read_table() == 0 && is_nothing());
    block_bytes = 8192;
    EXPECT(read_table() == 0 && is_nothing());
    block_bytes = 4096;
    disk_sectors = 7;
    EXPECT(read_table() == 0 && is_nothing());
    block_bytes = 512;
    for (disk_sectors = 0; disk_sectors < 507; disk_sectors++)
        EXPECT(read_table() == 0 && is_nothing()); /* the table is that of a larger disk */
    disk_sectors = 507;
    EXPECT(read_table() == 0 && is_intact()); /* its second copy is missing, and all else there */
}

/* What everybody who uses a table relies on. */
static void expect_sound(void)
{
    EXPECT(table.count <= PARTITIONS_MAX && (table.count == 0) >= (table.scheme == PARTITION_NONE));
    for (unsigned i = 0; i < table.count; i++) {
        const struct partition *one = &table.partitions[i];
        EXPECT(one->number > 0 && one->first > 0 && one->sectors > 0 && one->first < disk_sectors &&
               one->sectors <= disk_sectors - one->first);
        EXPECT(memchr(one->label, 0, sizeof(one->label)) && memchr(one->type, 0, sizeof(one->type)));
        EXPECT(one->first % (block_bytes / SECTOR_BYTES) == 0 && one->sectors % (block_bytes / SECTOR_BYTES) == 0);
        for (unsigned j = 0; j < i; j++) {
            const struct partition *other = &table.partitions[j];
            EXPECT(one->first >= other->first + other->sectors || other->first >= one->first + one->sectors);
        }
    }
}

static uint64_t random_value(void)
{
    static const uint64_t special[] = {0, 1, 2, 5, 6, 8, 92, 128, 506, 511, 512, 1UL << 31, UINT32_MAX, UINT64_MAX};
    return random_chance(70) ? special[random_below(sizeof(special) / sizeof(special[0]))] : random_next();
}

static void damage(uint64_t header, uint64_t entries)
{
    switch (random_below(5)) {
    case 0:
        put(block(header) + random_below(12) * 8, random_value(), 8);
        break;
    case 1:
        put(block(header) + random_below(24) * 4, random_value(), 4);
        break;
    case 2:
        put(entry_at(entries, (unsigned)random_below(ENTRY_COUNT)) + random_below(16) * 8, random_value(), 8);
        break;
    case 3:
        put(disk + 446 + random_below(66), random_next(), 1);
        break;
    default:
        disk[random_below(sizeof(disk))] ^= (uint8_t)(1u << random_below(8));
    }
}

static void random_damage(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        build_gpt(random_chance(80) ? 512 : 4096);
        for (uint64_t changes = random_below(4); changes > 0; changes--) {
            damage(1, 2);
            damage(blocks() - 1, second_entries());
        }
        if (random_chance(80))
            seal(1, 2);
        if (random_chance(80))
            seal(blocks() - 1, second_entries());
        if (random_chance(10)) {
            fail_from = random_below(SECTORS_MAX);
            fail_to = fail_from + random_below(20);
        }
        const int error = read_table();
        EXPECT(error == 0 || (error == -EIO && table.count == 0 && fail_to));
        expect_sound();
    }
}

/* Random entries, valid or not, read against what was written. */
static void against_model(void)
{
    struct {
        uint64_t first, last;
    } model[ENTRY_COUNT];

    for (test_step = 0; test_step < test_steps() / 4; test_step++) {
        uint64_t place = FIRST_USABLE;
        unsigned count = 0;
        clear(512);
        build_mbr_entry(0, 0xee, 1, SECTORS_MAX - 1);
        for (unsigned i = 0; i < ENTRY_COUNT; i++) {
            const uint64_t first = place + random_below(20), last = first + random_below(30);
            if (random_chance(30) || last > blocks() - 6)
                continue;
            build_entry(i, first, last, "x");
            model[count].first = first;
            model[count++].last = last;
            place = last + 1;
        }
        build_copies();
        EXPECT(read_table() == 0 && table.scheme == PARTITION_GPT && table.count == count);
        for (unsigned i = 0; i < count; i++)
            EXPECT(table.partitions[i].first == model[i].first &&
                   table.partitions[i].sectors == model[i].last - model[i].first + 1);
    }
}

static const struct test_row rows[] = {
    {"checksum", "the checksum is the standard's", checksum},
    {"gpt", "partitions of a GPT are found, whatever the disk's blocks", gpt},
    {"labels", "labels come as UTF-8", labels},
    {"second_copy", "the copy at the disk's end stands in for the first", second_copy},
    {"headers", "each bad field of a header is refused", headers},
    {"ranges", "partitions lie where they may, and apart", ranges},
    {"mbr", "partitions of an MBR are found, and checked", mbr},
    {"odd_disks", "disks of any size and block have no table or a right one", odd_disks},
    {"random_damage", "no damage makes a table of which anything is wrong", random_damage},
    {"against_model", "random tables are read as they were written", against_model},
};
TEST_MAIN("partition", rows)
