#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts names behind the addresses of code that servers with each access looked at wrote into a log.

Usage: symbolise.py BUILD-DIRECTORY < LOG       as in: symbolise.py build/qemu-virt < log
"""

import os
import re
import subprocess
import sys

import elf_tools

# Programs are linked from 4 MiB on; anything else is no code of theirs.
LINE = re.compile(r"^(\w+): KASAN: .*\bat (0x4[0-9a-f]{5})\b", re.MULTILINE)


def names_of(elf, addresses):
    """{address: "function (file:line)"} of those that have a name. A return address stands behind its call, which ends one
    byte before it."""
    addresses = sorted(addresses)
    output = subprocess.run([elf_tools.prefix_of(elf) + "addr2line", "-f", "-s", "-e", elf] +
                            ["0x%x" % (int(address, 16) - 1) for address in addresses],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    pairs = zip(addresses, output[::2], output[1::2])
    return {address: "%s (%s)" % (name, place.split(" ")[0]) for address, name, place in pairs if name != "??"}


def symbolise(build, text):
    found = {}
    for server, address in LINE.findall(text):
        found.setdefault(server, set()).add(address)
    names = {}
    for server, addresses in found.items():
        elf = os.path.join(build, "sbin-%s-kasan.elf" % server)
        if os.path.exists(elf):
            names[server] = names_of(elf, addresses)

    def named(match):
        name = names.get(match.group(1), {}).get(match.group(2))
        return match.group(0) + (" " + name if name else "")

    return LINE.sub(named, text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.stdout.write(symbolise(sys.argv[1], sys.stdin.read()))
