/* SPDX-License-Identifier: MIT */
/* Memory that is changed at random and always known: see vm_arena.h. */
#include "vm_arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Below all that memsrv chooses by itself, so that nothing else gets into the holes of an arena; each begins a little
 * below a boundary of tables. */
#define ARENAS_BASE 0x200000000000UL
#define ARENA_SPAN  (1UL << 30)
#define ARENA_START ((2UL << 20) - 64 * PAGE)

#define RANGE_MAX  16U /* pages of most steps */
#define WRITES_MAX 24U /* pages that one step writes */
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* The words of a page that carry its value, and the one that children count in. */
static const unsigned value_words[] = {0, 137, 290, 511};
#define VALUE_WORDS   (sizeof(value_words) / sizeof(value_words[0]))
#define ADDITION_WORD 400

struct range {
    unsigned first, count;
};

bool complain(const char *format, ...)
{
    char text[200];
    va_list rest;

    va_start(rest, format);
    int length = vsnprintf(text, sizeof(text) - 1, format, rest);
    va_end(rest);
    if (length > (int)sizeof(text) - 2)
        length = (int)sizeof(text) - 2;
    char line[sizeof(text) + 16];
    length = snprintf(line, sizeof(line), "# pid %d: %s\n", (int)getpid(), text);
    /* Not through a stream: a child of a program with threads must not wait for its lock. */
    return write(STDOUT_FILENO, line, (size_t)length) < 0 && false;
}

uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((random_next(state) >> 33) * limit >> 31);
}

static uint64_t mixed(uint64_t seed)
{
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15UL;
    return state ? state : 1;
}

void arena_init(struct arena *arena, unsigned number, uint64_t seed, uint32_t owner)
{
    memset(arena, 0, sizeof(*arena));
    arena->base = (char *)ARENAS_BASE + number * ARENA_SPAN + ARENA_START;
    arena->random = mixed(seed);
    arena->owner = owner;
}

/* --- Pages -------------------------------------------------------------------------------------------------------- */

static void *address_of(const struct arena *arena, unsigned page)
{
    return arena->base + page * PAGE;
}

static volatile uint64_t *words_of(const struct arena *arena, unsigned page)
{
    return address_of(arena, page);
}

static bool is_readable(const struct page_model *model)
{
    return model->kind != KIND_HOLE && (model->protection & PROT_READ);
}

static bool is_writable(const struct page_model *model)
{
    return model->kind != KIND_HOLE && (model->protection & PROT_WRITE);
}

static void write_page(struct arena *arena, unsigned page)
{
    struct page_model *model = &arena->pages[page];
    volatile uint64_t *words = words_of(arena, page);

    model->value = (uint64_t)arena->owner << 44 | (uint64_t)++arena->generation << 12 | (page + 1);
    for (unsigned i = 0; i < VALUE_WORDS; i++)
        words[value_words[i]] = model->value + i;
}

static bool check_page(const struct arena *arena, unsigned page, bool additions)
{
    const struct page_model *model = &arena->pages[page];
    const volatile uint64_t *words = words_of(arena, page);

    if (!is_readable(model) || model->kind == KIND_FOREIGN)
        return true;
    for (unsigned i = 0; i < VALUE_WORDS; i++) {
        uint64_t found = words[value_words[i]], wanted = model->value ? model->value + i : 0;
        if (found != wanted)
            return complain("page %u (%p) word %u: found %lx, wanted %lx, now %lx, kind %u, owner %u", page,
                            (void *)(uintptr_t)words, value_words[i], (unsigned long)found, (unsigned long)wanted,
                            (unsigned long)words[value_words[i]], model->kind, (unsigned)arena->owner);
    }
    uint64_t added = words[ADDITION_WORD];
    if (model->kind == KIND_PRIVATE ? added != 0 : additions && added != model->additions)
        return complain("page %u of kind %u: %lu additions, wanted %u", page, model->kind, (unsigned long)added,
                        (unsigned)model->additions);
    return true;
}

