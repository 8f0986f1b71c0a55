/* SPDX-License-Identifier: MIT */
/*
 * Checks in three levels of cost, chosen by the build (-DQUIRE_CHECKS=0..3): a failed check ends the program, so a
 * check states what the program itself guarantees, never what a client sent. An expression that is switched off is
 * still compiled, so it cannot rot, and is not evaluated.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#ifndef QUIRE_CHECKS
#define QUIRE_CHECKS 1
#endif

/* On a function whose result says whether it worked: it must not be dropped. */
#ifndef MUST_CHECK
#define MUST_CHECK __attribute__((warn_unused_result))
#endif

/* Reports that `expression` did not hold and ends the program. Each program has its own. */
_Noreturn void check_failed(const char *file, int line, const char *expression);

#define CHECK_AT_LEVEL(level, expression)                                                                              \
    do {                                                                                                               \
        if (QUIRE_CHECKS >= (level) && __builtin_expect(!(expression), 0))                                             \
            check_failed(__FILE__, __LINE__, #expression);                                                             \
    } while (0)

/* Level 1: constant time. */
#define ASSERT(expression) CHECK_AT_LEVEL(1, expression)
/* Level 2: linear in the one operation, e.g. a pattern over the object that is handed out. */
#define CHECK(expression) CHECK_AT_LEVEL(2, expression)
/* Level 3: walks the whole structure. */
#define CHECK_DEEP(expression) CHECK_AT_LEVEL(3, expression)

#endif
