/* SPDX-License-Identifier: MIT */
/* The start information of PVH, as virtual machine monitors leave it for kernels they load themselves. */
#include "loader.h"

#include <string.h>

#define MAGIC            0x336ec578u
#define VERSION_MEMORY   1u /* has a memory map */
#define MEMORY_RAM       1u
#define MEMORY_COUNT_MAX 1024u

struct start_information {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, arguments, root_pointer, memory;
    uint32_t memory_count, reserved;
};

struct start_module {
    uint64_t base, size, arguments, reserved;
};

struct start_memory {
    uint64_t base, size;
    uint32_t kind, reserved;
};

/* What lies at a physical address. NULL: not all of it lies in memory that is mapped. */
static const void *at(uint64_t physical, uint64_t bytes, uint64_t end)
{
    return physical && physical < end && bytes <= end - physical ? (const void *)physical : NULL;
}

static const char *read_memory(const struct start_information *start, uint64_t end, struct loader_information *loader)
{
    if (start->memory_count > MEMORY_COUNT_MAX)
        return "malformed: too many pieces of memory";
    const struct start_memory *memory = at(start->memory, sizeof(*memory) * start->memory_count, end);
    if (!memory || !start->memory_count)
        return "incomplete: it tells of no memory";
    for (uint32_t i = 0; i < start->memory_count; i++) {
        if (memory[i].kind == MEMORY_RAM && !loader_add_memory(loader, memory[i].base, memory[i].size))
            return "malformed, or there are too many pieces of memory";
    }
    return NULL;
}

const char *pvh_read(uint64_t place, uint64_t end, struct loader_information *loader)
{
    const struct start_information *start = at(place, sizeof(*start), end);

    *loader = (struct loader_information){.arguments = ""};
    if (!start || start->magic != MAGIC || start->version < VERSION_MEMORY)
        return "not what PVH has";
    if (start->module_count) {
        const struct start_module *module = at(start->modules, sizeof(*module), end);
        if (!module || module->size > UINT64_MAX - module->base)
            return "malformed: a module is out of reach";
        loader->archive = (struct memory_region){module->base, module->size};
    }
    if (start->arguments) {
        loader->arguments = at(start->arguments, 1, end);
        if (!loader->arguments)
            return "malformed: the arguments are out of reach";
        loader->arguments_bytes = strnlen(loader->arguments, end - start->arguments);
    }
    loader->root_pointer = start->root_pointer;
    return read_memory(start, end, loader);
}
