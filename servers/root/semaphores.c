/* SPDX-License-Identifier: MIT */
/* Named semaphores. */
#include "semaphores.h"

#include <errno.h>
#include <string.h>

static int name_check(const char *name, size_t bytes)
{
    if (bytes > SEMAPHORE_NAME_BYTES)
        return -ENAMETOOLONG;
    if (bytes < 2 || name[0] != '/' || memchr(name + 1, '/', bytes - 1) || memchr(name, '\0', bytes))
        return -EINVAL;
    return 0;
}

static struct semaphore *find_name(struct semaphore_table *table, const char *name, size_t bytes)
{
    for (unsigned i = 0; i < SEMAPHORES_MAX; i++) {
        struct semaphore *semaphore = &table->semaphores[i];
        if (semaphore->handle && semaphore->named && semaphore->name_bytes == bytes &&
            memcmp(semaphore->name, name, bytes) == 0)
            return semaphore;
    }
    return NULL;
}

static struct semaphore *find_handle(struct semaphore_table *table, uint64_t handle)
{
    for (unsigned i = 0; handle && i < SEMAPHORES_MAX; i++)
        if (table->semaphores[i].handle == handle)
            return &table->semaphores[i];
    return NULL;
}

static struct semaphore *find_free(struct semaphore_table *table)
{
    for (unsigned i = 0; i < SEMAPHORES_MAX; i++)
        if (table->semaphores[i].handle == 0)
            return &table->semaphores[i];
    return NULL;
}

/* The process's opening of a semaphore; else, a free entry; else NULL. */
static struct semaphore_opening *opening_for(struct semaphore_table *table, uint64_t pid,
                                             const struct semaphore *semaphore)
{
    struct semaphore_opening *place = NULL;

    for (unsigned i = 0; i < OPENINGS_MAX; i++) {
        struct semaphore_opening *opening = &table->openings[i];
        if (opening->pid == pid && opening->semaphore == semaphore)
            return opening;
        if (opening->pid == 0)
            place = opening;
    }
    return place;
}

static void free_unused(struct semaphore *semaphore)
{
    if (!semaphore->named && semaphore->openings == 0)
        semaphore->handle = 0;
}

static void enter(struct semaphore_table *table, struct semaphore_opening *opening, uint64_t pid,
                  struct semaphore *semaphore, uint64_t count)
{
    if (opening->pid == 0) {
        *opening = (struct semaphore_opening){.pid = pid, .semaphore = semaphore};
        semaphore->openings++;
        table->counts[pid % OPENING_COUNTS]++;
    }
    opening->count += count;
}

int semaphore_open(struct semaphore_table *table, uint64_t pid, uint64_t flags, uint64_t value, const char *name,
                   size_t name_bytes, uint64_t *handle)
{
    const int error = name_check(name, name_bytes);
    const bool create = flags & SEMAPHORE_CREATE;

    if (error < 0)
        return error;
    if (flags & ~(SEMAPHORE_CREATE | SEMAPHORE_EXCLUSIVE) || value > SEMAPHORE_VALUE_MAX)
        return -EINVAL;
    struct semaphore *semaphore = find_name(table, name, name_bytes);
    if (!semaphore && !create)
        return -ENOENT;
    if (semaphore && create && (flags & SEMAPHORE_EXCLUSIVE))
        return -EEXIST;
    const bool exists = semaphore != NULL;
    if (!exists)
        semaphore = find_free(table);
    if (!semaphore)
        return -ENOSPC;
    struct semaphore_opening *opening = opening_for(table, pid, semaphore);
    if (!opening)
        return -EMFILE;
    if (!exists) {
        *semaphore = (struct semaphore){
            .handle = ++table->last_handle, .value = (uint32_t)value, .named = true, .name_bytes = (uint8_t)name_bytes};
        memcpy(semaphore->name, name, name_bytes);
    }
    enter(table, opening, pid, semaphore, 1);
    *handle = semaphore->handle;
    return 0;
}

static struct semaphore_opening *find_opening(struct semaphore_table *table, uint64_t pid, uint64_t handle)
{
    for (unsigned i = 0; i < OPENINGS_MAX; i++) {
        struct semaphore_opening *opening = &table->openings[i];
        if (opening->pid == pid && opening->semaphore->handle == handle)
            return opening;
    }
    return NULL;
}

