/* SPDX-License-Identifier: MIT */
/* root's pure parts: the command line, a program's first stack page, the frames taken before memsrv runs. */
#include "harness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "frames.h"
#include "log.h"
#include "stack.h"

static jmp_buf fatal_return;

void fatal(const char *format, ...)
{
    (void)format;
    longjmp(fatal_return, 1);
}

static void expect_run(const char *line, const char *words, long bytes)
{
    char block[64];

    EXPECT(arguments_run(line, block, sizeof(block)) == bytes);
    EXPECT(bytes <= 0 || memcmp(block, words, (size_t)bytes) == 0);
}

static void run_words(void)
{
    expect_run("", "", 0);
    expect_run("quiet console=ttyAMA0", "", 0);
    expect_run("quire.run=", "", 0);
    expect_run("quire.run=   ", "", 0);
    expect_run("xquire.run=no", "", 0);
    expect_run("quire.run=/tests/ipc", "/tests/ipc", 11);
    expect_run("quiet quire.run=a b  c ", "a\0b\0c", 6);
    expect_run("quire.run=a -x quire.exit=semihosting", "a\0-x", 5);
    expect_run("quire.exit=semihosting quire.run=a x.quire.y", "a\0x.quire.y", 12);
    expect_run("a=xquire.run=b quire.run=c", "c", 2);
}

static void run_limit(void)
{
    char block[4];

    EXPECT(arguments_run("quire.run=abc", block, sizeof(block)) == 4);
    EXPECT(arguments_run("quire.run=abcd", block, sizeof(block)) == -E2BIG);
    EXPECT(arguments_run("quire.run=a b c", block, sizeof(block)) == -E2BIG);
}

static void run_escapes(void)
{
    char block[4];

    expect_run("quire.run=a%20b%25 %2d", "a b%\0-", 7);
    expect_run("quire.run=a %- b", "a\0\0b", 5);
    expect_run("quire.run=a%-b%7F%fF", "ab\177\377", 5);
    expect_run("quire.run=a %71uire.run=b", "a\0quire.run=b", 14);
    expect_run("quire.run=a %0A%22%27%5c", "a\0\n\"'\\", 7);
    static const char *const wrong[] = {"%", "%2", "%%", "%00", "%g0", "%0g", "a%", "%2 0", "% 20", "%%20", "%x41"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[32] = "quire.run=";
        expect_run(strcat(line, wrong[i]), "", -EINVAL);
    }
    EXPECT(arguments_run("quire.run=%61%62%63", block, sizeof(block)) == 4);
    EXPECT(arguments_run("quire.run=%61%62%63%64", block, sizeof(block)) == -E2BIG);
    EXPECT(arguments_run("quire.run=abc %-", block, sizeof(block)) == -E2BIG);
    EXPECT(arguments_run("quire.run=ab %-", block, sizeof(block)) == 4);
}

/* Every byte but zero comes through, escaped and, where that is possible, unescaped. */
static void run_every_byte(void)
{
    char block[8];

    for (unsigned byte = 1; byte < 256; byte++) {
        char line[32];
        snprintf(line, sizeof(line), "quire.run=x%%%02x quire.y", byte);
        EXPECT(arguments_run(line, block, sizeof(block)) == 3);
        EXPECT((unsigned char)block[1] == byte);
        if (byte == ' ' || byte == '%')
            continue;
        snprintf(line, sizeof(line), "quire.run=x%c", (int)byte);
        EXPECT(arguments_run(line, block, sizeof(block)) == 3);
        EXPECT((unsigned char)block[1] == byte);
    }
}

/* The host address of an address in the page; fails the row if it is outside. */
static const void *in_page(const struct stack_image *page, uint64_t address)
{
    EXPECT(address >= page->end - STACK_IMAGE_BYTES && address < page->end);
    return (const char *)page->words + (address - (page->end - STACK_IMAGE_BYTES));
}

static void expect_stack(const struct stack_image *page, const char *strings, uint64_t count)
{
    const uint64_t *words = in_page(page, page->pointer);

    EXPECT(page->pointer % 16 == 0);
    EXPECT(*words++ == count);
    for (uint64_t i = 0; i < count; i++) {
        EXPECT(strcmp(in_page(page, *words++), strings) == 0);
        strings += strlen(strings) + 1;
    }
    EXPECT(*words++ == 0);
    while (*words)
        EXPECT(strchr(in_page(page, *words++), '='));
    EXPECT(words[1] == 8 && words[2] == 0 && words[3] == 0 && words[4] == 0);
}

static void stack_layout(void)
{
    static struct stack_image page = {.end = STACK_TOP};
    static const char two[] = "program\0argument";

    EXPECT(stack_build_arguments(&page, two, sizeof(two)) == 0);
    expect_stack(&page, two, 2);
    EXPECT(stack_build_arguments(&page, "a\0", 3) == 0);
    expect_stack(&page, "a\0", 2);
    for (uint64_t moved = 16; moved < 3 * PAGE_SIZE; moved += 16) {
        page.end = STACK_TOP - moved;
        EXPECT(stack_build_arguments(&page, two, sizeof(two)) == 0);
        expect_stack(&page, two, 2);
    }
}

