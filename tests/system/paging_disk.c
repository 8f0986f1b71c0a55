/* SPDX-License-Identifier: MIT */
/* The tests' pager: see paging_disk.h. */
#include "paging_disk.h"

#include <errno.h>
#include <proto/grant.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <quire/syscall.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_NS 2000000UL
#define WAIT_NS (60 * NS_PER_SECOND) /* what a machine that stands still may need */
#define HALF    (PAGE / 2)

struct disk *disk;

uint64_t disk_word(uint64_t page, uint64_t word)
{
    return (page + 1) * 0x9e3779b97f4a7c15UL + word;
}

void disk_make(void)
{
    disk = mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (disk == MAP_FAILED)
        exit(1);
    disk_reset();
}

void disk_reset(void)
{
    for (uint64_t page = 0; page < DISK_PAGES; page++) {
        for (uint64_t word = 0; word < PAGE / 8; word++) {
            uint64_t value = disk_word(page, word);
            memcpy(disk->pages[page] + word * 8, &value, sizeof(value));
        }
    }
}

static void pause_briefly(void)
{
    (void)!sys_wait(SLOT_NONE, clock_now_ns() + POLL_NS, NULL);
}

bool disk_wait(volatile uint64_t *value, uint64_t wanted)
{
    const uint64_t end = clock_now_ns() + WAIT_NS;
    while (*value < wanted && clock_now_ns() < end)
        pause_briefly();
    return *value >= wanted;
}

long pager_do(enum disk_command command, uint64_t first, uint64_t count, long argument)
{
    disk->first = first;
    disk->count = count;
    disk->argument = argument;
    disk->result = -ETIMEDOUT;
    disk->command = command;
    const uint64_t end = clock_now_ns() + WAIT_NS;
    while (disk->command != DISK_NOTHING && clock_now_ns() < end)
        pause_briefly();
    return disk->result;
}

/* --- The pager's side --------------------------------------------------------------------------------------------- */

static void must(long result)
{
    if (result < 0)
        exit((int)-result);
}

static void copy_in(uint64_t pfn, const char *content)
{
    must(memsrv_transit_write(SLOT_MEMSRV, pfn, 0, content, HALF));
    must(memsrv_transit_write(SLOT_MEMSRV, pfn, HALF, content + HALF, HALF));
}

static void copy_out(uint64_t pfn, char *content)
{
    size_t bytes;
    must(memsrv_transit_read(SLOT_MEMSRV, pfn, 0, content, HALF, &bytes));
    must(memsrv_transit_read(SLOT_MEMSRV, pfn, HALF, content + HALF, HALF, &bytes));
}

static void end_fill(uint64_t index, uint64_t pfn)
{
    const int64_t status = disk->mode == DISK_FAIL ? -EIO : 0;
    uint64_t done;

    if (index < DISK_PAGES && !status)
        copy_in(pfn, disk->pages[index]);
    must(memsrv_fill_end(SLOT_MEMSRV, status, &pfn, sizeof(pfn), &done));
    if (index < DISK_PAGES && !status)
        disk->present[index] = pfn;
    disk->fills += !status;
}

static void fill(const struct memsrv_demand *demand)
{
    struct memsrv_dirty_page page;
    uint64_t next;
    size_t count = 0;

    int error = memsrv_fill_begin(SLOT_MEMSRV, demand->object, demand->index, 1, &next, &page, 1, &count);
    if (error || count == 0 || disk->mode == DISK_HOLD)
        return;
    end_fill(page.index, page.pfn);
}

/* Writes what is dirty in a range to the disk; pages that are begun and not ended are left to DISK_CLEAN_END. */
static long clean(uint64_t object, uint64_t first, uint64_t count, long status)
{
    struct memsrv_dirty_page pages[MEMSRV_BATCH_PAGES];
    uint64_t done, end = first + count;
    long total = 0;
    size_t found;

    while (first < end) {
        int error =
            memsrv_clean_begin(SLOT_MEMSRV, object, first, end - first, &first, pages, MEMSRV_BATCH_PAGES, &found);
        if (error)
            return error;
        for (size_t i = 0; i < found; i++) {
            if (pages[i].index < DISK_PAGES && status == 0)
                copy_out(pages[i].pfn, disk->pages[pages[i].index]);
            if (status <= 0)
                must(memsrv_clean_end(SLOT_MEMSRV, status, &pages[i].pfn, sizeof(pages[i].pfn), &done));
        }
        total += (long)found;
    }
    return total;
}

/* --- Swap --------------------------------------------------------------------------------------------------------- */

static void end_swap_in(uint64_t slot, uint64_t pfn, int64_t status)
{
    uint64_t done;

    if (!status)
        copy_in(pfn, disk->slots[slot]);
    must(memsrv_swap_fill_end(SLOT_MEMSRV, status, &pfn, sizeof(pfn), &done));
}

