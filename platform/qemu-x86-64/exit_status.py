#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs QEMU and ends with the status that the kernel wrote to the debug port, of which QEMU makes a file.

Usage: exit_status.py FILE QEMU [ARGUMENTS]
QEMU ends when this does.
"""

import os
import signal
import subprocess
import sys


def main():
    path, *line = sys.argv[1:]
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + line)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda which, _: process.send_signal(which))
    status = process.wait()
    if os.path.exists(path):
        with open(path, "rb") as file:
            told = file.read()
        if told:
            sys.exit(told[-1])
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
