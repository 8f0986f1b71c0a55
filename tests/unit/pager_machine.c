/* SPDX-License-Identifier: MIT */
/* The simulated machine of the pager's tests. */
#include "pager_machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct machine machine;
struct pager pager;

static struct lru_page lru_pages[FRAMES_MAX];
static struct page_owner owners[FRAMES_MAX];
static struct shadow_entry shadows[PAGER_SHADOWS(FRAMES_MAX)];
static uint64_t swap_memory[(SWAP_MAP_BYTES(SWAP_SLOTS) + 7) / 8];
uint64_t machine_next_content = 1;

static struct frame *frame_at(uint64_t pfn)
{
    EXPECT(pfn >= FIRST_PFN && pfn - FIRST_PFN < machine.frame_count);
    return &machine.frames[pfn - FIRST_PFN];
}

uint64_t machine_pfn_of(const struct frame *frame)
{
    return FIRST_PFN + (uint64_t)(frame - machine.frames);
}

uint32_t machine_free(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < machine.frame_count; i++)
        count += machine.frames[i].state == FRAME_FREE;
    return count;
}

struct frame *machine_frame_take(uint32_t reserve)
{
    if (machine_free() <= reserve)
        return NULL;
    for (uint32_t i = 0; i < machine.frame_count; i++) {
        if (machine.frames[i].state == FRAME_FREE) {
            machine.frames[i] = (struct frame){.content = 0xdead};
            return &machine.frames[i];
        }
    }
    return NULL;
}

/* --- What the pager asks -------------------------------------------------------------------------------------------- */

static int fill_begin(void *context, uint64_t object, uint64_t index, uint64_t count, struct transit_page *pages,
                      uint32_t *found)
{
    (void)context;
    EXPECT(object >= 1 && object <= OBJECTS && count >= 1 && count <= BATCH_PAGES);
    for (uint64_t i = index; i < index + count && i < OBJECT_PAGES; i++) {
        if (machine.object_frame[object - 1][i])
            continue;
        struct frame *frame = machine_frame_take(0);
        if (!frame)
            return *found ? 0 : -ENOMEM;
        frame->state = FRAME_FILLING;
        frame->object = object;
        frame->index = i;
        machine.object_frame[object - 1][i] = (uint32_t)(frame - machine.frames) + 1;
        pages[(*found)++] = (struct transit_page){.index = i, .pfn = machine_pfn_of(frame)};
    }
    return 0;
}

static void fill_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = frame_at(pfns[i]);
        EXPECT(frame->state == FRAME_FILLING);
        if (status < 0) {
            machine.object_frame[frame->object - 1][frame->index] = 0;
            frame->state = FRAME_FREE;
            machine.bus_error = status;
        } else {
            frame->state = FRAME_BACKED;
        }
    }
}

static void fill_zero(void *context, const uint64_t *pfns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        frame_at(pfns[i])->content = 0;
    fill_end(context, 0, pfns, count);
}

static int clean_begin(void *context, uint64_t object, uint64_t index, uint64_t count, struct transit_page *pages,
                       uint32_t *found, uint64_t *next)
{
    (void)context;
    uint64_t i = index;
    for (; i - index < count && i < OBJECT_PAGES && *found < BATCH_PAGES; i++) {
        uint32_t number = machine.object_frame[object - 1][i];
        struct frame *frame = number ? &machine.frames[number - 1] : NULL;
        if (!frame || frame->state != FRAME_BACKED || !frame->dirty || frame->writing)
            continue;
        frame->dirty = false;
        frame->writing = true;
        pages[(*found)++] = (struct transit_page){.index = i, .pfn = machine_pfn_of(frame)};
    }
    *next = i < OBJECT_PAGES ? i : index + count;
    return 0;
}

static void clean_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = frame_at(pfns[i]);
        EXPECT(frame->state == FRAME_BACKED && frame->writing);
        frame->writing = false;
        frame->dirty = frame->dirty || status < 0;
    }
}

static uint8_t evict_one(const struct evict_page *page)
{
    struct frame *frame = frame_at(page->pfn);
    if (frame->state == FRAME_FREE)
        return EVICT_IS_GONE;
    if (frame->locked)
        return EVICT_IS_LOCKED;
    if (frame->writing || frame->state > FRAME_ANON)
        return EVICT_IS_BUSY;
    if (frame->state == FRAME_BACKED) {
        if (frame->dirty)
            return EVICT_IS_DIRTY;
        machine.object_frame[frame->object - 1][frame->index] = 0;
        frame->state = FRAME_FREE;
        return EVICT_IS_FREE;
    }
    if (page->slot == 0)
        return EVICT_NEEDS_SLOT;
    machine.anon_frame[frame->index] = 0;
    machine.anon_slot[frame->index] = page->slot;
    frame->slot = page->slot;
    frame->state = FRAME_SWAPPING_OUT;
    return EVICT_IS_WRITTEN;
}

