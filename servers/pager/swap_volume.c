/* SPDX-License-Identifier: MIT */
/* Reads the header of a swap area from its volume. */
#include <proto/blk_client.h>
#include <proto/memsrv_client.h>

#include "swap_header.h"

/* Reads the first page of a volume into memory of its own and looks at it. */
static int read_page(const struct blk_volume *volume, struct swap_header_use *use)
{
    uint64_t id, pfn, address;
    int error = memsrv_memory_dma(SLOT_DMA, PAGE_SIZE, 0, &id, &pfn);
    if (error < 0)
        return error;
    error = memsrv_map_object(SLOT_MEMSRV, 0, PAGE_SIZE, MEMSRV_PROTECT_READ, MEMSRV_MAP_SHARED | MEMSRV_MAP_POPULATE,
                              id, 0, &address);
    if (error == 0) {
        error = blk_read(SLOT_BLK, volume->id, 0, BLK_PAGE_SECTORS, &pfn, sizeof(pfn));
        if (error == 0)
            error = swap_header_parse((const void *)address, volume->sectors / BLK_PAGE_SECTORS, use);
        (void)!memsrv_unmap(SLOT_MEMSRV, address, PAGE_SIZE);
    }
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, id);
    return error;
}

int swap_header_read(const char *name, struct swap_header_use *use)
{
    struct blk_volume volume;
    size_t count = 0;
    int error = blk_find(SLOT_BLK, name, strlen(name), &volume, 1, &count);
    if (error < 0)
        return error;
    if (count == 0)
        return -ENOENT;
    if (volume.flags & BLK_READ_ONLY)
        return -EROFS;
    use->volume = volume.id;
    return read_page(&volume, use);
}
