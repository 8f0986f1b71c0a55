/* SPDX-License-Identifier: MIT */
/*
 * A file system against a model; see files_model.h.
 */
#include "files_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../servers/fs/tree.h"
#include "fs_memory.h"
#include "harness.h"

#define NODES      1000u
#define THINGS     600u
#define OPEN_COUNT 8u
#define FILE_BYTES 40000u
#define DEPTH_MAX  3u

struct thing {
    unsigned names, opens; /* free if both are 0 */
    uint32_t type;
    size_t size;
    uint8_t content[FILE_BYTES];
};

struct node {
    char path[40]; /* empty: free */
    struct thing *thing;
};

static struct tree tree;
static struct node nodes[NODES];
static struct thing things[THINGS];
static struct {
    struct thing *thing;
    struct inode *inode;
} opened[OPEN_COUNT];

/* --- The model --- */

static struct node *node_at(const char *path)
{
    for (size_t i = 0; i < NODES; i++)
        if (nodes[i].path[0] && strcmp(nodes[i].path, path) == 0)
            return &nodes[i];
    return NULL;
}

static bool is_directory(const struct node *node)
{
    return node->thing->type == MODE_DIRECTORY;
}

/* 0 if all before the last part are directories. The root is in no node. */
static int model_parents(const char *path)
{
    char part[40];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        const struct node *node = node_at(part);
        /* Symbolic links lead nowhere here. */
        if (!node || node->thing->type == MODE_SYMLINK)
            return -ENOENT;
        if (!is_directory(node))
            return -ENOTDIR;
    }
    return 0;
}

static bool is_empty(const char *path)
{
    const size_t length = strlen(path);

    for (size_t i = 0; i < NODES; i++)
        if (strncmp(nodes[i].path, path, length) == 0 && nodes[i].path[length] == '/')
            return false;
    return true;
}

static struct thing *thing_new(uint32_t type)
{
    for (size_t i = 0; i < THINGS; i++) {
        if (things[i].names || things[i].opens)
            continue;
        things[i].type = type;
        things[i].size = 0;
        memset(things[i].content, 0, FILE_BYTES);
        return &things[i];
    }
    return NULL;
}

static void name(const char *path, struct thing *thing)
{
    struct node *node = NULL;

    for (size_t i = 0; i < NODES && !node; i++)
        node = nodes[i].path[0] ? NULL : &nodes[i];
    EXPECT(node && thing);
    strcpy(node->path, path);
    node->thing = thing;
    thing->names++;
}

static void unname(struct node *node)
{
    node->thing->names--;
    node->path[0] = '\0';
}

/* --- Steps --- */

/* A path of one to three parts; there are few names, so that they meet. */
static void random_path(char path[40])
{
    size_t length = 0;

    for (uint64_t depth = 1 + random_below(DEPTH_MAX); depth > 0; depth--)
        length += (size_t)sprintf(path + length, "/%c", (char)('a' + random_below(4)));
}

/* True if the result is the model's, and the model is to follow. If memory failed nothing has happened. */
static bool agrees(long found, long wanted)
{
    if (fs_test_memory.failed && (found == -ENOSPC || found == -ENOMEM))
        return false;
    EXPECT(found == wanted);
    return wanted >= 0;
}

static int model_new(const char *path)
{
    const int error = model_parents(path);
    return error < 0 ? error : node_at(path) ? -EEXIST : 0;
}

static void step_make(void)
{
    char path[40];

    random_path(path);
    if (random_chance(60)) {
        const int wanted = model_new(path);
        if (agrees(tree_mkdir(&tree, path, 0755), wanted))
            name(path, thing_new(MODE_DIRECTORY));
    } else {
        const int wanted = model_new(path);
        if (agrees(tree_symlink(&tree, "/nowhere/at/all", path), wanted))
            name(path, thing_new(MODE_SYMLINK));
    }
}

