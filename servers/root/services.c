/* SPDX-License-Identifier: MIT */
/*
 * Keeps the console server and the shell running. A service that ends again and again as soon as it has started is
 * given up, so that a broken one costs itself and not the machine.
 */
#include "services.h"

#include <errno.h>
#include <proto/console_start.h>
#include <proto/fs_start.h>
#include <proto/memsrv_client.h>
#include <proto/pager_start.h>
#include <proto/root_protocol.h>
#include <string.h>

#include "arguments.h"
#include "bootstrap.h"
#include "clock.h"
#include "devices.h"
#include "grant.h"
#include "log.h"
#include "objects.h"
#include "power.h"
#include "spawn.h"
#include "stack.h"

_Static_assert(PRIORITY_KHUGEPAGED<PROGRAM_PRIORITY_LOWEST && PRIORITY_SHELL <= PROGRAM_PRIORITY_HIGHEST && PRIORITY_FS>
                   PROGRAM_PRIORITY_HIGHEST,
               "programs are between them");

#define QUICK_END_NS   NS_PER_SECOND
#define QUICK_ENDS_MAX 5u
/* A program of quire.run that cannot be started, as shells say it. */
#define STATUS_NOT_FOUND  127
#define STATUS_NO_PROGRAM 126

static int endow_console(const struct process *process);
static int endow_fs(const struct process *process);
static int endow_blk(const struct process *process);
static int endow_pager(const struct process *process);
static int endow_shell(const struct process *process);
static int endow_run(const struct process *process);

struct service {
    const char *arguments;
    size_t bytes;
    unsigned priority;
    bool operator, server, apart, dma;
    int (*endow)(const struct process *process);
    uint64_t pid; /* 0: does not run */
    unsigned quick_ends;
};

#define CONSOLE_PATH "sbin/console"
#define FRAMED_WORD  "quire.console=framed"
#define NO_SWAP_WORD "quire.swap=off"
#define FS_PATH      "sbin/fs"
#define BLK_PATH     "sbin/blk"
#define PAGER_PATH   "sbin/pager"
#define SHELL_PATH   "bin/shell"

#define OFFSET_DIGITS 4u /* of a byte within a page */
static char
    console_arguments[sizeof(CONSOLE_PATH) + BOOT_DRIVER_MAX + 1 + OFFSET_DIGITS + 1 + sizeof(CONSOLE_START_FRAMED)];
static struct service console = {.arguments = console_arguments,
                                 .priority = PRIORITY_CONSOLE,
                                 .operator= true,
                                 .server = true,
                                 .endow = endow_console};
static struct service blk = {.priority = PRIORITY_BLK, .server = true, .dma = true, .endow = endow_blk};
static struct service pager = {.arguments = PAGER_PATH,
                               .bytes = sizeof(PAGER_PATH),
                               .priority = PRIORITY_PAGER,
                               .operator= true,
                               .server = true,
                               .dma = true,
                               .endow = endow_pager};
static struct service fs = {.arguments = FS_PATH,
                            .bytes = sizeof(FS_PATH),
                            .priority = PRIORITY_FS,
                            .server = true,
                            .dma = true,
                            .endow = endow_fs};
static struct service shell = {.arguments = SHELL_PATH,
                               .bytes = sizeof(SHELL_PATH),
                               .priority = PRIORITY_SHELL,
                               .operator= true,
                               .apart = true,
                               .endow = endow_shell};
static struct service run = {.priority = PRIORITY_CLIENT, .operator= true, .endow = endow_run};
static char run_arguments[ARGUMENT_BYTES_MAX];
static const struct boot_info *boot_info;

/* The server's side of an endpoint that all programs know, and a reply object. A caller that the last server has not
 * answered learns now that it never will be. */
static int endow_server(const struct process *process, uint64_t endpoint, uint64_t reply)
{
    uint64_t table = process_table_slot(process);

    reply_renew(reply);
    int status = capability_give(table, SLOT_REPLY, reply, RIGHT_ALL, 0);
    if (status == 0)
        status = capability_give(table, SLOT_SERVE, endpoint, RIGHT_RECEIVE | RIGHT_COPY, 0);
    return status;
}

/* The block server's endpoint, if there is one: `rights` are BADGE_*. */
static int give_disks(const struct process *process, uint64_t rights)
{
    if (sys_cap_query(ROOT_SLOT_BLK_ENDPOINT, NULL) <= 0)
        return 0;
    return capability_give(process_table_slot(process), SLOT_BLK, ROOT_SLOT_BLK_ENDPOINT, RIGHT_SEND | RIGHT_GRANT,
                           process->pid | rights);
}

/* memsrv's endpoint for memory that devices use. */
static int give_dma(const struct process *process)
{
    return capability_give(process_table_slot(process), SLOT_DMA, ROOT_SLOT_MEMSRV_ENDPOINT, RIGHT_SEND,
                           process->pid | BADGE_DMA);
}