bool arena_check(struct arena *arena, bool additions)
{
    for (unsigned page = 0; page < ARENA_PAGES; page++) {
        const struct page_model *model = &arena->pages[page];
        /* Most pages were never written: to read each of them would be all that is done. */
        if (!model->value && !model->additions && random_below(&arena->random, 8))
            continue;
        if (!check_page(arena, page, additions))
            return false;
    }
    return true;
}

/* --- Ranges ------------------------------------------------------------------------------------------------------- */

/* Mostly small, sometimes all of one table or more. */
static struct range random_range(struct arena *arena)
{
    unsigned limit = random_below(&arena->random, 8) ? RANGE_MAX : ARENA_PAGES;
    struct range range = {.first = random_below(&arena->random, ARENA_PAGES)};
    unsigned rest = ARENA_PAGES - range.first;
    range.count = 1 + random_below(&arena->random, limit < rest ? limit : rest);
    return range;
}

/* True if the whole range is mapped. */
static bool is_covered(const struct arena *arena, struct range range)
{
    for (unsigned i = 0; i < range.count; i++) {
        if (arena->pages[range.first + i].kind == KIND_HOLE)
            return false;
    }
    return true;
}

static bool has_kind(const struct arena *arena, struct range range, enum page_kind kind)
{
    for (unsigned i = 0; i < range.count; i++) {
        if (arena->pages[range.first + i].kind == kind)
            return true;
    }
    return false;
}

static void set_range(struct arena *arena, struct range range, struct page_model model)
{
    for (unsigned i = 0; i < range.count; i++)
        arena->pages[range.first + i] = model;
}

/* Compares what a call returned with what it must return. */
static bool is_result(const char *call, const struct arena *arena, struct range range, int result, int error)
{
    int found = result == 0 ? 0 : errno;
    return found == error || complain("%s of pages %u, %u of arena %p: errno %d, wanted %d", call, range.first,
                                      range.count, (void *)arena->base, found, error);
}

/* --- Steps -------------------------------------------------------------------------------------------------------- */

static bool step_write(struct arena *arena, struct range range)
{
    for (unsigned i = 0; i < range.count && i < WRITES_MAX; i++) {
        unsigned page = range.first + i;
        if (is_writable(&arena->pages[page]) && arena->pages[page].kind != KIND_FOREIGN)
            write_page(arena, page);
    }
    return true;
}

static bool step_check(struct arena *arena, struct range range)
{
    for (unsigned i = 0; i < range.count; i++) {
        if (!check_page(arena, range.first + i, false))
            return false;
    }
    return true;
}

static bool map_range(struct arena *arena, struct range range, enum page_kind kind, int flags)
{
    void *wanted = address_of(arena, range.first);
    void *found = mmap(wanted, range.count * PAGE, READ_WRITE, MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);

    if (found != wanted)
        return complain("mmap of pages %u, %u: %p, errno %d", range.first, range.count, found, errno);
    set_range(arena, range, (struct page_model){.kind = (uint8_t)kind, .protection = READ_WRITE});
    return true;
}

static bool step_map(struct arena *arena, struct range range)
{
    return map_range(arena, range, KIND_PRIVATE, MAP_PRIVATE) &&
           step_write(arena, (struct range){range.first, range.count < 4 ? range.count : 4});
}

/* Memory for which a huge page fits. */
static bool step_map_huge(struct arena *arena, struct range range)
{
    const struct range huge = {.first = 64 + 512 * random_below(&arena->random, 2), .count = 512};
    if (!map_range(arena, huge, KIND_PRIVATE, MAP_PRIVATE))
        return false;
    int result = madvise(address_of(arena, huge.first), huge.count * PAGE, MADV_HUGEPAGE);
    return is_result("MADV_HUGEPAGE", arena, huge, result, 0) && step_write(arena, huge) && step_check(arena, range);
}

static bool step_map_shared(struct arena *arena, struct range range)
{
    return map_range(arena, range, KIND_SHARED, MAP_SHARED) &&
           step_write(arena, (struct range){range.first, range.count < 4 ? range.count : 4});
}

static bool step_unmap(struct arena *arena, struct range range)
{
    int result = munmap(address_of(arena, range.first), range.count * PAGE);
    set_range(arena, range, (struct page_model){0});
    return is_result("munmap", arena, range, result, 0);
}

