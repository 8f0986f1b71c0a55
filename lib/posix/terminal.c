/* SPDX-License-Identifier: MIT */
/*
 * Terminal settings over the console's two modes.
 */
#include "files.h"

#include <proto/console_client.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define CONTROL(character) ((character) - '@')

/* The console starts in cooked mode, and who leaves the terminal puts that back; so each program keeps its own copy. */
static struct termios terminal_settings = {
    .c_iflag = BRKINT | ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = CS8 | CREAD | CLOCAL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN,
    .c_cc = {[VINTR] = CONTROL('C'), [VERASE] = 127, [VKILL] = CONTROL('U'), [VEOF] = CONTROL('D'), [VMIN] = 1},
    .c_ispeed = B115200,
    .c_ospeed = B115200,
};

int tcgetattr(int file, struct termios *settings)
{
    if (!isatty(file))
        return (int)posix_result(-ENOTTY);
    *settings = terminal_settings;
    return 0;
}

static int set_mode(const struct termios *settings)
{
    return console_set_mode(SLOT_CONSOLE, settings->c_lflag & ICANON ? CONSOLE_MODE_COOKED : CONSOLE_MODE_RAW);
}

void terminal_mode_again(void)
{
    /* If this fails, so will what the caller tries next. */
    (void)!set_mode(&terminal_settings);
}

int tcsetattr(int file, int when, const struct termios *settings)
{
    if (!isatty(file))
        return (int)posix_result(-ENOTTY);
    if (when < TCSANOW || when > TCSAFLUSH)
        return (int)posix_result(-EINVAL);
    if (set_mode(settings) < 0)
        return (int)posix_result(-EIO);
    terminal_settings = *settings;
    return 0;
}

speed_t cfgetispeed(const struct termios *settings)
{
    return settings->c_ispeed;
}

speed_t cfgetospeed(const struct termios *settings)
{
    return settings->c_ospeed;
}

int cfsetispeed(struct termios *settings, speed_t speed)
{
    settings->c_ispeed = speed;
    return 0;
}

int cfsetospeed(struct termios *settings, speed_t speed)
{
    settings->c_ospeed = speed;
    return 0;
}

int ioctl(int file, unsigned long request, ...)
{
    uint64_t columns, rows;
    va_list rest;

    if (!isatty(file))
        return (int)posix_result(-ENOTTY);
    if (request != TIOCGWINSZ)
        return (int)posix_result(-ENOSYS);
    if (console_size(SLOT_CONSOLE, &columns, &rows) < 0)
        return (int)posix_result(-EIO);
    va_start(rest, request);
    *va_arg(rest, struct winsize *) =
        (struct winsize){.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    va_end(rest);
    return 0;
}

/* No process has a controlling terminal: the console is everybody's. */
static int no_controlling_terminal(int file)
{
    const int kind = file_kind(file);

    return (int)posix_result(kind < 0 ? kind : -ENOTTY);
}

pid_t tcgetpgrp(int file)
{
    return no_controlling_terminal(file);
}

int tcsetpgrp(int file, pid_t group)
{
    (void)group;
    return no_controlling_terminal(file);
}

pid_t tcgetsid(int file)
{
    return no_controlling_terminal(file);
}
