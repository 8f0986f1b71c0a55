#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Interrupts a PC by NMI while a program runs that has put GS where an address of the kernel's is: the report is one of the
kernel's all the same, with its CPU and its backtrace. Usage: test_nmi.py BUILD-DIRECTORY"""

import argparse
import os
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))

import machine
from console import Console

TIMEOUT = 120
WANTED = ("^# spinning", "^KERNEL PANIC: exception in the kernel, vector 2,", "^cpu [0-9a-f]+ flags", "^rsp [0-9a-f]{16}|rsp [0-9a-f]{16}$")


def main():
    parser = argparse.ArgumentParser()
    machine.add_arguments(parser)
    options = parser.parse_args(["--build", sys.argv[1], "--platform", "qemu-x86-64", "--smp", "1", "--memory", "128M"])
    options.uboot = False
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        monitor = os.path.join(directory, "monitor")
        line = machine.command(options, directory, ["/tests/traps", "spin"], exit_with_status=True)
        line[line.index("mon:stdio")] = "stdio"
        line += ["-monitor", "unix:%s,server,nowait" % monitor]
        with Console(line, os.path.join(directory, "log"), TIMEOUT) as console, socket.socket(socket.AF_UNIX) as control:
            print("1..%d" % (len(WANTED) + 1), flush=True)
            failed = 0
            for number, pattern in enumerate(WANTED, 1):
                good = console.expect(pattern, TIMEOUT)
                failed += not good
                print("%s %d - the console says %s" % ("ok" if good else "not ok", number, pattern), flush=True)
                if number == 1 and good:
                    control.connect(monitor)
                    control.sendall(b"nmi\n")
            good = console.wait() == machine.PANIC_STATUS
            print("%s %d - the machine ends by itself" % ("ok" if good else "not ok", len(WANTED) + 1))
            if failed or not good:
                print("\n".join("# " + text for text in console.text.splitlines()[-30:]))
    sys.exit(0 if good and not failed else 1)


if __name__ == "__main__":
    main()
