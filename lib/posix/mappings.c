/* SPDX-License-Identifier: MIT */
/*
 * Memory mappings: requests to memsrv, which checks their arguments. Only what C has and the protocol has not is seen to
 * here.
 */
#include "files.h"
#include "internal.h"

#include <proto/fs_client.h>
#include <proto/memsrv_client.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>

_Static_assert(PROT_READ == MEMSRV_PROTECT_READ && PROT_WRITE == MEMSRV_PROTECT_WRITE &&
                   PROT_EXEC == MEMSRV_PROTECT_EXECUTE,
               "protections are passed on as they are");
_Static_assert(MREMAP_MAYMOVE == MEMSRV_REMAP_MAY_MOVE && MREMAP_FIXED == MEMSRV_REMAP_FIXED &&
                   MLOCK_ONFAULT == MEMSRV_LOCK_ON_FAULT && MCL_CURRENT == MEMSRV_LOCK_CURRENT &&
                   MCL_FUTURE == MEMSRV_LOCK_FUTURE && MCL_ONFAULT == MEMSRV_LOCK_ALL_ON_FAULT &&
                   MS_ASYNC == MEMSRV_SYNC_ASYNC && MS_INVALIDATE == MEMSRV_SYNC_INVALIDATE &&
                   MS_SYNC == MEMSRV_SYNC_WAIT,
               "flags are passed on as they are");
_Static_assert(MADV_RANDOM == MEMSRV_ADVICE_RANDOM && MADV_SEQUENTIAL == MEMSRV_ADVICE_SEQUENTIAL &&
                   MADV_WILLNEED == MEMSRV_ADVICE_WILL_NEED && MADV_DONTNEED == MEMSRV_ADVICE_DONT_NEED &&
                   MADV_FREE == MEMSRV_ADVICE_FREE && MADV_REMOVE == MEMSRV_ADVICE_REMOVE &&
                   MADV_DONTFORK == MEMSRV_ADVICE_DONT_FORK && MADV_DOFORK == MEMSRV_ADVICE_DO_FORK &&
                   MADV_HUGEPAGE == MEMSRV_ADVICE_HUGE && MADV_NOHUGEPAGE == MEMSRV_ADVICE_NO_HUGE &&
                   MADV_WIPEONFORK == MEMSRV_ADVICE_WIPE_ON_FORK && MADV_KEEPONFORK == MEMSRV_ADVICE_KEEP_ON_FORK &&
                   MADV_COLD == MEMSRV_ADVICE_COLD && MADV_PAGEOUT == MEMSRV_ADVICE_PAGE_OUT &&
                   MADV_POPULATE_READ == MEMSRV_ADVICE_POPULATE_READ &&
                   MADV_POPULATE_WRITE == MEMSRV_ADVICE_POPULATE_WRITE && MADV_COLLAPSE == MEMSRV_ADVICE_COLLAPSE,
               "advice is passed on as it is");

/* Flags that mean something, as memsrv has them, or nothing. */
#define HINTS (MAP_NONBLOCK | MAP_STACK)
static const struct {
    int flag;
    uint64_t request;
} map_flags[] = {
    {MAP_FIXED, MEMSRV_MAP_FIXED},          {MAP_GROWSDOWN, MEMSRV_MAP_GROWS_DOWN}, {MAP_LOCKED, MEMSRV_MAP_LOCKED},
    {MAP_NORESERVE, MEMSRV_MAP_NO_RESERVE}, {MAP_POPULATE, MEMSRV_MAP_POPULATE},
};

/* What a mapping of a file is to be, besides the file and the place in it. */
struct map_wish {
    uint64_t address, length, request;
    int protection;
};

/* How often a grant is asked for that other threads may take away. */
/* scripts/deps.sh builds newlib's malloc with these. */
_Static_assert(PROT_READ == 1 && PROT_WRITE == 2 && MAP_PRIVATE == 2 && MAP_ANONYMOUS == 0x20 && MREMAP_MAYMOVE == 1,
               "malloc's mappings are what it means");

#define GRANT_TRIES 100u

/* What mmap()'s flags are to memsrv, or a negative errno. */
static int64_t map_request(int flags)
{
    const int type = flags & MAP_TYPE;
    uint64_t request = type == MAP_PRIVATE ? MEMSRV_MAP_PRIVATE : MEMSRV_MAP_SHARED;
    int rest = flags & ~(MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | HINTS);

    if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    for (size_t i = 0; i < sizeof(map_flags) / sizeof(map_flags[0]) && rest; i++) {
        if (flags & map_flags[i].flag)
            request |= map_flags[i].request;
        rest &= ~map_flags[i].flag;
    }
    if (type == MAP_SHARED_VALIDATE && rest)
        return -EOPNOTSUPP;
    if (flags & MAP_FIXED_NOREPLACE)
        request = (request & ~MEMSRV_MAP_FIXED) | MEMSRV_MAP_FIXED_NOREPLACE;
    return (int64_t)request;
}

