/* SPDX-License-Identifier: MIT */
/* Objects that nothing points to: see leak_scan.h. */
#include <mm/leak_scan.h>

#include <errno.h>

static void swap_objects(struct leak_object *a, struct leak_object *b)
{
    const struct leak_object kept = *a;
    *a = *b;
    *b = kept;
}

/* Lets the object at `root` sink to where it belongs in a heap of `count`. */
static void sink(struct leak_object *objects, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && objects[child].start < objects[child + 1].start)
            child++;
        if (objects[root].start >= objects[child].start)
            return;
        swap_objects(&objects[root], &objects[child]);
    }
}

/* In place, and in bounded time whatever the order: the caller may have stopped everybody else. */
static void sort_objects(struct leak_object *objects, uint32_t count)
{
    for (uint32_t root = count / 2; root-- > 0;)
        sink(objects, root, count);
    for (uint32_t end = count; end > 1; end--) {
        swap_objects(&objects[0], &objects[end - 1]);
        sink(objects, 0, end - 1);
    }
}

int leak_scan_begin(struct leak_scan *scan, struct leak_object *objects, uint32_t count)
{
    *scan = (struct leak_scan){.objects = objects, .count = count, .pending = LEAK_SCAN_NONE};
    sort_objects(objects, count);
    for (uint32_t i = 0; i < count; i++) {
        if (objects[i].size == 0 || (i > 0 && objects[i - 1].start + objects[i - 1].size > objects[i].start))
            return -EINVAL;
        objects[i].found = false;
        objects[i].next = LEAK_SCAN_NONE;
    }
    if (count > 0) {
        scan->low = objects[0].start;
        scan->high = objects[count - 1].start + objects[count - 1].size;
    }
    return 0;
}

/* The object that holds an address, or NULL. */
static struct leak_object *find(struct leak_scan *scan, uint64_t address)
{
    uint32_t low = 0, high = scan->count;

    if (address < scan->low || address >= scan->high)
        return NULL;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (scan->objects[middle].start <= address)
            low = middle;
        else
            high = middle;
    }
    struct leak_object *object = &scan->objects[low];
    return address - object->start < object->size ? object : NULL;
}

static void scan_words(struct leak_scan *scan, uint64_t start, uint64_t end)
{
    const uint64_t word = sizeof(uint64_t);

    for (uint64_t at = (start + word - 1) & ~(word - 1); at + word <= end; at += word) {
        struct leak_object *object = find(scan, *(const volatile uint64_t *)at);
        if (!object || object->found)
            continue;
        object->found = true;
        object->next = scan->pending;
        scan->pending = (uint32_t)(object - scan->objects);
    }
}

void leak_scan_range(struct leak_scan *scan, const void *start, const void *end)
{
    scan_words(scan, (uint64_t)start, (uint64_t)end);
    while (scan->pending != LEAK_SCAN_NONE) {
        const struct leak_object *object = &scan->objects[scan->pending];
        scan->pending = object->next;
        scan_words(scan, object->start, object->start + object->size);
    }
}

uint32_t leak_scan_next(const struct leak_scan *scan, uint32_t index)
{
    while (index < scan->count && scan->objects[index].found)
        index++;
    return index < scan->count ? index : LEAK_SCAN_NONE;
}
