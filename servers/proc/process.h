/* SPDX-License-Identifier: MIT */
/*
 * The process table: who runs, who ended and was not asked about yet, and who is in which process group and session.
 * Plain data without system calls; root's spawn.c starts processes and end.c ends them. Only root's serving thread
 * touches it, so it has no lock.
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_COUNT    128u
#define PROCESS_NAME_MAX 32u

enum process_state {
    PROCESS_FREE = 0,
    PROCESS_RUNNING = 1,
    PROCESS_ENDED = 2, /* the address space is gone, the parent has not asked for the status */
};

/* What can be told of a child; the values are those of <signal.h>'s CLD_*. */
enum process_cause {
    CAUSE_NONE = 0,
    CAUSE_EXITED = 1,
    CAUSE_KILLED = 2,
    CAUSE_STOPPED = 5,
    CAUSE_CONTINUED = 6,
};

struct process {
    enum process_state state;
    uint64_t pid, parent;
    uint32_t children;        /* entries whose parent it is */
    uint64_t group, session;  /* numbers of process group and session: those of their first process */
    uint64_t started;         /* ns since the counter began */
    enum process_cause cause; /* what the parent has not asked about yet: if ended, how */
    int value;                /* the exit status, 0..255, or the signal */
    bool operator;     /* may end any program and power the machine off: shell, console, pager, quire.run's program */
    bool apart;        /* the programs that it starts begin sessions of their own */
    bool dma;          /* devices may be using its memory when it ends */
    bool executed;     /* it has become another program since it was forked */
    unsigned stopping; /* the signal that stops it, as long as it is not to go on; 0: none */
    bool stopped;      /* all its threads have stopped, and the parent was told */
    bool held; /* it goes on, but memsrv holds its threads until the handlers of what is pending are on their stacks */
    char name[PROCESS_NAME_MAX];
};

/*
 * Takes a free entry for a process with a new number, running, with the name cut to fit, in the group and session of its
 * parent: of its own if the parent is root, or keeps its children apart. NULL: the table is full. Root and memsrv have
 * entries from the start.
 */
MUST_CHECK struct process *process_new(const char *name, uint64_t parent);

/* Gives an entry another name, cut to fit. */
void process_rename(struct process *process, const char *name);

/* Makes an entry free again, which is nobody's parent. */
void process_free(struct process *process);

/* Gives an entry another parent, which has an entry. */
void process_adopt(struct process *parent, struct process *child);

/* The entry, running or ended, of a number; NULL if there is none. */
struct process *process_find(uint64_t pid);

/* The entry with the lowest number that is at least `pid`; NULL if there is none. Walks the table in order of numbers,
 * also while entries come and go. */
struct process *process_from(uint64_t pid);

/* True if `ancestor` started `process`, or started who started it, and so on. */
bool process_descends(const struct process *process, uint64_t ancestor);

/* What shells and the list of processes call the status of an ended process: the exit status, or 128 and the signal. */
static inline int process_status(const struct process *process)
{
    return process->cause == CAUSE_KILLED ? 128 + process->value : process->value;
}

/* setpgid() of `caller`. ESRCH, EACCES, EPERM: as POSIX has them; nothing has changed. */
MUST_CHECK int process_set_group(struct process *caller, uint64_t pid, uint64_t group);

/* setsid(). EPERM: the process leads a group. */
MUST_CHECK int process_new_session(struct process *process);

/* True if no member of a process group has a parent in another group of the same session: nobody would let it go on if the
 * terminal stopped it. */
bool process_group_is_orphaned(uint64_t group);

/* The entry at a place in the table, in use or not. */
struct process *process_at(uint64_t index);

/* The place of an entry in the table, below PROCESS_COUNT. */
uint64_t process_index(const struct process *process);

#endif
