/* SPDX-License-Identifier: MIT */
/* Children, their news, and who waits for them. */
#include "wait.h"

bool wait_concerns(const struct wait_request *wait, const struct process *child)
{
    if (child->parent != wait->caller)
        return false;
    if (wait->target > 0)
        return child->pid == (uint64_t)wait->target;
    return wait->target == -1 || child->group == -(uint64_t)wait->target;
}

bool wait_is_answered(const struct wait_request *wait, const struct process *child)
{
    switch (child->cause) {
    case CAUSE_EXITED:
    case CAUSE_KILLED:
        return !(wait->options & WAIT_NO_ENDS);
    case CAUSE_STOPPED:
        return wait->options & WAIT_STOPPED;
    case CAUSE_CONTINUED:
        return wait->options & WAIT_CONTINUED;
    default:
        return false;
    }
}

struct process *wait_find_child(const struct wait_request *wait)
{
    struct process *answering = NULL, *other = NULL;

    if (wait->target > 0) {
        struct process *child = process_find((uint64_t)wait->target);
        return child && wait_concerns(wait, child) ? child : NULL;
    }
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        struct process *child = process_at(i);
        if (child->state == PROCESS_FREE || !wait_concerns(wait, child))
            continue;
        /* The oldest child's news come first. */
        if (wait_is_answered(wait, child) && (!answering || child->pid < answering->pid))
            answering = child;
        other = child;
    }
    return answering ? answering : other;
}

bool wait_has_child(const struct wait_request *wait)
{
    return wait_find_child(wait) != NULL;
}

void wait_take_news(const struct wait_request *wait, struct process *child)
{
    if (wait->options & WAIT_KEEP)
        return;
    if (child->state == PROCESS_ENDED)
        process_free(child);
    else
        child->cause = CAUSE_NONE;
}