/* Reads slots, as far as memsrv wants them. */
static long swap_in(uint64_t slot, uint64_t count)
{
    struct memsrv_dirty_page pages[MEMSRV_BATCH_PAGES];
    size_t found = 0;

    int error = memsrv_swap_fill_begin(SLOT_MEMSRV, slot, count, pages, MEMSRV_BATCH_PAGES, &found);
    if (error && error != -ENOMEM)
        must(error);
    for (size_t i = 0; !error && i < found && disk->mode != DISK_HOLD; i++)
        end_swap_in(pages[i].index, pages[i].pfn, disk->mode == DISK_FAIL ? -EIO : 0);
    return error ? 0 : (long)found;
}

static long swap_in_all(void)
{
    long total = 0;
    for (uint64_t slot = 0; slot < SWAP_SLOTS; slot += 64)
        total += swap_in(slot, 64);
    return total;
}

static void end_swap_out(uint64_t slot, uint64_t pfn, long status)
{
    uint64_t done;

    if (!status)
        copy_out(pfn, disk->slots[slot]);
    must(memsrv_evict_end(SLOT_MEMSRV, status, &pfn, sizeof(pfn), &done));
}

static uint64_t slot_take(void)
{
    for (uint64_t slot = 1; slot < SWAP_SLOTS; slot++) {
        if (disk->used[slot])
            continue;
        disk->used[slot] = 1;
        return slot;
    }
    return 0;
}

static long swap_out(long status)
{
    struct memsrv_victim victims[MEMSRV_BATCH_PAGES];
    long written = 0;
    size_t bytes;

    for (uint64_t i = 0; i < disk->count; i++)
        victims[i] = (struct memsrv_victim){disk->present[disk->first + i], slot_take()};
    int error = memsrv_evict(SLOT_MEMSRV, victims, disk->count, (void *)disk->results, DISK_PAGES, &bytes);
    for (uint64_t i = 0; i < disk->count; i++) {
        if (error || disk->results[i] != MEMSRV_EVICT_WRITE) {
            disk->used[victims[i].slot] = 0;
            continue;
        }
        written++;
        if (status <= 0)
            end_swap_out(victims[i].slot, victims[i].pfn, status);
    }
    return error ? error : written;
}

static long swap_count(void)
{
    uint64_t slots[64], next = 0;
    long total = 0;
    size_t bytes;

    do {
        must(memsrv_swap_slots(SLOT_MEMSRV, next, &next, slots, sizeof(slots), &bytes));
        for (size_t i = 0; i < bytes / sizeof(slots[0]); i++) {
            if (slots[i] >= SWAP_SLOTS || !disk->used[slots[i]])
                return -1;
            total++;
        }
    } while (next);
    return total;
}

static void slots_free(uint64_t slot, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        disk->used[slot + i] = 0;
    disk->freed += count;
}

static void serve(const struct memsrv_demand *demand)
{
    disk->demands++;
    switch (demand->kind) {
    case MEMSRV_DEMAND_FILL:
        fill(demand);
        break;
    case MEMSRV_DEMAND_SYNC: {
        const long result = clean(demand->object, demand->index, demand->count, disk->mode == DISK_FAIL ? -EIO : 0);
        disk->syncs++;
        (void)!memsrv_demand_end(SLOT_MEMSRV, demand->token, disk->mode == DISK_FAIL ? -EIO : result < 0 ? result : 0);
        break;
    }
    case MEMSRV_DEMAND_ADVICE:
        disk->advices++;
        break;
    case MEMSRV_DEMAND_OBJECT_GONE:
        disk->gone += demand->cookie == COOKIE;
        break;
    case MEMSRV_DEMAND_SWAP_IN:
        (void)swap_in(demand->index, 1);
        break;
    case MEMSRV_DEMAND_SLOT_FREE:
        slots_free(demand->index, demand->count);
        break;
    case MEMSRV_DEMAND_RECLAIM:
        disk->reclaims++;
        (void)!memsrv_reclaim_end(SLOT_MEMSRV, disk->reclaim_status);
        break;
    default:
        break;
    }
}

