/* SPDX-License-Identifier: MIT */
/* Limits of an address space: see mm/resource.h. */
#include <errno.h>

#include <mm/resource.h>

void resource_table_init(struct resource_table *table)
{
    for (unsigned i = 0; i < RESOURCE_END; i++)
        table->limits[i] = (struct resource_limit){RESOURCE_UNLIMITED, RESOURCE_UNLIMITED};
    table->limits[RESOURCE_STACK].soft = RESOURCE_STACK_DEFAULT;
    table->limits[RESOURCE_LOCKED_MEMORY] = (struct resource_limit){RESOURCE_LOCKED_DEFAULT, RESOURCE_LOCKED_DEFAULT};
}

bool resource_is_known(uint64_t resource)
{
    return resource == RESOURCE_DATA || resource == RESOURCE_STACK || resource == RESOURCE_LOCKED_MEMORY ||
           resource == RESOURCE_ADDRESS_SPACE;
}

int resource_set(struct resource_table *table, uint64_t resource, struct resource_limit limit, bool privileged)
{
    if (!resource_is_known(resource) || limit.soft > limit.hard)
        return -EINVAL;
    if (limit.hard > table->limits[resource].hard && !privileged)
        return -EPERM;
    table->limits[resource] = limit;
    return 0;
}
