/* SPDX-License-Identifier: MIT */
/* The benchmark on Linux: the partner is a child process at the other end of two pipes. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"

static int to_partner[2], from_partner[2];
static pid_t partner;

void port_null_syscall(void)
{
    syscall(SYS_getppid);
}

void *port_map(size_t length)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* A kernel without huge pages refuses; then there is nothing to forbid. */
    (void)!madvise(memory, length, MADV_NOHUGEPAGE);
    return memory;
}

static _Noreturn void serve(bool use_fp)
{
    char byte;
    close(to_partner[1]);
    while (read(to_partner[0], &byte, 1) == 1) {
        if (use_fp)
            port_use_fp();
        if (write(from_partner[1], &byte, 1) != 1)
            break;
    }
    _exit(0);
}

int port_partner_start(bool use_fp)
{
    if (pipe(to_partner) != 0 || pipe(from_partner) != 0)
        return -errno;
    partner = fork();
    if (partner < 0)
        return -errno;
    if (partner == 0)
        serve(use_fp);
    close(to_partner[0]);
    close(from_partner[1]);
    return 0;
}

int port_partner_call(void)
{
    char byte = 0;
    if (write(to_partner[1], &byte, 1) != 1 || read(from_partner[0], &byte, 1) != 1)
        return -EPIPE;
    return 0;
}

int port_partner_stop(void)
{
    close(to_partner[1]);
    close(from_partner[0]);
    return waitpid(partner, NULL, 0) == partner ? 0 : -errno;
}

/* --- Time that nobody uses ---------------------------------------------------------------------------------------- */

/* Ticks between two looks at the counter, above which somebody else ran. */
#define SPINNER_STEP 8U

static struct {
    pthread_t thread;
    uint64_t ticks;
    atomic_bool stop;
} spinner;

static void *spin(void *argument)
{
    for (uint64_t last = port_ticks(); !atomic_load_explicit(&spinner.stop, memory_order_relaxed);) {
        const uint64_t now = port_ticks();
        if (now - last < SPINNER_STEP)
            spinner.ticks += now - last;
        last = now;
    }
    return argument;
}

int port_read_overhead(struct port_overhead *overhead)
{
    (void)overhead;
    return -ENOTSUP;
}

/* One of the idle class runs when nobody else wants to. */
int port_spinner_start(void)
{
    const struct sched_param parameters = {0};

    spinner.ticks = 0;
    atomic_store(&spinner.stop, false);
    const int error = pthread_create(&spinner.thread, NULL, spin, NULL);
    return error ? -error : -pthread_setschedparam(spinner.thread, SCHED_IDLE, &parameters);
}

uint64_t port_spinner_stop(void)
{
    const uint64_t ticks = spinner.ticks;

    atomic_store(&spinner.stop, true);
    pthread_join(spinner.thread, NULL);
    return ticks;
}