/* Maps a part of a file: the file server grants its content, memsrv maps it. */
static int map_file(const struct map_wish *wish, int file, off_t offset, uint64_t *mapped)
{
    const bool writes = (wish->request & MEMSRV_MAP_SHARED) && (wish->protection & PROT_WRITE);
    uint64_t object;
    int error;

    if (offset < 0 || offset % (off_t)PAGE_SIZE)
        return -EINVAL;
    for (unsigned tries = 0; tries < GRANT_TRIES; tries++) {
        error = file_map_object(file, writes ? wish->protection : wish->protection & ~PROT_WRITE, &object);
        if (error < 0)
            return error;
        error = memsrv_map_object(SLOT_MEMSRV, wish->address, wish->length, (uint64_t)(unsigned)wish->protection,
                                  wish->request, object, (uint64_t)offset, mapped);
        (void)!memsrv_object_memory_release(SLOT_MEMSRV, object);
        /* ENOENT: another thread, which maps the same file, released the grant that was meant for both. */
        if (error != -ENOENT)
            break;
    }
    return error == -ENOENT ? -EAGAIN : error;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    uint64_t mapped = 0;
    const int64_t request = map_request(flags);
    int error = request < 0 ? (int)request : 0;

    if (error == 0 && !(flags & MAP_ANONYMOUS))
        error = map_file(&(struct map_wish){(uint64_t)address, length, (uint64_t)request, protection}, file, offset,
                         &mapped);
    else if (error == 0)
        error = memsrv_map(SLOT_MEMSRV, (uint64_t)address, length, (uint64_t)(unsigned)protection, (uint64_t)request,
                           &mapped);
    if (error < 0) {
        errno = -error;
        return MAP_FAILED;
    }
    return (void *)mapped;
}

int munmap(void *address, size_t length)
{
    return (int)posix_result(memsrv_unmap(SLOT_MEMSRV, (uint64_t)address, length));
}

int mprotect(void *address, size_t length, int protection)
{
    return (int)posix_result(memsrv_protect(SLOT_MEMSRV, (uint64_t)address, length, (uint64_t)(unsigned)protection));
}

void *mremap(void *address, size_t old_length, size_t new_length, int flags, ...)
{
    uint64_t place = 0, mapped;
    va_list rest;

    if (flags & MREMAP_FIXED) {
        va_start(rest, flags);
        place = (uint64_t)va_arg(rest, void *);
        va_end(rest);
    }
    const int error =
        memsrv_remap(SLOT_MEMSRV, (uint64_t)address, old_length, new_length, (uint64_t)(unsigned)flags, place, &mapped);
    if (error < 0) {
        errno = -error;
        return MAP_FAILED;
    }
    return (void *)mapped;
}

int madvise(void *address, size_t length, int advice)
{
    return (int)posix_result(memsrv_advise(SLOT_MEMSRV, (uint64_t)address, length, (uint64_t)(unsigned)advice));
}

int posix_madvise(void *address, size_t length, int advice)
{
    if (advice < POSIX_MADV_NORMAL || advice > POSIX_MADV_DONTNEED)
        return EINVAL;
    /* POSIX lets no contents go; advice without effect checks the range all the same. */
    if (advice == POSIX_MADV_DONTNEED)
        advice = POSIX_MADV_WILLNEED;
    return -memsrv_advise(SLOT_MEMSRV, (uint64_t)address, length, (uint64_t)(unsigned)advice);
}

int mlock(const void *address, size_t length)
{
    return (int)posix_result(memsrv_lock(SLOT_MEMSRV, (uint64_t)address, length, 0));
}

int mlock2(const void *address, size_t length, unsigned flags)
{
    return (int)posix_result(memsrv_lock(SLOT_MEMSRV, (uint64_t)address, length, flags));
}

int munlock(const void *address, size_t length)
{
    return (int)posix_result(memsrv_unlock(SLOT_MEMSRV, (uint64_t)address, length));
}

int mlockall(int flags)
{
    return (int)posix_result(memsrv_lock_all(SLOT_MEMSRV, (uint64_t)(unsigned)flags));
}

int munlockall(void)
{
    return (int)posix_result(memsrv_unlock_all(SLOT_MEMSRV));
}

int mincore(void *address, size_t length, unsigned char *vector)
{
    uint64_t start = (uint64_t)address;
    size_t count;

    do {
        const int error = memsrv_residency(SLOT_MEMSRV, start, length, vector, PROTO_DATA_MAX, &count);
        if (error < 0)
            return (int)posix_result(error);
        const uint64_t bytes = (uint64_t)count * PAGE_SIZE;
        start += bytes;
        vector += count;
        length -= bytes < length ? bytes : length;
    } while (length && count);
    return 0;
}

int msync(void *address, size_t length, int flags)
{
    long error = memsrv_sync(SLOT_MEMSRV, (uint64_t)address, length, (uint64_t)(unsigned)flags);

    /* What files have given back is room for others when the file server has written that. */
    if (error == -ENOSPC && files_error(fs_sync(SLOT_FS, FS_SYNC_DESCRIPTIONS)) == 0)
        error = memsrv_sync(SLOT_MEMSRV, (uint64_t)address, length, (uint64_t)(unsigned)flags);
    /* The content is written. What is needed to find it, of whatever files that is, is the file server's. */
    if (error == 0 && (flags & MS_SYNC))
        error = files_error(fs_sync(SLOT_FS, FS_SYNC_DESCRIPTIONS));
    /* Without a file server there are no files that could be mapped. */
    return (int)posix_result(error == -ENOSYS ? 0 : error);
}
