/* SPDX-License-Identifier: MIT */
/*
 * One descriptor a physical page, and the map from page frame numbers to descriptors. Memory is cut in sections of
 * 128 MiB; a section that holds no memory has no descriptors and costs one pointer. The descriptors of a section are
 * written in subsections of 4 MiB, the largest block of the buddy allocator, when their memory is first needed.
 *
 * Locks: a free page's descriptor belongs to its zone's lock, an allocated page's to whoever allocated it; the two
 * counters are atomic. Sections are added while the machine's memory is discovered, before a second thread looks at
 * the map; subsections are written under the lock of the zone that they are in.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <base/list.h>
#include <quire/abi.h>

#define MAX_ORDER   10u /* largest block: 4 MiB */
#define ORDER_COUNT (MAX_ORDER + 1)

/* Pages are grouped by mobility in blocks of 2 MiB, so that what cannot move does not scatter over all memory. */
#define PAGEBLOCK_ORDER HUGE_PAGE_ORDER
#define PAGEBLOCK_PAGES (1UL << PAGEBLOCK_ORDER)

enum migrate_type {
    MIGRATE_UNMOVABLE = 0,   /* tables, kernel objects, memsrv's own metadata */
    MIGRATE_MOVABLE = 1,     /* user memory: only translations point to it */
    MIGRATE_RECLAIMABLE = 2, /* caches that can be dropped */
    MIGRATE_COUNT
};

/* What a page is. Exactly one of the first four holds for the first page of a block; the other pages of a free or
 * allocated block have none of them. */
#define PAGE_RESERVED  0x01u /* never given to the buddy allocator: firmware, kernel, memsrv's own metadata, hole */
#define PAGE_FREE      0x02u /* first page of a free block, on a free list of its zone */
#define PAGE_ALLOCATED 0x04u /* first page of an allocated block of `order` */
#define PAGE_LISTED    0x08u /* order 0, in a page list: neither free in the zone nor anybody's */
#define PAGE_STATE     (PAGE_RESERVED | PAGE_FREE | PAGE_ALLOCATED | PAGE_LISTED)
/* The owner's marks; they are cleared by an allocation. */
#define PAGE_OWNER_FLAGS 0xffffff00u
#define PAGE_TABLE       0x0100u   /* donated to the kernel as a translation table */
#define PAGE_OBJECT      0x0200u   /* donated to the kernel as objects */
#define PAGE_CACHE       0x0400u   /* holds objects of a kmem cache */
#define PAGE_LOCKED      0x0800u   /* never reclaimed */
#define PAGE_OF_OBJECT   0x1000u   /* of a memory object, which is `owner`: unmapping does not free it */
#define PAGE_ZERO        0x2000u   /* the page of zeros that read faults map */
#define PAGE_HUGE        0x4000u   /* first page of a huge page, whose parts may come back one by one */
#define PAGE_TRANSIT     0x8000u   /* a device may be using it: see servers/memsrv/transit.h */
#define PAGE_FRESH       0x10000u  /* does not hold its content yet; nothing maps it */
#define PAGE_DIRTY       0x20000u  /* of a backed object: written since it was filled or cleaned */
#define PAGE_BUSY        0x40000u  /* is being evicted: who wants it waits */
#define PAGE_ORPHAN      0x80000u  /* belongs to nobody any more, and is freed when its transit ends */
#define PAGE_BACKED      0x200000u /* of an object that is backed */
#define PAGE_BORROWED    0x800000u /* is being filled, and was taken from the reserve */
#define PAGE_SWAP_CACHE  0x100000u /* has a swap slot: `owner` is its record */
/* Of a page that is charged to a memory group: the group's number, not 0, and whether as a page of a file. Only a page
 * that is nobody's gets or loses these, wherever it is. */
#define PAGE_CHARGED_SHIFT     24
#define PAGE_CHARGED_GROUP     0x7f000000u
#define PAGE_CHARGED_GROUP_MAX 127u
#define PAGE_CHARGED_FILE      0x80000000u
#define PAGE_CHARGED           (PAGE_CHARGED_GROUP | PAGE_CHARGED_FILE)

struct page {
    uint32_t flags;
    uint8_t order;             /* of the block that starts here */
    uint8_t migrate;           /* enum migrate_type of the block that starts here */
    uint8_t zone;              /* enum zone_type */
    uint8_t pageblock_migrate; /* on the first page of a pageblock: the type that owns the pageblock */
    uint32_t refcount;         /* holders of the block; 1 after an allocation */
    uint32_t mapcount;         /* translations that point to it */
    struct list link;          /* free list while free; the owner's while allocated */
    void *owner;               /* the owner's: e.g. the address space or the cache */
    uint64_t index;            /* the owner's: e.g. the page's offset in what is mapped */
    uint64_t private_data;     /* the owner's */
    uint64_t pfn;              /* fixed: page frame number of this descriptor */
};
_Static_assert(sizeof(struct page) == 64, "descriptors are an array that is indexed with a shift");

