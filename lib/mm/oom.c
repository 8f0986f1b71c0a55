/* SPDX-License-Identifier: MIT */
/* The choice of whom to end, and its record as text. */
#include <errno.h>

#include <mm/oom.h>

void oom_record_init(struct oom_record *record, uint64_t total_pages)
{
    *record = (struct oom_record){.total_pages = total_pages, .group = OOM_NOBODY};
}

static uint64_t pages_of(const struct oom_task *task)
{
    return task->resident + task->swapped + task->tables;
}

static int32_t limited(int32_t adj)
{
    if (adj < OOM_ADJ_MIN)
        return OOM_ADJ_MIN;
    return adj > OOM_ADJ_MAX ? OOM_ADJ_MAX : adj;
}

int oom_record_add(struct oom_record *record, const struct oom_task *task)
{
    uint32_t place = record->count;
    if (place == OOM_TASKS_MAX) {
        place = 0;
        for (uint32_t i = 1; i < OOM_TASKS_MAX; i++) {
            if (pages_of(&record->tasks[i]) < pages_of(&record->tasks[place]))
                place = i;
        }
        if (pages_of(&record->tasks[place]) >= pages_of(task))
            return -ENOSPC;
    } else {
        record->count++;
    }
    record->tasks[place] = *task;
    record->tasks[place].adj = limited(task->adj);
    return 0;
}

bool oom_eligible(const struct oom_record *record, const struct oom_task *task)
{
    if ((task->flags & OOM_PROTECTED) || task->adj == OOM_ADJ_MIN)
        return false;
    return record->group == OOM_NOBODY || record->group == task->group;
}

int64_t oom_points(const struct oom_record *record, const struct oom_task *task)
{
    if (!oom_eligible(record, task))
        return INT64_MIN;
    return (int64_t)pages_of(task) + (int64_t)(record->total_pages / 1000) * task->adj;
}

uint32_t oom_score(const struct oom_record *record, const struct oom_task *task)
{
    int64_t total = record->total_pages ? (int64_t)record->total_pages : 1;
    if (!oom_eligible(record, task))
        return 0;
    int64_t score = (int64_t)pages_of(task) * 1000 / total + task->adj;
    if (score < 0)
        return 0;
    return score > (int64_t)OOM_SCORE_MAX ? OOM_SCORE_MAX : (uint32_t)score;
}

enum oom_decision oom_decide(const struct oom_record *record, uint32_t *victim)
{
    int64_t best = INT64_MIN;
    uint32_t chosen = OOM_NOBODY;
    *victim = OOM_NOBODY;
    for (uint32_t i = 0; i < record->count; i++) {
        const struct oom_task *task = &record->tasks[i];
        int64_t points = oom_points(record, task);
        if (points == INT64_MIN || (task->flags & OOM_ANSWERED))
            continue;
        if (task->flags & OOM_DYING)
            return OOM_WAIT;
        if (pages_of(task) == 0)
            continue; /* ending it would give nothing back */
        if (points > best || (points == best && task->pid > record->tasks[chosen].pid)) {
            best = points;
            chosen = i;
        }
    }
    *victim = chosen;
    return chosen == OOM_NOBODY ? OOM_NO_ONE : OOM_KILL;
}

int oom_check(const struct oom_record *record)
{
    if (record->count > OOM_TASKS_MAX)
        return -EIO;
    for (uint32_t i = 0; i < record->count; i++) {
        if (record->tasks[i].adj != limited(record->tasks[i].adj))
            return -EIO;
        for (uint32_t j = 0; j < i; j++) {
            if (record->tasks[i].pid == record->tasks[j].pid)
                return -EIO;
        }
    }
    return 0;
}

/* --- As text ------------------------------------------------------------------------------------------------------ */

#define MEMORY_WORD "oom-memory"
#define TASK_WORD   "oom-task"
#define FIELDS_MAX  7u

static char *put_word(char *at, const char *word)
{
    while (*word)
        *at++ = *word++;
    return at;
}

static char *put_number(char *at, int64_t value)
{
    char digits[20];
    unsigned count = 0;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    *at++ = ' ';
    if (value < 0)
        *at++ = '-';
    do {
        digits[count++] = (char)('0' + rest % 10);
    } while ((rest /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static size_t print(char *buffer, const char *word, const int64_t *values, unsigned count)
{
    char *at = put_word(buffer, word);
    for (unsigned i = 0; i < count; i++)
        at = put_number(at, values[i]);
    *at = '\0';
    return (size_t)(at - buffer);
}

size_t oom_record_print(const struct oom_record *record, uint32_t line, char *buffer)
{
    if (line == 0) {
        const int64_t values[] = {(int64_t)record->total_pages, (int64_t)record->free_pages,
                                  (int64_t)record->file_pages, (int64_t)record->swap_free,
                                  record->group == OOM_NOBODY ? -1 : (int64_t)record->group};
        return print(buffer, MEMORY_WORD, values, 5);
    }
    if (line > record->count)
        return 0;
    const struct oom_task *task = &record->tasks[line - 1];
    const int64_t values[] = {
        (int64_t)task->pid, (int64_t)task->resident, (int64_t)task->swapped, (int64_t)task->tables,
        task->adj,          (int64_t)task->flags,    (int64_t)task->group};
    return print(buffer, TASK_WORD, values, 7);
}

/* The text behind `word`, if `line` begins with it; NULL if not. */
static const char *behind(const char *line, const char *word)
{
    while (*word && *line == *word)
        line++, word++;
    return *word == '\0' && *line == ' ' ? line : NULL;
}

/* Reads one number behind a space; NULL: there is none. */
static const char *get_number(const char *at, int64_t *value)
{
    bool negative = at[0] == ' ' && at[1] == '-';
    uint64_t sum = 0;
    if (*at++ != ' ')
        return NULL;
    at += negative;
    if (*at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (sum > (uint64_t)(INT64_MAX - 9) / 10)
            return NULL;
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    *value = negative ? -(int64_t)sum : (int64_t)sum;
    return at;
}

/* Reads exactly `count` numbers; false: it is something else. */
static bool get_numbers(const char *at, int64_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        at = get_number(at, &values[i]);
        if (!at)
            return false;
    }
    return *at == '\0';
}

int oom_record_parse(struct oom_record *record, const char *line)
{
    int64_t v[FIELDS_MAX];
    const char *at = behind(line, MEMORY_WORD);
    if (at && get_numbers(at, v, 5) && v[4] >= -1 && v[4] < UINT32_MAX) {
        oom_record_init(record, (uint64_t)v[0]);
        record->free_pages = (uint64_t)v[1];
        record->file_pages = (uint64_t)v[2];
        record->swap_free = (uint64_t)v[3];
        record->group = v[4] < 0 ? OOM_NOBODY : (uint32_t)v[4];
        return 0;
    }
    at = behind(line, TASK_WORD);
    if (!at || !get_numbers(at, v, 7) || v[4] != limited((int32_t)v[4]) || v[5] < 0 || v[5] > UINT32_MAX || v[6] < 0 ||
        v[6] >= UINT32_MAX)
        return -EINVAL;
    const struct oom_task task = {.pid = (uint64_t)v[0],
                                  .resident = (uint64_t)v[1],
                                  .swapped = (uint64_t)v[2],
                                  .tables = (uint64_t)v[3],
                                  .adj = (int32_t)v[4],
                                  .flags = (uint32_t)v[5],
                                  .group = (uint32_t)v[6]};
    return oom_record_add(record, &task);
}
