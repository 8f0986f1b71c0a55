/* SPDX-License-Identifier: MIT */
/*
 * What concerns both file systems of a tree: listing the root, writing back.
 */
#include "tree.h"

/* Cookies of names in the root of the file system that covers are these and more. */
#define COVERING_COOKIES (1UL << 62)

/* A listing of the root. */
struct listing {
    const struct tree *tree;
    list_function function;
    void *argument;
    bool enough;
    int error;
};

/* A name of the base: told unless it is covered. */
static bool list_covered(void *argument, const struct listed *entry)
{
    struct listing *listing = argument;
    struct inode *covering = NULL;

    listing->error =
        listing->tree->over->operations->lookup(listing->tree->over->root, entry->name, entry->length, &covering);
    if (listing->error < 0)
        return false;
    if (!covering)
        listing->enough = !listing->function(listing->argument, entry);
    return !listing->enough;
}

static bool list_covering(void *argument, const struct listed *entry)
{
    struct listing *listing = argument;
    struct listed moved = *entry;

    moved.cookie += COVERING_COOKIES;
    return listing->function(listing->argument, &moved);
}

int tree_list(const struct tree *tree, struct inode *directory, uint64_t cookie, list_function function, void *argument)
{
    struct listing listing = {.tree = tree, .function = function, .argument = argument};
    int error = 0;

    if (!tree->over || directory != tree->base->root)
        return directory->fs->operations->list(directory, cookie, function, argument);
    if (cookie < COVERING_COOKIES) {
        error = directory->fs->operations->list(directory, cookie, list_covered, &listing);
        cookie = COVERING_COOKIES + 2;
    }
    if (error == 0)
        error = listing.error;
    if (error < 0 || listing.enough)
        return error;
    return tree->over->operations->list(tree->over->root, cookie - COVERING_COOKIES, list_covering, &listing);
}

int tree_sync(const struct tree *tree, enum sync_what what)
{
    const int error = tree->base->operations->sync(tree->base, NULL, what);
    const int second = tree->over ? tree->over->operations->sync(tree->over, NULL, what) : 0;

    return error < 0 ? error : second;
}

void tree_settle(const struct tree *tree)
{
    tree->base->operations->settle(tree->base);
    if (tree->over)
        tree->over->operations->settle(tree->over);
}
