/* SPDX-License-Identifier: MIT */
/*
 * Thread-specific values. A key's generation is odd while the key exists, and grows with each creation and deletion: so
 * a value that was set for an earlier key of the same number is none.
 */
#include "lock_word.h"
#include "thread_record.h"

#include <pthread.h>

struct key {
    uint32_t generation; /* atomic */
    void (*destructor)(void *);
};

static uint32_t keys_lock; /* a lock word: creation and deletion */
static struct key keys[PTHREAD_KEYS_MAX];

static bool exists(uint32_t generation)
{
    return generation % 2 == 1;
}

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    int result = EAGAIN;

    lock_word_acquire(&keys_lock, 0);
    for (pthread_key_t index = 0; result != 0 && index < PTHREAD_KEYS_MAX; index++) {
        if (exists(keys[index].generation))
            continue;
        keys[index].destructor = destructor;
        __atomic_store_n(&keys[index].generation, keys[index].generation + 1, __ATOMIC_RELEASE);
        *key = index;
        result = 0;
    }
    lock_word_release(&keys_lock, 0);
    return result;
}

int pthread_key_delete(pthread_key_t key)
{
    int result = EINVAL;

    if (key >= PTHREAD_KEYS_MAX)
        return EINVAL;
    lock_word_acquire(&keys_lock, 0);
    if (exists(keys[key].generation)) {
        __atomic_store_n(&keys[key].generation, keys[key].generation + 1, __ATOMIC_RELEASE);
        result = 0;
    }
    lock_word_release(&keys_lock, 0);
    return result;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    if (key >= PTHREAD_KEYS_MAX)
        return EINVAL;
    const uint32_t generation = __atomic_load_n(&keys[key].generation, __ATOMIC_ACQUIRE);
    if (!exists(generation))
        return EINVAL;
    struct thread *self = thread_self();
    self->values[key] = (struct thread_key_value){.value = value, .generation = generation};
    if (key >= self->key_end)
        self->key_end = key + 1;
    return 0;
}

void *pthread_getspecific(pthread_key_t key)
{
    if (key >= PTHREAD_KEYS_MAX)
        return NULL;
    const struct thread_key_value *found = &thread_self()->values[key];
    if (found->generation != __atomic_load_n(&keys[key].generation, __ATOMIC_ACQUIRE) || !exists(found->generation))
        return NULL;
    return (void *)found->value;
}

/* Destroys the thread's value of a key. True if there was anything to do. */
static bool destroy_value(struct thread *self, pthread_key_t key)
{
    void *value = pthread_getspecific(key);
    void (*destructor)(void *) = keys[key].destructor;

    self->values[key].value = NULL;
    if (!value || !destructor)
        return false;
    destructor(value);
    return true;
}

void thread_keys_end(struct thread *self)
{
    bool again = true;

    /* A destructor may set values again. */
    for (int round = 0; again && round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
        again = false;
        for (pthread_key_t key = 0; key < self->key_end; key++)
            again |= destroy_value(self, key);
    }
}