static int model_open(const char *path, unsigned flags, const struct node *node)
{
    const int error = model_parents(path);

    if (error < 0)
        return error;
    if (!node)
        return flags & OPEN_CREATE ? 0 : -ENOENT;
    if ((flags & OPEN_CREATE) && (flags & OPEN_EXCLUSIVE))
        return -EEXIST;
    if (node->thing->type == MODE_SYMLINK)
        return -ELOOP;
    return is_directory(node) ? -EISDIR : 0;
}

static void step_open(void)
{
    const size_t place = random_below(OPEN_COUNT);
    const unsigned flags = OPEN_WRITE | OPEN_NOFOLLOW | (random_chance(80) ? OPEN_CREATE : 0) |
                           (random_chance(10) ? OPEN_EXCLUSIVE : 0) | (random_chance(10) ? OPEN_TRUNCATE : 0);
    struct inode *inode;
    char path[40];

    if (opened[place].inode) {
        inode_put(opened[place].inode);
        opened[place].thing->opens--;
        opened[place].inode = NULL;
        return;
    }
    random_path(path);
    struct node *node = node_at(path);
    if (!agrees(tree_open(&tree, path, flags, 0644, &inode), model_open(path, flags, node)))
        return;
    struct thing *thing = node ? node->thing : thing_new(MODE_FILE);
    if (!node)
        name(path, thing);
    if (flags & OPEN_TRUNCATE)
        thing->size = 0, memset(thing->content, 0, FILE_BYTES);
    thing->opens++;
    opened[place].thing = thing;
    opened[place].inode = inode;
}

static void step_content(void)
{
    static uint8_t bytes[FILE_BYTES];
    const size_t place = random_below(OPEN_COUNT);
    struct thing *thing = opened[place].thing;
    struct inode *inode = opened[place].inode;
    const size_t offset = random_below(FILE_BYTES - 1);
    const size_t count = 1 + random_below(random_chance(50) ? 100 : FILE_BYTES - offset - 1);

    if (!inode)
        return;
    if (random_chance(50)) {
        const long wanted =
            offset >= thing->size ? 0 : (long)(count < thing->size - offset ? count : thing->size - offset);
        EXPECT(inode_read(inode, offset, bytes, count) == wanted);
        EXPECT(memcmp(bytes, thing->content + offset, (size_t)wanted) == 0);
    } else if (random_chance(80)) {
        if (offset + count > FILE_BYTES)
            return;
        memset(bytes, (int)random_below(256), count);
        long written = inode_write(inode, offset, bytes, count);
        EXPECT(written == (long)count || fs_test_memory.failed);
        written = written < 0 ? 0 : written;
        memcpy(thing->content + offset, bytes, (size_t)written);
        if (written > 0 && offset + (size_t)written > thing->size)
            thing->size = offset + (size_t)written;
    } else if (agrees(inode_truncate(inode, offset), 0)) {
        if (offset < thing->size)
            memset(thing->content + offset, 0, thing->size - offset);
        thing->size = offset;
    }
}

static void step_remove(void)
{
    char path[40];

    random_path(path);
    struct node *node = node_at(path);
    int wanted = model_parents(path);
    if (wanted == 0 && !node)
        wanted = -ENOENT;
    if (random_chance(50)) {
        if (wanted == 0 && is_directory(node))
            wanted = -EISDIR;
        if (agrees(tree_unlink(&tree, path), wanted))
            unname(node);
    } else {
        if (wanted == 0 && !is_directory(node))
            wanted = -ENOTDIR;
        if (wanted == 0 && !is_empty(path))
            wanted = -ENOTEMPTY;
        if (agrees(tree_rmdir(&tree, path), wanted))
            unname(node);
    }
}

static void step_link(void)
{
    char from[40], to[40];

    random_path(from);
    random_path(to);
    const struct node *node = node_at(from);
    int wanted = model_parents(from);
    if (wanted == 0 && !node)
        wanted = -ENOENT;
    if (wanted == 0 && is_directory(node))
        wanted = -EPERM;
    if (wanted == 0)
        wanted = model_new(to);
    if (agrees(tree_link(&tree, from, to, 0), wanted))
        name(to, node->thing);
}