static bool step_protect(struct arena *arena, struct range range)
{
    static const uint8_t protections[] = {PROT_NONE, PROT_READ, READ_WRITE, READ_WRITE, READ_WRITE};
    const uint8_t protection = protections[random_below(&arena->random, 5)];
    const bool covered = is_covered(arena, range);
    int result = mprotect(address_of(arena, range.first), range.count * PAGE, protection);

    for (unsigned i = 0; i < range.count && covered; i++)
        arena->pages[range.first + i].protection = protection;
    return is_result("mprotect", arena, range, result, covered ? 0 : ENOMEM);
}

static bool step_discard(struct arena *arena, struct range range)
{
    int result = madvise(address_of(arena, range.first), range.count * PAGE, MADV_DONTNEED);

    for (unsigned i = 0; i < range.count; i++) {
        if (arena->pages[range.first + i].kind == KIND_PRIVATE)
            arena->pages[range.first + i].value = 0;
    }
    return is_result("MADV_DONTNEED", arena, range, result, is_covered(arena, range) ? 0 : ENOMEM);
}

static bool step_leave_out(struct arena *arena, struct range range)
{
    const bool leave_out = random_below(&arena->random, 2);
    int result = madvise(address_of(arena, range.first), range.count * PAGE, leave_out ? MADV_DONTFORK : MADV_DOFORK);

    for (unsigned i = 0; i < range.count; i++) {
        if (arena->pages[range.first + i].kind != KIND_HOLE)
            arena->pages[range.first + i].is_left_out = leave_out;
    }
    return is_result("MADV_DONTFORK", arena, range, result, is_covered(arena, range) ? 0 : ENOMEM);
}

static bool step_wipe(struct arena *arena, struct range range)
{
    const bool wipe = random_below(&arena->random, 2);
    const bool shared = has_kind(arena, range, KIND_SHARED) || has_kind(arena, range, KIND_FOREIGN);
    int result = madvise(address_of(arena, range.first), range.count * PAGE, wipe ? MADV_WIPEONFORK : MADV_KEEPONFORK);

    if (wipe && shared)
        return is_result("MADV_WIPEONFORK", arena, range, result, EINVAL);
    for (unsigned i = 0; i < range.count; i++) {
        if (arena->pages[range.first + i].kind != KIND_HOLE)
            arena->pages[range.first + i].is_wiped = wipe;
    }
    return is_result("MADV_KEEPONFORK", arena, range, result, is_covered(arena, range) ? 0 : ENOMEM);
}

static bool step_populate(struct arena *arena, struct range range)
{
    int result = 0;
    if (range.count > RANGE_MAX)
        range.count = RANGE_MAX;
    result |= madvise(address_of(arena, range.first), range.count * PAGE,
                      random_below(&arena->random, 2) ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);
    (void)result; /* depends on the rights of each page; what must not change is what they hold */
    return step_check(arena, range);
}

static bool step_lock(struct arena *arena, struct range range)
{
    void *start = address_of(arena, range.first);

    if (range.count > RANGE_MAX)
        range.count = RANGE_MAX;
    const bool covered = is_covered(arena, range);
    /* There is a limit, and what has no rights cannot be brought: only what pages hold must not change. */
    (void)!mlock(start, range.count * PAGE);
    return step_check(arena, range) &&
           (!covered || is_result("munlock", arena, range, munlock(start, range.count * PAGE), 0));
}

