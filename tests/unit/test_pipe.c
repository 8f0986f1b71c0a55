/* SPDX-License-Identifier: MIT */
/*
 * Pipes, descriptions and handles against simple models.
 */
#include <errno.h>
#include <string.h>

#include "../../servers/fs/handles.h"
#include "../../servers/fs/tmpfs.h"
#include "../../servers/fs/tree.h"
#include "fs_memory.h"
#include "harness.h"

#define PARTS_MAX   4000u
#define CLIENTS     4u
#define CHECK_EVERY 256u

static struct tmpfs fs;
static const struct tree tree = {.base = &fs.fs};
static struct handle_table table;

static uint64_t test_now(void)
{
    return test_step;
}

static int test_load(uint64_t source, uint64_t offset, void *data, size_t bytes)
{
    return -EIO;
}

static void begin(void)
{
    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    EXPECT(tmpfs_init(&fs, test_now, test_load) == 0);
    handles_init(&table, test_now);
}

static void end(void)
{
    EXPECT(table.descriptions == 0 && table.pipes == 0);
    tmpfs_destroy(&fs);
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
}

static uint8_t byte_at(uint64_t index)
{
    return (uint8_t)(index * 2654435761u >> 13);
}

/* Bytes go through a pipe in order, whatever the parts, and pages are there only for them. */
static void run_bytes(unsigned fail_percent)
{
    uint64_t written = 0, taken = 0;
    uint8_t part[PARTS_MAX];

    begin();
    struct pipe *pipe = pipe_new(1, 0);
    EXPECT(pipe);
    fs_test_memory.fail_percent = fail_percent;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        size_t bytes = 1 + random_below(random_chance(50) ? 20 : PARTS_MAX);
        fs_test_memory.failed = false;
        if (random_chance(50 + (test_step >> 10) % 3 * 5)) {
            if (bytes > pipe_room(pipe))
                bytes = pipe_room(pipe);
            for (size_t i = 0; i < bytes; i++)
                part[i] = byte_at(written + i);
            const int error = pipe_append(pipe, part, bytes);
            EXPECT(error == (fs_test_memory.failed ? -ENOSPC : 0));
            written += error == 0 ? bytes : 0;
        } else {
            const size_t got = pipe_peek(pipe, part, bytes);
            EXPECT(got == (bytes < written - taken ? bytes : written - taken));
            for (size_t i = 0; i < got; i++)
                EXPECT(part[i] == byte_at(taken + i));
            pipe_drop(pipe, got);
            taken += got;
        }
        EXPECT(pipe_used(pipe) == written - taken && pipe_check(pipe));
    }
    pipe_free(pipe);
    end();
}

static void test_bytes(void)
{
    run_bytes(0);
}

static void test_bytes_failing(void)
{
    run_bytes(20);
}

static void test_ends(void)
{
    struct description *reader, *writer;

    begin();
    EXPECT(description_pipe(&table, DESCRIPTION_NONBLOCK, &reader, &writer) == 0);
    EXPECT(reader->pipe == writer->pipe && reader->pipe->readers == 1 && reader->pipe->writers == 1);
    EXPECT(reader->flags == (DESCRIPTION_READ | DESCRIPTION_NONBLOCK));
    EXPECT(!table.pipes_changed);
    description_put(&table, writer);
    EXPECT(table.pipes_changed && reader->pipe->writers == 0 && table.pipes == 1);
    description_put(&table, reader);
    for (uint64_t fail_at = 0; fail_at < 3; fail_at++) {
        fs_test_memory.fail_at = fs_test_memory.calls + fail_at;
        EXPECT(description_pipe(&table, 0, &reader, &writer) == -ENFILE);
        EXPECT(table.pipes == 0 && table.descriptions == 0);
    }
    end();
}

/* A random step on a random handle of a program. */
static void step_handles(struct client *client)
{
    const uint64_t number = random_below(HANDLE_COUNT), other = random_below(HANDLE_COUNT);
    struct description *description = client->handles[number].description, *writer;
    struct inode *inode;

    if (description && random_chance(50)) {
        handle_close(&table, client, number);
    } else if (description && number != other) {
        description->references++;
        if (client->handles[other].description)
            handle_close(&table, client, other);
        handle_set(client, other, description, random_chance(30));
    } else if (!description && random_chance(50)) {
        if (tree_open(&tree, random_chance(50) ? "/one" : "/two", OPEN_CREATE, 0644, &inode) < 0)
            return;
        description = description_new(&table, inode, DESCRIPTION_READ);
        if (description)
            handle_set(client, number, description, random_chance(30));
        else
            inode_put(inode);
    } else if (!description && number != other && !client->handles[other].description) {
        if (description_pipe(&table, 0, &description, &writer) == 0) {
            handle_set(client, number, description, false);
            handle_set(client, other, writer, false);
        }
    }
}

static void step_clients(struct client *clients[CLIENTS])
{
    const uint64_t index = random_below(CLIENTS), parent = random_below(CLIENTS);

    if (!clients[index]) {
        clients[index] = client_new(&table, test_step + 10);
        if (clients[index] && clients[parent] && parent != index)
            client_fork(clients[index], clients[parent]);
        else if (clients[index] && random_chance(50))
            (void)!client_open_console(&table, clients[index]);
    } else if (random_chance(50)) {
        client_close_executing(&table, clients[index]);
    } else {
        client_free(&table, clients[index]);
        clients[index] = NULL;
    }
}

static void test_handles(void)
{
    struct client *clients[CLIENTS] = {NULL};

    begin();
    fs_test_memory.fail_percent = 5;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const uint64_t index = random_below(CLIENTS);
        if (random_chance(2))
            step_clients(clients);
        else if (clients[index])
            step_handles(clients[index]);
        if (test_step % (CHECK_EVERY * 16) == 0)
            EXPECT(handles_check(&table, 0));
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i])
            client_free(&table, clients[i]);
    end();
}

static const struct test_row rows[] = {
    {"bytes", "bytes come out of a pipe in order", test_bytes},
    {"bytes_failing", "also if one page in five cannot be had", test_bytes_failing},
    {"ends", "a pipe knows who holds its ends", test_ends},
    {"handles", "references of descriptions are those of the handles", test_handles},
};

TEST_MAIN("pipe", rows)
