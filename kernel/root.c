/* SPDX-License-Identifier: MIT */
/*
 * Root, the one program that the kernel starts itself: its image is part of the kernel's, its few objects come from
 * frames set aside at boot. What it finds is in docs/abi.md: its capabilities in the standard slots, boot information,
 * a stack, and the rest of memory under its authority.
 */

#include "boot.h"
#include "kernel.h"
#include "panic.h"
#include "root_image.h"

/* Root gives memsrv a priority above its own and then lowers itself. */
#define ROOT_PRIORITY (PRIORITY_COUNT - 1)
#define SPARE_TABLES  6u

/* Frames of root's objects, in this order from the base that boot_allocate_root() gives. */
enum root_frame {
    ROOT_TABLE,
    ROOT_SLOTS,
    ROOT_ASPACE,
    ROOT_TOP,
    ROOT_THREAD,
    ROOT_BUFFER,
    ROOT_INFO,
    ROOT_FIRST_SPARE,
    ROOT_FRAMES = ROOT_FIRST_SPARE + SPARE_TABLES
};

static uint64_t first_pfn;

static struct object *make_object(enum cap_type type, enum root_frame which)
{
    bool fresh;
    uint64_t pfn = first_pfn + which;
    if (frame_add_object(&frames, pfn, type, &fresh) != 0)
        panic("root: object frame %u", which);
    window_remove(pfn);
    struct object *object = direct_map(pfn << PAGE_SHIFT);
    object->type = type == CAP_SLOTS ? CAP_NONE : type;
    return object;
}

static void map(struct aspace *aspace, uint64_t address, uint64_t physical, uint64_t rights)
{
    struct map_item item = {address | MAP_ITEM_MAP, physical | rights | ENTRY_ACCESSED | ENTRY_DIRTY};
    long error = aspace_apply(aspace, &item);
    if (error)
        panic("root: cannot map %lx: error %ld", address, -error);
}

static void map_segment(struct aspace *aspace, uint64_t *address, uint64_t *physical, uint64_t size, uint64_t rights)
{
    for (uint64_t offset = 0; offset < size; offset += PAGE_SIZE)
        map(aspace, *address + offset, *physical + offset, rights);
    *address += size;
    *physical += size;
}

static void fill_info(struct boot_info *info)
{
    *info = (struct boot_info){
        .magic = BOOT_INFO_MAGIC,
        .cpu_count = machine.cpu_count,
        .timer_frequency = machine.timer_frequency,
        .archive_base = machine.archive_base,
        .archive_size = machine.archive_size,
        .tree_base = machine.tree_base,
        .tree_size = machine.tree_size,
        .console_base = machine.console_base,
        .console_irq = machine.console_irq,
        .root_first_free_slot = SLOT_FIRST_FREE,
    };
    __builtin_memcpy(info->arguments, machine.arguments, sizeof(info->arguments) - 1);
    for (size_t i = 0; i < sizeof(info->console_driver) - 1 && machine.console_driver && machine.console_driver[i]; i++)
        info->console_driver[i] = machine.console_driver[i];
}

static void give(struct cap_table *table, enum standard_slot slot, struct object *object)
{
    cap_set(cap_slot(table, slot), object, RIGHT_ALL, 0);
}

struct thread *boot_create_root(uint64_t image_base)
{
    const struct root_image_header *header = direct_map(image_base);
    if (header->magic != ROOT_IMAGE_MAGIC)
        panic("root: no image");
    first_pfn = boot_allocate_root(ROOT_FRAMES) >> PAGE_SHIFT;
    struct boot_info *info = direct_map((first_pfn + ROOT_INFO) << PAGE_SHIFT);
    fill_info(info);
    boot_memory_finish(info);

    struct cap_table *table = (struct cap_table *)make_object(CAP_TABLE, ROOT_TABLE);
    struct aspace *aspace = (struct aspace *)make_object(CAP_ASPACE, ROOT_ASPACE);
    struct thread *thread = (struct thread *)make_object(CAP_THREAD, ROOT_THREAD);
    if (cap_table_grow(table, (struct cap *)make_object(CAP_SLOTS, ROOT_SLOTS)) ||
        aspace_init(aspace, first_pfn + ROOT_TOP))
        panic("root: objects");
    for (unsigned i = 0; i < SPARE_TABLES; i++) {
        struct map_item spare = {MAP_ITEM_TABLE, (first_pfn + ROOT_FIRST_SPARE + i) << PAGE_SHIFT};
        if (aspace_apply(aspace, &spare))
            panic("root: spare table");
    }
    give(table, SLOT_TABLE, &table->header);
    give(table, SLOT_ASPACE, &aspace->header);
    give(table, SLOT_THREAD, &thread->header);
    give(table, SLOT_PHYSICAL, &physical_object);

    uint64_t address = ROOT_IMAGE_ADDRESS;
    uint64_t physical = image_base;
    uint64_t sizes[] = {header->text_size, header->rodata_size, header->data_size};
    uint64_t buffer_address = address + sizes[0] + sizes[1] + sizes[2] + PAGE_SIZE;
    uint64_t buffer_pfn = first_pfn + ROOT_BUFFER;
    map_segment(aspace, &address, &physical, sizes[0], ENTRY_READ | ENTRY_EXECUTE);
    map_segment(aspace, &address, &physical, sizes[1], ENTRY_READ);
    map_segment(aspace, &address, &physical, sizes[2], ENTRY_READ | ENTRY_WRITE);
    map(aspace, BOOT_INFO_ADDRESS, (first_pfn + ROOT_INFO) << PAGE_SHIFT, ENTRY_READ);
    map(aspace, buffer_address, buffer_pfn << PAGE_SHIFT, ENTRY_READ | ENTRY_WRITE);

    thread_init(thread);
    if (frame_add_mapping(&frames, buffer_pfn))
        panic("root: buffer");
    thread->aspace = aspace;
    thread->table = table;
    aspace->users = table->users = 1;
    thread->buffer = direct_map(buffer_pfn << PAGE_SHIFT);
    thread->buffer_address = buffer_address;
    thread->number = 1;
    thread->priority = thread->effective = ROOT_PRIORITY;
    context_start(&thread->context, header->entry, header->stack_top, 0);
    return thread;
}
