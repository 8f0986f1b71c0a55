/* SPDX-License-Identifier: MIT */
/* Figures, JSON and screens that refresh: see output.h. */
#include "output.h"
#include "command.h"

#include <errno.h>
#include <proto/statistics.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#define INTERVAL_MAX 3600UL

bool output_json;

void print_statistics(const struct statistic *figures, size_t count, int column)
{
    if (output_json)
        json_open(NULL, '{');
    for (size_t i = 0; i < count; i++) {
        const struct statistic *figure = &figures[i];
        if (output_json)
            json_number(figure->name, figure->value);
        else if (figure->unit == STATISTIC_KIB)
            printf("%s:%*lu kB\n", figure->name, column - (int)strlen(figure->name), (unsigned long)figure->value);
        else
            printf("%-*s %lu\n", column, figure->name, (unsigned long)figure->value);
    }
    if (output_json)
        json_close();
}

/* --- Screens that refresh ----------------------------------------------------------------------------------------- */

static struct termios settings_before;
static bool settings_changed;

static void on_alarm(int signal)
{
    (void)signal;
}

void refresh_begin(void)
{
    struct termios settings;
    const struct sigaction action = {.sa_handler = on_alarm};

    fflush(stdout);
    (void)sigaction(SIGALRM, &action, NULL); /* and no SA_RESTART: reading ends */
    settings_changed = tcgetattr(STDIN_FILENO, &settings_before) == 0;
    if (!settings_changed)
        return;
    settings = settings_before;
    settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

void refresh_end(void)
{
    if (settings_changed)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &settings_before);
}

bool refresh_wait(unsigned seconds)
{
    /* It repeats, so that a signal that comes before the reading has begun is no loss. */
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}, .it_interval = {.tv_usec = 50000}}, none = {0};
    char key;

    fflush(stdout);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
    const ssize_t got = read(STDIN_FILENO, &key, 1);
    const int error = errno;
    (void)setitimer(ITIMER_REAL, &none, NULL);
    return got < 0 && error == EINTR;
}

int refresh_parse(int count, char **arguments, int index, struct refresh *refresh)
{
    *refresh = (struct refresh){.count = 1};
    if (count <= index)
        return 0;
    refresh->count = 0;
    if (parse_number(arguments[index], &refresh->interval) < 0 || refresh->interval == 0 ||
        refresh->interval > INTERVAL_MAX)
        return -EINVAL;
    return count > index + 1 ? parse_number(arguments[index + 1], &refresh->count) : 0;
}

int refresh_run(const struct refresh *refresh, int (*show)(void *), void *context)
{
    int error = show(context);

    if (error < 0 || refresh->count == 1)
        return error;
    refresh_begin();
    for (unsigned long shown = 1; error == 0 && (refresh->count == 0 || shown < refresh->count); shown++) {
        if (!refresh_wait((unsigned)refresh->interval))
            break;
        error = show(context);
    }
    refresh_end();
    return error;
}
