/* SPDX-License-Identifier: MIT */
/*
 * What a request for pages says of itself: which memory suits, how long the caller can wait, how far into the reserves
 * it may go. Names and meanings are Linux's; GFP_FLAG_X is what Linux calls __GFP_X.
 */
#ifndef MM_GFP_H
#define MM_GFP_H

#include <stdint.h>

enum zone_type {
    ZONE_DMA = 0,    /* what every device of the machine reaches; no such zone if they reach all below 4 GiB */
    ZONE_DMA32 = 1,  /* below 4 GiB */
    ZONE_NORMAL = 2, /* the rest */
    ZONE_COUNT
};

typedef uint32_t gfp_t;

/* Which zones: none of the first and third means all. */
#define GFP_FLAG_DMA     0x0001u /* ZONE_DMA alone */
#define GFP_FLAG_HIGHMEM 0x0002u /* memory need not be mapped for its user. All of it is here: no effect */
#define GFP_FLAG_DMA32   0x0004u /* ZONE_DMA32 or below */

/* How the pages can be got back: neither means not at all. */
#define GFP_FLAG_MOVABLE     0x0008u /* only translations refer to them, so they can be copied elsewhere */
#define GFP_FLAG_RECLAIMABLE 0x0010u /* a cache that can be made to let go of them */

/* The reserves. */
#define GFP_FLAG_HIGH       0x0020u /* the machine needs this: half of what the min watermark keeps may be used */
#define GFP_FLAG_MEMALLOC   0x0040u /* frees more memory than it takes: all of it may be used */
#define GFP_FLAG_NOMEMALLOC 0x0080u /* never, even with GFP_FLAG_MEMALLOC */

/* What may be done to get pages. */
#define GFP_FLAG_IO             0x0100u /* reclaim may start input and output */
#define GFP_FLAG_FS             0x0200u /* reclaim may call the file server */
#define GFP_FLAG_DIRECT_RECLAIM 0x0400u /* the caller can wait: lists are drained and pages reclaimed on its time */
#define GFP_FLAG_KSWAPD_RECLAIM 0x0800u /* background reclaim is woken when the low watermark is reached */
#define GFP_FLAG_RECLAIM        (GFP_FLAG_DIRECT_RECLAIM | GFP_FLAG_KSWAPD_RECLAIM)
#define GFP_FLAG_NORETRY        0x1000u /* one round of reclaim, then fail */
#define GFP_FLAG_RETRY_MAYFAIL  0x2000u /* large blocks, too, are tried for as long as reclaim makes progress */

/* The rest. */
#define GFP_FLAG_NOWARN 0x4000u /* a failure is not reported */
#define GFP_FLAG_ZERO   0x8000u /* the pages are zeroed */
#define GFP_FLAGS_ALL   0xffffu

/* The kinds of requests. Linux's GFP_FLAG_NOFAIL has no counterpart: nobody here waits for ever. */
#define GFP_ATOMIC           (GFP_FLAG_HIGH | GFP_FLAG_KSWAPD_RECLAIM)   /* cannot wait, and must not fail lightly */
#define GFP_NOWAIT           (GFP_FLAG_KSWAPD_RECLAIM | GFP_FLAG_NOWARN) /* cannot wait; fails early and quietly */
#define GFP_NOIO             GFP_FLAG_RECLAIM
#define GFP_NOFS             (GFP_FLAG_RECLAIM | GFP_FLAG_IO)
#define GFP_KERNEL           (GFP_FLAG_RECLAIM | GFP_FLAG_IO | GFP_FLAG_FS) /* a server's own records */
#define GFP_USER             GFP_KERNEL                                     /* for a program, and stays where it is */
#define GFP_DMA              GFP_FLAG_DMA
#define GFP_DMA32            GFP_FLAG_DMA32
#define GFP_HIGHUSER         (GFP_USER | GFP_FLAG_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | GFP_FLAG_MOVABLE) /* for a program: anonymous memory, page cache */
/* Huge pages: nobody needs them, so quietly; the light one does not even reclaim. */
#define GFP_TRANSHUGE_LIGHT ((GFP_HIGHUSER_MOVABLE | GFP_FLAG_NOMEMALLOC | GFP_FLAG_NOWARN) & ~GFP_FLAG_RECLAIM)
#define GFP_TRANSHUGE       (GFP_TRANSHUGE_LIGHT | GFP_FLAG_DIRECT_RECLAIM)

/* The highest zone that suits; those below suit, too. */
static inline enum zone_type gfp_zone(gfp_t gfp)
{
    if (gfp & GFP_FLAG_DMA)
        return ZONE_DMA;
    return gfp & GFP_FLAG_DMA32 ? ZONE_DMA32 : ZONE_NORMAL;
}

#endif
