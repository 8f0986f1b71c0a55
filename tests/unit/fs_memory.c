/* SPDX-License-Identifier: MIT */
/*
 * The file server's memory for host tests.
 */
#include "fs_memory.h"

#include <stdlib.h>
#include <string.h>

#include "../../servers/fs/memory.h"
#include "harness.h"

#define PAGE_BYTES 4096u

struct fs_test_memory fs_test_memory = {.fail_at = FS_MEMORY_NEVER_FAIL};

static bool fails(void)
{
    const bool fail = fs_test_memory.calls++ == fs_test_memory.fail_at ||
                      (fs_test_memory.fail_percent && random_chance(fs_test_memory.fail_percent));

    fs_test_memory.failed |= fail;
    return fail;
}

void *fs_allocate(size_t bytes)
{
    if (fails())
        return NULL;
    fs_test_memory.blocks++;
    return calloc(1, bytes);
}

void fs_free(void *block)
{
    fs_test_memory.blocks -= block != NULL;
    free(block);
}

void *fs_page_get(void)
{
    if (fails())
        return NULL;
    fs_test_memory.pages++;
    return calloc(1, PAGE_BYTES);
}

void fs_page_put(void *page)
{
    EXPECT(page);
    fs_test_memory.pages--;
    free(page);
}

void fs_copy(void *restrict to, const void *restrict from, size_t bytes)
{
    memcpy(to, from, bytes);
}

bool fs_is_room(uint64_t pages)
{
    return true;
}

struct fs_page_count fs_page_count(void)
{
    return (struct fs_page_count){.used = fs_test_memory.pages, .limit = UINT64_MAX};
}
