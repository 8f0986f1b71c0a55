/* SPDX-License-Identifier: MIT */
/*
 * The transfer buffer: memory that the program shares with the file server, through which long reads and writes go. There
 * is one for all threads; who finds it in use sends messages instead, so that nobody waits, signal handlers included.
 */
#include "files.h"

#include <proto/fs_client.h>
#include <proto/memsrv_client.h>
#include <quire/copy.h>
#include <stdatomic.h>
#include <sys/mman.h>

static atomic_flag in_use = ATOMIC_FLAG_INIT;
static char *buffer; /* by `in_use`; NULL: not mapped */
static bool refused; /* by `in_use`: there was no memory, so messages must do */

void transfer_child_of_fork(void)
{
    buffer = NULL;
    refused = false;
    atomic_flag_clear(&in_use);
}

/* A child has a buffer of its own, so the mapping is not for it. */
static void buffer_map(void)
{
    uint64_t object, address = 0;

    if (fs_transfer_buffer(SLOT_FS, &object) < 0) {
        refused = true;
        return;
    }
    if (memsrv_map_object(SLOT_MEMSRV, 0, FS_TRANSFER_BYTES, PROT_READ | PROT_WRITE, MEMSRV_MAP_SHARED, object, 0,
                          &address) < 0)
        refused = true;
    else
        buffer = (char *)address;
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, object);
    if (buffer)
        (void)!memsrv_advise(SLOT_MEMSRV, address, FS_TRANSFER_BYTES, MADV_DONTFORK);
}

static bool buffer_take(void)
{
    if (atomic_flag_test_and_set_explicit(&in_use, memory_order_acquire))
        return false;
    if (!buffer && !refused)
        buffer_map();
    if (buffer)
        return true;
    atomic_flag_clear_explicit(&in_use, memory_order_release);
    return false;
}

/* ENXIO: the file server is another than the one that the buffer is shared with. */
static void buffer_give(int error)
{
    if (error == -ENXIO) {
        (void)!memsrv_unmap(SLOT_MEMSRV, (uint64_t)buffer, FS_TRANSFER_BYTES);
        buffer = NULL;
    }
    atomic_flag_clear_explicit(&in_use, memory_order_release);
}

long transfer_read(int file, void *data, size_t bytes, const uint64_t *offset)
{
    uint64_t got = 0;

    if (!buffer_take())
        return -ENXIO;
    const int error = fs_transfer_read(SLOT_FS, (uint64_t)file, offset ? *offset : FS_TRANSFER_HERE, bytes, &got);
    if (error == 0)
        copy_bytes(data, buffer, got);
    buffer_give(error);
    return error == -EPIPE ? -EIO : error < 0 ? error : (long)got;
}

long transfer_write(int file, const void *data, size_t bytes, const uint64_t *offset)
{
    uint64_t written = 0;

    if (!buffer_take())
        return -ENXIO;
    copy_bytes(buffer, data, bytes < FS_TRANSFER_BYTES ? bytes : FS_TRANSFER_BYTES);
    const int error = fs_transfer_write(SLOT_FS, (uint64_t)file, offset ? *offset : FS_TRANSFER_HERE, bytes, &written);
    buffer_give(error);
    return error < 0 ? error : (long)written;
}
