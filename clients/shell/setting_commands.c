/* SPDX-License-Identifier: MIT */
/* sysctl: settings of memsrv and of the pager under Linux's names. */
#include "command.h"
#include "output.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "vm."

/* Whose a setting is: the pager's, by its name; or memsrv's, by its number with root, who may change it. */
#define OF_PAGER (-1)

static const struct setting {
    const char *name; /* behind the prefix */
    int number;
} settings[] = {
    {"dirty_background_ratio", OF_PAGER},
    {"dirty_expire_centisecs", OF_PAGER},
    {"dirty_ratio", OF_PAGER},
    {"dirty_writeback_centisecs", OF_PAGER},
    {"min_free_kbytes", ROOT_VM_MIN_FREE_KBYTES},
    {"overcommit_memory", ROOT_VM_OVERCOMMIT_MEMORY},
    {"overcommit_ratio", ROOT_VM_OVERCOMMIT_RATIO},
    {"readahead_pages", OF_PAGER},
    {"swap_readahead_pages", OF_PAGER},
    {"swappiness", OF_PAGER},
    {"watermark_scale_factor", ROOT_VM_WATERMARK_SCALE_FACTOR},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static bool there_is_pager(void)
{
    return sys_cap_query(SLOT_PAGER, NULL) > 0;
}

static int setting_get(const struct setting *setting, uint64_t *value)
{
    uint64_t policy, ratio, limit, committed;
    struct memsrv_page_counts counts;
    size_t records = 0;

    if (setting->number == OF_PAGER)
        return there_is_pager() ? pager_setting_get(SLOT_PAGER, setting->name, strlen(setting->name), value) : -ENODEV;
    int error = memsrv_overcommit_info(SLOT_MEMSRV, &policy, &ratio, &limit, &committed);
    if (error == 0)
        error = memsrv_page_counts(SLOT_MEMSRV, &counts, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    const uint64_t values[] = {[ROOT_VM_OVERCOMMIT_MEMORY] = policy,
                               [ROOT_VM_OVERCOMMIT_RATIO] = ratio,
                               [ROOT_VM_MIN_FREE_KBYTES] = counts.min_free,
                               [ROOT_VM_WATERMARK_SCALE_FACTOR] = counts.watermark_scale};
    *value = values[setting->number];
    return 0;
}

static int setting_set(const struct setting *setting, uint64_t value)
{
    if (setting->number != OF_PAGER)
        return root_vm_set(SLOT_ROOT, (uint64_t)setting->number, value);
    return there_is_pager() ? pager_setting_set(SLOT_PAGER, value, setting->name, strlen(setting->name)) : -ENODEV;
}

static int show(const struct setting *setting)
{
    char name[64];
    uint64_t value;
    const int error = setting_get(setting, &value);

    if (error < 0)
        return error;
    snprintf(name, sizeof(name), PREFIX "%s", setting->name);
    if (output_json)
        json_number(name, value);
    else
        printf("%s = %lu\n", name, (unsigned long)value);
    return 0;
}

static const struct setting *setting_find(const char *name)
{
    if (strncmp(name, PREFIX, strlen(PREFIX)) == 0)
        name += strlen(PREFIX);
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    }
    return NULL;
}

/* Those that there are: on a machine without a pager, memsrv's. */
static int show_all(void)
{
    if (output_json)
        json_open(NULL, '{');
    for (size_t i = 0; i < SETTINGS; i++) {
        const int error = show(&settings[i]);
        if (error < 0 && error != -ENODEV)
            return error;
    }
    if (output_json)
        json_close();
    return 0;
}

/* sysctl, sysctl NAME, sysctl NAME=VALUE; what was changed is shown. */
static int command_sysctl(int count, char **arguments)
{
    unsigned long value;
    int error = 0;

    if (count == 1)
        return show_all();
    char *const equals = strchr(arguments[1], '=');
    if (equals)
        *equals = '\0';
    const struct setting *setting = setting_find(arguments[1]);
    if (!setting)
        return -ENOENT;
    if (equals)
        error = parse_number(equals + 1, &value) < 0 ? -EINVAL : setting_set(setting, value);
    if (error < 0)
        return error;
    if (output_json)
        json_open(NULL, '{');
    error = show(setting);
    if (output_json)
        json_close();
    return error;
}

const struct command setting_commands[] = {
    {"sysctl", "[NAME[=VALUE]] [--json]", "shows or changes settings: vm.swappiness and others", 0, 1, command_sysctl},
    {0},
};
