/* SPDX-License-Identifier: MIT */
/* How servers that have all their memory locked do that. */
#ifndef PROTO_SERVER_MEMORY_H
#define PROTO_SERVER_MEMORY_H

#include <proto/memsrv_protocol.h>

/* With each access looked at there is a large mapping of which little is ever used: servers/kasan/kasan.h. */
#ifdef SERVER_KASAN
#define SERVER_LOCK_FLAGS MEMSRV_LOCK_ALL_ON_FAULT
#else
#define SERVER_LOCK_FLAGS 0u
#endif

#endif
