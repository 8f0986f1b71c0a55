/* SPDX-License-Identifier: MIT */
/* PSCI calls, numbered as Arm DEN 0022 has them. */
#include "psci.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch.h"
#include "device_tree.h"
#include "panic.h"

#define CPU_ON       0xc4000003u
#define SYSTEM_OFF   0x84000008u
#define SYSTEM_RESET 0x84000009u

enum psci_result {
    PSCI_SUCCESS = 0,
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_DENIED = -3,
    PSCI_ALREADY_ON = -4,
    PSCI_ON_PENDING = -5,
    PSCI_INVALID_ADDRESS = -9,
};

static int64_t (*firmware)(uint64_t function, uint64_t first, uint64_t second, uint64_t third);

void psci_discover(void)
{
    int node = device_tree_next_compatible(-1, "arm,psci-1.0");
    if (node < 0)
        node = device_tree_next_compatible(-1, "arm,psci-0.2");
    if (node < 0)
        return;
    const char *method = device_tree_string(node, "method");
    if (method && strcmp(method, "hvc") == 0)
        firmware = firmware_call_hvc;
    else if (method && strcmp(method, "smc") == 0)
        firmware = firmware_call_smc;
    else
        panic("device tree: psci: method is neither hvc nor smc");
}

int psci_cpu_on(uint64_t affinity, uint64_t entry, uint64_t argument)
{
    if (!firmware)
        return -ENODEV;
    switch ((enum psci_result)(int32_t)firmware(CPU_ON, affinity, entry, argument)) {
    case PSCI_SUCCESS:
        return 0;
    case PSCI_NOT_SUPPORTED:
        return -ENOSYS;
    case PSCI_DENIED:
        return -EPERM;
    case PSCI_ALREADY_ON:
    case PSCI_ON_PENDING:
        return -EBUSY;
    case PSCI_INVALID_PARAMETERS:
    case PSCI_INVALID_ADDRESS:
    default:
        return -EINVAL;
    }
}

void psci_system_off(void)
{
    if (firmware)
        firmware(SYSTEM_OFF, 0, 0, 0);
}

void psci_system_reset(void)
{
    if (firmware)
        firmware(SYSTEM_RESET, 0, 0, 0);
}
