/* SPDX-License-Identifier: MIT */
/* What the system itself takes of the machine's memory. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define PROCESSES_MAX 64U

/* Whose memory is looked at: what is free, or what a part of the system has. */
enum whose { FREE, KERNEL, MEMORY_SERVER, PAGER };

static int look(enum whose whose, uint64_t *bytes)
{
    struct port_overhead overhead;

    if (whose == FREE) {
        const long pages = sysconf(_SC_AVPHYS_PAGES);
        *bytes = (uint64_t)pages * PAGE_BYTES;
        return pages < 0 ? -errno : 0;
    }
    const int error = port_read_overhead(&overhead);
    *bytes = whose == KERNEL ? overhead.kernel : whose == PAGER ? overhead.pager : overhead.memory_server;
    return error;
}

/* In KiB, `count` times: rows are divided by that. */
static int kibibytes_of(enum whose whose, uint64_t count, uint64_t *kibibytes)
{
    uint64_t bytes = 0;
    const int error = look(whose, &bytes);

    *kibibytes = count * (bytes / 1024);
    return error;
}

int free_memory(uint64_t count, uint64_t *kibibytes)
{
    return kibibytes_of(FREE, count, kibibytes);
}

int kernel_memory(uint64_t count, uint64_t *kibibytes)
{
    return kibibytes_of(KERNEL, count, kibibytes);
}

int memsrv_memory(uint64_t count, uint64_t *kibibytes)
{
    return kibibytes_of(MEMORY_SERVER, count, kibibytes);
}

int pager_memory(uint64_t count, uint64_t *kibibytes)
{
    return kibibytes_of(PAGER, count, kibibytes);
}

/* Children that do nothing: each tells that it is there, so that no start is still under way. */
static int start(pid_t *child, const int *pipe_ends)
{
    char byte = 0;

    *child = fork();
    if (*child < 0)
        return -errno;
    if (*child == 0) {
        (void)!write(pipe_ends[1], &byte, 1);
        for (;;)
            pause();
    }
    return read(pipe_ends[0], &byte, 1) == 1 ? 0 : -EIO;
}

/* What is looked at changes by so many bytes when `count` processes come. */
static int with_processes(enum whose whose, uint64_t count, uint64_t *bytes)
{
    pid_t children[PROCESSES_MAX];
    uint64_t before = 0, after = 0;
    int pipe_ends[2], error = 0;
    unsigned started = 0;

    if (count > PROCESSES_MAX || pipe(pipe_ends) != 0)
        return -EINVAL;
    error = look(whose, &before);
    while (started < count && error == 0) {
        error = start(&children[started], pipe_ends);
        started += error == 0;
    }
    if (error == 0)
        error = look(whose, &after);
    *bytes = whose == FREE ? before - after : after > before ? after - before : 0;
    for (unsigned i = 0; i < started; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return error;
}

int process_memory(uint64_t count, uint64_t *bytes)
{
    return with_processes(FREE, count, bytes);
}

int process_kernel_memory(uint64_t count, uint64_t *bytes)
{
    return with_processes(KERNEL, count, bytes);
}

int process_memsrv_memory(uint64_t count, uint64_t *bytes)
{
    return with_processes(MEMORY_SERVER, count, bytes);
}

int process_pager_memory(uint64_t count, uint64_t *bytes)
{
    return with_processes(PAGER, count, bytes);
}
