/* SPDX-License-Identifier: MIT */
/*
 * The kernel objects that root makes itself, out of frames that it took at boot and never gives back: endpoints,
 * notifications, and reply objects to park callers in.
 */
#ifndef ROOT_OBJECTS_H
#define ROOT_OBJECTS_H

#include <base/check.h>
#include <quire/abi.h>

/* Makes root's slot table long enough and creates all objects in their slots (slots.h). Fatal on any failure. */
void objects_create(const struct boot_info *info);

/* Creates an object of its own frame in a slot; see sys_object_create() for `extra`. Fatal on failure. Boot only. */
void object_create(enum cap_type type, uint64_t slot, uint64_t extra);

/* Destroys the object in a slot; who waits for it gets EPIPE, and every capability to it is gone. Fatal on failure. */
void object_destroy(uint64_t slot);

/* Adds `frames` frames of slots to the table in slot `table`. Fatal on failure. Boot only. */
void table_grow(uint64_t table, unsigned frames);

/* Copies a capability of root's table, which is there and may be copied, into an empty slot of a table. Returns 0 or
 * what sys_cap_copy() does. */
MUST_CHECK int capability_give(uint64_t table, uint64_t to, uint64_t from, uint64_t rights, uint64_t badge);

/* Empties a slot of root's own table, which may be empty already. */
void capability_drop(uint64_t slot);

/* Takes a reply object that is not in use and holds nobody. Returns its slot, or SLOT_NONE if all are in use. */
MUST_CHECK uint64_t reply_take(void);

/* Gives one back. It must hold nobody any more. */
void reply_give_back(uint64_t slot);

/* Destroys and creates again a reply object of reply_take() or that of a server; a caller that it holds gets EPIPE. */
void reply_renew(uint64_t slot);

#endif
