/* SPDX-License-Identifier: MIT */
/*
 * How the shell cuts a line into arguments.
 */
#include "harness.h"

#include <errno.h>
#include <split.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *line;
    int result;
    const char *arguments[4];
} cases[] = {
    {"", 0, {0}},
    {" \t ", 0, {0}},
    {"one", 1, {"one"}},
    {"  one\ttwo  ", 2, {"one", "two"}},
    {"'a b' \"c d\"", 2, {"a b", "c d"}},
    {"a'b c'd", 1, {"ab cd"}},
    {"'' \"\"", 2, {"", ""}},
    {"\"a\\\"b\\\\c\\d\"", 1, {"a\"b\\c\\d"}},
    {"a\\ b \\'c", 2, {"a b", "'c"}},
    {"'\\'", 1, {"\\"}},
    {"one # two", 1, {"one"}},
    {"one#two", 1, {"one#two"}},
    {"'open", -EINVAL, {0}},
    {"\"open\\\"", -EINVAL, {0}},
    {"end\\", -EINVAL, {0}},
    {"bell\a", -EILSEQ, {0}},
    {"delete\177", -EILSEQ, {0}},
};

static void run_cases(void)
{
    for (test_step = 0; test_step < sizeof(cases) / sizeof(cases[0]); test_step++) {
        char *arguments[SPLIT_ARGUMENTS_MAX + 1];
        char *line = strdup(cases[test_step].line);
        const int result = split_line(line, arguments);
        EXPECT(result == cases[test_step].result);
        for (int index = 0; index < result; index++)
            EXPECT(strcmp(arguments[index], cases[test_step].arguments[index]) == 0);
        EXPECT(result < 0 || arguments[result] == NULL);
        free(line);
    }
}

static void run_many(void)
{
    char *arguments[SPLIT_ARGUMENTS_MAX + 1];
    char line[2 * SPLIT_ARGUMENTS_MAX + 3] = "";

    for (int index = 0; index < SPLIT_ARGUMENTS_MAX; index++)
        strcat(line, "x ");
    EXPECT(split_line(line, arguments) == SPLIT_ARGUMENTS_MAX);
    memset(line, 0, sizeof(line));
    for (int index = 0; index <= SPLIT_ARGUMENTS_MAX; index++)
        strcat(line, "x ");
    EXPECT(split_line(line, arguments) == -E2BIG);
}

static void run_random(void)
{
    static const char alphabet[] = "ab '\"\\#\t\a";

    for (test_step = 0; test_step < test_steps(); test_step++) {
        char *arguments[SPLIT_ARGUMENTS_MAX + 1];
        const size_t length = random_below(200);
        char *line = malloc(length + 1);
        for (size_t index = 0; index < length; index++)
            line[index] = alphabet[random_below(sizeof(alphabet) - (random_chance(90) ? 2 : 1))];
        line[length] = 0;
        const int result = split_line(line, arguments);
        EXPECT(result <= SPLIT_ARGUMENTS_MAX);
        for (int index = 0; index < result; index++)
            EXPECT(arguments[index] >= line && arguments[index] + strlen(arguments[index]) <= line + length);
        free(line);
    }
}

static const struct test_row rows[] = {
    {"cases", "blanks, quotes, backslashes and comments mean what the header says", run_cases},
    {"many", "too many arguments are an error", run_many},
    {"random", "arguments lie within the line, whatever it is", run_random},
};

TEST_MAIN("split", rows)
