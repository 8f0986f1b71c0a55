/* SPDX-License-Identifier: MIT */
/*
 * Operations on paths.
 */
#include "server.h"

#include "device.h"
#include "serve_status.h"

#define BLOCK_BYTES       512u
#define DIRECTORY_BYTES   4096u
#define DEVICE_FILES      FILES_NUMBER_MEMORY /* numbers of the file systems that stat tells */
#define DEVICE_PIPES      FILES_NUMBER_PIPES
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

static int find(const struct fs_context *context, const void *path, size_t bytes, uint64_t flags, struct inode **inode)
{
    const int error = check_strings(path, bytes, 1);
    return error < 0 ? error : tree_find(&context->tree, path, flags & FS_FOLLOW ? WALK_FOLLOW : 0, inode);
}

void status_of_inode(struct inode *inode, struct fs_status *status)
{
    *status = (struct fs_status){
        .device = inode->fs->number,
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
    return size > INT64_MAX ? -EINVAL : inode_truncate(inode, size);
}

int fs_handle_link(struct fs_context *context, const struct message *request, uint64_t flags, const void *paths,
                   size_t paths_bytes)
{
    if (check_strings(paths, paths_bytes, 2) < 0)
        return -EINVAL;
    return tree_link(&context->tree, paths, second_string(paths), flags & FS_FOLLOW ? WALK_FOLLOW : 0);
}

int fs_handle_symlink(struct fs_context *context, const struct message *request, const void *paths, size_t paths_bytes)
{
    if (check_strings(paths, paths_bytes, 2) < 0)
        return -EINVAL;
    return tree_symlink(&context->tree, paths, second_string(paths));
}

int fs_handle_readlink(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes,
                       void *target, size_t target_capacity, size_t *target_bytes)
{
    if (check_strings(path, path_bytes, 1) < 0)
        return -EINVAL;
    const long got = tree_readlink(&context->tree, path, target, target_capacity);
    if (got < 0)
        return (int)got;
    *target_bytes = (size_t)got;
    return 0;
}

int fs_handle_rename(struct fs_context *context, const struct message *request, const void *paths, size_t paths_bytes)
{
    if (check_strings(paths, paths_bytes, 2) < 0)
        return -EINVAL;
    return tree_rename(&context->tree, paths, second_string(paths));
}

int fs_handle_unlink(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes)
{
    return check_strings(path, path_bytes, 1) < 0 ? -EINVAL : tree_unlink(&context->tree, path);
}

int fs_handle_rmdir(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes)
{
    return check_strings(path, path_bytes, 1) < 0 ? -EINVAL : tree_rmdir(&context->tree, path);
}

int fs_handle_mkdir(struct fs_context *context, const struct message *request, uint64_t mode, const void *path,
                    size_t path_bytes)
{
    return check_strings(path, path_bytes, 1) < 0 ? -EINVAL : tree_mkdir(&context->tree, path, (uint32_t)mode);
}

int fs_handle_path_chmod(struct fs_context *context, const struct message *request, uint64_t mode, const void *path,
                         size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    return error < 0 ? error : inode_chmod(inode, (uint32_t)mode);
}

int fs_handle_path_chown(struct fs_context *context, const struct message *request, uint64_t flags, uint64_t user,
                         uint64_t group, const void *path, size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, flags, &inode);

    return error < 0 ? error : inode_chown(inode, (uint32_t)user, (uint32_t)group);
}

int fs_handle_path_times(struct fs_context *context, const struct message *request, uint64_t flags, uint64_t accessed,
                         uint64_t modified, const void *path, size_t path_bytes)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, flags, &inode);

    return error < 0 ? error : inode_set_times(inode, accessed, modified);
}

