/* SPDX-License-Identifier: MIT */
/*
 * newlib's <pthread.h>, and what it does not declare although it is POSIX's or every program's.
 */
#ifndef QUIRE_PTHREAD_H
#define QUIRE_PTHREAD_H

#include_next <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

int pthread_attr_setscope(pthread_attr_t *attributes, int scope);
int pthread_attr_getscope(const pthread_attr_t *attributes, int *scope);
int pthread_mutexattr_setprotocol(pthread_mutexattr_t *attributes, int protocol);
int pthread_mutexattr_getprotocol(const pthread_mutexattr_t *attributes, int *protocol);
int pthread_mutexattr_setrobust(pthread_mutexattr_t *attributes, int robust);
int pthread_mutexattr_getrobust(const pthread_mutexattr_t *attributes, int *robust);
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes);

#ifdef __cplusplus
}
#endif

#endif