/* The pager's endpoint, if there may be one: `rights` are BADGE_*. */
static int give_pager(const struct process *process, uint64_t rights)
{
    if (sys_cap_query(ROOT_SLOT_PAGER_ENDPOINT, NULL) <= 0)
        return 0;
    return capability_give(process_table_slot(process), SLOT_PAGER, ROOT_SLOT_PAGER_ENDPOINT, RIGHT_SEND | RIGHT_GRANT,
                           process->pid | rights);
}

/* What others wait for when memory is gone: it gets memory then, and its own is never taken away. */
static int set_roles(const struct process *process, uint64_t roles)
{
    return memsrv_space_roles(SLOT_MEMSRV, process->pid, roles | MEMSRV_ROLE_RESERVE | MEMSRV_ROLE_UNEVICTABLE);
}

/* Servers on the way to the disk have all their memory locked. */
static int allow_locking(const struct process *process)
{
    return memsrv_space_limit_set(SLOT_MEMSRV, process->pid, MEMSRV_RESOURCE_LOCKED_MEMORY, UINT64_MAX, UINT64_MAX);
}

/* The pager can end programs, and reads and writes disks. Its lists grow with the machine. */
static int endow_pager(const struct process *process)
{
    int status = set_roles(process, MEMSRV_ROLE_PAGER);
    if (status == 0)
        status = allow_locking(process);
    if (status == 0)
        status = give_disks(process, BADGE_DMA);
    if (status == 0)
        status = give_dma(process);
    if (status == 0 && sys_cap_query(ROOT_SLOT_FILES_ENDPOINT, NULL) > 0)
        status = capability_give(process_table_slot(process), PAGER_SLOT_FILES, ROOT_SLOT_FILES_ENDPOINT, RIGHT_SEND,
                                 process->pid);
    return status < 0 ? status : endow_server(process, ROOT_SLOT_PAGER_ENDPOINT, ROOT_SLOT_PAGER_REPLY);
}

static int endow_fs(const struct process *process)
{
    int status = set_roles(process, MEMSRV_ROLE_FILE_SERVER);
    if (status == 0)
        status = give_pager(process, 0);
    if (status == 0)
        status = give_disks(process, BADGE_DMA);
    if (status == 0)
        status = give_dma(process);
    if (status == 0)
        status = capability_give(process_table_slot(process), SLOT_EVENTS, ROOT_SLOT_FS_EVENTS, RIGHT_SEND, 0);
    if (status == 0)
        status =
            capability_give(process_table_slot(process), FS_SLOT_BLOCKS, ROOT_SLOT_FILES_ENDPOINT, RIGHT_RECEIVE, 0);
    return status < 0 ? status : endow_server(process, ROOT_SLOT_FS_ENDPOINT, ROOT_SLOT_FS_REPLY);
}

static int endow_blk(const struct process *process)
{
    int status = set_roles(process, 0);
    if (status == 0)
        status = allow_locking(process);
    if (status == 0)
        status = devices_endow_blk(process);
    if (status == 0)
        status = give_dma(process);
    return status < 0 ? status : endow_server(process, ROOT_SLOT_BLK_ENDPOINT, ROOT_SLOT_BLK_REPLY);
}

/* The shell can only ask what disks there are; of the pager it may want everything. */
static int endow_shell(const struct process *process)
{
    int status = give_disks(process, 0);
    return status < 0 ? status : give_pager(process, BADGE_PRIVILEGED);
}

static int endow_run(const struct process *process)
{
    const bool granted = grant_is_given();

    int status = give_disks(process, granted ? BADGE_DMA | BADGE_PRIVILEGED : 0);
    if (status == 0)
        status = give_pager(process, granted ? BADGE_PRIVILEGED : 0);
    if (status == 0 && granted)
        status = give_dma(process);
    return status < 0 ? status : grant_endow(process);
}

/* The terminal's registers and interrupt, and the server's side of the endpoint that all programs know. */
static int endow_console(const struct process *process)
{
    uint64_t table = process_table_slot(process);
    uint64_t first = boot_info->console_base & PAGE_MASK;

    int status = set_roles(process, 0);
    if (status == 0)
        status = memsrv_space_map_device(SLOT_MEMSRV, process->pid, CONSOLE_REGISTERS_ADDRESS, first,
                                         CONSOLE_REGISTERS_BYTES);
    if (status == 0)
        status = memsrv_space_irq_create(SLOT_MEMSRV, process->pid, boot_info->console_irq, ROOT_SLOT_CONSOLE_IRQ);
    if (status == 0)
        status = capability_give(table, SLOT_IRQ, ROOT_SLOT_CONSOLE_IRQ, RIGHT_ALL, 0);
    capability_drop(ROOT_SLOT_CONSOLE_IRQ);
    return status < 0 ? status : endow_server(process, ROOT_SLOT_CONSOLE_ENDPOINT, ROOT_SLOT_CONSOLE_REPLY);
}

static int service_start(struct service *service)
{
    const struct spawn_request request = {.arguments = service->arguments,
                                          .bytes = service->bytes,
                                          .parent = PID_ROOT,
                                          .priority = service->priority,
                                          .operator= service->operator,
                                          .server = service->server,
                                          .apart = service->apart,
                                          .dma = service->dma,
                                          .endow = service->endow};
    const struct process *process;

    int status = spawn(&request, &process);
    service->pid = status == 0 ? process->pid : 0;
    if (status < 0)
        log_line("%s could not be started: error %ld", service->arguments, (long)status);
    return status;
}

