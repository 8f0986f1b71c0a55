/* SPDX-License-Identifier: MIT */
/*
 * Operations on paths.
 */
#include "server.h"

#include "device.h"
#include "memory.h"
#include "serve_status.h"

#define BLOCK_BYTES       512u
#define DIRECTORY_BYTES   4096u
#define DEVICE_FILES      1u /* numbers of the file systems that stat tells */
#define DEVICE_PIPES      2u
#define CONSOLE_MODE_BITS 0600u

_Static_assert(FS_TIME_KEEP == TIME_KEEP && FS_TIME_NOW == TIME_NOW, "times are the protocol's");

/* Data of a request that should be `count` zero-terminated strings, the first at `text`. EINVAL: it is not. */
static int check_strings(const char *text, size_t bytes, size_t count)
{
    size_t ends = 0;

    for (size_t i = 0; i < bytes; i++)
        ends += text[i] == '\0';
    return bytes > 0 && text[bytes - 1] == '\0' && ends == count ? 0 : -EINVAL;
}

/* The second of two strings. */
static const char *second_string(const char *text)
{
    return text + strlen(text) + 1;
}

static int find(struct fs_context *context, const void *path, size_t bytes, uint64_t flags, struct inode **inode)
{
    const int error = check_strings(path, bytes, 1);
    return error < 0 ? error : tmpfs_find(&context->fs, path, flags & FS_FOLLOW ? WALK_FOLLOW : 0, inode);
}

void status_of_inode(const struct inode *inode, struct fs_status *status)
{
    *status = (struct fs_status){
        .device = DEVICE_FILES,
        .inode = inode->number,
        .mode = inode->mode,
        .links = inode->links,
        .user = inode->user,
        .group = inode->group,
        .special = inode_is(inode, MODE_DEVICE) ? inode->device : 0,
        .size = inode_is(inode, MODE_DIRECTORY) ? DIRECTORY_BYTES : inode->size,
        .blocks = inode_stored(inode) / BLOCK_BYTES,
        .accessed = inode->accessed,
        .modified = inode->modified,
        .changed = inode->changed,
    };
}

void status_of_pipe(const struct pipe *pipe, struct fs_status *status)
{
    *status = (struct fs_status){
        .device = DEVICE_PIPES,
        .inode = pipe->number,
        .mode = MODE_PIPE | CONSOLE_MODE_BITS,
        .links = 1,
        .size = pipe_used(pipe),
        .accessed = pipe->created,
        .modified = pipe->created,
        .changed = pipe->created,
    };
}

void status_of_console(struct fs_status *status)
{
    *status = (struct fs_status){
        .device = DEVICE_FILES, .mode = MODE_DEVICE | CONSOLE_MODE_BITS, .links = 1, .special = DEVICE_CONSOLE};
}

int fs_handle_path_status(struct fs_context *context, const struct message *request, uint64_t flags, const void *path,
                          size_t path_bytes, struct fs_status *status, size_t status_capacity, size_t *status_count)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, flags, &inode);

    if (error < 0)
        return error;
    if (status_capacity > 0) {
        status_of_inode(inode, status);
        *status_count = 1;
    }
    return 0;
}

int fs_handle_path_truncate(struct fs_context *context, const struct message *request, uint64_t size, const void *path,
                            size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    if (error < 0)
        return error;
    if (inode_is(inode, MODE_DIRECTORY))
        return -EISDIR;
    return size > INT64_MAX ? -EINVAL : inode_truncate(&context->fs, inode, size);
}

int fs_handle_link(struct fs_context *context, const struct message *request, uint64_t flags, const void *paths,
                   size_t paths_bytes)
{
    if (check_strings(paths, paths_bytes, 2) < 0)
        return -EINVAL;
    return tmpfs_link(&context->fs, paths, second_string(paths), flags & FS_FOLLOW ? WALK_FOLLOW : 0);
}

