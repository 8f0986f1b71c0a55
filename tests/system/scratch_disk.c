/* SPDX-License-Identifier: MIT */
#include "scratch_disk.h"

#include <errno.h>
#include <proto/blk_client.h>
#include <proto/grant.h>
#include <proto/memsrv_client.h>
#include <proto/pager_start.h>
#include <unistd.h>

#define SCRATCH "label=scratch"

int scratch_disk_map(struct scratch_disk *disk, uint64_t pages, uint64_t protect)
{
    struct blk_volume volume;
    uint64_t address = 0;
    size_t count = 0;
    int error = blk_find(SLOT_BLK, SCRATCH, sizeof(SCRATCH) - 1, &volume, 1, &count);
    if (error == 0 && count != 1)
        error = -ENODEV;
    if (error)
        return error;
    const uint64_t all = volume.sectors / BLK_PAGE_SECTORS;
    *disk = (struct scratch_disk){.volume = volume.id, .pages = pages < all ? pages : all};
    error = memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)getpid(), MEMSRV_ROLE_FILE_SERVER);
    if (error == 0)
        error = memsrv_object_backed_create(SLOT_MEMSRV, disk->pages * PAGE_SIZE, PAGER_COOKIE_OF_VOLUME(volume.id),
                                            &disk->object);
    if (error == 0)
        error = memsrv_map_object(SLOT_MEMSRV, 0, disk->pages * PAGE_SIZE, protect, MEMSRV_MAP_SHARED, disk->object, 0,
                                  &address);
    disk->memory = (void *)address;
    return error;
}
