/* SPDX-License-Identifier: MIT */
/*
 * Waiting for several descriptors; the numbers of the first five events are the file server's.
 */
#ifndef QUIRE_POLL_H
#define QUIRE_POLL_H

#ifdef __cplusplus
extern "C" {
#endif

#define POLLIN     0x01
#define POLLOUT    0x02
#define POLLERR    0x04
#define POLLHUP    0x08
#define POLLNVAL   0x10
#define POLLPRI    0x20 /* never told */
#define POLLRDNORM POLLIN
#define POLLWRNORM POLLOUT
#define POLLRDBAND POLLPRI

typedef unsigned long nfds_t;

struct pollfd {
    int fd; /* negative: ignored */
    short events;
    short revents;
};

/* Waits until one of the descriptors is ready, at most so many milliseconds (negative: without end); returns how many
 * are. -1 with errno: EINVAL (more descriptors than a program can have), EIO. */
int poll(struct pollfd *files, nfds_t count, int milliseconds);

#ifdef __cplusplus
}
#endif

#endif
