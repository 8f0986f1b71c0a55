/* SPDX-License-Identifier: MIT */
/*
 * Storage in pages of fs_page_get(), by a table of two levels.
 */
#include "storage_pages.h"

#include <errno.h>
#include <quire/abi.h>
#include <string.h>

#include "memory.h"

#define LEAF_SHIFT 9
#define LEAF_PAGES (1UL << LEAF_SHIFT)
_Static_assert(LEAF_PAGES * sizeof(void *) == PAGE_SIZE, "a leaf is one page");

/* Page pointers are kept in leaves, each a page of them, and the leaves in one array. */
struct page_table {
    uint64_t pages; /* present; leaves not counted */
    uint64_t leaf_count;
    void ***leaves;
};

void storage_init(struct storage *storage)
{
    storage->table = NULL;
}

int storage_extend(struct storage *storage, uint64_t size)
{
    /* The table grows with the pages that are in it. */
    if (!storage->table && size > 0)
        storage->table = fs_allocate(sizeof(*storage->table));
    return storage->table || size == 0 ? 0 : -ENOSPC;
}

int storage_page_find(struct storage *storage, uint64_t index, char **page)
{
    const struct page_table *table = storage->table;
    const uint64_t leaf = index >> LEAF_SHIFT;

    *page = NULL;
    if (table && leaf < table->leaf_count && table->leaves[leaf])
        *page = table->leaves[leaf][index % LEAF_PAGES];
    return 0;
}

/* Makes the array long enough for leaf `leaf`. False: no memory, nothing has changed. */
static bool grow(struct page_table *table, uint64_t leaf)
{
    uint64_t count = table->leaf_count ? table->leaf_count : 1;

    if (leaf < table->leaf_count)
        return true;
    while (count <= leaf)
        count *= 2;
    void ***leaves = fs_allocate(count * sizeof(*leaves));
    if (!leaves)
        return false;
    if (table->leaf_count)
        memcpy(leaves, table->leaves, table->leaf_count * sizeof(*leaves));
    fs_free(table->leaves);
    table->leaves = leaves;
    table->leaf_count = count;
    return true;
}

int storage_page_take(struct storage *storage, uint64_t index, char **page)
{
    struct page_table *table = storage->table;
    const uint64_t leaf = index >> LEAF_SHIFT;

    if (!grow(table, leaf))
        return -ENOSPC;
    /* A leaf without pages is no harm: the next page uses it, and storage_shrink() gives it back. */
    if (!table->leaves[leaf])
        table->leaves[leaf] = fs_page_get();
    if (!table->leaves[leaf])
        return -ENOSPC;
    void **place = &table->leaves[leaf][index % LEAF_PAGES];
    if (!*place) {
        *place = fs_page_get();
        table->pages += *place != NULL;
    }
    *page = *place;
    return *place ? 0 : -ENOSPC;
}

/* Gives back the pages of a leaf from index `first` of it on, and the leaf if nothing is left before. */
static void leaf_cut(struct page_table *table, uint64_t leaf, uint64_t first)
{
    void **pages = table->leaves[leaf];

    for (uint64_t index = first; index < LEAF_PAGES; index++) {
        if (!pages[index])
            continue;
        fs_page_put(pages[index]);
        pages[index] = NULL;
        table->pages--;
    }
    if (first == 0) {
        fs_page_put(pages);
        table->leaves[leaf] = NULL;
    }
}

int storage_shrink(struct storage *storage, uint64_t size)
{
    const uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct page_table *table = storage->table;

    for (uint64_t leaf = first >> LEAF_SHIFT; table && leaf < table->leaf_count; leaf++)
        if (table->leaves[leaf])
            leaf_cut(table, leaf, leaf == first >> LEAF_SHIFT ? first % LEAF_PAGES : 0);
    return 0;
}

void storage_release(struct storage *storage)
{
    (void)!storage_shrink(storage, 0); /* which cannot fail here */
    if (storage->table)
        fs_free(storage->table->leaves);
    fs_free(storage->table);
    storage->table = NULL;
}

uint64_t storage_object(const struct storage *storage)
{
    return 0;
}

uint64_t storage_page_count(const struct storage *storage)
{
    return storage->table ? storage->table->pages : 0;
}

bool storage_check(const struct storage *storage)
{
    const struct page_table *table = storage->table;
    uint64_t pages = 0;

    if (!table)
        return true;
    for (uint64_t leaf = 0; leaf < table->leaf_count; leaf++)
        for (uint64_t index = 0; table->leaves[leaf] && index < LEAF_PAGES; index++)
            pages += table->leaves[leaf][index] != NULL;
    return pages == table->pages && (table->leaf_count == 0) == (table->leaves == NULL);
}
