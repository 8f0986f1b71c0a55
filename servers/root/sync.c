/* SPDX-License-Identifier: MIT */
/* Futexes and named semaphores: the operations of the protocol. */
#include "sync.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_dispatch.h>
#include <quire/syscall.h>

#include "objects.h"
#include "process.h"
#include "semaphores.h"
#include "slots.h"
#include "waits.h"

_Static_assert(SEMAPHORE_NAME_BYTES == ROOT_SEMAPHORE_NAME_BYTES && SEMAPHORE_VALUE_MAX == ROOT_SEMAPHORE_VALUE_MAX,
               "limits are the protocol's");
_Static_assert(SEMAPHORE_CREATE == ROOT_SEMAPHORE_CREATE && SEMAPHORE_EXCLUSIVE == ROOT_SEMAPHORE_EXCLUSIVE,
               "flags are the protocol's");

static struct wait_table waits;
static struct semaphore_table semaphores;
static uint64_t arrival_slot; /* empty; every entry of `waits` has one of its own */

void sync_open(void)
{
    for (uint64_t i = 0; i < WAITS_MAX; i++)
        waits.entries[i].slot = ROOT_SLOT_WAITS + i;
    arrival_slot = ROOT_SLOT_WAITS + WAITS_MAX;
}

uint64_t sync_arrival_slot(void)
{
    return arrival_slot;
}

static uint64_t caller_of(const struct message *request)
{
    return request->badge & ~BADGE_PRIVILEGED;
}

/* Only a capability that outlived its process can show one that is gone. */
static bool caller_runs(const struct message *request)
{
    const struct process *process = process_find(caller_of(request));
    return process && process->state == PROCESS_RUNNING;
}

/* The notification that has just arrived becomes the entry's, and the entry's empty slot the next arrival's. */
static void keep_arrival(struct wait *wait)
{
    const uint64_t empty = wait->slot;

    wait->slot = arrival_slot;
    arrival_slot = empty;
}

static void signal(const struct wait *wait)
{
    /* What a client gave may be no notification, or gone: then it has not asked to be woken. */
    (void)!sys_signal(wait->slot, 1);
}

static int add_wait(const struct message *request, uint64_t thread, uint64_t key)
{
    struct wait *wait;
    const int error = caller_runs(request) ? wait_add(&waits, caller_of(request), thread, key, &wait) : -ESRCH;

    if (error == 0)
        keep_arrival(wait);
    return error;
}

static void end_wait(struct wait *wait)
{
    capability_drop(wait->slot);
    wait_remove(&waits, wait);
}

/* --- Futexes ------------------------------------------------------------------------------------------------------ */

/* A word is named by where it is in memory, which is the same for all that share it. */
static int futex_key(const struct message *request, uint64_t address, uint64_t *key)
{
    uint64_t entry;

    if (address % sizeof(uint32_t) != 0)
        return -EINVAL;
    if (memsrv_space_entry(SLOT_MEMSRV, caller_of(request), address & PAGE_MASK, &entry) < 0)
        return -EFAULT;
    if (!(entry & ENTRY_READ) || (entry & ENTRY_SOFT))
        return -EFAULT;
    const uint64_t page = entry & ENTRY_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE;
    *key = (entry & ENTRY_ADDRESS & ~(page - 1)) | (address & (page - 1));
    return 0;
}

int root_handle_futex_wait(struct root_context *context, const struct message *request, uint64_t address,
                           uint64_t thread, uint64_t notification)
{
    uint64_t key;
    const int error = futex_key(request, address, &key);

    return error < 0 ? error : add_wait(request, thread, key);
}

int root_handle_futex_wake(struct root_context *context, const struct message *request, uint64_t address,
                           uint64_t limit, uint64_t *woken)
{
    const struct wait *wait;
    uint64_t key;
    const int error = futex_key(request, address, &key);

    if (error < 0)
        return error;
    while (*woken < limit && (wait = wait_grant(&waits, key)) != NULL) {
        signal(wait);
        ++*woken;
    }
    return 0;
}

int root_handle_wait_end(struct root_context *context, const struct message *request, uint64_t thread,
                         uint64_t *granted)
{
    struct wait *wait = wait_find(&waits, caller_of(request), thread);

    if (!wait)
        return -ENOENT;
    *granted = wait->granted;
    end_wait(wait);
    return 0;
}

/* --- Semaphores --------------------------------------------------------------------------------------------------- */

int root_handle_semaphore_open(struct root_context *context, const struct message *request, uint64_t flags,
                               uint64_t value, const void *name, size_t name_bytes, uint64_t *handle)
{
    if (!caller_runs(request))
        return -ESRCH;
    return semaphore_open(&semaphores, caller_of(request), flags, value, name, name_bytes, handle);
}

int root_handle_semaphore_close(struct root_context *context, const struct message *request, uint64_t handle)
{
    return semaphore_close(&semaphores, caller_of(request), handle);
}

int root_handle_semaphore_unlink(struct root_context *context, const struct message *request, const void *name,
                                 size_t name_bytes)
{
    return semaphore_unlink(&semaphores, name, name_bytes);
}

int root_handle_semaphore_post(struct root_context *context, const struct message *request, uint64_t handle)
{
    struct semaphore *semaphore = semaphore_find(&semaphores, caller_of(request), handle);
    struct wait *wait = NULL;
    const int error = semaphore ? semaphore_post(semaphore, &waits, &wait) : -EINVAL;

    if (wait)
        signal(wait);
    return error;
}

int root_handle_semaphore_try(struct root_context *context, const struct message *request, uint64_t handle)
{
    struct semaphore *semaphore = semaphore_find(&semaphores, caller_of(request), handle);

    return semaphore ? semaphore_take(semaphore) : -EINVAL;
}

int root_handle_semaphore_wait(struct root_context *context, const struct message *request, uint64_t handle,
                               uint64_t thread, uint64_t notification, uint64_t *granted)
{
    struct semaphore *semaphore = semaphore_find(&semaphores, caller_of(request), handle);

    if (!semaphore)
        return -EINVAL;
    if (semaphore_take(semaphore) == 0) {
        *granted = 1;
        proto_discard_caps(request);
        return 0;
    }
    return add_wait(request, thread, WAIT_KEY_SEMAPHORE | handle);
}

int root_handle_semaphore_value(struct root_context *context, const struct message *request, uint64_t handle,
                                uint64_t *value)
{
    const struct semaphore *semaphore = semaphore_find(&semaphores, caller_of(request), handle);

    if (!semaphore)
        return -EINVAL;
    *value = semaphore->value;
    return 0;
}

/* --- Processes ---------------------------------------------------------------------------------------------------- */

void sync_forget(uint64_t pid)
{
    struct wait *freed, *next;

    while (semaphore_wait_forget(&semaphores, &waits, pid, &freed, &next)) {
        capability_drop(freed->slot);
        if (next)
            signal(next);
    }
    semaphores_close_all(&semaphores, pid);
}

int sync_inherit(uint64_t parent, uint64_t child)
{
    return semaphores_inherit(&semaphores, parent, child);
}
