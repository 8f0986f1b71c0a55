/* SPDX-License-Identifier: MIT */
/* memsrv's heap, and the part of its address space in which it maps pages for itself. */
#include <errno.h>

#include <quire/syscall.h>
#include <string.h>

#include "caches.h"
#include "log.h"
#include "memory.h"
#include "own_memory.h"

/* Far from the image, the window and the first stack. */
#define OWN_LOW    0x300000000000UL
#define OWN_BYTES  (1UL << 36)
#define OWN_RIGHTS (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)

struct kmalloc_heap own_heap;
struct vmalloc_space own_space;
struct percpu own_percpu;

static uint64_t tables; /* atomic */

/* Gives the kernel one more table for memsrv's own space. */
static long give_table(void)
{
    struct page *page = system_page_take(PAGE_TABLE);
    if (!page)
        return -ENOMEM;
    const struct map_item item = {MAP_ITEM_TABLE, page_address(page)};
    memcpy(ipc_buffer()->words, &item, sizeof(item));
    long result = sys_map(SLOT_PHYSICAL, SLOT_ASPACE, 1);
    if (result == 1)
        __atomic_fetch_add(&tables, 1, __ATOMIC_RELAXED);
    else
        system_page_give(page);
    return result == 1 ? 0 : result;
}

/* Maps some pages; how many, or a negative errno value. */
static long map_some(uint64_t address, struct page *const pages[], uint64_t count)
{
    struct map_item *items = (struct map_item *)ipc_buffer()->words;
    for (uint64_t i = 0; i < count; i++)
        items[i] = (struct map_item){(address + i * PAGE_SIZE) | MAP_ITEM_MAP, page_address(pages[i]) | OWN_RIGHTS};
    return sys_map(SLOT_PHYSICAL, SLOT_ASPACE, count);
}

static void own_unmap(void *context, uint64_t address, uint64_t count)
{
    const uint64_t end = address + count * PAGE_SIZE;
    while (address < end) {
        uint64_t next = address;
        long result = sys_unmap(SLOT_PHYSICAL, SLOT_ASPACE, address, (end - address) >> PAGE_SHIFT, 0, &next);
        ASSERT(result >= 0 && next > address);
        address = next;
    }
}

static int own_map(void *context, uint64_t address, struct page *const pages[], uint64_t count)
{
    uint64_t done = 0;
    while (done < count) {
        uint64_t left = count - done;
        long result = map_some(address + done * PAGE_SIZE, pages + done, left < MAP_ITEMS_MAX ? left : MAP_ITEMS_MAX);
        if (result > 0) {
            done += (uint64_t)result;
            continue;
        }
        /* The kernel says ENOMEM as long as a table is missing. */
        if (result != -ENOMEM || (result = give_table()) != 0) {
            own_unmap(context, address, done);
            return (int)result;
        }
    }
    return 0;
}

void own_memory_init(uint64_t cpu_count)
{
    static const struct vmalloc_ops ops = {.map = own_map, .unmap = own_unmap};
    struct kmem_cache_args defaults = {.source = &record_source};

    cache_defaults(&defaults);
    if (kmalloc_init(&own_heap, &defaults))
        fatal("the heap cannot be made");
    for (unsigned class = 0; class < KMALLOC_CLASSES; class ++)
        cache_list(&own_heap.caches[class]);
    if (percpu_init(&own_percpu, (uint32_t)(cpu_count < WORKERS_MAX ? cpu_count : WORKERS_MAX), &record_source))
        fatal("per-CPU memory cannot be made");
    vmalloc_init(&own_space, OWN_LOW, OWN_LOW + OWN_BYTES, &ops, &record_source, &own_heap);
}

uint64_t own_table_pages(void)
{
    return __atomic_load_n(&tables, __ATOMIC_RELAXED);
}
