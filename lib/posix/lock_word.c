/* SPDX-License-Identifier: MIT */
/*
 * The slow half of the lock in one word.
 */
#include "lock_word.h"

int lock_word_wait(uint32_t *word, uint64_t deadline, unsigned flags)
{
    int error = 0;

    /* Who has waited does not know whether others do, and so leaves the mark for them. */
    while (__atomic_exchange_n(word, LOCK_WANTED, __ATOMIC_ACQUIRE) != LOCK_FREE) {
        if (error == -ETIMEDOUT)
            return error;
        error = futex_wait(word, LOCK_WANTED, deadline, flags);
    }
    return 0;
}
