/* SPDX-License-Identifier: MIT */
/*
 * The heap's end: requests to memsrv.
 */
#include "internal.h"

#include <proto/memsrv_client.h>
#include <stdlib.h>
#include <sys/lock.h>
#include <unistd.h>

void *_sbrk(ptrdiff_t increment);
int brk(void *address);

extern struct __lock __lock___malloc_recursive_mutex;

/* Moves the heap's end from `old` to `new`; memsrv answers with the end that holds. */
static int heap_end_move(uint64_t new)
{
    uint64_t end;
    const int error = memsrv_brk(SLOT_MEMSRV, new, &end);
    if (error < 0)
        return error;
    return end == new ? 0 : -ENOMEM;
}

void *_sbrk(ptrdiff_t increment)
{
    uint64_t old = 0, new;
    int error;

    /* The lock makes reading and moving one step, and lets this be called by malloc, which holds it. */
    __retarget_lock_acquire_recursive(&__lock___malloc_recursive_mutex);
    error = memsrv_brk(SLOT_MEMSRV, 0, &old);
    if (error == 0 && increment != 0) {
        if (increment > 0 ? __builtin_add_overflow(old, (uint64_t)increment, &new)
                          : __builtin_sub_overflow(old, -(uint64_t)increment, &new))
            error = -ENOMEM;
        else
            error = heap_end_move(new);
    }
    __retarget_lock_release_recursive(&__lock___malloc_recursive_mutex);
    if (error < 0) {
        errno = -error == EINVAL ? ENOMEM : -error;
        return (void *)-1;
    }
    return (void *)old;
}

int brk(void *address)
{
    return (int)posix_result(heap_end_move((uint64_t)address));
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    extern void *memalign(size_t, size_t);

    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *block = memalign(alignment, bytes);
    if (!block)
        return ENOMEM;
    *memory = block;
    return 0;
}
