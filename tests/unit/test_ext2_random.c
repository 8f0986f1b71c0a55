/* SPDX-License-Identifier: MIT */
/*
 * The ext2 back end against the model of files that the tmpfs has to follow, too. Now and then the disk is mounted anew,
 * and e2fsck looks at it.
 */
#include "../../servers/fs/ext2.h"
#include "ext2_image.h"
#include "files_model.h"
#include "fs_memory.h"
#include "harness.h"

#define DISK_BYTES    (32UL << 20)
#define CHECK_EVERY   1024u
#define SYNC_EVERY    2500u
#define REMOUNT_EVERY 10000u

static struct image image;
static struct ext2 *ext2;

static uint64_t test_now(void)
{
    return test_step * 1000000007;
}

static void mount_it(void)
{
    const unsigned fail_percent = fs_test_memory.fail_percent;
    const struct ext2_options options = {.now = test_now};

    fs_test_memory.fail_percent = 0;
    EXPECT(ext2_mount(&image.device, &options, &ext2) == 0);
    EXPECT(!ext2_file_system(ext2)->read_only);
    files_model_use(ext2_file_system(ext2));
    fs_test_memory.fail_percent = fail_percent;
}

static void remount(void)
{
    files_model_close();
    const unsigned fail_percent = fs_test_memory.fail_percent;
    fs_test_memory.fail_percent = 0;
    EXPECT(ext2_unmount(ext2) == 0);
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
    EXPECT(image_fsck(&image, false) == 0);
    fs_test_memory.fail_percent = fail_percent;
    mount_it();
}

/* What a sync leaves on the disk is in order but for what is open without a name, and can be mounted. */
static void sync_it(void)
{
    const unsigned fail_percent = fs_test_memory.fail_percent;
    struct image copy;

    fs_test_memory.fail_percent = 0;
    EXPECT(ext2_file_system(ext2)->operations->sync(ext2_file_system(ext2), NULL, SYNC_WHOLE) == 0);
    EXPECT(!ext2_is_dirty(ext2));
    image_copy(&copy, &image);
    if (image_orphans(&copy))
        EXPECT(image_fsck(&copy, true) <= 1);
    EXPECT(image_fsck(&copy, false) == 0);
    image_free(&copy);
    fs_test_memory.fail_percent = fail_percent;
}

static void run(const char *options, unsigned fail_percent)
{
    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&image, DISK_BYTES, options, NULL);
    mount_it();
    EXPECT(tree_unlink(&(struct tree){.base = ext2_file_system(ext2)}, "/none") < 0);
    fs_test_memory.fail_percent = fail_percent;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        files_model_step();
        EXPECT(!ext2_file_system(ext2)->read_only);
        if (test_step % CHECK_EVERY == 0) {
            EXPECT(ext2_check(ext2));
            files_model_compare();
        }
        if (test_step % SYNC_EVERY == SYNC_EVERY / 2)
            sync_it();
        if (test_step % REMOUNT_EVERY == REMOUNT_EVERY - 1)
            remount();
    }
    fs_test_memory.fail_percent = 0;
    files_model_compare();
    remount();
    files_model_compare();
    EXPECT(ext2_unmount(ext2) == 0);
    image_free(&image);
}

static void test_small_blocks(void)
{
    run("-t ext2 -b 1024", 0);
}

static void test_pages(void)
{
    run("-t ext2 -b 4096", 0);
}

static void test_extents(void)
{
    run("-t ext4 -b 4096 -O ^has_journal", 0);
}

static void test_failing(void)
{
    run("-t ext2 -b 2048", 10);
}

static const struct test_row rows[] = {
    {"small_blocks", "every result is the model's with blocks smaller than pages", test_small_blocks},
    {"pages", "every result is the model's with blocks that are pages", test_pages},
    {"extents", "every result is the model's with extents and checksums", test_extents},
    {"failing", "the same when one allocation in ten fails", test_failing},
};

TEST_MAIN("ext2_random", rows)
