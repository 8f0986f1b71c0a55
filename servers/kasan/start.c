/* SPDX-License-Identifier: MIT */
/* Before the first constructor, which may be the compiler's for the variables of a file: the shadow. Behind the last: faults. */
#include "kasan.h"

#include <stdlib.h>
#include <string.h>

#include <proto/root_client.h>

/* A word of the kernel's command line. */
#define PLANT_WORD "quire.kasan_plant"

static void begin(void)
{
    const int error = shadow_map();
    if (error == 0)
        return;
    kasan_log("KASAN: no shadow: error %d", error);
    exit(EXIT_FAILURE);
}

static bool is_to_plant(void)
{
    char line[ROOT_COMMAND_LINE_MAX + 1];
    size_t length = 0;

    if (root_command_line(SLOT_ROOT, line, ROOT_COMMAND_LINE_MAX, &length) < 0)
        return false;
    line[length] = '\0';
    const char *found = strstr(line, PLANT_WORD);
    return found && (found == line || found[-1] == ' ');
}

static void end(void)
{
    if (is_to_plant())
        kasan_plant();
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = begin;
__attribute__((section(".init_array"), used)) static void (*const last)(void) = end;
