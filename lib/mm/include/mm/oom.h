/* SPDX-License-Identifier: MIT */
/*
 * Who is ended when memory is gone and reclaim cannot help: the process that uses most, as corrected by what its owner
 * said of it. Pure: a decision depends on the struct oom_record alone, which can be kept, printed, read back and decided
 * again.
 */
#ifndef MM_OOM_H
#define MM_OOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

#define OOM_ADJ_MIN   (-1000) /* never */
#define OOM_ADJ_MAX   1000
#define OOM_SCORE_MAX 2000u
#define OOM_TASKS_MAX 256u
#define OOM_NOBODY    UINT32_MAX

#define OOM_PROTECTED 0x01u /* root, memsrv, pager, the processes' server: never */
#define OOM_DYING     0x02u /* is ending, or was chosen before: its memory comes back soon */
#define OOM_ANSWERED  0x04u /* was chosen, and all that it had has come back: not a reason to wait */

struct oom_task {
    uint64_t pid;
    uint64_t resident; /* pages mapped, in swap, of translation tables */
    uint64_t swapped;
    uint64_t tables;
    int32_t adj; /* OOM_ADJ_MIN to OOM_ADJ_MAX, in thousandths of the memory */
    uint32_t flags;
    uint32_t group; /* memory group */
    uint32_t reserved;
};

/* All that a decision is made from. */
struct oom_record {
    uint64_t total_pages; /* memory and swap that could be used; of the group, if it is about one */
    uint64_t free_pages;  /* these three are for the reader alone */
    uint64_t file_pages;
    uint64_t swap_free;
    uint32_t group; /* only tasks of this one count; OOM_NOBODY: all */
    uint32_t count;
    struct oom_task tasks[OOM_TASKS_MAX];
};

/* Makes a record without tasks. */
void oom_record_init(struct oom_record *record, uint64_t total_pages);

/* Adds a task; adj is cut to its limits. If there are OOM_TASKS_MAX, it takes the place of the smallest. ENOSPC: it would be
 * the smallest, and is left out. */
MUST_CHECK int oom_record_add(struct oom_record *record, const struct oom_task *task);

/* True if the task can be chosen at all. */
bool oom_eligible(const struct oom_record *record, const struct oom_task *task);

/* What a task counts: its pages, corrected by adj; can be negative. INT64_MIN: it cannot be chosen. */
int64_t oom_points(const struct oom_record *record, const struct oom_task *task);

/* The same as a figure for people: 0 to OOM_SCORE_MAX, 1000 for all memory without correction. */
uint32_t oom_score(const struct oom_record *record, const struct oom_task *task);

enum oom_decision {
    OOM_KILL,   /* the task at *victim; with the other two that is OOM_NOBODY */
    OOM_WAIT,   /* a task that is ending will give memory back */
    OOM_NO_ONE, /* nobody can be chosen */
};

/* Decides. Of tasks that count the same the one with the highest process number is chosen, which is the youngest. */
enum oom_decision oom_decide(const struct oom_record *record, uint32_t *victim);

/* Bytes that oom_record_print() writes at most, with the zero at the end. */
#define OOM_LINE_MAX 160u

/*
 * Writes line `line` of a record as text, without a newline: line 0 is the memory, the others a task each. Returns its
 * length; 0: there is no such line. The buffer has OOM_LINE_MAX bytes.
 */
size_t oom_record_print(const struct oom_record *record, uint32_t line, char *buffer);

/* Reads a line that oom_record_print() wrote: the memory's line makes the record anew, a task's adds it. EINVAL: it is not
 * such a line; ENOSPC as oom_record_add(). */
MUST_CHECK int oom_record_parse(struct oom_record *record, const char *line);

/* 0, or EIO (negative) if counts or adjustments are out of bounds, or a process is in it twice. */
MUST_CHECK int oom_check(const struct oom_record *record);

#endif
