#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts names behind the addresses of code that a server wrote into a log.

Usage: symbolise.py ELF < LOG       as in: symbolise.py build/qemu-virt/sbin-memsrv-kasan.elf < log
"""

import re
import subprocess
import sys

import elf_tools

# Programs are linked from 4 MiB on; anything else is no code of theirs.
CODE = re.compile(r"\b(?:at|in) (0x4[0-9a-f]{5})\b")


def names_of(elf, addresses):
    """{address: "function (file:line)"} of those that have a name. A return address stands behind its call, which ends one
    byte before it."""
    addresses = sorted(set(addresses))
    if not addresses:
        return {}
    output = subprocess.run([elf_tools.prefix_of(elf) + "addr2line", "-f", "-s", "-e", elf] + ["0x%x" % (int(address, 16) - 1) for address in addresses],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    pairs = zip(addresses, output[::2], output[1::2])
    return {address: "%s (%s)" % (name, place.split(" ")[0]) for address, name, place in pairs if name != "??"}


def symbolise(elf, text):
    names = names_of(elf, CODE.findall(text))
    return CODE.sub(lambda match: match.group(0) + (" " + names[match.group(1)] if match.group(1) in names else ""), text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.stdout.write(symbolise(sys.argv[1], sys.stdin.read()))
