/* SPDX-License-Identifier: MIT */
/* What the assembly of the trampoline knows of the request that ends a handler. Included by assembly, too. */
#ifndef ARCH_SIGNAL_TRAMPOLINE_H
#define ARCH_SIGNAL_TRAMPOLINE_H

#define SIGNAL_RETURN_SLOT      6  /* SLOT_ROOT */
#define SIGNAL_RETURN_OPERATION 47 /* ROOT_OP_SIGNAL_RETURN */
#define SIGNAL_RETURN_CALL      1  /* SYS_CALL */

#endif
