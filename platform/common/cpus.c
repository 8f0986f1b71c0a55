/* SPDX-License-Identifier: MIT */
/* From the tree's CPU nodes to CPUs that run. */
#include "cpus.h"

#include <errno.h>
#include <string.h>

#include "arch.h"
#include "device_tree.h"
#include "panic.h"
#include "psci.h"
#include "spin_table.h"
#include "start.h"

enum start_method { START_NONE, START_PSCI, START_SPIN_TABLE };

uint64_t cpu_affinities[CPUS_MAX];
static struct {
    enum start_method method;
    uint64_t release; /* START_SPIN_TABLE: where it waits */
} starts[CPUS_MAX];

uint32_t discover_this_cpu(void)
{
    uint64_t affinity = cpu_affinity();
    for (uint32_t cpu = 0; cpu < machine.cpu_count; cpu++) {
        if (cpu_affinities[cpu] == affinity)
            return cpu;
    }
    panic("cpu %lx is not in the device tree", affinity);
}

static enum start_method method_of(int node, uint64_t *release)
{
    if (device_tree_has_string(node, "enable-method", "psci"))
        return START_PSCI;
    if (device_tree_has_string(node, "enable-method", "spin-table") && spin_table_discover(node, release))
        return START_SPIN_TABLE;
    return START_NONE;
}

static void add_cpu(int node, bool is_boot_cpu)
{
    enum start_method method = START_NONE;
    uint64_t affinity, release = 0;

    if (!device_tree_cpu_address(node, &affinity) || affinity & ~MPIDR_AFFINITY)
        panic("device tree: a CPU's reg is not an affinity");
    if (is_boot_cpu != (affinity == cpu_affinity()) || machine.cpu_count == CPUS_MAX)
        return;
    if (!is_boot_cpu && (method = method_of(node, &release)) == START_NONE)
        return;
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        if (cpu_affinities[i] == affinity)
            panic("device tree: CPU %lx twice", affinity);
    }
    starts[machine.cpu_count].method = method;
    starts[machine.cpu_count].release = release;
    cpu_affinities[machine.cpu_count++] = affinity;
}

void discover_cpus(void)
{
    int cpus = device_tree_find_path("/cpus");
    for (int pass = 0; pass < 2; pass++) {
        for (int node = -1; cpus >= 0 && (node = device_tree_next_child(cpus, node)) >= 0;) {
            const char *type = device_tree_string(node, "device_type");
            if (type && strcmp(type, "cpu") == 0 && device_tree_enabled(node))
                add_cpu(node, pass == 0);
        }
        if (!machine.cpu_count)
            panic("device tree: the boot CPU %lx is not in it", cpu_affinity());
    }
}

int cpu_start(uint32_t cpu)
{
    if (cpu < 1 || cpu >= machine.cpu_count)
        return -EINVAL;
    if (starts[cpu].method == START_PSCI)
        return psci_cpu_on(cpu_affinities[cpu], kernel_virtual_to_physical(secondary_entry), cpu);
    spin_table_release(starts[cpu].release, kernel_virtual_to_physical(secondary_entry_by_affinity));
    return 0;
}
