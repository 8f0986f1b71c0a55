/* SPDX-License-Identifier: MIT */
/*
 * Intrusive, circular, doubly linked lists. A `struct list` is either a list's head or a link inside an element; the
 * list owns nothing. No call takes a lock: whoever owns the list says which lock guards it. No call can fail.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include <base/check.h>

struct list {
    struct list *next;
    struct list *previous;
};

/* The element of type `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Visits the links of `head` in order. The visited link must stay in the list until the body is done. */
#define LIST_FOR_EACH(link, head) for (struct list *link = (head)->next; link != (head); link = link->next)

/* The same, but the body may remove (and free) the visited link. */
#define LIST_FOR_EACH_SAFE(link, head)                                                                                 \
    for (struct list *link = (head)->next, *link##_next = link->next; link != (head);                                  \
         link = link##_next, link##_next = link->next)

/* Makes `head` an empty list, or `head` a link that is in no list. */
static inline void list_init(struct list *head)
{
    head->next = head;
    head->previous = head;
}

/* True if `head` has no element; for a link that was initialised or removed: true if it is in no list. */
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Puts `link`, which is in no list, right after `position` (a link or a head). */
static inline void list_insert_after(struct list *position, struct list *link)
{
    struct list *next = position->next;
    ASSERT(next); /* a head that nobody initialised */
    link->next = next;
    link->previous = position;
    next->previous = link;
    position->next = link;
}

/* Puts `link`, which is in no list, first in the list `head`. */
static inline void list_push_front(struct list *head, struct list *link)
{
    list_insert_after(head, link);
}

/* Puts `link`, which is in no list, last in the list `head`. */
static inline void list_push_back(struct list *head, struct list *link)
{
    list_insert_after(head->previous, link);
}

/* Takes `link` out of its list; it is then in no list. Harmless for a link that is in none. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* The first link of `head`, or NULL if the list is empty. */
static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

/* The last link of `head`, or NULL if the list is empty. */
static inline struct list *list_last(const struct list *head)
{
    return list_empty(head) ? NULL : head->previous;
}

/* Takes the first link out of `head` and returns it; NULL if the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *first = list_first(head);
    if (first)
        list_remove(first);
    return first;
}

#endif
