/* SPDX-License-Identifier: MIT */
/*
 * The file system on a disk: found and mounted at the start, written back now and then.
 */
#include "server.h"

#include <proto/memsrv_handover.h>
#include <proto/root_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <stdio.h>

#include "blocks.h"

#define ROOT_VOLUME   "label=root"
#define ROOT_OF_MBR   "type=0x83" /* the first for Linux, where the partition table has no labels */
#define SYNC_NS       (5 * NS_PER_SECOND)
#define STACK_BYTES   65536u
#define MESSAGE_BYTES 100u

static void say(const char *what, int error)
{
    char line[MESSAGE_BYTES];

    snprintf(line, sizeof(line), "fs: %s: %s\n", what, strerror(-error));
    (void)!root_log(SLOT_ROOT, line, strlen(line));
}

/* Wakes the server again and again, as the end of a program does that it does not know: so it looks at its clock. */
static void *tick(void *argument)
{
    uint64_t deadline = clock_now_ns();

    for (;;) {
        deadline += SYNC_NS;
        clock_sleep_until(deadline);
        (void)!sys_signal(SLOT_EVENTS, memsrv_event(0));
    }
    return argument;
}

static int start_ticking(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    int error = pthread_attr_init(&attributes);
    if (error == 0)
        error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (error == 0)
        error = pthread_create(&thread, &attributes, tick, NULL);
    return -error;
}

/* Mounts what there is; NULL afterwards: nothing. */
static void mount(struct fs_context *context)
{
    const struct ext2_options options = {.now = clock_now_ns};

    int error = disk_open(&context->disk, ROOT_VOLUME);
    if (error == -ENOENT)
        error = disk_open(&context->disk, ROOT_OF_MBR);
    if (error == -ENODEV || error == -ENOENT)
        return;
    if (error == 0)
        error = ext2_mount(&context->disk.device, &options, &context->ext2);
    if (error < 0) {
        say("the disk's file system cannot be mounted", error);
        return;
    }
    context->tree = (struct tree){.base = ext2_file_system(context->ext2), .over = &context->tmpfs.fs};
    context->next_sync = clock_now_ns() + SYNC_NS;
    error = start_ticking();
    if (error < 0)
        say("changes will be written only when programs ask for it", error);
}

void volumes_mount(struct fs_context *context)
{
    mount(context);
    /* Also without a file system: the pager may ask about files of an earlier server. */
    const int error = context->disk.device.read ? blocks_start(context->ext2, context->disk.volume) : 0;
    if (error < 0)
        say("nothing on the disk can be read", error);
}

bool volumes_due(const struct fs_context *context)
{
    return context->ext2 && (ext2_is_crowded(context->ext2) || clock_now_ns() >= context->next_sync);
}

void volumes_settle(struct fs_context *context)
{
    tree_settle(&context->tree);
    if (clock_now_ns() < context->next_sync)
        return;
    if (ext2_is_dirty(context->ext2)) {
        const int error = tree_sync(&context->tree, SYNC_DESCRIPTION);
        if (error < 0 && error != context->sync_error)
            say("changes cannot be written to the disk", error);
        context->sync_error = error;
    }
    context->next_sync = clock_now_ns() + SYNC_NS;
}
