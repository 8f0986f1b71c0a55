/* SPDX-License-Identifier: MIT */
/* Builds and starts memsrv. Everything here is done once, with frames that root took itself. */
#include "bootstrap.h"

#include <proto/ipc.h>
#include <proto/memsrv_handover.h>
#include <quire/syscall.h>
#include <stddef.h>
#include <string.h>

#include "archive.h"
#include "arguments.h"
#include "frames.h"
#include "log.h"
#include "memory.h"
#include "objects.h"
#include "process.h"
#include "slots.h"
#include "stack.h"

#define MEMSRV_PATH "sbin/memsrv"

/* memsrv's memory besides its image: it must never fault, so all of its stack is there from the start. */
#define MEMSRV_STACK_PAGES    16u
#define MEMSRV_BUFFER_ADDRESS 0x12000UL
#define MEMSRV_SLOT_FRAMES    4u

#define RIGHTS_READ  (ENTRY_READ | ENTRY_ACCESSED)
#define RIGHTS_WRITE (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)

static void check_step(const char *step, long result)
{
    if (result < 0)
        fatal("starting memsrv: %s: error %ld", step, result);
}

static uint64_t rights_of_segment(const struct elf_segment *segment)
{
    uint64_t rights = ENTRY_ACCESSED;

    if (segment->flags & ELF_READ)
        rights |= ENTRY_READ;
    if (segment->flags & ELF_WRITE)
        rights |= ENTRY_WRITE | ENTRY_DIRTY;
    if (segment->flags & ELF_EXECUTE)
        rights |= ENTRY_EXECUTE;
    return rights;
}

/* Fills the frame behind page `address` with what the segment has of it. */
static void fill_page(const struct program *program, const struct elf_segment *segment, uint64_t address, char *page)
{
    uint64_t from = address > segment->address ? address : segment->address;
    uint64_t file_end = segment->address + segment->file_size;
    uint64_t to = address + PAGE_SIZE < file_end ? address + PAGE_SIZE : file_end;

    if (from < to)
        memcpy(page + (from - address), program->bytes + segment->offset + (from - segment->address), to - from);
}

static void load_segment(const struct program *program, const struct elf_segment *segment)
{
    uint64_t first = segment->address & PAGE_MASK;
    uint64_t end = segment->address + segment->memory_size;

    for (uint64_t address = first; address < end; address += PAGE_SIZE) {
        uint64_t pfn = frame_take();
        fill_page(program, segment, address, scratch_zeroed(pfn));
        map_frame(ROOT_SLOT_MEMSRV_ASPACE, address, pfn, rights_of_segment(segment));
    }
}

/* Makes memsrv's stack; returns its initial stack pointer. */
static uint64_t load_stack(void)
{
    static const char arguments[] = MEMSRV_PATH;
    struct stack_image *image = stack_image(STACK_TOP);

    check_step("stack", stack_build_arguments(image, arguments, sizeof(arguments)));
    for (uint64_t i = 1; i <= MEMSRV_STACK_PAGES; i++) {
        uint64_t pfn = frame_take();
        void *page = scratch_zeroed(pfn);
        if (i == 1)
            memcpy(page, (const char *)image->words + STACK_IMAGE_BYTES - PAGE_SIZE, PAGE_SIZE);
        map_frame(ROOT_SLOT_MEMSRV_ASPACE, STACK_TOP - i * PAGE_SIZE, pfn, RIGHTS_WRITE);
    }
    return image->pointer;
}

static void load_boot_info(const struct boot_info *info)
{
    uint64_t pfn = frame_take();

    memcpy(scratch_zeroed(pfn), info, sizeof(*info));
    map_frame(ROOT_SLOT_MEMSRV_ASPACE, BOOT_INFO_ADDRESS, pfn, RIGHTS_READ);
}

