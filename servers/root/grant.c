/* SPDX-License-Identifier: MIT */
/* Sets frames aside and hands them, with the authority to use them, to the one program that was started for that. */
#include "grant.h"

#include <proto/grant.h>
#include <proto/ipc.h>

#include "arguments.h"
#include "frames.h"
#include "log.h"
#include "objects.h"
#include "slots.h"

static uint64_t first_pfn; /* 0: no grant */

void grant_prepare(const struct boot_info *info)
{
    uint64_t previous = 0;
    uint64_t count = 0;

    if (!arguments_has(info->arguments, GRANT_ARGUMENT))
        return;
    /* frame_take() goes downwards; where a region ends the count begins again. */
    while (count < GRANT_FRAMES) {
        uint64_t pfn = frame_take();
        count = pfn + 1 == previous ? count + 1 : 1;
        previous = pfn;
    }
    first_pfn = previous;
    log_line("frames 0x%lx.. and the authority over physical memory are granted to the program of quire.run",
             first_pfn);
}

bool grant_is_given(void)
{
    return first_pfn != 0;
}

int grant_endow(const struct process *process)
{
    uint64_t table = process_table_slot(process);

    if (!first_pfn)
        return 0;
    int status = capability_give(table, SLOT_PHYSICAL, SLOT_PHYSICAL, RIGHT_ALL, first_pfn);
    if (status < 0)
        return status;
    return capability_give(table, GRANT_SLOT_MEMSRV, ROOT_SLOT_MEMSRV_ENDPOINT, RIGHT_SEND | RIGHT_GRANT,
                           process->pid | BADGE_PRIVILEGED);
}
