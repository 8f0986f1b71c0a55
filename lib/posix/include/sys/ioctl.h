/* SPDX-License-Identifier: MIT */
/*
 * The one device control there is: the size of the terminal.
 */
#ifndef QUIRE_SYS_IOCTL_H
#define QUIRE_SYS_IOCTL_H

#ifdef __cplusplus
extern "C" {
#endif

#define TIOCGWINSZ 0x5413UL

struct winsize {
    unsigned short ws_row, ws_col;
    unsigned short ws_xpixel, ws_ypixel; /* 0 */
};

/* TIOCGWINSZ stores into a struct winsize. Returns -1 and sets errno: ENOTTY if `file` is not the terminal, ENOSYS for
 * other requests, EIO. */
int ioctl(int file, unsigned long request, ...);

#ifdef __cplusplus
}
#endif

#endif
