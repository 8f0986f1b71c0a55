/* SPDX-License-Identifier: MIT */
/* Process numbers of the first programs, as they appear in badges; and priorities. */
#ifndef PROTO_PIDS_H
#define PROTO_PIDS_H

#define PID_ROOT   1u
#define PID_MEMSRV 2u

/* Priorities of programs: below those of all servers, above that of what is done when nobody has anything to do. */
#define PROGRAM_PRIORITY_LOWEST  5u
#define PROGRAM_PRIORITY_HIGHEST 35u

#endif