#define MEM_SECTION_SHIFT 27
#define MEM_SECTION_PAGES (1UL << (MEM_SECTION_SHIFT - PAGE_SHIFT))
#define MEM_SECTION_BYTES (1UL << MEM_SECTION_SHIFT)
/* Memory that the map's array takes for one section: 2 MiB. */
#define MEM_SECTION_ARRAY_BYTES (MEM_SECTION_PAGES * sizeof(struct page))
#define MEM_SECTION_COUNT       (WINDOW_SIZE >> MEM_SECTION_SHIFT)
#define MEM_MAP_PFN_END         (MEM_SECTION_COUNT * MEM_SECTION_PAGES)

#define MEM_SUBSECTION_PAGES (1UL << MAX_ORDER)
#define MEM_SUBSECTIONS      (MEM_SECTION_PAGES / MEM_SUBSECTION_PAGES) /* of a section */
#define MEM_SUBSECTIONS_ALL  UINT32_MAX
_Static_assert(MEM_SUBSECTIONS == 32, "a bit each in a word");

struct mem_map {
    struct page *sections[MEM_SECTION_COUNT]; /* NULL: no memory there */
    uint32_t written[MEM_SECTION_COUNT];      /* bit n: the descriptors of subsection n are there; atomic */
};

/* Makes a map without sections. */
void mem_map_init(struct mem_map *map);

/*
 * Gives section `section` (pfn / MEM_SECTION_PAGES) its descriptors: `pages` points to MEM_SECTION_PAGES of them, with
 * any content, aligned to their size; the memory stays with the map for good. Every page starts as PAGE_RESERVED.
 * EINVAL: no such section or misaligned; EEXIST: it has descriptors. A failure changes nothing.
 */
MUST_CHECK int mem_map_add_section(struct mem_map *map, uint64_t section, struct page *pages);

/* The same, but `pages` is not touched: no page has a descriptor until mem_map_write_subsection(). */
MUST_CHECK int mem_map_add_section_unwritten(struct mem_map *map, uint64_t section, struct page *pages);

/* What mem_map_write_subsection() makes of the pages. */
struct page_initial {
    uint32_t flags;
    uint8_t zone; /* enum zone_type */
};

/* Writes the descriptors of the subsection that starts at `pfn`, whose section has been added; they were not written
 * before. Lock: that of the zone. */
void mem_map_write_subsection(struct mem_map *map, uint64_t pfn, struct page_initial initial);

/* True if the page has a descriptor; any pfn is allowed. */
static inline bool mem_map_present(const struct mem_map *map, uint64_t pfn)
{
    if (pfn >= MEM_MAP_PFN_END || !map->sections[pfn / MEM_SECTION_PAGES])
        return false;
    uint32_t written = __atomic_load_n(&map->written[pfn / MEM_SECTION_PAGES], __ATOMIC_ACQUIRE);
    return written >> (pfn / MEM_SUBSECTION_PAGES % MEM_SUBSECTIONS) & 1;
}

/* The descriptor of a page that is known to have one: the hot path. */
static inline struct page *mem_map_page(const struct mem_map *map, uint64_t pfn)
{
    return &map->sections[pfn / MEM_SECTION_PAGES][pfn % MEM_SECTION_PAGES];
}

/* The descriptor of any pfn, or NULL if there is none. */
static inline struct page *mem_map_find(const struct mem_map *map, uint64_t pfn)
{
    return mem_map_present(map, pfn) ? mem_map_page(map, pfn) : NULL;
}

static inline uint64_t page_pfn(const struct page *page)
{
    return page->pfn;
}

static inline uint64_t page_address(const struct page *page)
{
    return page->pfn << PAGE_SHIFT;
}

/* The two counters are touched through these calls alone, from any thread. */
static inline uint32_t page_refcount(const struct page *page)
{
    return __atomic_load_n(&page->refcount, __ATOMIC_RELAXED);
}

static inline uint32_t page_mapcount(const struct page *page)
{
    return __atomic_load_n(&page->mapcount, __ATOMIC_RELAXED);
}

/* For the allocator: sets the count of a page that nobody else knows. */
static inline void page_set_refcount(struct page *page, uint32_t count)
{
    __atomic_store_n(&page->refcount, count, __ATOMIC_RELAXED);
}

/* One more holder, or one less. page_put() is true when the last is gone: the caller then frees the page. */
static inline void page_get(struct page *page)
{
    uint32_t before = __atomic_fetch_add(&page->refcount, 1, __ATOMIC_RELAXED);
    ASSERT(before != 0 && before != UINT32_MAX);
}

MUST_CHECK static inline bool page_put(struct page *page)
{
    uint32_t before = __atomic_fetch_sub(&page->refcount, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    return before == 1;
}

/* `count` translations more, or less, point to the page. */
static inline void page_add_mappings(struct page *page, uint32_t count)
{
    uint32_t before = __atomic_fetch_add(&page->mapcount, count, __ATOMIC_RELAXED);
    ASSERT(before <= UINT32_MAX - count);
}

static inline void page_remove_mappings(struct page *page, uint32_t count)
{
    uint32_t before = __atomic_fetch_sub(&page->mapcount, count, __ATOMIC_RELAXED);
    ASSERT(before >= count);
}

#endif
