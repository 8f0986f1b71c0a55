/* SPDX-License-Identifier: MIT */
/*
 * Waiting for several descriptors: the file server signals the thread's notification when it is worth asking again. Where
 * it cannot, it is asked again and again, more and more seldom. The terminal always counts as ready.
 */
#include "files.h"
#include "signals.h"
#include "thread_record.h"

#include <limits.h>
#include <poll.h>
#include <proto/fs_client.h>
#include <quire/clock.h>
#include <sys/select.h>

#define PAUSE_NS     100000UL
#define PAUSE_NS_MAX 5000000UL
#define NS_PER_MS    1000000UL
#define NS_PER_US    1000UL
#define ASKED_MAX    (PROTO_DATA_MAX / sizeof(struct fs_readiness))

_Static_assert(POLLIN == FS_READY_IN && POLLOUT == FS_READY_OUT && POLLERR == FS_READY_ERROR &&
                   POLLHUP == FS_READY_HANGUP && POLLNVAL == FS_READY_INVALID,
               "events are the file server's");

/* Asks about descriptors [first, end) of the array, as many as fit in a message; returns where it stopped. */
static long ask(struct pollfd *files, nfds_t first, nfds_t end, int *ready)
{
    struct fs_readiness asked[ASKED_MAX], told[ASKED_MAX];
    nfds_t places[ASKED_MAX];
    size_t count = 0, answers = 0;

    for (; first < end && count < ASKED_MAX; first++) {
        struct pollfd *file = &files[first];
        const int kind = file->fd < 0 ? FILE_CLOSED : file_kind(file->fd);
        file->revents = 0;
        if (kind < 0)
            file->revents = POLLNVAL;
        else if (is_console(kind))
            file->revents = (short)(file->events & (POLLIN | POLLOUT));
        else if (kind != FILE_CLOSED) {
            places[count] = first;
            asked[count++] = (struct fs_readiness){.number = (uint64_t)file->fd, .events = (uint64_t)file->events};
        }
        *ready += file->revents != 0;
    }
    const int error = count ? fs_poll(SLOT_FS, asked, count, told, ASKED_MAX, &answers) : 0;
    if (error < 0)
        return files_error(error);
    /* Answers come in the order of the questions. */
    for (size_t i = 0, j = 0; i < count && j < answers; i++) {
        if (told[j].number != asked[i].number)
            continue;
        files[places[i]].revents = (short)told[j++].events;
        *ready += 1;
    }
    return (long)first;
}

/* Asks about all of the array; how many there is something to be told of. */
static int ask_all(struct pollfd *files, nfds_t count)
{
    int ready = 0;

    for (nfds_t next = 0; next < count;) {
        const long reached = ask(files, next, count, &ready);
        if (reached < 0)
            return (int)reached;
        next = (nfds_t)reached;
    }
    return ready;
}

/* Has the thread told when one of the descriptors is ready. False: that cannot be. *ready: one is already. */
static bool watch(const struct pollfd *files, nfds_t count, bool *ready)
{
    struct fs_readiness asked[FS_WATCH_HANDLES];
    uint64_t now = 0;
    size_t used = 0;

    for (nfds_t i = 0; i < count; i++) {
        if (files[i].fd < 0)
            continue;
        if (used == FS_WATCH_HANDLES)
            return false;
        asked[used++] = (struct fs_readiness){.number = (uint64_t)files[i].fd, .events = (uint64_t)files[i].events};
    }
    const uint64_t parking = used ? thread_parking(thread_self()) : SLOT_NONE;
    if (parking == SLOT_NONE || fs_watch(SLOT_FS, thread_number_of_caller(), asked, used, parking, &now) < 0)
        return used == 0; /* of nothing there is nothing to be told */
    *ready = now != 0;
    return true;
}

