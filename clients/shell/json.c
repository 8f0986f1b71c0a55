/* SPDX-License-Identifier: MIT */
/* Writing JSON: see json.h. */
#include "json.h"

#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 16

/* What is open, and whether something is in it already. */
static struct {
    int depth;
    char closing[DEPTH_MAX];
    bool started[DEPTH_MAX];
} json;

static FILE *json_file;

static FILE *json_stream(void)
{
    return json_file ? json_file : stdout;
}

void json_to(FILE *file)
{
    json_file = file;
}

static void print_text(const char *text, size_t size)
{
    putc('"', json_stream());
    for (size_t i = 0; i < size && text[i]; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\')
            fprintf(json_stream(), "\\%c", byte);
        else if (byte < ' ' || byte > '~')
            fprintf(json_stream(), "\\u%04x", byte);
        else
            putc(byte, json_stream());
    }
    putc('"', json_stream());
}

/* What comes before a value. */
static void json_begin(const char *name)
{
    if (json.depth > 0) {
        if (json.started[json.depth - 1])
            fprintf(json_stream(), ", ");
        json.started[json.depth - 1] = true;
    }
    if (name) {
        print_text(name, strlen(name));
        fprintf(json_stream(), ": ");
    }
}

void json_open(const char *name, char bracket)
{
    json_begin(name);
    putc(bracket, json_stream());
    if (json.depth == DEPTH_MAX)
        return;
    json.started[json.depth] = false;
    json.closing[json.depth++] = bracket == '{' ? '}' : ']';
}

void json_close(void)
{
    if (json.depth > 0)
        putc(json.closing[--json.depth], json_stream());
    if (json.depth == 0)
        putc('\n', json_stream());
}

void json_number(const char *name, uint64_t value)
{
    json_begin(name);
    fprintf(json_stream(), "%lu", (unsigned long)value);
}

void json_signed(const char *name, int64_t value)
{
    json_begin(name);
    fprintf(json_stream(), "%ld", (long)value);
}

void json_fraction(const char *name, uint64_t whole, uint64_t thousandths)
{
    json_begin(name);
    fprintf(json_stream(), "%lu.%03lu", (unsigned long)whole, (unsigned long)thousandths);
}

void json_text(const char *name, const char *text, size_t size)
{
    json_begin(name);
    print_text(text, size);
}
