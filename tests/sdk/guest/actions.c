/* SPDX-License-Identifier: MIT */
/*
 * What the tests of ./quire exec have programs do; the first argument says which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVERY_BYTE 256

static int *volatile nowhere = (int *)8;
static volatile int done;

static int act_status(char **arguments)
{
    return atoi(arguments[0]);
}

static int act_abort(char **arguments)
{
    (void)arguments;
    abort();
}

static int act_segv(char **arguments)
{
    (void)arguments;
    *nowhere = 1;
    return 0;
}

/* Both streams in turns, the last piece without a newline. */
static int act_streams(char **arguments)
{
    (void)arguments;
    for (int round = 0; round < 3; round++) {
        printf("out %d\n", round);
        fflush(stdout);
        fprintf(stderr, "err %d\n", round);
    }
    printf("end of out");
    fprintf(stderr, "end of err");
    return 0;
}

static int act_bytes(char **arguments)
{
    const int file = atoi(arguments[0]);
    unsigned char bytes[EVERY_BYTE];

    for (int i = 0; i < EVERY_BYTE; i++)
        bytes[i] = (unsigned char)i;
    return write(file, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) ? 0 : 1;
}

/* Every argument with the zero that ends it, so that whatever is in it can be told apart. */
static int act_arguments(char **arguments)
{
    for (; *arguments; arguments++)
        fwrite(*arguments, 1, strlen(*arguments) + 1, stdout);
    return 0;
}

/* Copies standard input, and reads on after its end, which must be an end again. */
static int act_cat(char **arguments)
{
    char bytes[777];
    ssize_t got;

    (void)arguments;
    while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    return got == 0 && read(STDIN_FILENO, bytes, sizeof(bytes)) == 0 ? 0 : 1;
}

static int act_terminals(char **arguments)
{
    (void)arguments;
    printf("%d %d %d\n", isatty(0), isatty(1), isatty(2));
    return 0;
}

static int act_forever(char **arguments)
{
    (void)arguments;
    printf("for ever\n");
    fflush(stdout);
    while (!done)
        continue;
    return 0;
}

static const struct action {
    const char *name;
    int (*act)(char **arguments);
} actions[] = {
    {"status", act_status},       {"abort", act_abort},         {"segv", act_segv},
    {"streams", act_streams},     {"bytes", act_bytes},         {"cat", act_cat},
    {"arguments", act_arguments}, {"terminals", act_terminals}, {"forever", act_forever},
};

int main(int argument_count, char **arguments)
{
    for (size_t i = 0; argument_count > 1 && i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(arguments[1], actions[i].name) == 0)
            return actions[i].act(arguments + 2);
    return 99;
}
