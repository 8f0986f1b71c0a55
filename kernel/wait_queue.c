/* SPDX-License-Identifier: MIT */
/*
 * Waiting threads by priority, then in order of arrival. The first thread of each priority is also in a list of
 * levels, so an insertion passes over levels, not over threads: at most PRIORITY_COUNT steps.
 */
#include "thread.h"

static void insert_before(struct wait_queue *queue, struct thread *thread, struct thread *next, struct thread *previous)
{
    thread->links.next = next;
    thread->links.previous = previous;
    if (next)
        next->links.previous = thread;
    else
        queue->tail = thread;
    if (previous)
        previous->links.next = thread;
    else
        queue->head = thread;
}

static void set_level(struct thread *thread, struct thread *next, struct thread *previous)
{
    thread->links.level_next = next;
    thread->links.level_previous = previous;
    if (next)
        next->links.level_previous = thread;
    if (previous)
        previous->links.level_next = thread;
}

void wait_queue_insert(struct wait_queue *queue, struct thread *thread)
{
    struct thread *above = NULL;
    struct thread *level = queue->head;

    while (level && level->effective >= thread->effective) {
        above = level;
        level = level->links.level_next;
    }
    /* `level` starts the first lower priority; `above` starts the last one that is not lower. */
    insert_before(queue, thread, level, level ? level->links.previous : queue->tail);
    if (above && above->effective == thread->effective) {
        thread->links.level_next = thread->links.level_previous = NULL;
        return;
    }
    set_level(thread, level, above);
}

void wait_queue_remove(struct wait_queue *queue, struct thread *thread)
{
    struct wait_links *links = &thread->links;
    bool first = !links->previous || links->previous->effective != thread->effective;

    if (links->next)
        links->next->links.previous = links->previous;
    else
        queue->tail = links->previous;
    if (links->previous)
        links->previous->links.next = links->next;
    else
        queue->head = links->next;

    if (first) {
        struct thread *heir = links->next;
        if (heir && heir->effective == thread->effective) {
            set_level(heir, links->level_next, links->level_previous);
        } else {
            if (links->level_next)
                links->level_next->links.level_previous = links->level_previous;
            if (links->level_previous)
                links->level_previous->links.level_next = links->level_next;
        }
    }
    *links = (struct wait_links){0};
}

bool wait_queue_check(const struct wait_queue *queue)
{
    const struct thread *previous = NULL;
    const struct thread *level = NULL;
    for (const struct thread *thread = queue->head; thread; thread = thread->links.next) {
        if (thread->links.previous != previous || (previous && previous->effective < thread->effective))
            return false;
        if (!previous || previous->effective != thread->effective) {
            if (thread->links.level_previous != level || (level && level->links.level_next != thread))
                return false;
            level = thread;
        } else if (thread->links.level_next || thread->links.level_previous) {
            return false;
        }
        previous = thread;
    }
    return queue->tail == previous && (!level || !level->links.level_next);
}