/* Nobody will serve files any more: who waits for that, or asks, learns it. */
static void give_up_fs(void)
{
    reply_renew(ROOT_SLOT_FS_REPLY);
    object_destroy(ROOT_SLOT_FS_ENDPOINT);
    object_destroy(ROOT_SLOT_FILES_ENDPOINT);
}

/* The same of disks. */
static void give_up_blk(void)
{
    reply_renew(ROOT_SLOT_BLK_REPLY);
    object_destroy(ROOT_SLOT_BLK_ENDPOINT);
}

static void give_up_pager(void)
{
    reply_renew(ROOT_SLOT_PAGER_REPLY);
    object_destroy(ROOT_SLOT_PAGER_ENDPOINT);
}

static void start_blk(void)
{
    blk.arguments = devices_blk_arguments(BLK_PATH, &blk.bytes);
    if (!blk.arguments || service_start(&blk) < 0)
        give_up_blk();
}

static void add_console_argument(const char *text, size_t bytes)
{
    memcpy(console_arguments + console.bytes, text, bytes);
    console.bytes += bytes;
    console_arguments[console.bytes++] = '\0';
}

/* See proto/console_start.h. */
static void set_console_arguments(void)
{
    char offset[OFFSET_DIGITS];
    uint64_t rest = boot_info->console_base % PAGE_SIZE;

    for (size_t i = OFFSET_DIGITS; i-- > 0; rest /= 10)
        offset[i] = (char)('0' + rest % 10);
    console.bytes = 0;
    add_console_argument(CONSOLE_PATH, strlen(CONSOLE_PATH));
    add_console_argument(boot_info->console_driver, strnlen(boot_info->console_driver, BOOT_DRIVER_MAX));
    add_console_argument(offset, sizeof(offset));
    if (arguments_has(boot_info->arguments, FRAMED_WORD))
        add_console_argument(CONSOLE_START_FRAMED, strlen(CONSOLE_START_FRAMED));
}

/* Without a disk nothing has a copy elsewhere. */
static void start_pager(const struct boot_info *info)
{
    static const char without_swap[] = PAGER_PATH "\0" PAGER_START_NO_SWAP;
    if (arguments_has(info->arguments, NO_SWAP_WORD)) {
        pager.arguments = without_swap;
        pager.bytes = sizeof(without_swap);
    }
    if (blk.pid == 0 || service_start(&pager) < 0)
        give_up_pager();
}

void services_start(const struct boot_info *info)
{
    boot_info = info;
    run.dma = grant_is_given();
    set_console_arguments();
    /* Without a console there is still the kernel's log, and a program may need neither. */
    (void)!service_start(&console);
    start_blk();
    if (service_start(&fs) < 0)
        give_up_fs();
    start_pager(info);
    long bytes = arguments_run(info->arguments, run_arguments, sizeof(run_arguments));
    if (bytes < 0)
        fatal(bytes == -E2BIG ? "quire.run is too long" : "quire.run has a wrong escape");
    if (bytes > 0) {
        run.arguments = run_arguments;
        run.bytes = (size_t)bytes;
        const int status = service_start(&run);
        if (status < 0)
            power_off(status == -ENOENT ? STATUS_NOT_FOUND : STATUS_NO_PROGRAM);
    } else if (service_start(&shell) < 0) {
        fatal("there is no shell");
    }
}

/* True if somebody who may had it ended. That says nothing of whether it can stay alive. */
static bool was_asked_for(const struct process *ended)
{
    return process_status(ended) == (int)ROOT_STATUS_KILLED;
}

/* Starts a service again after it has ended. */
static void restart(struct service *service, const struct process *ended)
{
    service->pid = 0;
    if (clock_now() - ended->started > QUICK_END_NS)
        service->quick_ends = 0;
    else if (!was_asked_for(ended))
        service->quick_ends++;
    if (service->quick_ends < QUICK_ENDS_MAX) {
        log_line("%s (pid %lu) ended with status %ld; starting it again", ended->name, ended->pid,
                 (long)process_status(ended));
        if (service_start(service) == 0)
            return;
    }
    if (service == &shell)
        fatal("the shell does not stay alive");
    if (service == &fs)
        give_up_fs();
    if (service == &blk)
        give_up_blk();
    if (service == &pager)
        give_up_pager();
    log_line("%s does not stay alive and is given up", service->arguments);
}

void service_ended(const struct process *ended)
{
    if (ended->pid == run.pid)
        power_off_in_order(process_status(ended));
    else if (ended->pid == console.pid)
        restart(&console, ended);
    else if (ended->pid == blk.pid)
        restart(&blk, ended);
    else if (ended->pid == pager.pid)
        restart(&pager, ended);
    else if (ended->pid == fs.pid)
        restart(&fs, ended);
    else if (ended->pid == shell.pid)
        restart(&shell, ended);
}