int fs_handle_symlink(struct fs_context *context, const struct message *request, const void *paths, size_t paths_bytes)
{
    if (check_strings(paths, paths_bytes, 2) < 0)
        return -EINVAL;
    return tmpfs_symlink(&context->fs, paths, second_string(paths));
}

int fs_handle_readlink(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes,
                       void *target, size_t target_capacity, size_t *target_bytes)
{
    if (check_strings(path, path_bytes, 1) < 0)
        return -EINVAL;
    const long got = tmpfs_readlink(&context->fs, path, target, target_capacity);
    if (got < 0)
        return (int)got;
    *target_bytes = (size_t)got;
    return 0;
}

int fs_handle_rename(struct fs_context *context, const struct message *request, const void *paths, size_t paths_bytes)
{
    if (check_strings(paths, paths_bytes, 2) < 0)
        return -EINVAL;
    return tmpfs_rename(&context->fs, paths, second_string(paths));
}

int fs_handle_unlink(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes)
{
    return check_strings(path, path_bytes, 1) < 0 ? -EINVAL : tmpfs_unlink(&context->fs, path);
}

int fs_handle_rmdir(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes)
{
    return check_strings(path, path_bytes, 1) < 0 ? -EINVAL : tmpfs_rmdir(&context->fs, path);
}

int fs_handle_mkdir(struct fs_context *context, const struct message *request, uint64_t mode, const void *path,
                    size_t path_bytes)
{
    return check_strings(path, path_bytes, 1) < 0 ? -EINVAL : tmpfs_mkdir(&context->fs, path, (uint32_t)mode);
}

int fs_handle_path_chmod(struct fs_context *context, const struct message *request, uint64_t mode, const void *path,
                         size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    if (error == 0)
        inode_chmod(&context->fs, inode, (uint32_t)mode);
    return error;
}

int fs_handle_path_chown(struct fs_context *context, const struct message *request, uint64_t flags, uint64_t user,
                         uint64_t group, const void *path, size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, flags, &inode);

    if (error == 0)
        inode_chown(&context->fs, inode, (uint32_t)user, (uint32_t)group);
    return error;
}

int fs_handle_path_times(struct fs_context *context, const struct message *request, uint64_t flags, uint64_t accessed,
                         uint64_t modified, const void *path, size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, flags, &inode);

    if (error == 0)
        inode_set_times(&context->fs, inode, accessed, modified);
    return error;
}

int fs_handle_resolve(struct fs_context *context, const struct message *request, uint64_t flags, const void *path,
                      size_t path_bytes, void *resolved, size_t resolved_capacity, size_t *resolved_bytes)
{
    struct inode *inode;
    int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    if (error == 0 && (flags & FS_RESOLVE_DIRECTORY) && !inode_is(inode, MODE_DIRECTORY))
        error = -ENOTDIR;
    if (error == 0)
        error = tmpfs_resolve(&context->fs, path, resolved, resolved_capacity);
    if (error == 0)
        *resolved_bytes = strlen(resolved) + 1;
    return error;
}

int fs_handle_volume(struct fs_context *context, const struct message *request, struct fs_volume *volume,
                     size_t volume_capacity, size_t *volume_count)
{
    const struct fs_page_count count = fs_page_count();

    if (volume_capacity == 0)
        return 0;
    *volume = (struct fs_volume){.pages = count.limit,
                                 .free_pages = count.limit > count.used ? count.limit - count.used : 0,
                                 .inodes = context->fs.inodes,
                                 .names = context->fs.entries};
    *volume_count = 1;
    return 0;
}

int fs_handle_program(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes,
                      uint64_t *object, uint64_t *size, uint64_t *closing, void *head, size_t head_capacity,
                      size_t *head_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    if (error < 0)
        return error;
    const long got = prepare_program(context, request, inode, head, head_capacity, object, closing);
    if (got < 0)
        return (int)got;
    *size = inode->size;
    *head_bytes = (size_t)got;
    return 0;
}