/* Moves memory, of another length maybe, over what is elsewhere. */
static bool step_move(struct arena *arena, struct range range)
{
    struct page_model moved[RANGE_MAX];
    struct range target = random_range(arena);

    if (range.count > RANGE_MAX)
        range.count = RANGE_MAX;
    if (target.count > RANGE_MAX)
        target.count = RANGE_MAX;
    if (range.first < target.first + target.count && target.first < range.first + range.count)
        return true;
    void *wanted = address_of(arena, target.first);
    void *found = mremap(address_of(arena, range.first), range.count * PAGE, target.count * PAGE,
                         MREMAP_MAYMOVE | MREMAP_FIXED, wanted);
    /* Several areas do not move at once; nothing has changed then. */
    if (found == MAP_FAILED)
        return errno == EFAULT || complain("mremap of pages %u, %u to %u, %u: errno %d", range.first, range.count,
                                           target.first, target.count, errno);
    if (found != wanted)
        return complain("mremap to %p, wanted %p", found, wanted);
    memcpy(moved, &arena->pages[range.first], range.count * sizeof(moved[0]));
    set_range(arena, range, (struct page_model){0});
    for (unsigned i = 0; i < target.count; i++) {
        struct page_model *model = &arena->pages[target.first + i];
        *model = moved[i < range.count ? i : 0];
        if (i >= range.count)
            model->value = model->additions = 0;
    }
    if (moved[0].kind == KIND_SHARED && target.count > range.count) /* nothing is behind the end of the object */
        return step_unmap(arena, (struct range){target.first + range.count, target.count - range.count});
    return moved[0].kind != KIND_FOREIGN || target.count <= range.count ||
           step_unmap(arena, (struct range){target.first + range.count, target.count - range.count});
}

/* Memory at an address that memsrv chooses, for a moment. */
static bool step_elsewhere(struct arena *arena, struct range range)
{
    char *memory = mmap(NULL, range.count * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned touched = range.count < WRITES_MAX ? range.count : WRITES_MAX;
    bool good = memory != MAP_FAILED;

    if (!good)
        return complain("mmap anywhere: errno %d", errno);
    for (unsigned i = 0; i < touched; i++)
        memory[i * PAGE] = (char)(i + 1);
    if (range.count > 2)
        good = mprotect(memory + PAGE, PAGE, PROT_READ) == 0;
    for (unsigned i = 0; i < touched; i++)
        good = good && memory[i * PAGE] == (char)(i + 1) && memory[i * PAGE + PAGE - 1] == 0;
    good = munmap(memory, range.count * PAGE) == 0 && good;
    return good || complain("memory elsewhere, %u pages", range.count);
}

typedef bool step_function(struct arena *arena, struct range range);

/* What occurs more than once is more frequent. */
static step_function *const steps[] = {step_write,   step_write,     step_write,     step_write,      step_write,
                                       step_check,   step_check,     step_map,       step_map,        step_map,
                                       step_map,     step_unmap,     step_unmap,     step_map_shared, step_protect,
                                       step_protect, step_discard,   step_leave_out, step_wipe,       step_move,
                                       step_move,    step_elsewhere, step_lock,      step_populate,   step_map_huge};

bool arena_step(struct arena *arena)
{
    unsigned choice = random_below(&arena->random, sizeof(steps) / sizeof(steps[0]));
    return steps[choice](arena, random_range(arena));
}

/* --- Fork --------------------------------------------------------------------------------------------------------- */

static bool is_inherited_counter(const struct page_model *model)
{
    return model->kind == KIND_SHARED && is_writable(model) && !model->is_left_out;
}

void arena_expect_additions(struct arena *arena)
{
    for (unsigned page = 0; page < ARENA_PAGES; page++)
        arena->pages[page].additions += is_inherited_counter(&arena->pages[page]);
}

void arena_add(struct arena *arena)
{
    for (unsigned page = 0; page < ARENA_PAGES; page++) {
        if (is_inherited_counter(&arena->pages[page]))
            atomic_fetch_add((_Atomic uint64_t *)address_of(arena, page) + ADDITION_WORD, 1);
    }
}

bool arena_inherit(struct arena *arena, uint64_t seed, uint32_t owner)
{
    unsigned char resident;

    arena->random = mixed(seed);
    arena->owner = owner;
    for (unsigned page = 0; page < ARENA_PAGES; page++) {
        struct page_model *model = &arena->pages[page];
        if (model->is_left_out) {
            *model = (struct page_model){0};
            if (mincore(address_of(arena, page), PAGE, &resident) == 0)
                return complain("page %u of MADV_DONTFORK was inherited", page);
        }
        if (model->is_wiped)
            model->value = 0;
        if (model->kind == KIND_SHARED)
            model->kind = KIND_FOREIGN;
    }
    return true;
}

bool arena_clear(struct arena *arena)
{
    return step_unmap(arena, (struct range){0, ARENA_PAGES});
}
