/* SPDX-License-Identifier: MIT */
/*
 * A program ends while its requests are underway: its memory is kept until the block server knows that no device uses
 * it. The program becomes another one, which looks on; a child that it had made before ends the block server, which
 * holds the requests, when it is told to.
 */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk_io.h"
#include "find_process.h"
#include "server_state.h"
#include "tap.h"

#define PATH        "/tests/disk_orphans"
#define PAGES       256u
#define REQUESTS    64u
#define WAIT_MS     250u /* in which nothing is to happen */
#define STEP_MS     20u
#define PATIENCE_MS 60000u
/* What may come and go besides. */
#define TOLERANCE 64u

static void sleep_ms(unsigned ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

static unsigned long user_pages(void)
{
    struct memsrv_memory memory;
    size_t count = 0;
    return memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count) == 0 && count == 1 ? memory.user : 0;
}

/* The child: it has none of the memory, for that is taken later. Its signal is blocked. */
static _Noreturn void end_server_later(const sigset_t *signals)
{
    int signal;
    (void)sigwait(signals, &signal);
    _exit(root_kill(SLOT_ROOT, find_process("blk")) == 0 ? 0 : 1);
}

/* Leaves requests behind that write all of the memory. */
static int leave(void)
{
    struct io io;
    struct pager_info figures;
    size_t count = 0;
    char before[24], helper[24];
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    const pid_t child = fork();
    if (child == 0)
        end_server_later(&signals);
    (void)snprintf(helper, sizeof(helper), "%d", (int)child);
    int error = child < 0 ? -EAGAIN : io_open(&io, "label=scratch", PAGES * PAGE_SIZE);
    /* The servers have started, for they have answered. */
    (void)!pager_info(SLOT_PAGER, &figures, 1, &count);
    (void)snprintf(before, sizeof(before), "%lu", user_pages() - PAGES);
    if (error == 0)
        error = blk_inject(SLOT_BLK, io.volume.id, BLK_FAULT_HOLD, 1UL << BLK_WRITE, 0, io.volume.sectors);
    for (unsigned i = 0; i < REQUESTS && error == 0; i++) {
        struct batch batch = {0};
        uint64_t accepted;
        const size_t pages = PAGES / REQUESTS;
        (void)batch_add(&batch, &io, i, BLK_WRITE, i * pages * BLK_PAGE_SECTORS, pages, i * pages);
        error = io_submit(&io, &batch, &accepted);
    }
    if (error == 0)
        (void)execl(PATH, PATH, before, helper, NULL);
    printf("Bail out! error %d\n", error);
    return EXIT_FAILURE;
}

static bool comes_back(unsigned long pages)
{
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        if (user_pages() <= pages)
            return true;
        sleep_ms(STEP_MS);
    }
    return false;
}

/* Whether a server starts in place of that one. */
static bool server_changes(uint64_t server)
{
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        const uint64_t now = find_process("blk");
        if (now != 0 && now != server)
            return true;
        sleep_ms(STEP_MS);
    }
    return false;
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 3)
        return leave();
    const unsigned long before = strtoul(arguments[1], NULL, 10);
    tap_plan(4);
    const uint64_t server = find_process("blk");
    sleep_ms(WAIT_MS);
    const unsigned long pages = user_pages();
    tap_ok(pages >= before + PAGES - TOLERANCE && find_process("blk") == server, "what devices may use is kept");
    tap_diag("%lu pages before, %lu while it is kept", before, pages);
    (void)kill((pid_t)strtol(arguments[2], NULL, 10), SIGUSR1);
    /* Root says that the server ended before it starts the next: nothing is printed while it may be at that. */
    const bool another = server_changes(server);
    tap_ok(comes_back(before + TOLERANCE), "the next server, which has reset them, lets it go");
    tap_ok(another, "not the one before");
    tap_ok(memsrv_is_sound(), "memsrv finds nothing wrong");
    tap_diag("%lu pages after", user_pages());
    return tap_done();
}
