/* SPDX-License-Identifier: MIT */
/*
 * The compiler's <stdatomic.h>. clang's passes on to newlib's, which uses the types of <stdint.h> without asking for
 * them.
 */
#ifndef QUIRE_STDATOMIC_H
#define QUIRE_STDATOMIC_H

#include <stdint.h>

#include_next <stdatomic.h>

#endif