static int evict(void *context, const struct evict_page *pages, uint32_t count, uint8_t *results)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++)
        results[i] = evict_one(&pages[i]);
    return 0;
}

/* A page is the program's again, and its slot nobody's. */
static void anon_back(struct frame *frame)
{
    machine.anon_frame[frame->index] = (uint32_t)(frame - machine.frames) + 1;
    machine.anon_slot[frame->index] = 0;
    frame->state = FRAME_ANON;
    pager_mapped(&pager, machine_pfn_of(frame));
    (void)swap_slots_free(&pager, frame->slot, 1);
}

static void evict_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = frame_at(pfns[i]);
        EXPECT(frame->state == FRAME_SWAPPING_OUT);
        if (status < 0)
            anon_back(frame);
        else
            frame->state = FRAME_FREE;
    }
}

static uint64_t anon_of_slot(uint64_t slot)
{
    for (uint64_t i = 0; i < ANON_PAGES; i++) {
        if (machine.anon_slot[i] == slot)
            return i;
    }
    return ANON_PAGES;
}

/* True if a frame has that slot's content, or is about to. */
bool machine_in_swap_cache(uint64_t slot)
{
    for (uint32_t i = 0; i < machine.frame_count; i++) {
        if (machine.frames[i].state >= FRAME_SWAPPING_OUT && machine.frames[i].slot == slot)
            return true;
    }
    return false;
}

/* The only process has all anonymous pages, at their numbers. */
static int cold_pages(void *context, uint64_t pid, uint64_t address, uint64_t end, struct page_use *uses, uint32_t max,
                      uint32_t *found, uint64_t *next)
{
    (void)context, (void)pid;
    for (; address < end && address < ANON_PAGES && *found < max; address++) {
        const uint32_t number = machine.anon_frame[address];
        if (number != 0)
            uses[(*found)++] = (struct page_use){
                .pfn = machine_pfn_of(&machine.frames[number - 1]), .kind = PAGE_IS_ANONYMOUS, .index = address};
    }
    *next = address < ANON_PAGES ? address : end;
    return 0;
}

static int swap_fill_begin(void *context, uint64_t slot, uint64_t count, struct transit_page *pages, uint32_t *found)
{
    (void)context;
    for (uint64_t i = slot; i < slot + count; i++) {
        uint64_t page = anon_of_slot(i);
        if (page == ANON_PAGES || machine_in_swap_cache(i))
            continue;
        struct frame *frame = machine_frame_take(0);
        if (!frame)
            return *found ? 0 : -ENOMEM;
        frame->state = FRAME_SWAPPING_IN;
        frame->slot = i;
        frame->index = page;
        pages[(*found)++] = (struct transit_page){.index = i, .pfn = machine_pfn_of(frame)};
    }
    return 0;
}

static void swap_fill_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = frame_at(pfns[i]);
        EXPECT(frame->state == FRAME_SWAPPING_IN);
        if (status == 0) {
            anon_back(frame);
            continue;
        }
        frame->state = FRAME_FREE;
        machine.bus_error = status;
    }
}

/* Pages are the program's again, and their slots nobody's, as soon as they are read. */
static int swap_restore(void *context, uint64_t slot)
{
    (void)context;
    return anon_of_slot(slot) == ANON_PAGES ? -ENOENT : -EAGAIN;
}

static void swap_note(void *context, uint32_t area, uint64_t slots, int32_t priority, const char *name, void *memory)
{
    (void)context, (void)area, (void)priority, (void)name;
    machine.swap_noted = slots;
    machine.swap_returned += slots == 0 && memory == swap_memory;
}

static int harvest(void *context, const uint64_t *pfns, uint32_t count, struct page_touch *touched)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = frame_at(pfns[i]);
        touched[i] =
            (struct page_touch){.pfn = pfns[i], .mappings = 1, .accessed = frame->accessed, .dirty = frame->dirty};
        frame->accessed = false;
    }
    return 0;
}

