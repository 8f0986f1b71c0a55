/* SPDX-License-Identifier: MIT */
/*
 * Terminal settings, as POSIX names them; the numbers are Linux's. The console has two modes, chosen by ICANON:
 * edited and echoed lines, or single bytes. The other settings are kept and given back, and have no effect.
 */
#ifndef QUIRE_SYS_TERMIOS_H
#define QUIRE_SYS_TERMIOS_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned char cc_t;
typedef unsigned int speed_t;
typedef unsigned int tcflag_t;

#define NCCS   20
#define VINTR  0
#define VQUIT  1
#define VERASE 2
#define VKILL  3
#define VEOF   4
#define VTIME  5
#define VMIN   6
#define VSTART 8
#define VSTOP  9
#define VSUSP  10
#define VEOL   11

struct termios {
    tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
    cc_t c_cc[NCCS];
    speed_t c_ispeed, c_ospeed;
};

/* c_iflag */
#define IGNBRK 0x0001u
#define BRKINT 0x0002u
#define IGNPAR 0x0004u
#define PARMRK 0x0008u
#define INPCK  0x0010u
#define ISTRIP 0x0020u
#define INLCR  0x0040u
#define IGNCR  0x0080u
#define ICRNL  0x0100u
#define IXON   0x0400u
#define IXANY  0x0800u
#define IXOFF  0x1000u

/* c_oflag */
#define OPOST 0x0001u
#define ONLCR 0x0004u

/* c_cflag */
#define CSIZE  0x0030u
#define CS5    0x0000u
#define CS6    0x0010u
#define CS7    0x0020u
#define CS8    0x0030u
#define CSTOPB 0x0040u
#define CREAD  0x0080u
#define PARENB 0x0100u
#define PARODD 0x0200u
#define HUPCL  0x0400u
#define CLOCAL 0x0800u

/* c_lflag */
#define ISIG   0x0001u
#define ICANON 0x0002u
#define ECHO   0x0008u
#define ECHOE  0x0010u
#define ECHOK  0x0020u
#define ECHONL 0x0040u
#define NOFLSH 0x0080u
#define TOSTOP 0x0100u
#define IEXTEN 0x8000u

#define B0      0x0000u
#define B9600   0x000du
#define B115200 0x1002u

/* When tcsetattr() acts. All act at once, and none throws typed input away. */
#define TCSANOW   0
#define TCSADRAIN 1
#define TCSAFLUSH 2

#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2

/* Each returns -1 and sets errno on an error: ENOTTY if `file` is not the terminal, EINVAL, EIO. */
int tcgetattr(int file, struct termios *settings);
pid_t tcgetsid(int file);
int tcsetattr(int file, int when, const struct termios *settings);
speed_t cfgetispeed(const struct termios *settings);
speed_t cfgetospeed(const struct termios *settings);
int cfsetispeed(struct termios *settings, speed_t speed);
int cfsetospeed(struct termios *settings, speed_t speed);

#ifdef __cplusplus
}
#endif

#endif
