/* SPDX-License-Identifier: MIT */
/*
 * The spin table. Its words are mapped as device registers are: a CPU that waits has its caches off, and sees what is
 * written past them. So nothing else may map the page as memory.
 */
#include "spin_table.h"

#include "arch.h"
#include "device_tree.h"
#include "discover.h"
#include "panic.h"

bool spin_table_discover(int node, uint64_t *release)
{
    if (!device_tree_number(node, "cpu-release-addr", release))
        return false;
    const struct memory_region page = {*release & PAGE_MASK, PAGE_SIZE};
    if (*release % sizeof(uint64_t) || *release >= DIRECT_SIZE)
        panic("device tree: a CPU's release address %lx", *release);
    discover_reserve(&page);
    device_map_range(page.base, page.size);
    return true;
}

void spin_table_release(uint64_t release, uint64_t entry)
{
    system_barrier();
    device_write64(device_map(release), entry);
    cpu_wake_waiting();
}