int machine_page_uses(void *context, uint64_t pfn, struct page_use *uses, uint32_t max, uint32_t *found, uint64_t *next)
{
    (void)context;
    uint64_t end = FIRST_PFN + machine.frame_count;
    for (; pfn < end && *found < max; pfn++) {
        const struct frame *frame = frame_at(pfn);
        if (frame->state == FRAME_BACKED)
            uses[(*found)++] = (struct page_use){pfn, PAGE_IS_BACKED, frame->dirty, frame->object, frame->index};
        else if (frame->state == FRAME_ANON)
            uses[(*found)++] = (struct page_use){pfn, PAGE_IS_ANONYMOUS, false, 0, frame->index};
    }
    *next = pfn < end ? pfn : 0;
    return 0;
}

static int spaces(void *context, uint64_t cursor, struct space_use *uses, uint32_t max, uint32_t *found, uint64_t *next)
{
    (void)context;
    EXPECT(cursor == 0 && max >= 3);
    uses[0] = (struct space_use){.pid = 1, .resident = 100000, .protected = true};
    uses[1] = (struct space_use){
        .pid = 77, .resident = machine.killed == 77 ? 0 : 10, .group = machine.groups ? INNER_GROUP : 0};
    uses[2] = (struct space_use){.pid = 78, .resident = 500, .group = OTHER_GROUP};
    *found = machine.groups ? 3 : 2;
    *next = 0;
    return 0;
}

static int cookie_of(void *context, uint64_t object, uint64_t *cookie)
{
    (void)context;
    *cookie = 1000 + object;
    return object <= OBJECTS ? 0 : -ENOENT;
}

static void memory(void *context, struct memory_state *state)
{
    (void)context;
    *state = (struct memory_state){.free = machine_free(), .high = machine.frame_count / 8, .waiting = machine.waits};
    for (uint32_t i = 0; i < machine.frame_count; i++)
        state->dirty += machine.frames[i].state == FRAME_BACKED && machine.frames[i].dirty;
}

static void dirty_limit(void *context, uint64_t pages)
{
    (void)context;
    machine.dirty_limit = pages;
}

static void demand_end(void *context, uint64_t token, int status)
{
    (void)context;
    machine.demands_ended = token;
    machine.last_demand_status = status;
}

static void reclaim_end(void *context, int status)
{
    (void)context;
    machine.reclaim_status = status;
}

static uint64_t block_of(uint64_t object, uint64_t index)
{
    /* Pieces of eight pages lie in reversed order, so that runs end. */
    return (object - 1) * OBJECT_PAGES + (OBJECT_PAGES / 8 - 1 - index / 8) * 8 + index % 8;
}

static int map_blocks(void *context, uint64_t cookie, uint64_t index, uint64_t count, bool allocate, uint64_t *volume,
                      struct block_run *runs, uint32_t max, uint32_t *found)
{
    (void)context;
    uint64_t object = cookie - 1000;
    *volume = FILE_VOLUME;
    for (uint64_t i = index; i < index + count && *found < max; i++) {
        bool *allocated = &machine.allocated[object - 1][i];
        *allocated = *allocated || allocate;
        runs[(*found)++] = (struct block_run){.block = *allocated ? block_of(object, i) : BLOCK_HOLE, .count = 1};
    }
    return 0;
}

static int transfer(void *context, uint32_t tag, enum transfer_operation operation, uint64_t volume, uint64_t block,
                    const uint64_t *pfns, uint32_t count)
{
    (void)context;
    EXPECT(tag < TRANSFERS_MAX && !machine.transfers[tag].used && count <= TRANSFER_PAGES);
    EXPECT((count == 0) == (operation == TRANSFER_FLUSH));
    if (random_chance(2))
        return -EAGAIN;
    machine.transfers[tag].used = true;
    machine.transfers[tag].operation = operation;
    machine.transfers[tag].volume = volume;
    machine.transfers[tag].block = block;
    machine.transfers[tag].count = count;
    if (count > 0)
        memcpy(machine.transfers[tag].pfns, pfns, count * sizeof(*pfns));
    if (++machine.in_flight > machine.most_in_flight)
        machine.most_in_flight = machine.in_flight;
    return 0;
}

static int end_process(void *context, const struct oom_task *task, uint32_t score)
{
    (void)context;
    machine.killed = task->pid;
    return 0;
}

static uint32_t warn(void *context)
{
    (void)context;
    EXPECT(machine.killed == 0 || machine.watchers == 0);
    machine.warnings++;
    return machine.watchers;
}

static void answer(void *context, uint64_t token, int status, uint64_t value)
{
    (void)value;
    demand_end(context, token, status);
}

