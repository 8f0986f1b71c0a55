/* SPDX-License-Identifier: MIT */
/* What the system itself takes of the machine's memory. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rows.h"

#define PROCESSES_MAX 64U

int free_memory(uint64_t count, uint64_t *kibibytes)
{
    const long pages = sysconf(_SC_AVPHYS_PAGES);

    *kibibytes = count * (uint64_t)pages * (PAGE_BYTES / 1024);
    return pages < 0 ? -errno : 0;
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

int process_memory(uint64_t count, uint64_t *bytes)
{
    pid_t children[PROCESSES_MAX];
    int pipe_ends[2], error = 0;
    unsigned started = 0;

    if (count > PROCESSES_MAX || pipe(pipe_ends) != 0)
        return -EINVAL;
    const long before = sysconf(_SC_AVPHYS_PAGES);
    while (started < count && error == 0) {
        error = start(&children[started], pipe_ends);
        started += error == 0;
    }
    *bytes = (uint64_t)(before - sysconf(_SC_AVPHYS_PAGES)) * PAGE_BYTES;
    for (unsigned i = 0; i < started; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return error;
}
