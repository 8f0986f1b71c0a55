/* SPDX-License-Identifier: MIT */
/* What the two files of the swap map share. */
#ifndef MM_SWAP_INTERNAL_H
#define MM_SWAP_INTERNAL_H

#include <mm/swap_map.h>

/* The list that a cluster with so many taken slots belongs on. */
static inline unsigned swap_cluster_list_of(const struct swap_cluster *cluster)
{
    if (cluster->taken == 0)
        return SWAP_CLUSTER_EMPTY;
    return cluster->taken == SWAP_CLUSTER_SLOTS ? SWAP_CLUSTER_FULL : SWAP_CLUSTER_PARTIAL;
}

/* Slots of an area that can be given out. */
static inline uint64_t swap_area_free(const struct swap_area *area)
{
    return area->slots - area->used - area->bad;
}

/* Takes a cluster off its list; puts one, which is on none, last on the list that it belongs on. */
void swap_cluster_unlink(struct swap_area *area, uint32_t index);
void swap_cluster_link(struct swap_area *area, uint32_t index);

#endif
