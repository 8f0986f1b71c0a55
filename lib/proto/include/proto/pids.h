/* SPDX-License-Identifier: MIT */
/* Process numbers of the first programs, as they appear in badges. */
#ifndef PROTO_PIDS_H
#define PROTO_PIDS_H

#define PID_ROOT   1u
#define PID_MEMSRV 2u

#endif