int fs_handle_resolve(struct fs_context *context, const struct message *request, uint64_t flags, const void *path,
                      size_t path_bytes, void *resolved, size_t resolved_capacity, size_t *resolved_bytes)
{
    struct inode *inode;
    int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    if (error == 0 && (flags & FS_RESOLVE_DIRECTORY) && !inode_is(inode, MODE_DIRECTORY))
        error = -ENOTDIR;
    if (error == 0)
        error = tree_resolve(&context->tree, path, resolved, resolved_capacity);
    if (error == 0)
        *resolved_bytes = strlen(resolved) + 1;
    return error;
}

static void fill_volume(const struct inode *inode, struct fs_volume *record)
{
    struct volume volume;

    inode->fs->operations->volume(inode->fs, &volume);
    *record = (struct fs_volume){.number = inode->fs->number,
                                 .flags = inode->fs->read_only ? FS_VOLUME_READ_ONLY : 0,
                                 .block_bytes = volume.block_bytes,
                                 .blocks = volume.blocks,
                                 .free_blocks = volume.free_blocks,
                                 .available_blocks = volume.available_blocks,
                                 .inodes = volume.inodes,
                                 .free_inodes = volume.free_inodes,
                                 .names = volume.names};
}

int fs_handle_volume(struct fs_context *context, const struct message *request, const void *path, size_t path_bytes,
                     struct fs_volume *volume, size_t volume_capacity, size_t *volume_count)
{
    struct inode *inode;
    const int error = find(context, path, path_bytes, FS_FOLLOW, &inode);

    if (error < 0 || volume_capacity == 0)
        return error;
    fill_volume(inode, volume);
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

int fs_handle_volume_of(struct fs_context *context, const struct message *request, uint64_t number,
                        struct fs_volume *volume, size_t volume_capacity, size_t *volume_count)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error < 0 || volume_capacity == 0)
        return error;
    /* Pipes and a program's own console are in no file system; they tell of the one that is in memory. */
    fill_volume(description->inode ? description->inode : context->tmpfs.fs.root, volume);
    *volume_count = 1;
    return 0;
}

/* Has a file written. What could not be since this was last asked is told, too, and once to each who has it open. */
static int sync_one(struct fs_context *context, const struct message *request, uint64_t number, enum sync_what what)
{
    struct description *description;
    uint64_t sequence;
    int last;

    const int error = description_of(context, request, number, &description);
    if (error < 0)
        return error;
    if (!description->inode)
        return -EINVAL;
    const int status = inode_sync(description->inode, what);
    inode_errors(description->inode, &sequence, &last);
    if (sequence == description->errors_seen)
        return status;
    description->errors_seen = sequence;
    return status < 0 ? status : last;
}

int fs_handle_sync(struct fs_context *context, const struct message *request, uint64_t number)
{
    if (number == FS_SYNC_ALL)
        return tree_sync(&context->tree, SYNC_WHOLE);
    if (number == FS_SYNC_DESCRIPTIONS)
        return tree_sync(&context->tree, SYNC_DESCRIPTION);
    return sync_one(context, request, number, SYNC_WHOLE);
}

int fs_handle_sync_data(struct fs_context *context, const struct message *request, uint64_t number)
{
    return sync_one(context, request, number, SYNC_DATA);
}

int fs_handle_advise(struct fs_context *context, const struct message *request, uint64_t number, uint64_t offset,
                     uint64_t length, uint64_t advice)
{
    struct description *description;
    uint64_t end;

    const int error = description_of(context, request, number, &description);
    if (error < 0)
        return error;
    if (description->kind == DESCRIPTION_PIPE)
        return -ESPIPE;
    if (advice > FS_ADVICE_MAX)
        return -EINVAL;
    if (length == 0 || __builtin_add_overflow(offset, length, &end) || end > STORAGE_BYTES_MAX)
        end = STORAGE_BYTES_MAX;
    if (description->kind == DESCRIPTION_FILE && offset < end)
        inode_advise(description->inode, offset >> PAGE_SHIFT, (end + PAGE_SIZE - 1) >> PAGE_SHIFT, (unsigned)advice);
    return 0;
}
