/* SPDX-License-Identifier: MIT */
/*
 * How root starts the console server: with SLOT_MEMSRV, SLOT_ROOT, SLOT_SERVE (the endpoint, with RIGHT_RECEIVE),
 * SLOT_REPLY and SLOT_IRQ (the UART's interrupt), with the page of the UART's registers mapped at the address below, and
 * with two arguments: the driver's name, and how many bytes into the page the registers are. A third one,
 * CONSOLE_START_FRAMED, says that a program on the host is at the other end of the line and no terminal.
 */
#ifndef PROTO_CONSOLE_START_H
#define PROTO_CONSOLE_START_H

#define CONSOLE_REGISTERS_ADDRESS 0x20000UL
#define CONSOLE_REGISTERS_BYTES   0x1000UL
#define CONSOLE_START_FRAMED      "framed"

#endif
