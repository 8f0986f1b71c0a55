/* SPDX-License-Identifier: MIT */
/*
 * Handles and descriptions; see handles.h.
 */
#include "handles.h"

#include <errno.h>
#include <string.h>

#include "device.h"
#include "memory.h"

void handles_init(struct handle_table *table, uint64_t (*now)(void))
{
    memset(table, 0, sizeof(*table));
    table->now = now;
    table->next_pipe = 1;
    list_init(&table->clients);
    list_init(&table->pool_free);
    for (unsigned i = 0; i < CLIENT_POOL; i++)
        list_push_back(&table->pool_free, &table->pool[i].link);
}

struct client *client_find(const struct handle_table *table, uint64_t pid)
{
    LIST_FOR_EACH (link, &table->clients) {
        struct client *client = CONTAINER_OF(link, struct client, link);
        if (client->pid == pid)
            return client;
    }
    return NULL;
}

struct client *client_new(struct handle_table *table, uint64_t pid)
{
    struct list *pooled = list_first(&table->pool_free);
    struct client *client = pooled ? CONTAINER_OF(pooled, struct client, link) : fs_allocate(sizeof(*client));

    if (!client)
        return NULL;
    if (pooled)
        list_remove(pooled);
    client->pid = pid;
    list_push_front(&table->clients, &client->link);
    return client;
}

void client_free(struct handle_table *table, struct client *client)
{
    for (uint64_t number = 0; number < client->handle_end; number++)
        if (client->handles[number].description)
            handle_close(table, client, number);
    list_remove(&client->link);
    client->handle_end = 0;
    if (client >= table->pool && client < table->pool + CLIENT_POOL)
        list_push_front(&table->pool_free, &client->link);
    else
        fs_free(client);
}

int client_open_console(struct handle_table *table, struct client *client)
{
    const uint32_t flags = DESCRIPTION_READ | DESCRIPTION_WRITE;
    struct description *console = fs_allocate(sizeof(*console));
    struct description *errors = console ? fs_allocate(sizeof(*errors)) : NULL;

    if (!errors) {
        fs_free(console);
        return -ENOMEM;
    }
    *console = (struct description){.kind = DESCRIPTION_CONSOLE, .flags = flags, .references = 2};
    *errors = (struct description){.kind = DESCRIPTION_CONSOLE_ERROR, .flags = flags, .references = 1};
    table->descriptions += 2;
    handle_set(client, 0, console, false);
    handle_set(client, 1, console, false);
    handle_set(client, 2, errors, false);
    return 0;
}

void client_fork(struct client *child, const struct client *parent)
{
    child->handle_end = parent->handle_end;
    for (uint64_t number = 0; number < parent->handle_end; number++) {
        child->handles[number] = parent->handles[number];
        if (child->handles[number].description)
            child->handles[number].description->references++;
    }
}

uint64_t client_executing_count(const struct client *client)
{
    uint64_t count = 0;

    for (uint64_t number = 0; number < client->handle_end; number++)
        count += client->handles[number].description && client->handles[number].cloexec;
    return count;
}

void client_close_executing(struct handle_table *table, struct client *client)
{
    for (uint64_t number = 0; number < client->handle_end; number++)
        if (client->handles[number].description && client->handles[number].cloexec)
            handle_close(table, client, number);
}

static enum description_kind kind_of(const struct inode *inode)
{
    if (inode_is(inode, MODE_DIRECTORY))
        return DESCRIPTION_DIRECTORY;
    if (inode_is(inode, MODE_DEVICE))
        return inode->device == DEVICE_CONSOLE ? DESCRIPTION_CONSOLE : DESCRIPTION_DEVICE;
    return DESCRIPTION_FILE;
}

struct description *description_new(struct handle_table *table, struct inode *inode, uint32_t flags)
{
    struct description *description = fs_allocate(sizeof(*description));
    int last;

    if (!description)
        return NULL;
    *description = (struct description){.kind = kind_of(inode), .flags = flags, .references = 1, .inode = inode};
    inode_errors(inode, &description->errors_seen, &last);
    table->descriptions++;
    return description;
}

static struct description *end_of_pipe(struct handle_table *table, struct pipe *pipe, uint32_t flags)
{
    struct description *description = fs_allocate(sizeof(*description));

    if (!description)
        return NULL;
    *description = (struct description){.kind = DESCRIPTION_PIPE, .flags = flags, .references = 1, .pipe = pipe};
    *(flags & DESCRIPTION_READ ? &pipe->readers : &pipe->writers) += 1;
    table->descriptions++;
    return description;
}

int description_pipe(struct handle_table *table, uint32_t flags, struct description **reader,
                     struct description **writer)
{
    struct pipe *pipe = pipe_new(table->next_pipe, table->now());

    if (!pipe)
        return -ENFILE;
    table->pipes++;
    *reader = end_of_pipe(table, pipe, flags | DESCRIPTION_READ);
    if (!*reader) {
        table->pipes--;
        pipe_free(pipe);
        return -ENFILE;
    }
    *writer = end_of_pipe(table, pipe, flags | DESCRIPTION_WRITE);
    if (!*writer) {
        description_put(table, *reader);
        return -ENFILE;
    }
    table->next_pipe++;
    return 0;
}

static void leave_pipe(struct handle_table *table, const struct description *description)
{
    struct pipe *pipe = description->pipe;
    unsigned *side = description->flags & DESCRIPTION_READ ? &pipe->readers : &pipe->writers;

    if (--*side == 0)
        table->pipes_changed = true;
    if (pipe->readers == 0 && pipe->writers == 0) {
        pipe_free(pipe);
        table->pipes--;
    }
}

void description_put(struct handle_table *table, struct description *description)
{
    ASSERT(description->references > 0);
    if (--description->references > 0)
        return;
    if (description->pipe)
        leave_pipe(table, description);
    if (description->inode)
        inode_put(description->inode);
    fs_free(description);
    table->descriptions--;
}

void handle_set(struct client *client, uint64_t number, struct description *description, bool cloexec)
{
    ASSERT(number < HANDLE_COUNT && !client->handles[number].description);
    client->handles[number] = (struct handle){.description = description, .cloexec = cloexec};
    if (number >= client->handle_end)
        client->handle_end = number + 1;
}

void handle_close(struct handle_table *table, struct client *client, uint64_t number)
{
    struct description *description = client->handles[number].description;

    client->handles[number] = (struct handle){0};
    /* As POSIX has it, whichever of the program's handles led to the file. */
    if (description->kind == DESCRIPTION_FILE)
        lock_release(&description->inode->locks, client->pid);
    description_put(table, description);
}

bool handles_check(const struct handle_table *table, uint64_t others)
{
    uint64_t handles = 0, references = 0, seen = 0;

    /* A description is counted at the first handle that leads to it; marking it would need another pass. */
    LIST_FOR_EACH (link, &table->clients) {
        const struct client *client = CONTAINER_OF(link, struct client, link);
        for (uint64_t number = 0; number < HANDLE_COUNT; number++) {
            const struct description *description = client->handles[number].description;
            if (description && number >= client->handle_end)
                return false;
            bool first = description != NULL;
            handles += description != NULL;
            LIST_FOR_EACH (earlier_link, &table->clients) {
                const struct client *earlier = CONTAINER_OF(earlier_link, struct client, link);
                for (uint64_t i = 0; first && i < (earlier == client ? number : HANDLE_COUNT); i++)
                    first = earlier->handles[i].description != description;
                if (earlier == client)
                    break;
            }
            references += first ? description->references : 0;
            seen += first;
        }
    }
    return handles + others == references && seen <= table->descriptions;
}
