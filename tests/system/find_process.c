/* SPDX-License-Identifier: MIT */
#include "find_process.h"

#include <proto/root_client.h>
#include <string.h>

uint64_t find_process(const char *name)
{
    struct root_process list[32];
    uint64_t cursor = 0;

    do {
        size_t count = 0;
        if (root_process_list(SLOT_ROOT, cursor, &cursor, list, sizeof(list) / sizeof(list[0]), &count) < 0)
            return 0;
        for (size_t i = 0; i < count; i++) {
            const char *slash = strrchr(list[i].name, '/');
            if (strcmp(slash ? slash + 1 : list[i].name, name) == 0 && list[i].state != ROOT_STATE_ENDED)
                return list[i].pid;
        }
    } while (cursor != 0);
    return 0;
}
