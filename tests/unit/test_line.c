/* SPDX-License-Identifier: MIT */
/*
 * The console's line discipline: what is typed, what is shown, what readers get.
 */
#include "harness.h"

#include <line.h>
#include <stdlib.h>
#include <string.h>

struct screen {
    char text[8192];
    size_t bytes;
};

static struct screen screen;
static struct line line;

static void show(void *context, const char *text, size_t bytes)
{
    struct screen *on = context;
    if (bytes > sizeof(on->text) - on->bytes)
        on->bytes = 0;
    memcpy(on->text + on->bytes, text, bytes);
    on->bytes += bytes;
}

static void start(void)
{
    screen.bytes = 0;
    line_init(&line, show, &screen);
}

static void type(const char *text)
{
    for (; *text; text++)
        line_input(&line, (uint8_t)*text);
}

static bool reads(const char *wanted)
{
    char data[LINE_READY_COUNT];
    if (!line_readable(&line))
        return false;
    const size_t bytes = line_read(&line, data, sizeof(data));
    return bytes == strlen(wanted) && memcmp(data, wanted, bytes) == 0;
}

static bool shown(const char *wanted)
{
    return screen.bytes == strlen(wanted) && memcmp(screen.text, wanted, screen.bytes) == 0;
}

static void run_plain(void)
{
    start();
    type("one");
    EXPECT(!line_readable(&line));
    type("\rtwo\n");
    EXPECT(shown("one\r\ntwo\r\n"));
    EXPECT(reads("one\n"));
    EXPECT(reads("two\n"));
    EXPECT(!line_readable(&line));
}

static void run_edit(void)
{
    start();
    type("axx\b\177b\r");
    EXPECT(reads("ab\n"));
    EXPECT(shown("axx\b \b\b \bb\r\n"));
    type("\b\bone two \027three\r");
    EXPECT(reads("one three\n"));
    type("gone\025kept\r");
    EXPECT(reads("kept\n"));
    type("gone\003kept\r");
    EXPECT(reads("kept\n"));
    type("a\303\244\177b\r");
    EXPECT(reads("ab\n"));
    screen.bytes = 0;
    type("\033\177");
    EXPECT(shown("^[\b\b  \b\b"));
}

/* What was typed before it is gone, finished lines too, and whoever acts upon it is told. */
static void run_interrupt(void)
{
    start();
    type("one\rtwo");
    EXPECT(line_readable(&line) && !line.interrupted);
    type("\003");
    EXPECT(!line_readable(&line) && line.interrupted);
    type("kept\r");
    EXPECT(reads("kept\n"));
    line_set_raw(&line, true);
    EXPECT(!line.interrupted);
    type("\003");
    EXPECT(reads("\003"));
    EXPECT(!line.interrupted);
}

static void run_end_of_input(void)
{
    start();
    type("\004");
    EXPECT(reads(""));
    type("part\004");
    EXPECT(reads("part"));
    EXPECT(!line_readable(&line));
}

static void run_raw(void)
{
    start();
    type("typed ahead");
    line_set_raw(&line, true);
    EXPECT(reads("typed ahead"));
    screen.bytes = 0;
    type("\003\004\177\r");
    EXPECT(shown(""));
    EXPECT(reads("\003\004\177\r"));
    type("left\rrest");
    line_set_raw(&line, false);
    EXPECT(reads("left\n"));
    EXPECT(reads("rest"));
    type("\004\004x\r");
    line_set_raw(&line, true);
    EXPECT(reads("x\r"));
}

static void run_small_reads(void)
{
    char byte;
    start();
    type("abc\r");
    const uint32_t place = line_place(&line);
    EXPECT(line_read(&line, &byte, 1) == 1 && byte == 'a');
    line_unread(&line, place);
    EXPECT(line_read(&line, &byte, 1) == 1 && byte == 'a');
    EXPECT(reads("bc\n"));
}

static void run_too_long(void)
{
    start();
    for (unsigned index = 0; index < LINE_EDIT_BYTES; index++)
        type("x");
    screen.bytes = 0;
    type("y");
    EXPECT(shown("\a"));
    /* Three more lines of the length leave no room for a fifth. */
    for (unsigned lines = 0; lines < 3; lines++) {
        type("\r");
        for (unsigned index = 0; index < LINE_EDIT_BYTES; index++)
            type("x");
    }
    screen.bytes = 0;
    type("\r");
    EXPECT(shown("\a"));
    char data[2 * LINE_EDIT_BYTES];
    EXPECT(line_read(&line, data, sizeof(data)) == LINE_EDIT_BYTES + 1);
    type("\r");
    for (unsigned lines = 0; lines < 3; lines++)
        EXPECT(line_read(&line, data, sizeof(data)) == LINE_EDIT_BYTES + 1);
    EXPECT(!line_readable(&line));
}

/* Whatever is typed and read in whatever mode: what readers get of plain letters is what was typed, in order. */
static void run_random(void)
{
    uint8_t typed[256], got[256];
    uint8_t next_typed = 0, next_read = 0;

    start();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        const uint64_t action = random_below(10);
        if (action < 5 && (uint8_t)(next_typed - next_read) < 200) {
            typed[next_typed] = (uint8_t)('a' + random_below(26));
            line_input(&line, typed[next_typed++]);
        } else if (action == 5) {
            line_input(&line, '\r');
        } else if (action == 6) {
            line_set_raw(&line, random_chance(50));
        } else if (line_readable(&line)) {
            const size_t bytes = line_read(&line, got, 1 + random_below(sizeof(got) - 1));
            for (size_t index = 0; index < bytes; index++) {
                if (got[index] != '\r' && got[index] != '\n')
                    EXPECT(got[index] == typed[next_read++]);
            }
        }
    }
}

/* Any byte in any order, within the buffers under the eyes of the sanitizers. */
static void run_noise(void)
{
    char data[64];

    start();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        line_input(&line, (uint8_t)random_next());
        if (random_chance(1))
            line_set_raw(&line, random_chance(50));
        if (random_chance(5) && line_readable(&line))
            EXPECT(line_read(&line, data, sizeof(data)) <= sizeof(data));
        EXPECT(line.edited <= LINE_EDIT_BYTES && line.ready_end - line.ready_first <= LINE_READY_COUNT);
    }
}

static const struct test_row rows[] = {
    {"plain", "lines are echoed and delivered one by one", run_plain},
    {"edit", "characters, words and lines can be taken back", run_edit},
    {"interrupt", "^C discards what was typed", run_interrupt},
    {"end_of_input", "^D ends a line, or the input", run_end_of_input},
    {"raw", "raw readers get bytes, and a change of mode loses none", run_raw},
    {"small_reads", "a line can be read in parts, and a read undone", run_small_reads},
    {"too_long", "what has no room is refused with a bell and loses nothing else", run_too_long},
    {"random", "letters arrive in order, whatever the mode", run_random},
    {"noise", "no input breaks the buffers", run_noise},
};

TEST_MAIN("line", rows)
