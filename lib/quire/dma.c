/* SPDX-License-Identifier: MIT */
/* Memory for devices, out of memsrv's objects. */
#include <quire/dma.h>

#include <proto/memsrv_client.h>

#define PROTECTION (MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE)
#define FLAGS      (MEMSRV_MAP_SHARED | MEMSRV_MAP_POPULATE)

int dma_memory_take(struct dma_memory *memory, size_t bytes)
{
    uint64_t id, pfn, address;

    int error = memsrv_memory_dma(SLOT_DMA, bytes, 0, &id, &pfn);
    if (error < 0)
        return error;
    error = memsrv_map_object(SLOT_MEMSRV, 0, bytes, PROTECTION, FLAGS, id, 0, &address);
    if (error < 0) {
        (void)!memsrv_object_memory_release(SLOT_MEMSRV, id);
        return error;
    }
    *memory = (struct dma_memory){
        .address = (void *)address, .bytes = (bytes + PAGE_SIZE - 1) & PAGE_MASK, .pfn = pfn, .id = id};
    return 0;
}

void dma_memory_give(struct dma_memory *memory)
{
    /* Neither fails for what is mapped and owned, but for want of a record to split an area, of which this is a whole one. */
    (void)!memsrv_unmap(SLOT_MEMSRV, (uint64_t)memory->address, memory->bytes);
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, memory->id);
    *memory = (struct dma_memory){0};
}