/* The largest image that is accepted, and an environment of its own. */
static void stack_limits(void)
{
    static struct stack_image page = {.end = STACK_TOP};
    char *strings = stack_strings(&page, STRING_BYTES_MAX);

    memset(strings, 'a', STRING_BYTES_MAX);
    for (size_t i = 0; i < STRINGS_MAX; i++)
        strings[2 * i + 1] = i % 2 ? '\0' : '=';
    strings[STRING_BYTES_MAX - 1] = '\0';
    EXPECT(stack_build(&page, STRING_BYTES_MAX, 1, STRINGS_MAX / 2, 0) == 0);
    EXPECT(page.start < 16 + STRINGS_MAX * 8 && page.words[page.start / 8] == 1);
    EXPECT(stack_build(&page, STRING_BYTES_MAX, 2, STRINGS_MAX / 2, 0) == -EINVAL);
    EXPECT(stack_build(&page, STRING_BYTES_MAX, 1, STRINGS_MAX, 0) == -E2BIG);
    EXPECT(stack_build(&page, STRING_BYTES_MAX, SIZE_MAX, 2, 0) == -E2BIG);
    EXPECT(stack_build(&page, STRING_BYTES_MAX + 1, 1, 0, 0) == -E2BIG);
    strings = stack_strings(&page, 2 * STRINGS_MAX);
    for (size_t i = 0; i < STRINGS_MAX; i++)
        memcpy(strings + 2 * i, "b", 2);
    EXPECT(stack_build(&page, 2 * STRINGS_MAX, 0, STRINGS_MAX, 0) == -EINVAL);
    EXPECT(stack_build(&page, 2 * STRINGS_MAX, STRINGS_MAX, 0, 0) == 0);
    EXPECT(page.words[page.start / 8] == STRINGS_MAX && page.pointer % 16 == 0);
}

static void stack_refusals(void)
{
    static struct stack_image page = {.end = STACK_TOP};
    static char many[ARGUMENT_BYTES_MAX + 1];

    EXPECT(stack_build_arguments(&page, "", 0) == -EINVAL);
    EXPECT(stack_build_arguments(&page, "", 1) == -EINVAL);
    EXPECT(stack_build_arguments(&page, "ab", 2) == -EINVAL);
    for (size_t i = 0; i + 1 < sizeof(many); i += 2)
        many[i] = 'a';
    EXPECT(stack_build_arguments(&page, many, 2 * ARGUMENT_COUNT_MAX) == 0);
    expect_stack(&page, many, ARGUMENT_COUNT_MAX);
    EXPECT(stack_build_arguments(&page, many, 2 * ARGUMENT_COUNT_MAX + 2) == -E2BIG);
    memset(many, 'a', sizeof(many) - 2);
    many[sizeof(many) - 2] = '\0';
    EXPECT(stack_build_arguments(&page, many, sizeof(many) - 1) == 0);
    expect_stack(&page, many, 1);
    many[sizeof(many) - 2] = 'a';
    many[sizeof(many) - 1] = '\0';
    EXPECT(stack_build_arguments(&page, many, sizeof(many)) == -E2BIG);
}

static void frames_from_the_top(void)
{
    static struct boot_info info = {
        .region_count = 4,
        .regions = {{0x1000, 0x2000, BOOT_REGION_FREE},
                    {0x3000, 0x1000, BOOT_REGION_KERNEL},
                    {0x4000, 0x1000, BOOT_REGION_FREE},
                    {0x5000, 0x9000, BOOT_REGION_ARCHIVE}},
    };
    struct frame_range ranges[2];

    frames_open(&info);
    EXPECT(frame_take() == 0x4);
    EXPECT(frame_take() == 0x2);
    EXPECT(frame_take() == 0x1);
    if (setjmp(fatal_return) == 0) {
        (void)!frame_take();
        EXPECT(false);
    }
    EXPECT(frames_close(ranges, 1) == -ENOSPC);
    EXPECT(frames_close(ranges, 2) == 2);
    EXPECT(ranges[0].base == 0x1000 && ranges[0].size == 0x2000);
    EXPECT(ranges[1].base == 0x4000 && ranges[1].size == 0x1000);
}

static const struct test_row rows[] = {
    {"run_words", "quire.run names a program and its arguments", run_words},
    {"run_escapes", "escapes stand for any byte and for none, and a wrong one is refused", run_escapes},
    {"run_every_byte", "every byte comes through", run_every_byte},
    {"run_limit", "a command that does not fit is refused", run_limit},
    {"stack_layout", "the first stack page is laid out as programs expect it", stack_layout},
    {"stack_limits", "the largest arguments and environments are laid out, larger ones are not", stack_limits},
    {"stack_refusals", "arguments at the limit fit, malformed or longer ones are refused", stack_refusals},
    {"frames_from_the_top", "frames come from free regions alone, once each, and the ranges name them",
     frames_from_the_top},
};

TEST_MAIN("root", rows)
