/* SPDX-License-Identifier: MIT */
/*
 * The tmpfs against a model; now and then an allocation fails.
 */
#include <errno.h>

#include "../../servers/fs/tmpfs.h"
#include "files_model.h"
#include "fs_memory.h"
#include "harness.h"

#define CHECK_EVERY 64u

static struct tmpfs fs;

static uint64_t test_now(void)
{
    return test_step;
}

static int test_load(uint64_t source, uint64_t offset, void *data, size_t bytes)
{
    return -EIO;
}

static void run(unsigned fail_percent)
{
    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    EXPECT(tmpfs_init(&fs, test_now, test_load) == 0);
    files_model_use(&fs.fs);
    fs_test_memory.fail_percent = fail_percent;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        files_model_step();
        if (test_step % CHECK_EVERY == 0) {
            EXPECT(tmpfs_check(&fs));
            files_model_compare();
        }
    }
    EXPECT(tmpfs_check(&fs));
    files_model_compare();
    files_model_close();
    tmpfs_destroy(&fs);
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
}

static void test_random(void)
{
    run(0);
}

static void test_failing(void)
{
    run(10);
}

static const struct test_row rows[] = {
    {"random", "every result is the model's", test_random},
    {"failing", "the same when one allocation in ten fails", test_failing},
};

TEST_MAIN("tmpfs_random", rows)
