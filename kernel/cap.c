/* SPDX-License-Identifier: MIT */
/* Capabilities: see cap.h. */
#include <errno.h>

#include "cap.h"

struct object *cap_find(const struct cap_table *table, uint64_t slot, enum cap_type type, uint32_t rights, long *error)
{
    const struct cap *cap = cap_slot(table, slot);
    if (!cap || cap_type(cap) != type) {
        *error = -EBADF;
        return NULL;
    }
    if ((cap_rights(cap) & rights) != rights) {
        *error = -EPERM;
        return NULL;
    }
    return cap_object(cap);
}

void cap_set(struct cap *cap, struct object *object, uint32_t rights, uint64_t badge)
{
    cap->word = ((uint64_t)(uintptr_t)object & 0xffffffffffffUL) | (uint64_t)object->type << 48 |
                (uint64_t)(rights & RIGHT_ALL) << 56;
    cap->badge = badge;
    cap->next = object->caps;
    cap->link = &object->caps;
    if (cap->next)
        cap->next->link = &cap->next;
    object->caps = cap;
}

void cap_clear(struct cap *cap)
{
    if (!cap->word)
        return;
    *cap->link = cap->next;
    if (cap->next)
        cap->next->link = cap->link;
    *cap = (struct cap){0};
}

long cap_copy(struct cap *to, const struct cap *from, uint32_t rights, uint64_t badge)
{
    if (!from->word)
        return -EBADF;
    if (to->word)
        return -EEXIST;
    if (!(cap_rights(from) & RIGHT_COPY) || (from->badge && badge && from->badge != badge))
        return -EPERM;
    cap_set(to, cap_object(from), cap_rights(from) & rights, from->badge ? from->badge : badge);
    return 0;
}

bool cap_revoke(struct object *object, unsigned limit)
{
    while (object->caps && limit) {
        cap_clear(object->caps);
        limit--;
    }
    return !object->caps;
}

long cap_table_grow(struct cap_table *table, struct cap *slots)
{
    if (table->frames == CAP_TABLE_FRAMES_MAX)
        return -ENOSPC;
    table->directory[table->frames++] = slots;
    return 0;
}

struct cap *cap_table_shrink(struct cap_table *table)
{
    if (table->frames == 0)
        return NULL;
    struct cap *slots = table->directory[--table->frames];
    for (unsigned i = 0; i < SLOTS_PER_FRAME; i++)
        cap_clear(&slots[i]);
    table->directory[table->frames] = NULL;
    return slots;
}

long cap_table_check(const struct cap_table *table, uint32_t index)
{
    if (index >= table->frames)
        return 0;
    const struct cap *slots = table->directory[index];
    for (unsigned i = 0; i < SLOTS_PER_FRAME; i++) {
        const struct cap *cap = &slots[i];
        if (!cap->word)
            continue;
        if (*cap->link != cap || (cap->next && cap->next->link != &cap->next))
            return -EINVAL;
        if (cap_object(cap)->type != (uint32_t)cap_type(cap))
            return -EINVAL;
    }
    return 0;
}