static bool lies_in(const char *path, const char *directory)
{
    const size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static int model_rename(const char *from, const char *to)
{
    const struct node *old = node_at(from), *new = node_at(to);

    int error = model_parents(from);
    if (error == 0)
        error = model_parents(to);
    if (error == 0 && !old)
        error = -ENOENT;
    if (error < 0)
        return error;
    if (is_directory(old) && lies_in(to, from))
        return -EINVAL;
    if (!new || new->thing == old->thing)
        return 0;
    if (is_directory(old) != is_directory(new))
        return is_directory(new) ? -EISDIR : -ENOTDIR;
    return is_directory(new) && !is_empty(to) ? -ENOTEMPTY : 0;
}

/* Depth can grow by renaming directories; paths of the model have an end. */
static bool fits(const char *from, const char *to)
{
    for (size_t i = 0; i < NODES; i++)
        if (lies_in(nodes[i].path, from) && strlen(nodes[i].path) - strlen(from) + strlen(to) > 2 * (DEPTH_MAX + 2))
            return false;
    return true;
}

static void step_rename(void)
{
    char from[40], to[40], moved[80];

    random_path(from);
    random_path(to);
    if (!fits(from, to))
        return;
    struct node *old = node_at(from), *new = node_at(to);
    if (!agrees(tree_rename(&tree, from, to), model_rename(from, to)) || (new &&new->thing == old->thing))
        return;
    if (new)
        unname(new);
    for (size_t i = 0; i < NODES; i++) {
        if (!lies_in(nodes[i].path, from))
            continue;
        snprintf(moved, sizeof(moved), "%s%s", to, nodes[i].path + strlen(from));
        EXPECT(strlen(moved) < sizeof(nodes[i].path));
        strcpy(nodes[i].path, moved);
    }
    strcpy(old->path, to);
}

/* --- The whole --- */

static size_t model_entries(const char *directory)
{
    const size_t length = strlen(directory);
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++)
        count += strncmp(nodes[i].path, directory, length) == 0 && nodes[i].path[length] == '/' &&
                 !strchr(nodes[i].path + length + 1, '/');
    return count;
}

static bool count_entry(void *argument, const struct listed *entry)
{
    ++*(size_t *)argument;
    return true;
}

static void compare_thing(const struct node *node, struct inode *inode)
{
    static uint8_t bytes[FILE_BYTES];
    const struct thing *thing = node->thing;
    size_t entries = 0;

    EXPECT(inode_is(inode, thing->type));
    if (thing->type == MODE_DIRECTORY) {
        EXPECT(tree_list(&tree, inode, 2, count_entry, &entries) == 0);
        EXPECT(entries == model_entries(node->path));
        return;
    }
    EXPECT(inode->links == thing->names);
    if (thing->type != MODE_FILE)
        return;
    EXPECT(inode->size == thing->size);
    EXPECT(inode_read(inode, 0, bytes, FILE_BYTES) == (long)thing->size);
    EXPECT(memcmp(bytes, thing->content, thing->size) == 0);
}

void files_model_compare(void)
{
    const unsigned fail_percent = fs_test_memory.fail_percent;
    struct inode *inode;

    fs_test_memory.fail_percent = 0;
    for (size_t i = 0; i < NODES; i++) {
        if (!nodes[i].path[0])
            continue;
        EXPECT(tree_find(&tree, nodes[i].path, 0, &inode) == 0);
        compare_thing(&nodes[i], inode);
    }
    fs_test_memory.fail_percent = fail_percent;
}

void files_model_use(struct file_system *fs)
{
    tree.base = fs;
}

void files_model_step(void)
{
    static void (*const steps[])(void) = {step_make,    step_open,   step_open, step_content, step_content,
                                          step_content, step_remove, step_link, step_rename};

    fs_test_memory.failed = false;
    steps[random_below(sizeof(steps) / sizeof(steps[0]))]();
    tree_settle(&tree);
}

void files_model_close(void)
{
    for (size_t i = 0; i < OPEN_COUNT; i++) {
        if (!opened[i].inode)
            continue;
        inode_put(opened[i].inode);
        opened[i].inode = NULL;
        opened[i].thing->opens--;
    }
}