/* Address space, capability table, first thread. Returns the initial stack pointer. */
static uint64_t build_space(const struct program *program, uint64_t table, uint64_t thread)
{
    object_create(CAP_ASPACE, ROOT_SLOT_MEMSRV_ASPACE, frame_take());
    add_tables(ROOT_SLOT_MEMSRV_ASPACE, program->image.high >> PAGE_SHIFT);
    add_tables(ROOT_SLOT_MEMSRV_ASPACE, MEMSRV_STACK_PAGES);
    for (uint32_t i = 0; i < program->image.segment_count; i++)
        load_segment(program, &program->image.segments[i]);
    uint64_t pointer = load_stack();

    object_create(CAP_TABLE, table, 0);
    table_grow(table, MEMSRV_SLOT_FRAMES);
    object_create(CAP_THREAD, thread, 0);
    uint64_t buffer = frame_take();
    (void)scratch_zeroed(buffer);
    map_frame(ROOT_SLOT_MEMSRV_ASPACE, MEMSRV_BUFFER_ADDRESS, buffer, RIGHTS_WRITE);
    check_step("thread", sys_thread_control(thread, THREAD_CONFIGURE, ROOT_SLOT_MEMSRV_ASPACE, table, buffer,
                                            MEMSRV_BUFFER_ADDRESS, 0));
    check_step("event", sys_thread_control(thread, THREAD_SET_EVENT, ROOT_SLOT_WATCH, 1, 0, 0, 0));
    check_step("priority", sys_thread_control(thread, THREAD_PRIORITY, PRIORITY_MEMSRV, 0, 0, 0, 0));
    check_step("window", sys_system(SLOT_PHYSICAL, SYSTEM_WINDOW, ROOT_SLOT_MEMSRV_ASPACE, 0, NULL));
    return pointer;
}

static void give_capabilities(uint64_t table, uint64_t thread)
{
    const struct {
        uint64_t to, from, rights;
    } gifts[] = {
        {SLOT_TABLE, table, RIGHT_ALL},
        {SLOT_ASPACE, ROOT_SLOT_MEMSRV_ASPACE, RIGHT_ALL},
        {SLOT_THREAD, thread, RIGHT_ALL},
        {SLOT_PHYSICAL, SLOT_PHYSICAL, RIGHT_ALL},
        {SLOT_NOTIFICATION, ROOT_SLOT_WATCH, RIGHT_SEND | RIGHT_COPY},
        {MEMSRV_SLOT_EVENTS, ROOT_SLOT_EVENTS, RIGHT_SEND | RIGHT_COPY},
        {SLOT_SERVE, ROOT_SLOT_MEMSRV_ENDPOINT, RIGHT_ALL},
        {SLOT_REPLY, ROOT_SLOT_MEMSRV_REPLY, RIGHT_ALL},
    };

    for (size_t i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++)
        check_step("capabilities", capability_give(table, gifts[i].to, gifts[i].from, gifts[i].rights, 0));
    check_step("root's endpoint", capability_give(SLOT_TABLE, SLOT_MEMSRV, ROOT_SLOT_MEMSRV_ENDPOINT,
                                                  RIGHT_SEND | RIGHT_GRANT, PID_ROOT | BADGE_PRIVILEGED));
}

/* The last frame is the handover page's own, so what it says is complete. */
static void hand_over(void)
{
    uint64_t pfn = frame_take();
    struct memsrv_handover *handover = scratch_zeroed(pfn);
    struct frame_range ranges[BOOT_REGIONS_MAX];

    map_frame(ROOT_SLOT_MEMSRV_ASPACE, MEMSRV_HANDOVER_ADDRESS, pfn, RIGHTS_READ);
    long count = frames_close(ranges, BOOT_REGIONS_MAX);
    check_step("handover", count);
    _Static_assert(BOOT_REGIONS_MAX <= MEMSRV_HANDOVER_RANGES_MAX, "one range a region at most");
    for (long i = 0; i < count; i++)
        handover->ranges[i] = (struct memsrv_handover_range){ranges[i].base, ranges[i].size};
    handover->range_count = (uint64_t)count;
    handover->first_free_slot = SLOT_FIRST_FREE;
    handover->slot_count = MEMSRV_SLOT_FRAMES * SLOTS_PER_FRAME;
    handover->magic = MEMSRV_HANDOVER_MAGIC;
    scratch_close();
}

void memsrv_start(const struct boot_info *info)
{
    const struct process *memsrv = process_find(PID_MEMSRV);
    uint64_t table = process_table_slot(memsrv);
    uint64_t thread = process_thread_slot(memsrv);
    static struct program program;

    int status = archive_program(MEMSRV_PATH, &program);
    if (status < 0)
        fatal(MEMSRV_PATH " in the boot archive: error %ld", (long)status);
    scratch_open();
    uint64_t pointer = build_space(&program, table, thread);
    give_capabilities(table, thread);
    load_boot_info(info);
    hand_over();
    check_step("start", sys_thread_control(thread, THREAD_START, program.image.entry, pointer, 0, 0, 0));
}