static void log_line(void *context, const char *line)
{
    (void)context;
    EXPECT(line[0] != '\0');
}

static uint64_t now_us(void *context)
{
    (void)context;
    return machine.now;
}

static const struct backend backend = {.fill_begin = fill_begin,
                                       .swap_fill_begin = swap_fill_begin,
                                       .clean_begin = clean_begin,
                                       .fill_end = fill_end,
                                       .fill_zero = fill_zero,
                                       .clean_end = clean_end,
                                       .evict_end = evict_end,
                                       .swap_fill_end = swap_fill_end,
                                       .swap_restore = swap_restore,
                                       .swap_note = swap_note,
                                       .evict = evict,
                                       .harvest = harvest,
                                       .page_uses = machine_page_uses,
                                       .cold_pages = cold_pages,
                                       .spaces = spaces,
                                       .cookie = cookie_of,
                                       .memory = memory,
                                       .dirty_limit = dirty_limit,
                                       .demand_end = demand_end,
                                       .reclaim_end = reclaim_end,
                                       .map_blocks = map_blocks,
                                       .transfer = transfer,
                                       .kill = end_process,
                                       .warn = warn,
                                       .groups = machine_groups,
                                       .group_pages = machine_group_pages,
                                       .group_end = machine_group_end,
                                       .answer = answer,
                                       .log = log_line,
                                       .now_us = now_us};

/* --- The machine itself --------------------------------------------------------------------------------------------- */

void machine_start(uint32_t frames, bool swap)
{
    const struct pager_memory memory_given = {
        .first = FIRST_PFN, .pages = frames, .lru_pages = lru_pages, .owners = owners, .shadows = shadows};
    machine = (struct machine){.frame_count = frames, .now = 1, .reclaim_status = 1};
    for (uint64_t object = 1; object <= OBJECTS; object++) {
        for (uint64_t i = 0; i < OBJECT_PAGES; i++) {
            machine.allocated[object - 1][i] = i % HOLE_MODULUS != 0;
            machine.disk[block_of(object, i)] = machine_next_content;
            machine.expected_file[object - 1][i] = i % HOLE_MODULUS ? machine_next_content : 0;
            machine_next_content++;
        }
    }
    EXPECT(pager_init(&pager, &backend, &memory_given) == 0);
    if (swap)
        EXPECT(swap_on(&pager, SWAP_VOLUME, "swap", SWAP_SLOTS, 0, swap_memory) == 0);
}

/* Moves the contents of a transfer that does not fail. */
static void move(unsigned tag)
{
    for (uint32_t i = 0; i < machine.transfers[tag].count; i++) {
        struct frame *frame = frame_at(machine.transfers[tag].pfns[i]);
        uint64_t block = machine.transfers[tag].block + i;
        bool file = machine.transfers[tag].volume == FILE_VOLUME;
        EXPECT(block < (file ? OBJECTS * OBJECT_PAGES : SWAP_SLOTS) && frame->state != FRAME_FREE);
        uint64_t *place = file ? &machine.disk[block] : &machine.swap[block];
        if (machine.transfers[tag].operation == TRANSFER_READ)
            frame->content = *place;
        else
            *place = frame->content;
    }
}

bool machine_end_transfer(void)
{
    if (machine.in_flight == 0)
        return false;
    unsigned tag = (unsigned)random_below(TRANSFERS_MAX);
    while (!machine.transfers[tag].used)
        tag = (tag + 1) % TRANSFERS_MAX;
    machine.transfers[tag].used = false;
    machine.in_flight--;
    bool fails = random_chance(machine.error_percent);
    machine.errors += fails;
    if (!fails)
        move(tag);
    pager_transferred(&pager, tag, fails ? -EIO : 0);
    return true;
}

void machine_settle(void)
{
    while (machine_end_transfer())
        ;
    pager_pump(&pager);
    while (machine_end_transfer())
        ;
}

void machine_check(void)
{
    EXPECT(pager_check(&pager) == 0);
    for (uint32_t i = 0; i < machine.frame_count; i++) {
        const struct frame *frame = &machine.frames[i];
        if (frame->state == FRAME_BACKED)
            EXPECT(machine.object_frame[frame->object - 1][frame->index] == i + 1);
        if (frame->state == FRAME_ANON)
            EXPECT(machine.anon_frame[frame->index] == i + 1);
    }
    for (uint64_t i = 0; i < ANON_PAGES; i++)
        EXPECT(!machine.anon_slot[i] || swap_map_count(&pager.swap, machine.anon_slot[i]) == 1);
}