static void leave(struct semaphore_table *table, struct semaphore_opening *opening)
{
    table->counts[opening->pid % OPENING_COUNTS]--;
    opening->pid = 0;
    opening->semaphore->openings--;
    free_unused(opening->semaphore);
}

int semaphore_close(struct semaphore_table *table, uint64_t pid, uint64_t handle)
{
    struct semaphore_opening *opening = find_opening(table, pid, handle);

    if (!opening)
        return -EINVAL;
    if (--opening->count == 0)
        leave(table, opening);
    return 0;
}

int semaphore_unlink(struct semaphore_table *table, const char *name, size_t name_bytes)
{
    struct semaphore *semaphore = find_name(table, name, name_bytes);

    if (!semaphore)
        return -ENOENT;
    semaphore->named = false;
    free_unused(semaphore);
    return 0;
}

struct semaphore *semaphore_find(struct semaphore_table *table, uint64_t pid, uint64_t handle)
{
    const struct semaphore_opening *opening = find_opening(table, pid, handle);
    return opening ? opening->semaphore : NULL;
}

int semaphore_post(struct semaphore *semaphore, struct wait_table *waits, struct wait **wait)
{
    *wait = wait_grant(waits, WAIT_KEY_SEMAPHORE | semaphore->handle);
    if (*wait)
        return 0;
    if (semaphore->value == SEMAPHORE_VALUE_MAX)
        return -EOVERFLOW;
    semaphore->value++;
    return 0;
}

int semaphore_take(struct semaphore *semaphore)
{
    if (semaphore->value == 0)
        return -EAGAIN;
    semaphore->value--;
    return 0;
}

bool semaphore_wait_forget(struct semaphore_table *table, struct wait_table *waits, uint64_t pid, struct wait **freed,
                           struct wait **signal)
{
    struct wait *wait = wait_of_process(waits, pid);

    *signal = NULL;
    if (!wait)
        return false;
    *freed = wait;
    wait_remove(waits, wait);
    if (!wait->granted || !(wait->key & WAIT_KEY_SEMAPHORE))
        return true;
    struct semaphore *semaphore = find_handle(table, wait->key & ~WAIT_KEY_SEMAPHORE);
    if (semaphore) {
        const int error = semaphore_post(semaphore, waits, signal);
        ASSERT(error == 0 || error == -EOVERFLOW);
        (void)error; /* a value that is full has no use for one unit more */
    }
    return true;
}

void semaphores_close_all(struct semaphore_table *table, uint64_t pid)
{
    for (unsigned i = 0; i < OPENINGS_MAX && table->counts[pid % OPENING_COUNTS] > 0; i++)
        if (table->openings[i].pid == pid)
            leave(table, &table->openings[i]);
}

int semaphores_inherit(struct semaphore_table *table, uint64_t parent, uint64_t child)
{
    for (unsigned i = 0; i < OPENINGS_MAX && table->counts[parent % OPENING_COUNTS] > 0; i++) {
        const struct semaphore_opening *opening = &table->openings[i];
        if (opening->pid != parent)
            continue;
        struct semaphore_opening *place = opening_for(table, child, opening->semaphore);
        if (!place) {
            semaphores_close_all(table, child);
            return -EMFILE;
        }
        enter(table, place, child, opening->semaphore, opening->count);
    }
    return 0;
}

int semaphores_check(const struct semaphore_table *table)
{
    uint16_t counts[OPENING_COUNTS] = {0};

    for (unsigned i = 0; i < OPENINGS_MAX; i++)
        counts[table->openings[i].pid % OPENING_COUNTS] += table->openings[i].pid != 0;
    if (memcmp(counts, table->counts, sizeof(counts)) != 0)
        return -EINVAL;
    for (unsigned i = 0; i < SEMAPHORES_MAX; i++) {
        const struct semaphore *semaphore = &table->semaphores[i];
        uint32_t openings = 0;
        for (unsigned j = 0; j < OPENINGS_MAX; j++)
            openings += table->openings[j].pid != 0 && table->openings[j].semaphore == semaphore;
        if (semaphore->handle == 0 && openings == 0)
            continue;
        if (openings != semaphore->openings || semaphore->handle > table->last_handle)
            return -EINVAL;
        if (semaphore->named ? name_check(semaphore->name, semaphore->name_bytes) != 0 : openings == 0)
            return -EINVAL;
    }
    return 0;
}
