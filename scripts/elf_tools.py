# SPDX-License-Identifier: MIT
"""Which of the binutils read an ELF file: those of the architecture that its header names."""

import struct

# By the machine's number in the header.
PREFIXES = {183: "aarch64-linux-gnu-", 62: "x86_64-linux-gnu-"}
MACHINE_OFFSET = 18


def prefix_of(elf):
    """What the names of the tools for this file begin with, as in aarch64-linux-gnu-."""
    with open(elf, "rb") as file:
        head = file.read(MACHINE_OFFSET + 2)
    if len(head) < MACHINE_OFFSET + 2 or not head.startswith(b"\x7fELF"):
        raise SystemExit("quire: error: %s is no ELF file" % elf)
    machine = struct.unpack_from("<H", head, MACHINE_OFFSET)[0]
    if machine not in PREFIXES:
        raise SystemExit("quire: error: %s is for machine %d, which Quire does not know" % (elf, machine))
    return PREFIXES[machine]