/* Ends what another pager has begun: the disk has the content. */
static void end_transits(long status, bool again)
{
    struct memsrv_transit pages[16];
    uint64_t next = 0, done;
    size_t count;

    do {
        must(memsrv_pager_transit(SLOT_MEMSRV, next, &next, pages, 16, &count));
        for (size_t i = 0; i < count; i++) {
            if (pages[i].kind == MEMSRV_TRANSIT_FILL && again)
                end_fill(pages[i].index, pages[i].pfn);
            if (pages[i].kind == MEMSRV_TRANSIT_SWAP_IN && again)
                end_swap_in(pages[i].index, pages[i].pfn, -EAGAIN);
            if (pages[i].kind == MEMSRV_TRANSIT_SWAP_OUT)
                end_swap_out(pages[i].index, pages[i].pfn, again ? 0 : status);
            if (pages[i].kind != MEMSRV_TRANSIT_CLEAN)
                continue;
            if (status == 0 && pages[i].index < DISK_PAGES)
                copy_out(pages[i].pfn, disk->pages[pages[i].index]);
            must(memsrv_clean_end(SLOT_MEMSRV, status, &pages[i].pfn, sizeof(pages[i].pfn), &done));
        }
    } while (next);
}

static long evict(void)
{
    struct memsrv_victim victims[MEMSRV_BATCH_PAGES] = {0};
    size_t bytes;

    for (uint64_t i = 0; i < disk->count; i++)
        victims[i].pfn = disk->present[disk->first + i];
    return memsrv_evict(SLOT_MEMSRV, victims, disk->count, (void *)disk->results, DISK_PAGES, &bytes);
}

static long harvest(void)
{
    struct memsrv_touched touched[MEMSRV_BATCH_PAGES];
    uint64_t pfns[MEMSRV_BATCH_PAGES];
    size_t found;

    for (uint64_t i = 0; i < disk->count; i++)
        pfns[i] = disk->present[disk->first + i];
    int error = memsrv_harvest(SLOT_MEMSRV, pfns, disk->count * sizeof(pfns[0]), touched, MEMSRV_BATCH_PAGES, &found);
    for (size_t i = 0; !error && i < found; i++)
        disk->results[i] = (uint8_t)(touched[i].accessed | touched[i].dirty << 1 | touched[i].mappings << 2);
    return error ? error : (long)found;
}

static void obey(void)
{
    switch (disk->command) {
    case DISK_CLEAN_BEGIN:
        disk->result = clean(disk->object, disk->first, disk->count, disk->argument);
        break;
    case DISK_CLEAN_END:
        end_transits(disk->argument, false);
        disk->result = 0;
        break;
    case DISK_EVICT:
        disk->result = evict();
        break;
    case DISK_SWAP_OUT:
        disk->result = swap_out(disk->argument);
        break;
    case DISK_SWAP_END:
        end_transits(disk->argument, false);
        disk->result = 0;
        break;
    case DISK_SWAP_IN:
        disk->result = swap_in_all();
        break;
    case DISK_SWAP_COUNT:
        disk->result = swap_count();
        break;
    case DISK_HARVEST:
        disk->result = harvest();
        break;
    default:
        return;
    }
    disk->command = DISK_NOTHING;
}

/* Frees slots that memsrv does not name: an earlier pager may have taken them, or been told that they are free. */
static void find_slots(void)
{
    uint64_t slots[64], next = 0;
    size_t bytes;

    memset((void *)disk->used, 0, sizeof(disk->used));
    do {
        must(memsrv_swap_slots(SLOT_MEMSRV, next, &next, slots, sizeof(slots), &bytes));
        for (size_t i = 0; i < bytes / sizeof(slots[0]); i++)
            disk->used[slots[i] % SWAP_SLOTS] = 1;
    } while (next);
}

static _Noreturn void pager_main(void)
{
    struct memsrv_demand demands[8];
    uint64_t generation, rings, bits;
    const uint64_t slot = slot_allocate();
    size_t count;
    int error;

    while ((error = memsrv_pager_attach(SLOT_MEMSRV, &generation, &rings, slot)) == -EPERM)
        pause_briefly(); /* the role is on its way */
    must(error);
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, disk->object); /* a grant that the fork has brought along */
    end_transits(-EAGAIN, true);
    find_slots();
    disk->attached = (uint64_t)getpid();
    for (;;) {
        (void)!sys_wait(slot, clock_now_ns() + POLL_NS, &bits);
        obey();
        if (disk->mode == DISK_IDLE)
            continue;
        must(memsrv_pager_demands(SLOT_MEMSRV, demands, 8, &count));
        for (size_t i = 0; i < count; i++)
            serve(&demands[i]);
    }
}

pid_t pager_start(void)
{
    disk->attached = 0;
    const pid_t pid = fork();
    if (pid == 0)
        pager_main();
    if (pid < 0 || memsrv_space_roles(GRANT_SLOT_MEMSRV, (uint64_t)pid,
                                      MEMSRV_ROLE_PAGER | MEMSRV_ROLE_RESERVE | MEMSRV_ROLE_UNEVICTABLE) < 0)
        return 0;
    return disk_wait(&disk->attached, (uint64_t)pid) ? pid : 0;
}

void pager_kill(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    disk->attached = 0;
}