/* Waits until it is worth asking again. The next pause, if it was one. */
static uint64_t wait_to_ask(const struct pollfd *files, nfds_t count, uint64_t deadline, uint64_t pause)
{
    const uint64_t now = clock_now_ns();
    bool ready = false;
    uint64_t bits;

    if (!watch(files, count, &ready)) {
        clock_sleep_until(deadline - now < pause ? deadline : now + pause);
        return pause < PAUSE_NS_MAX ? 2 * pause : pause;
    }
    if (!ready)
        (void)!sys_wait(thread_parking(thread_self()), deadline, &bits);
    return pause;
}

static int poll_until(struct pollfd *files, nfds_t count, uint64_t deadline)
{
    const uint64_t handled = signals_handled();
    uint64_t pause = PAUSE_NS;
    bool waited = false;
    int ready;

    for (;;) {
        ready = ask_all(files, count);
        if (ready == 0 && signals_handled() != handled)
            ready = -EINTR;
        if (ready != 0 || clock_now_ns() >= deadline)
            break;
        pause = wait_to_ask(files, count, deadline, pause);
        waited = true;
    }
    if (waited)
        (void)!fs_watch_end(SLOT_FS, thread_number_of_caller());
    return ready;
}

static uint64_t deadline_after(uint64_t ns)
{
    uint64_t deadline;
    return __builtin_add_overflow(clock_now_ns(), ns, &deadline) ? DEADLINE_NEVER : deadline;
}

int poll(struct pollfd *files, nfds_t count, int milliseconds)
{
    if (count > FS_HANDLES)
        return (int)posix_result(-EINVAL);
    const uint64_t deadline = milliseconds < 0 ? DEADLINE_NEVER : deadline_after((uint64_t)milliseconds * NS_PER_MS);
    return (int)posix_result(poll_until(files, count, deadline));
}

/* What select() asks of descriptor `file`, in poll()'s terms. */
static short asked_of(int file, const fd_set *read, const fd_set *write, const fd_set *except)
{
    return (short)((read && FD_ISSET(file, read) ? POLLIN : 0) | (write && FD_ISSET(file, write) ? POLLOUT : 0) |
                   (except && FD_ISSET(file, except) ? POLLPRI : 0));
}

/* Leaves `file` in a set if it was there and one of `events` is told; returns whether it is. */
static int keep(int file, fd_set *set, short told, short events)
{
    if (!set || !FD_ISSET(file, set))
        return 0;
    if (told & events)
        return 1;
    FD_CLR(file, set);
    return 0;
}

static int select_until(int count, fd_set *read, fd_set *write, fd_set *except, uint64_t deadline)
{
    struct pollfd files[FD_SETSIZE];
    nfds_t asked = 0;
    int kept = 0;

    for (int file = 0; file < count; file++) {
        const short events = asked_of(file, read, write, except);
        if (events)
            files[asked++] = (struct pollfd){.fd = file, .events = events};
    }
    const int ready = poll_until(files, asked, deadline);
    if (ready < 0)
        return ready;
    for (nfds_t i = 0; i < asked; i++)
        if (files[i].revents & POLLNVAL)
            return -EBADF;
    for (nfds_t i = 0; i < asked; i++) {
        kept += keep(files[i].fd, read, files[i].revents, POLLIN | POLLHUP | POLLERR);
        kept += keep(files[i].fd, write, files[i].revents, POLLOUT | POLLERR);
        kept += keep(files[i].fd, except, files[i].revents, POLLPRI);
    }
    return kept;
}

int select(int count, fd_set *read, fd_set *write, fd_set *except, struct timeval *timeout)
{
    uint64_t deadline = DEADLINE_NEVER;

    if (count < 0 || count > FD_SETSIZE)
        return (int)posix_result(-EINVAL);
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_usec < 0 || timeout->tv_usec >= 1000000)
            return (int)posix_result(-EINVAL);
        deadline = deadline_after((uint64_t)timeout->tv_sec * NS_PER_SECOND + (uint64_t)timeout->tv_usec * NS_PER_US);
    }
    return (int)posix_result(select_until(count, read, write, except, deadline));
}
